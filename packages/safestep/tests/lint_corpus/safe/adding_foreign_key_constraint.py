import safestep
from alembic import op

revision = "safe_adding_foreign_key_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_author", "posts", ["author_id"])
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_foreign_key("fk_posts_author", "posts", "users", ["author_id"], ["id"], postgresql_not_valid=True)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE posts VALIDATE CONSTRAINT fk_posts_author")
