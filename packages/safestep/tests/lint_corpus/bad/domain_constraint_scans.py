from alembic import op

revision = "bad_domain_constraint_scans"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN short SET NOT NULL")
