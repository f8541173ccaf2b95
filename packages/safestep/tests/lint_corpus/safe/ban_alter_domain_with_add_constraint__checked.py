from alembic import op

revision = "safe_ban_alter_domain_with_add_constraint__checked"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN short ADD CONSTRAINT ck_short CHECK (value <> '') NOT VALID")
