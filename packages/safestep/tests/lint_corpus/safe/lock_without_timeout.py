from alembic import op

revision = "safe_lock_without_timeout"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE likes (post_id uuid PRIMARY KEY REFERENCES posts)")
    op.execute("CREATE TRIGGER stamp BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION stamp()")
