"""Queries of users."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import EmailTaken, NameTaken, UserNameless
from app.db.base import set_columns
from app.db.errors import conflicts
from app.db.models.user import User
from app.db.session import Reader
from app.db.shared_reads import KeyedQuery
from app.schemas.pages import Position

CONFLICTS = {
    "uq_users_email_lower": EmailTaken,
    "uq_users_name_without_email": NameTaken,
    "ck_users_email_or_name": UserNameless,
}

_COLUMNS = (User.id, User.email, User.name, User.is_active, User.created_at, User.updated_at)
_ONE = KeyedQuery(select(*_COLUMNS), User.id)
_PAGE = (
    select(*_COLUMNS)
    .where(
        tuple_(User.created_at, User.id)
        < tuple_(bindparam("at", type_=User.created_at.type), bindparam("id", type_=User.id.type))
    )
    .order_by(User.created_at.desc(), User.id.desc())
    .limit(bindparam("limit"))
)
_ACCOUNT = select(User.email, User.name, User.password_hash).where(User.id == bindparam("id"))
_CREDENTIALS = select(User.id, User.password_hash).where(
    func.lower(User.email) == func.lower(bindparam("email", type_=User.email.type))
)


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: NUL and lone surrogates are impossible."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


class UserRow(Protocol):
    id: UUID
    email: str | None
    name: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class CredentialRow(Protocol):
    id: UUID
    password_hash: str | None


class AccountRow(Protocol):
    email: str | None
    name: str | None
    password_hash: str | None


class UserReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get(self, user_id: UUID) -> UserRow | None:
        return await self._reader.by_key(_ONE, user_id)

    async def page(self, *, after: Position, limit: int) -> Sequence[UserRow]:
        return await self._reader.all_shared(_PAGE, {"at": after.at, "id": after.id, "limit": limit})

    async def credentials(self, email: str) -> CredentialRow | None:
        """The id and password hash of the account with this address, in any case."""
        if not _is_storable(email):  # the driver would refuse the parameter
            return None
        return await self._reader.first(_CREDENTIALS, {"email": email})

    async def account(self, user_id: UUID) -> AccountRow | None:
        """What a password is checked against."""
        return await self._reader.first(_ACCOUNT, {"id": user_id})


class UserRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: UUID) -> User | None:
        return await self._session.get(User, user_id)

    async def get_for_update(self, user_id: UUID) -> User | None:
        return await self._session.get(User, user_id, with_for_update=True)

    async def get_by_email(self, email: str) -> User | None:
        statement = select(User).where(func.lower(User.email) == func.lower(email))
        return (await self._session.scalars(statement.with_for_update())).one_or_none()

    async def find_authors(self, *, emails: Iterable[str], names: Iterable[str]) -> Sequence[User]:
        """Accounts that confirmed one of these addresses (in any case), and users without one with one of these names.

        An address that nobody confirmed proves nothing: whoever registered it may not own it.
        """
        by_email = func.lower(User.email).in_([email.lower() for email in emails]) & User.email_verified_at.is_not(None)
        by_name = User.email.is_(None) & User.name.in_(names)
        return (await self._session.scalars(select(User).where(by_email | by_name))).all()

    async def create(self, **values: Any) -> User:
        """A new user; raises EmailTaken, NameTaken or UserNameless, and TypeError for a value that no column takes."""
        return await self._save(User(**values))

    async def update(self, user: User, values: dict[str, Any]) -> User:
        """Writes these columns; raises EmailTaken, NameTaken or UserNameless, and AttributeError for a column that
        isn't there.
        """
        set_columns(user, values)
        return await self._save(user)

    async def delete(self, user: User) -> None:
        """Deletes the user. Rows of theirs that the audit log records one by one have to be deleted first."""
        await self._session.delete(user)
        await self._session.flush()

    async def _save(self, user: User) -> User:
        with conflicts(CONFLICTS):
            self._session.add(user)
            await self._session.flush()
        return user
