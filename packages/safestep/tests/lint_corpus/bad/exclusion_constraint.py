from alembic import op

revision = "bad_exclusion_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT ex_posts_slug EXCLUDE USING btree (slug WITH =)")
