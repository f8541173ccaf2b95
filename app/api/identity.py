"""Who asks, and whether they may ask at all: one alias for each kind of caller that a route can want."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from app.api.deps import Apart, AppResources, AppSettings, Read, unit
from app.core.errors import EmailUnverified, Forbidden, NotAuthenticated, ScopeMissing
from app.core.identity import Caller, Scope
from app.repos.api_keys import ApiKeyRepo
from app.repos.identities import IdentityRepo
from app.services.identity import IdentityService

bearer = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/token",
    refreshUrl="/api/v1/auth/refresh",
    auto_error=False,
    description="An access token of `/auth/token`, or an API key.",
)


async def get_identities(reader: Read, apart: Apart, resources: AppResources, settings: AppSettings) -> IdentityService:
    return IdentityService(
        IdentityRepo(reader),
        resources.keyring,
        unit(apart, ApiKeyRepo),
        unverified_may=settings.unverified_accounts_may,
    )


Identities = Annotated[IdentityService, Depends(get_identities)]


async def get_optional_user(
    credential: Annotated[str | None, Depends(bearer)], identities: Identities
) -> Caller | None:
    """Null without a credential; one that isn't valid is refused rather than ignored."""
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


async def require_post_writer(caller: CurrentUser, identities: Identities) -> Caller:
    if not caller.has(Scope.POSTS_WRITE):
        raise ScopeMissing
    if not identities.may_write(caller):
        raise EmailUnverified
    return caller


Admin = Annotated[Caller, Depends(require_admin)]
SignedIn = Annotated[Caller, Depends(require_session)]
AccountOwner = Annotated[Caller, Depends(require_account_owner)]
PostReader = Annotated[Caller | None, Depends(reading(Scope.POSTS_READ))]
UserReader = Annotated[Caller | None, Depends(reading(Scope.USERS_READ))]
PostWriter = Annotated[Caller, Depends(require_post_writer)]
