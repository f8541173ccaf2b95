from alembic import op

revision = "safe_needs_connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("INSERT INTO tags (id, name) SELECT gen_random_uuid(), 'news' WHERE NOT EXISTS (SELECT FROM tags)")
