from alembic import op

revision = "safe_several_tables_locked__triggers"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TRIGGER posts_touch BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION touch()")
    op.execute("CREATE TRIGGER posts_check BEFORE INSERT ON posts FOR EACH ROW EXECUTE FUNCTION touch()")
