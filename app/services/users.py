"""What may be done with users, and by whom."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.config import Settings
from app.core.errors import Forbidden, RegistrationClosed, UserNotFound
from app.core.identity import Caller, Client, Scope
from app.core.security import Passwords
from app.db.models import User
from app.repos.auth_sessions import AuthSessionRepo
from app.repos.one_time_tokens import OneTimeTokenRepo
from app.repos.users import UserReadRepo, UserRepo
from app.schemas.pages import Page, PageQuery
from app.schemas.users import AuthorRead, UserCreate, UserRead, UserUpdate
from app.services.credentials import Links, acceptable
from app.services.pages import page_of
from app.services.rate_limits import RateLimits

type UserView = UserRead | AuthorRead


class UserReadService:
    """A user's private fields are for the user and for administrators; everybody else sees id and name."""

    def __init__(self, users: UserReadRepo) -> None:
        self._users = users

    async def get_user(self, user_id: UUID, caller: Caller | None) -> UserView:
        row = await self._users.get(user_id)
        if row is None:
            raise UserNotFound
        user = UserRead.model_validate(row)
        return _as_seen_by(caller, user)

    async def list_users(self, query: PageQuery, caller: Caller | None) -> Page[UserView]:
        rows = await self._users.page(after=query.after, limit=query.limit + 1)
        page = page_of([UserRead.model_validate(row) for row in rows], query.limit, at=lambda user: user.created_at)
        return Page[UserView](items=[_as_seen_by(caller, user) for user in page.items], next_cursor=page.next_cursor)


def _as_seen_by(caller: Caller | None, user: UserRead) -> UserView:
    if caller and (caller.is_admin or (caller.owns(user.id) and caller.has(Scope.USERS_READ))):
        return user
    return AuthorRead(id=user.id, name=user.name)


class UserService:
    def __init__(
        self,
        *,
        users: UserRepo,
        tokens: OneTimeTokenRepo,
        sessions: AuthSessionRepo,
        passwords: Passwords,
        limits: RateLimits,
        links: Links,
        settings: Settings,
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._sessions = sessions
        self._passwords = passwords
        self._limits = limits
        self._links = links
        self._settings = settings

    async def create_user(self, new: UserCreate, caller: Caller | None, client: Client) -> UserRead:
        """Registers an account; without a password nobody can sign in to it until one is set by mail."""
        if not (caller and caller.is_admin):
            if self._settings.registration == "admins":
                raise RegistrationClosed
            await self._limits.check("registration", address=client.address, account=new.email)
        password = new.password and await self._passwords.hash(acceptable(new.password))
        user = User(email=new.email, name=new.name, is_active=new.is_active, password_hash=password)
        await self._users.save(user)
        await self._links.send(self._tokens, user, "verify_email")
        return UserRead.model_validate(user)

    async def update_user(self, user_id: UUID, change: UserUpdate, caller: Caller) -> UserRead:
        """A new address has to be confirmed again; the old one is told. Only administrators (de)activate.

        Deactivation ends every session: activation must not bring them back.
        """
        fields = change.model_dump(exclude_unset=True)
        user = await self._for_update(user_id, caller)
        if "is_active" in fields and not caller.is_admin:
            raise Forbidden
        old_email = user.email
        for field, value in fields.items():
            setattr(user, field, value)
        if user.email != old_email:
            await self._address_changed(user, old_email)
        await self._users.save(user)
        if not user.is_active:
            await self._sessions.end_all(user.id, datetime.now(UTC))
        return UserRead.model_validate(user)

    async def _address_changed(self, user: User, old_email: str | None) -> None:
        user.email_verified_at = None
        await self._users.save(user)
        await self._tokens.forget(user.id, "set_password")  # it was sent to the old address
        await self._links.send(self._tokens, user, "verify_email")
        if old_email:
            text = "The e-mail address of your Postern account was changed. If it wasn't you, tell an administrator.\n"
            self._links.notify(old_email, "Your e-mail address was changed", text)

    async def delete_user(self, user_id: UUID, caller: Caller) -> None:
        """Removes the user and their posts."""
        await self._users.delete(await self._for_update(user_id, caller))

    async def _for_update(self, user_id: UUID, caller: Caller) -> User:
        """The user to change, locked: the caller's own, or anybody for an administrator."""
        if not (caller.is_admin or caller.owns(user_id)):
            raise Forbidden
        user = await self._users.get_for_update(user_id)
        if user is None:
            raise UserNotFound
        return user
