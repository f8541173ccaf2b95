from alembic import op

revision = "safe_domain_constraint_scans__validate"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN address DROP CONSTRAINT address_check")
