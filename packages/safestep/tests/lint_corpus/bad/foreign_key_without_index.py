from alembic import op

revision = "bad_foreign_key_without_index"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users (id) NOT VALID")
