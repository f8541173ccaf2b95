"""Every table, one a file. Importing this package fills the metadata, which Alembic and the tests rely on."""

from app.db.base import Base
from app.db.models.api_key import ApiKey
from app.db.models.audit_event import AuditEvent
from app.db.models.auth_session import AuthSession
from app.db.models.co_authorship import CoAuthorship
from app.db.models.one_time_token import OneTimeToken
from app.db.models.post import Post
from app.db.models.rate_window import RateWindow
from app.db.models.refresh_token import RefreshToken
from app.db.models.user import User

__all__ = [
    "ApiKey",
    "AuditEvent",
    "AuthSession",
    "Base",
    "CoAuthorship",
    "OneTimeToken",
    "Post",
    "RateWindow",
    "RefreshToken",
    "User",
]
