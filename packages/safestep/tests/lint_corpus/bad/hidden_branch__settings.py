from alembic import context, op

revision = "bad_hidden_branch__settings"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if context.config.get_main_option("fast"):
        op.execute("TRUNCATE tags")
