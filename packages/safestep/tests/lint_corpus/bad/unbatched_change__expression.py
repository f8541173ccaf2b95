from alembic import op

revision = "bad_unbatched_change__expression"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE members SET name = 'x' WHERE upper(name) = 'X'")
