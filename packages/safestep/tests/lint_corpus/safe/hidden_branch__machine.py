from alembic import op

revision = "safe_hidden_branch__machine"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    for name in ("posts", "users"):
        if name.startswith("p"):
            op.execute(f"COMMENT ON TABLE {name} IS 'shown'")
