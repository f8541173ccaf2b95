"""What ends a rehearsal before it has a result."""


class RehearsalError(Exception):
    """One line for a person: what is in the way, and what to do about it. It says nothing about the migration."""
