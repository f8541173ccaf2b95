"""What ends a rehearsal before it has a result."""

from alembic.util import CommandError


class RehearsalError(CommandError):
    """One line for a person: what is in the way, and what to do about it. It says nothing about the migration."""
