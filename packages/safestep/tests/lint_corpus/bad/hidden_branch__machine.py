import socket

from alembic import op

revision = "bad_hidden_branch__machine"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if socket.gethostname().startswith("production"):
        op.execute("SELECT 1")
