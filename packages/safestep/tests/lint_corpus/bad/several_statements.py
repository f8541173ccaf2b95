from alembic import op

revision = "bad_several_statements"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMENT ON TABLE posts IS 'texts'; COMMENT ON TABLE users IS 'people'")
