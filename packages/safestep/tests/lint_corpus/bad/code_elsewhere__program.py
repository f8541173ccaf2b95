from alembic import op

revision = "bad_code_elsewhere__program"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 1")
    import subprocess

    subprocess.run(["true"], check=True)
