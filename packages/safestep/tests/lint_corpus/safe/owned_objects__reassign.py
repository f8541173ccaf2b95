from alembic import op

revision = "safe_owned_objects__reassign"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts OWNER TO shop_owner")
