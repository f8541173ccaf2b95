from alembic import op

revision = "safe_adding_field_rewrites"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE SEQUENCE posts_number_seq")
    op.execute("ALTER TABLE posts ADD COLUMN number bigint")
    op.execute("ALTER TABLE posts ALTER COLUMN number SET DEFAULT nextval('posts_number_seq')")
    op.execute("ALTER TABLE posts ADD COLUMN summary short DEFAULT ''")
