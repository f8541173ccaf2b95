from alembic import context, op

revision = "bad_hidden_branch__option"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if context.get_x_argument(as_dictionary=True).get("fast"):
        op.execute("TRUNCATE tags")
