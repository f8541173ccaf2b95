from alembic import op

revision = "safe_exclusion_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE bookings (id uuid PRIMARY KEY, room uuid, EXCLUDE USING btree (room WITH =))")
    op.execute("ALTER TABLE bookings ADD CONSTRAINT ex_bookings_id EXCLUDE USING btree (id WITH =)")
