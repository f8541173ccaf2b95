"""Who the caller is, and which callers a route accepts: one alias for each kind."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from app.api.deps import AppContext, AppSettings, ReadConnection, WriteTransactions
from app.core.errors import EmailUnverified, Forbidden, NotAuthenticated, ScopeMissing
from app.core.identity import Caller, Scope
from app.services.identity import IdentityService
from app.wiring import make_identity_service

bearer = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/token",
    refreshUrl="/api/v1/auth/refresh",
    auto_error=False,
    description="An access token of `/auth/token`, or an API key.",
)


async def get_identities(
    reader: ReadConnection, transactions: WriteTransactions, context: AppContext, settings: AppSettings
) -> IdentityService:
    return make_identity_service(reader, transactions, context, settings)


Identities = Annotated[IdentityService, Depends(get_identities)]


async def get_optional_user(
    credential: Annotated[str | None, Depends(bearer)], identities: Identities
) -> Caller | None:
    """None without a credential. An invalid credential raises NotAuthenticated."""
    return await identities.recognise(credential) if credential is not None else None


async def get_current_user(caller: Annotated[Caller | None, Depends(get_optional_user)]) -> Caller:
    if caller is None:
        raise NotAuthenticated
    return caller


AnyCaller = Annotated[Caller | None, Depends(get_optional_user)]
CurrentUser = Annotated[Caller, Depends(get_current_user)]


async def require_admin(caller: CurrentUser) -> Caller:
    """An administrator; by an API key only with the scope `admin`."""
    if not caller.is_admin:
        raise Forbidden if caller.scopes is None else ScopeMissing
    return caller


async def require_session(caller: CurrentUser) -> Caller:
    """Somebody who signed in: keys don't manage the account that they belong to."""
    if caller.session_id is None:
        raise ScopeMissing
    return caller


async def require_account_owner(caller: CurrentUser) -> Caller:
    """Somebody who signed in, or an administrator's key."""
    if caller.session_id is None and not caller.is_admin:
        raise ScopeMissing
    return caller


def reading(scope: Scope) -> Callable[[AnyCaller], Awaitable[Caller | None]]:
    """Anybody; but a key only with the scope."""

    async def require(caller: AnyCaller) -> Caller | None:
        if caller and not caller.has(scope):
            raise ScopeMissing
        return caller

    return require


def writing(scope: Scope) -> Callable[[CurrentUser, Identities], Awaitable[Caller]]:
    """Somebody whose account may write; by a key only with the scope."""

    async def require(caller: CurrentUser, identities: Identities) -> Caller:
        if not caller.has(scope):
            raise ScopeMissing
        if not identities.may_write(caller):
            raise EmailUnverified
        return caller

    return require


Admin = Annotated[Caller, Depends(require_admin)]
SignedIn = Annotated[Caller, Depends(require_session)]
AccountOwner = Annotated[Caller, Depends(require_account_owner)]
