from alembic import op

revision = "bad_domain_constraint_scans__validate"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN address VALIDATE CONSTRAINT address_check")
