"""A real PostgreSQL that lives in a folder, for development and tests."""

from pgfolder.server import EmbeddedPostgres, EmbeddedPostgresError, binary

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "binary"]
