from alembic import op

revision = "safe_domain_constraint_scans"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE DOMAIN shorter AS text")
    op.execute("ALTER DOMAIN shorter SET NOT NULL")
