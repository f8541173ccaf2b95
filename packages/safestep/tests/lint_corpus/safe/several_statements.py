from alembic import op

revision = "safe_several_statements"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMENT ON TABLE posts IS 'texts; mostly short'; -- and some that are long;")
    op.execute("COMMENT ON TABLE users IS 'people'")
