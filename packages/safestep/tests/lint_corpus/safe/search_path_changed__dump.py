from alembic import op

revision = "safe_search_path_changed__dump"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_catalog.set_config('search_path', 'public', false)")
