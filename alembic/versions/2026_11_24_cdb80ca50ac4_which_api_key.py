"""the audit log tells which API key was used

Revision ID: cdb80ca50ac4
Revises: 824e69c56886
Create Date: 2026-11-24 06:16:18.327478+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "cdb80ca50ac4"
down_revision: str | None = "824e69c56886"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# "contract" when the code that is running can't live with it; then also `destructive = True` if it drops data.
phase: str = "expand"


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("actor_key_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("audit_events", "actor_key_id")
