from alembic import op

revision = "bad_exception_without_reason"
down_revision = "tables"
phase = "expand"
lint_exceptions = {"truncate": " "}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("TRUNCATE tags")
