from pathlib import Path

from alembic import op

revision = "bad_code_elsewhere"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())
