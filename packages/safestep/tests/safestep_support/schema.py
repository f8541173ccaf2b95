"""The models of the small project: authors and their posts, a composite key, a trigger."""

from sqlalchemy import (
    DDL,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    event,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", String(320), unique=True),
    Column("name", String(200)),
    Column("is_active", Boolean, server_default=text("true"), nullable=False),
    Column("created_at", DateTime(timezone=True), server_default=text("now()"), nullable=False),
    CheckConstraint("email IS NOT NULL OR name IS NOT NULL", name="email_or_name"),
    Index("ix_users_created_at_id", "created_at", "id"),
)
posts = Table(
    "posts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("author_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("slug", String(300), unique=True),
    Column("body", Text, nullable=False),
    Column("published_at", DateTime(timezone=True)),
    CheckConstraint("char_length(body) <= 1000000", name="body_length"),
    Index("ix_posts_author_id", "author_id"),
    Index("ix_posts_published", "published_at", "id", postgresql_where=text("published_at IS NOT NULL")),
    Index("ix_posts_drafts", "author_id", "id", postgresql_where=text("published_at IS NULL")),
)
co_authorships = Table(
    "co_authorships",
    metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index("ix_co_authorships_user_id", "user_id"),
)
counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("count", Integer, nullable=False))
events = Table(
    "events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("changes", postgresql.JSONB, nullable=False),
)
APPEND_ONLY = (
    """
    CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'events is append-only'; END $$
    """,
    "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION "
    "events_append_only()",
)
for each in APPEND_ONLY:
    event.listen(metadata, "after_create", DDL(each.replace("%", "%%")))


def creating() -> list[str]:
    """The statements that create all of it."""
    tables = metadata.sorted_tables
    indexes = sorted((index for table in tables for index in table.indexes), key=lambda index: index.name or "")
    elements = [*map(CreateTable, tables), *map(CreateIndex, indexes)]
    statements = [str(element.compile(dialect=postgresql.dialect())) for element in elements]
    return [" ".join(statement.split()) for statement in (*statements, *APPEND_ONLY)]


def dropping() -> list[str]:
    tables = [f"DROP TABLE {table.name}" for table in reversed(metadata.sorted_tables)]
    return [*tables, "DROP FUNCTION events_append_only()"]
