"""slugs of drafts are their authors' own

Revision ID: 8d80ca50cca7
Revises: cdefefb13393
Create Date: 2026-11-25 01:58:58.828718+00:00
"""

from collections.abc import Sequence

import safestep
from alembic import op

revision: str = "8d80ca50cca7"
down_revision: str | None = "cdefefb13393"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

phase: str = "contract"


def upgrade() -> None:
    op.drop_constraint("uq_posts_slug", "posts", type_="unique")


# It fails when two posts have the same slug by now. The invalid index that is then left still refuses new ones:
# DROP INDEX CONCURRENTLY uq_posts_slug.
def downgrade() -> None:
    safestep.add_index_concurrently("uq_posts_slug", "posts", ["slug"], unique=True)
    op.execute("ALTER TABLE posts ADD CONSTRAINT uq_posts_slug UNIQUE USING INDEX uq_posts_slug")
