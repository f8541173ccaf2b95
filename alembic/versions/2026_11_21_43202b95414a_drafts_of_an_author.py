"""drafts of an author

Revision ID: 43202b95414a
Revises: 3c32f22b34d4
Create Date: 2026-11-21 11:44:47.056202+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "43202b95414a"
down_revision: str | None = "3c32f22b34d4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Concurrently, and so outside of a transaction: writers go on while the index is built.
def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_posts_author_drafts",
            "posts",
            ["author_id", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("published_at IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_posts_author_drafts", table_name="posts", postgresql_concurrently=True)
