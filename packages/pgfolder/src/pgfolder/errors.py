"""The one error of this package."""


class EmbeddedPostgresError(Exception):
    """One line for a person: what is in the way, and what to do about it."""
