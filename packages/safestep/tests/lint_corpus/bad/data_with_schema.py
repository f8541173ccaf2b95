import sqlalchemy as sa
from alembic import op

revision = "bad_data_with_schema"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("language", sa.Text()))
    op.execute("UPDATE posts SET language = 'en' WHERE id IN (SELECT id FROM posts LIMIT 1000)")
