from alembic import op

revision = "safe_renaming_table"
down_revision = "tables"
phase = "expand"
lint_exceptions = {"renaming-table": "a view of the old name serves the running code"}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.rename_table("posts", "articles")
    op.execute("CREATE VIEW posts AS SELECT * FROM articles")
