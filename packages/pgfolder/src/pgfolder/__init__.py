"""A real PostgreSQL that lives in a folder, for development and tests."""

from pgfolder.errors import EmbeddedPostgresError
from pgfolder.folders import remove_data
from pgfolder.keeping import kept_running
from pgfolder.programs import binary
from pgfolder.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "binary", "kept_running", "remove_data"]
