"""Everything that a route can ask for, as annotated aliases. Who asks is in app/api/identity.py.

Each provider can be replaced in tests through `app.dependency_overrides`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.resources import Resources
from app.core.config import Settings
from app.core.identity import Client
from app.db.session import Reader
from app.repos.accounts import Accounts
from app.repos.api_keys import ApiKeyReadRepo, ApiKeyRepo
from app.repos.audit_events import AuditEventReadRepo, AuditEventRepo
from app.repos.auth_sessions import AuthSessionReadRepo, AuthSessionRepo
from app.repos.one_time_tokens import OneTimeTokenReadRepo
from app.repos.posts import PostReadRepo, PostRepo
from app.repos.rate_windows import RateWindowRepo
from app.repos.users import UserReadRepo, UserRepo
from app.services.api_keys import ApiKeyReadService, ApiKeyService
from app.services.audit_events import AuditEventReadService
from app.services.auth import AuthSessionReadService, AuthSessionService, SignInService
from app.services.credentials import CredentialService, LinkRequestService, Links, PasswordProof
from app.services.posts import PostReadService, PostService
from app.services.rate_limits import DatabaseCounter, RateLimits
from app.services.users import UserReadService, UserService

type Transactions = Callable[[], AbstractAsyncContextManager[AsyncSession]]


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


async def get_reader(request: Request) -> Reader:
    reader: Reader = request.app.state.database.reader
    return reader


async def get_transactions(request: Request) -> Transactions:
    """Opens write transactions apart from the request's own: what they write stays even if the request fails."""
    transactions: Transactions = request.app.state.database.transaction
    return transactions


async def get_db(transactions: Annotated[Transactions, Depends(get_transactions)]) -> AsyncIterator[AsyncSession]:
    """The request's one write transaction. It takes a connection with its first statement, not before."""
    async with transactions() as session:
        yield session


async def get_client(request: Request) -> Client:
    user_agent = request.headers.get("user-agent")
    return Client(request.client.host if request.client else "unknown", user_agent and user_agent[:200])


AppSettings = Annotated[Settings, Depends(get_settings)]
AppResources = Annotated[Resources, Depends(get_resources)]
Read = Annotated[Reader, Depends(get_reader)]
Apart = Annotated[Transactions, Depends(get_transactions)]
# Function scope ends the transaction when the route returns. The default scope would end it after the response
# was sent, and a client could be told of a change that is then lost.
Write = Annotated[AsyncSession, Depends(get_db, scope="function")]
FromClient = Annotated[Client, Depends(get_client)]


def unit[Repos](
    transactions: Transactions, make: Callable[[AsyncSession], Repos]
) -> Callable[[], AbstractAsyncContextManager[Repos]]:
    """Transactions as services see them: each is a block with repos in it."""

    @asynccontextmanager
    async def block() -> AsyncIterator[Repos]:
        async with transactions() as session:
            yield make(session)

    return block


async def get_limits(resources: AppResources, settings: AppSettings, apart: Apart) -> RateLimits:
    return RateLimits(resources.counter or DatabaseCounter(unit(apart, RateWindowRepo)), settings)


async def get_links(resources: AppResources, settings: AppSettings, background: BackgroundTasks) -> Links:
    return Links(resources.mailer, background.add_task, settings)


Limits = Annotated[RateLimits, Depends(get_limits)]
MailLinks = Annotated[Links, Depends(get_links)]


async def get_proof(reader: Read, session: Write, resources: AppResources, limits: Limits) -> PasswordProof:
    return PasswordProof(UserReadRepo(reader), AuditEventRepo(session), resources.passwords, limits)


Proof = Annotated[PasswordProof, Depends(get_proof, scope="function")]


async def get_user_reads(reader: Read) -> UserReadService:
    return UserReadService(UserReadRepo(reader))


async def get_users(
    reader: Read,
    session: Write,
    resources: AppResources,
    limits: Limits,
    links: MailLinks,
    proof: Proof,
    settings: AppSettings,
) -> UserService:
    return UserService(
        reads=UserReadRepo(reader),
        accounts=Accounts.of(session),
        passwords=resources.passwords,
        limits=limits,
        links=links,
        proof=proof,
        settings=settings,
    )


async def get_post_reads(reader: Read) -> PostReadService:
    return PostReadService(PostReadRepo(reader))


async def get_posts(session: Write) -> PostService:
    return PostService(PostRepo(session), UserRepo(session))


async def get_sign_in(
    reader: Read, session: Write, resources: AppResources, limits: Limits, settings: AppSettings
) -> SignInService:
    return SignInService(
        reads=UserReadRepo(reader),
        users=UserRepo(session),
        sessions=AuthSessionRepo(session),
        audit=AuditEventRepo(session),
        passwords=resources.passwords,
        keyring=resources.keyring,
        limits=limits,
        settings=settings,
    )


async def get_auth_session_reads(reader: Read) -> AuthSessionReadService:
    return AuthSessionReadService(AuthSessionReadRepo(reader))


async def get_auth_sessions(session: Write, resources: AppResources) -> AuthSessionService:
    return AuthSessionService(AuthSessionRepo(session), AuditEventRepo(session), resources.keyring)


async def get_link_requests(
    apart: Apart, limits: Limits, links: MailLinks, background: BackgroundTasks
) -> LinkRequestService:
    return LinkRequestService(unit(apart, Accounts.of), limits, links, background.add_task)


async def get_credentials(reader: Read, session: Write, resources: AppResources, proof: Proof) -> CredentialService:
    return CredentialService(
        token_reads=OneTimeTokenReadRepo(reader),
        accounts=Accounts.of(session),
        passwords=resources.passwords,
        proof=proof,
    )


async def get_api_key_reads(reader: Read) -> ApiKeyReadService:
    return ApiKeyReadService(ApiKeyReadRepo(reader))


async def get_api_keys(session: Write) -> ApiKeyService:
    return ApiKeyService(ApiKeyRepo(session))


async def get_audit_event_reads(reader: Read) -> AuditEventReadService:
    return AuditEventReadService(AuditEventReadRepo(reader))


UserReads = Annotated[UserReadService, Depends(get_user_reads)]
Users = Annotated[UserService, Depends(get_users)]
PostReads = Annotated[PostReadService, Depends(get_post_reads)]
Posts = Annotated[PostService, Depends(get_posts)]
SignIn = Annotated[SignInService, Depends(get_sign_in)]
AuthSessionReads = Annotated[AuthSessionReadService, Depends(get_auth_session_reads)]
AuthSessions = Annotated[AuthSessionService, Depends(get_auth_sessions)]
LinkRequests = Annotated[LinkRequestService, Depends(get_link_requests)]
Credentials = Annotated[CredentialService, Depends(get_credentials)]
ApiKeyReads = Annotated[ApiKeyReadService, Depends(get_api_key_reads)]
ApiKeys = Annotated[ApiKeyService, Depends(get_api_keys)]
AuditEventReads = Annotated[AuditEventReadService, Depends(get_audit_event_reads)]
