"""What may be done with users, and by whom."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.config import Settings
from app.core.errors import Forbidden, NotAuthenticated, PasswordWrong, RegistrationClosed, ScopeMissing, UserNotFound
from app.core.identity import Caller, ClientInfo, Scope
from app.core.security import Passwords
from app.db.models.user import User
from app.repos.accounts import AccountRepos
from app.repos.authors import AuthorReadRepo, AuthorRow
from app.repos.users import UserReadRepo
from app.schemas.base import Written
from app.schemas.pages import Page, PageQuery, next_cursor_of
from app.schemas.users import AuthorRead, UserCreate, UserRead, UserUpdate
from app.services.links import LinkMailer
from app.services.passwords import hash_new_password
from app.services.rate_limits import RateLimits
from app.services.reauthentication import Reauthentication, VerifiedPassword

type UserView = UserRead | AuthorRead


class UserReadService:
    """A user's private fields are for the user and for administrators; everybody else sees id and name."""

    def __init__(self, users: UserReadRepo, public: AuthorReadRepo | UserReadRepo | None) -> None:
        """`public` has the users whom a caller sees without signing in; with None that is nobody."""
        self._users = users
        self._public = public

    async def get_user(self, user_id: UUID, caller: Caller | None) -> UserView:
        row = await self._visible_to(caller).get(user_id)
        if row is None:
            raise UserNotFound
        return _as_seen_by(caller, row)

    async def list_users(self, query: PageQuery, caller: Caller | None) -> Page[UserView]:
        rows = await self._visible_to(caller).page(after=query.after, limit=query.limit + 1)
        next_cursor = next_cursor_of(rows, query.limit, at=lambda row: row.created_at)
        return Page[UserView](items=[_as_seen_by(caller, row) for row in rows[: query.limit]], next_cursor=next_cursor)

    def _visible_to(self, caller: Caller | None) -> AuthorReadRepo | UserReadRepo:
        if caller:
            return self._users
        if self._public is None:
            raise NotAuthenticated
        return self._public


def _as_seen_by(caller: Caller | None, row: AuthorRow) -> UserView:
    view = UserRead if caller and (caller.is_admin or caller.owns(row.id)) else AuthorRead
    return view.model_validate(row)


def _as_told_to(caller: Caller | None, user: User) -> UserRead | Written:
    """The answer to a write: what a key may not read, it doesn't get back."""
    reads = caller is None or caller.has(Scope.USERS_READ)
    return (UserRead if reads else Written).model_validate(user)


class UserService:
    def __init__(
        self,
        *,
        reads: UserReadRepo,
        accounts: AccountRepos,
        passwords: Passwords,
        limits: RateLimits,
        links: LinkMailer,
        reauthentication: Reauthentication,
        settings: Settings,
    ) -> None:
        self._reads = reads
        self._users = accounts.users
        self._accounts = accounts
        self._tokens = accounts.tokens
        self._passwords = passwords
        self._limits = limits
        self._links = links
        self._reauthentication = reauthentication
        self._settings = settings

    async def create_user(self, new: UserCreate, caller: Caller | None, client: ClientInfo) -> UserRead | Written:
        """Registers an account; without a password nobody can sign in to it until one is set by mail."""
        if not (caller and caller.is_admin):
            if self._settings.registration == "admins":
                raise RegistrationClosed
            if not new.is_active:  # an inactive account would block its address for the owner for good
                raise Forbidden
            await self._limits.check("registration", address=client.address, account=new.email)
        about = (new.email, new.name)
        password_hash = new.password and await hash_new_password(self._passwords, new.password, about)
        user = await self._users.create(**new.model_dump(exclude={"password"}), password_hash=password_hash)
        await self._links.send(self._tokens, user, "verify_email")
        return _as_told_to(caller, user)

    async def update_user(
        self, user_id: UUID, change: UserUpdate, caller: Caller, client: ClientInfo
    ) -> UserRead | Written:
        """A new address has to be confirmed, and the old one gets a mail. Only administrators (de)activate accounts.

        Either ends sessions, API keys and links: activation must not bring them back.
        """
        values = change.model_dump(exclude_unset=True, exclude={"current_password"})
        if "is_active" in values and not caller.is_admin:
            raise Forbidden
        verified = await self._permit_new_address(change, user_id, caller, client) if "email" in values else None
        user = await self._for_update(user_id, caller)
        if verified:
            verified.require_unchanged(user if caller.owns(user.id) else await self._users.get(caller.user_id))
        old_email, was_active = user.email, user.is_active
        if values.get("email", old_email) != old_email:
            if caller.session_id and not verified:  # it was the address until somebody else changed it
                raise PasswordWrong
            await self._users.update(user, values | {"email_verified_at": None})
            await self._address_changed(user, old_email)
        else:
            await self._users.update(user, values)
        if user.is_active != was_active:
            await self._accounts.end_access(user.id, datetime.now(UTC))
        return _as_told_to(caller, user)

    async def _permit_new_address(
        self, change: UserUpdate, user_id: UUID, caller: Caller, client: ClientInfo
    ) -> VerifiedPassword | None:
        """Requires the password of whoever changes an address, because a password can be reset through it. A key has
        none to ask for: making it took the password.

        Returns None where none was asked for. Raises Forbidden, PasswordWrong or RateLimited.
        """
        if not (caller.is_admin or caller.owns(user_id)):
            raise Forbidden
        known = await self._reads.get(user_id) if caller.session_id else None
        if known is None or known.email == change.email:
            return None
        verified = await self._reauthentication.require_password(change.current_password, caller, client)
        if not caller.is_admin:
            await self._limits.check("registration", address=client.address, account=change.email)
            await self._limits.check("confirmation", address=client.address, account=change.email)
        return verified

    async def _address_changed(self, user: User, old_email: str | None) -> None:
        await self._tokens.delete(user.id, "set_password")  # it was sent to the old address
        await self._links.send(self._tokens, user, "verify_email")
        if old_email:
            self._links.tell_of_change(old_email)

    async def delete_user(self, user_id: UUID, caller: Caller) -> None:
        """Deletes the user and, by the database's CASCADE, what is theirs."""
        await self._users.delete(await self._for_update(user_id, caller))

    async def _for_update(self, user_id: UUID, caller: Caller) -> User:
        """Returns the locked user: callers may change themselves, administrators anybody.

        A key manages no administrator, neither its owner nor one by whom it could get more than its scopes.
        """
        if not (caller.is_admin or caller.owns(user_id)):
            raise Forbidden
        user = await self._users.get_for_update(user_id)
        if user is None:
            raise UserNotFound
        if caller.session_id is None and user.is_admin:
            raise ScopeMissing
        return user
