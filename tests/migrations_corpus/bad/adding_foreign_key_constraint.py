from alembic import op

revision = "bad_adding_foreign_key_constraint"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_posts_author ON posts (author_id)")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_foreign_key("fk_posts_author", "posts", "users", ["author_id"], ["id"])
