"""What may be done with users, and by whom."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.config import Settings
from app.core.errors import Forbidden, PasswordWrong, RegistrationClosed, ScopeMissing, UserNotFound
from app.core.identity import Caller, Client
from app.core.security import Passwords
from app.db.models import User
from app.repos.accounts import Accounts
from app.repos.users import UserReadRepo
from app.schemas.pages import Page, PageQuery
from app.schemas.users import AuthorRead, UserCreate, UserRead, UserUpdate
from app.services.credentials import Links, PasswordProof, acceptable
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
    if caller and (caller.is_admin or caller.owns(user.id)):
        return user
    return AuthorRead(id=user.id, name=user.name)


class UserService:
    def __init__(
        self,
        *,
        reads: UserReadRepo,
        accounts: Accounts,
        passwords: Passwords,
        limits: RateLimits,
        links: Links,
        proof: PasswordProof,
        settings: Settings,
    ) -> None:
        self._reads = reads
        self._users = accounts.users
        self._tokens = accounts.tokens
        self._sessions = accounts.sessions
        self._passwords = passwords
        self._limits = limits
        self._links = links
        self._proof = proof
        self._settings = settings

    async def create_user(self, new: UserCreate, caller: Caller | None, client: Client) -> UserRead:
        """Registers an account; without a password nobody can sign in to it until one is set by mail."""
        if not (caller and caller.is_admin):
            if self._settings.registration == "admins":
                raise RegistrationClosed
            if not new.is_active:  # or an address could be taken for good, with no way in for its owner
                raise Forbidden
            await self._limits.check("registration", address=client.address, account=new.email)
        password = new.password and await self._passwords.hash(acceptable(new.password))
        user = User(email=new.email, name=new.name, is_active=new.is_active, password_hash=password)
        await self._users.save(user)
        await self._links.send(self._tokens, user, "verify_email")
        return UserRead.model_validate(user)

    async def update_user(self, user_id: UUID, change: UserUpdate, caller: Caller, client: Client) -> UserRead:
        """A new address has to be confirmed again; the old one is told. Only administrators (de)activate.

        Deactivation ends every session: activation must not bring them back.
        """
        fields = change.model_dump(exclude_unset=True, exclude={"current_password"})
        if "is_active" in fields and not caller.is_admin:
            raise Forbidden
        proved = await self._address_may_change(user_id, change, caller, client) if "email" in fields else None
        user = await self._for_update(user_id, caller)
        if proved and user.password_hash != proved:
            raise PasswordWrong
        old_email = user.email
        for field, value in fields.items():
            setattr(user, field, value)
        if user.email != old_email:
            await self._address_changed(user, old_email)
        await self._users.save(user)
        if not user.is_active:
            await self._sessions.end_all(user.id, datetime.now(UTC))
        return UserRead.model_validate(user)

    async def _address_may_change(
        self, user_id: UUID, change: UserUpdate, caller: Caller, client: Client
    ) -> str | None:
        """For one's own account it takes the password: whoever has the address can set a new one.

        Returns the hash of that password, None where it takes none. Raises PasswordWrong or RateLimited.
        """
        known = await self._reads.get(user_id) if caller.owns(user_id) and caller.session_id else None
        if known is None or known.email == change.email:
            return None
        proved = await self._proof.demand(change.current_password, caller, client)
        if not caller.is_admin:
            await self._limits.check("registration", address=client.address, account=change.email)
        return proved

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
        """The user to change, locked: the caller's own, or anybody for an administrator.

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
