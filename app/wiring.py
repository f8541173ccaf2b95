"""Services from repos, once, for HTTP and for the command line. No FastAPI here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.mail import Mailer, make_mailer
from app.core.security import Keyring, Passwords
from app.db.revisions import is_behind
from app.db.session import Database, Reader
from app.repos.accounts import AccountRepos
from app.repos.api_keys import ApiKeyReadRepo, ApiKeyRepo
from app.repos.audit_events import AuditEventReadRepo, AuditEventRepo
from app.repos.auth_sessions import AuthSessionReadRepo, AuthSessionRepo
from app.repos.authors import AuthorReadRepo
from app.repos.identities import IdentityRepo
from app.repos.imported_posts import ImportedPostRepo
from app.repos.one_time_tokens import OneTimeTokenReadRepo
from app.repos.posts import PostReadRepo, PostRepo
from app.repos.rate_windows import RateWindowRepo
from app.repos.server_state import ServerStateRepo
from app.repos.users import UserReadRepo, UserRepo
from app.services.admins import AdminService
from app.services.api_keys import ApiKeyReadService, ApiKeyService
from app.services.audit_events import AuditEventReadService
from app.services.auth import AuthSessionReadService, AuthSessionService, SignInService
from app.services.identity import IdentityService
from app.services.imports import ImportService
from app.services.links import AfterResponse, LinkMailer, LinkRequestService, LinkService
from app.services.passwords import PasswordService
from app.services.posts import PostReadService, PostService
from app.services.rate_limits import Counter, DatabaseCounter, RateLimits, StorageCounter
from app.services.readiness import Readiness
from app.services.reauthentication import Reauthentication
from app.services.users import UserReadService, UserService

type Transactions = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""Opens write transactions, each with a session and a commit of its own."""


@dataclass
class ProcessContext:
    """What lives as long as the process and isn't its database."""

    passwords: Passwords
    keyring: Keyring
    mailer: Mailer
    rate_limit_counter: Counter | None
    """None counts in the database."""


def make_process_context(settings: Settings) -> ProcessContext:
    storage = settings.rate_limit_storage
    return ProcessContext(
        passwords=Passwords(settings),
        keyring=Keyring(settings),
        mailer=make_mailer(settings),
        rate_limit_counter=StorageCounter(storage.get_secret_value()) if storage else None,
    )


class Reads:
    """Services that only read, on a read connection."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self._reader = reader
        self._settings = settings

    @property
    def users(self) -> UserReadService:
        everybody = UserReadRepo(self._reader)
        public: dict[str, AuthorReadRepo | UserReadRepo | None] = {
            "authors": AuthorReadRepo(self._reader),
            "everybody": everybody,
            "nobody": None,
        }
        return UserReadService(everybody, public[self._settings.public_users])

    @property
    def posts(self) -> PostReadService:
        return PostReadService(PostReadRepo(self._reader))

    @property
    def auth_sessions(self) -> AuthSessionReadService:
        return AuthSessionReadService(AuthSessionReadRepo(self._reader))

    @property
    def api_keys(self) -> ApiKeyReadService:
        return ApiKeyReadService(ApiKeyReadRepo(self._reader))

    @property
    def audit_events(self) -> AuditEventReadService:
        return AuditEventReadService(AuditEventReadRepo(self._reader))


class Writes:
    """Services that write, all in the one transaction of `session`.

    `transactions` opens others, for what has to stay even if this one fails; `after_response` runs what has to wait
    for the commit.
    """

    def __init__(
        self,
        session: AsyncSession,
        *,
        reader: Reader,
        transactions: Transactions,
        context: ProcessContext,
        settings: Settings,
        after_response: AfterResponse,
    ) -> None:
        self._session = session
        self._reader = reader
        self._transactions = transactions
        self._context = context
        self._settings = settings
        self._after_response = after_response

    @property
    def users(self) -> UserService:
        return UserService(
            reads=UserReadRepo(self._reader),
            accounts=self._accounts,
            passwords=self._context.passwords,
            limits=self._limits,
            links=self._link_mailer,
            reauthentication=self._reauthentication,
            settings=self._settings,
        )

    @property
    def posts(self) -> PostService:
        return PostService(PostRepo(self._session))

    @property
    def sign_in(self) -> SignInService:
        return SignInService(
            reads=UserReadRepo(self._reader),
            users=UserRepo(self._session),
            sessions=AuthSessionRepo(self._session),
            audit=AuditEventRepo(self._session),
            passwords=self._context.passwords,
            keyring=self._context.keyring,
            limits=self._limits,
            settings=self._settings,
        )

    @property
    def auth_sessions(self) -> AuthSessionService:
        return AuthSessionService(AuthSessionRepo(self._session), AuditEventRepo(self._session), self._context.keyring)

    @property
    def passwords(self) -> PasswordService:
        return PasswordService(self._accounts, self._context.passwords, self._reauthentication)

    @property
    def links(self) -> LinkService:
        return LinkService(OneTimeTokenReadRepo(self._reader), self._accounts, self._context.passwords, self._limits)

    @property
    def link_requests(self) -> LinkRequestService:
        transactions = repo_transactions(self._transactions, AccountRepos.of)
        return LinkRequestService(transactions, self._limits, self._link_mailer, self._after_response)

    @property
    def api_keys(self) -> ApiKeyService:
        return ApiKeyService(self._accounts, self._reauthentication)

    @property
    def _accounts(self) -> AccountRepos:
        return AccountRepos.of(self._session)

    @property
    def _limits(self) -> RateLimits:
        counter = self._context.rate_limit_counter
        in_database = DatabaseCounter(repo_transactions(self._transactions, RateWindowRepo))
        return RateLimits(counter or in_database, self._settings)

    @property
    def _link_mailer(self) -> LinkMailer:
        return LinkMailer(self._context.mailer, self._after_response, self._settings)

    @property
    def _reauthentication(self) -> Reauthentication:
        reads, audit = UserReadRepo(self._reader), AuditEventRepo(self._session)
        return Reauthentication(reads, audit, self._context.passwords, self._limits)


def make_identity_service(
    reader: Reader, transactions: Transactions, context: ProcessContext, settings: Settings
) -> IdentityService:
    return IdentityService(
        IdentityRepo(reader),
        context.keyring,
        repo_transactions(transactions, ApiKeyRepo),
        unverified_may=settings.unverified_accounts_may,
    )


def make_readiness(database: Database) -> Readiness:
    return Readiness(ServerStateRepo(database.probe), is_behind)


def make_admin_service(session: AsyncSession, settings: Settings) -> AdminService:
    return AdminService(AccountRepos.of(session), Passwords(settings))


def make_import_service(transactions: Transactions, *, dry_run: bool) -> ImportService:
    repos = repo_transactions(transactions, lambda session: (ImportedPostRepo(session), UserRepo(session)))
    return ImportService(repos, dry_run=dry_run)


def repo_transactions[Repos](
    transactions: Transactions, make: Callable[[AsyncSession], Repos]
) -> Callable[[], AbstractAsyncContextManager[Repos]]:
    """Opens transactions that yield repos instead of the session, which services don't know."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Repos]:
        async with transactions() as session:
            yield make(session)

    return transaction
