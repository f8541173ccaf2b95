"""Users as tests want them."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from uuid_utils.compat import uuid7

from app.db.models.user import User

_numbers = count(1)


def new_user(**values: Any) -> User:
    """A valid user with a confirmed address, different from every other; `save` stores it."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "id": uuid7(),
        "name": f"Author {number}",
        "email": f"author{number}@example.com",
        "is_active": True,
        "is_admin": False,
        "email_verified_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return User(**(defaults | values))
