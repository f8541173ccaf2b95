"""Every table, one a file. Importing this package fills the metadata, which Alembic and the tests rely on."""

from app.db.base import Base
from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User

__all__ = ["Base", "CoAuthorship", "Post", "User"]
