from alembic import op

revision = "bad_search_path_changed"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL search_path = statistics, public")
