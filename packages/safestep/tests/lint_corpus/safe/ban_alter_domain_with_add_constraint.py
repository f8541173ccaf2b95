from alembic import op

revision = "safe_ban_alter_domain_with_add_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tags ADD CONSTRAINT ck_tags_name CHECK (char_length(name) < 10) NOT VALID")
