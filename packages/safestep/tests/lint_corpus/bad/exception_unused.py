from alembic import op

revision = "bad_exception_unused"
down_revision = "tables"
phase = "expand"
lint_exceptions = {"truncate": "nobody reads it before the nightly job fills it"}


def upgrade() -> None:
    op.execute("SELECT 1")
