from alembic import op

revision = "safe_unbatched_change"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            "UPDATE posts SET views = 0 WHERE id IN (SELECT id FROM posts WHERE views IS NULL ORDER BY id LIMIT 1000)"
        )
    op.execute("DELETE FROM users WHERE id = '018c2b52-0000-7000-8000-000000000000'")
    op.execute("INSERT INTO tags (id, name) VALUES ('018c2b52-0000-7000-8000-000000000000', 'news')")
