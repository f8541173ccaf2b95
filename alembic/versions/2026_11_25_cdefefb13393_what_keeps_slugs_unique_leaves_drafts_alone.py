"""what keeps slugs unique leaves drafts alone

Revision ID: cdefefb13393
Revises: cdb80ca50ac4
Create Date: 2026-11-25 01:58:51.162406+00:00
"""

from collections.abc import Sequence

import safestep

revision: str = "cdefefb13393"
down_revision: str | None = "cdb80ca50ac4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

phase: str = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently(
        "uq_posts_published_slug", "posts", ["slug"], unique=True, postgresql_where="published_at IS NOT NULL"
    )
    safestep.add_index_concurrently("uq_posts_slug_author_id", "posts", ["slug", "author_id"], unique=True)
    safestep.add_index_concurrently(
        "ix_posts_published_author_id", "posts", ["author_id"], postgresql_where="published_at IS NOT NULL"
    )


def downgrade() -> None:
    safestep.drop_index_concurrently("ix_posts_published_author_id", "posts")
    safestep.drop_index_concurrently("uq_posts_slug_author_id", "posts")
    safestep.drop_index_concurrently("uq_posts_published_slug", "posts")
