"""Signing in and out, sessions, passwords and confirmed addresses: /api/v1/auth."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form

from app.api.deps import Client, Reads, Writes
from app.api.errors import problems
from app.api.identity import SignedIn
from app.core.errors import (
    EmailUnverified,
    NotAuthenticated,
    PasswordTooWeak,
    PasswordWrong,
    RateLimited,
    RateLimitsUnavailable,
    RefreshRefused,
    ScopeMissing,
    SessionNotFound,
    SignInRefused,
    TokenRefused,
)
from app.schemas.auth import (
    EmailConfirmation,
    MailPromise,
    MailRequest,
    PasswordChange,
    PasswordSet,
    RefreshRequest,
    SessionRead,
    TokenPair,
)

router = APIRouter(prefix="/auth", tags=["auth"])

LIMITED = (RateLimited, RateLimitsUnavailable)
SIGN_IN = problems(SignInRefused, EmailUnverified, *LIMITED)
SIGNED_IN = (NotAuthenticated, ScopeMissing)


class SignInForm:
    """OAuth2's form (RFC 6749, 4.3.2); what else a client sends is ignored, as section 3.2 wants it.

    FastAPI takes an empty field for a missing one.
    """

    def __init__(
        self,
        username: Annotated[str, Form(min_length=1)],
        password: Annotated[str, Form(min_length=1, json_schema_extra={"format": "password"})],
        grant_type: Annotated[str, Form(pattern="^(password)?$")] = "password",
    ) -> None:
        self.username, self.password, self.grant_type = username, password, grant_type


@router.post("/token", status_code=200, summary="Sign in; `username` is the e-mail address", responses=SIGN_IN)
async def sign_in(form: Annotated[SignInForm, Depends()], writes: Writes, client: Client) -> TokenPair:
    return await writes.sign_in.sign_in(form.username, form.password, client)


@router.post("/refresh", status_code=200, summary="Exchange a refresh token", responses=problems(RefreshRefused))
async def refresh(request: RefreshRequest, writes: Writes) -> TokenPair:
    return await writes.auth_sessions.refresh(request.refresh_token.get_secret_value())


@router.post("/logout", status_code=204, summary="End this session", responses=problems(*SIGNED_IN, SessionNotFound))
async def sign_out(writes: Writes, caller: SignedIn) -> None:
    await writes.auth_sessions.end_session(caller.session_id, caller)


@router.get("/sessions", status_code=200, summary="List your sessions", responses=problems(*SIGNED_IN))
async def list_sessions(reads: Reads, caller: SignedIn) -> list[SessionRead]:
    return await reads.auth_sessions.list_sessions(caller)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End one of your sessions",
    responses=problems(*SIGNED_IN, SessionNotFound),
)
async def end_session(session_id: UUID, writes: Writes, caller: SignedIn) -> None:
    await writes.auth_sessions.end_session(session_id, caller)


@router.post(
    "/password",
    status_code=204,
    summary="Change your password; every session ends",
    responses=problems(*SIGNED_IN, PasswordWrong, PasswordTooWeak, *LIMITED),
)
async def change_password(change: PasswordChange, writes: Writes, caller: SignedIn, client: Client) -> None:
    await writes.passwords.change_password(change, caller, client)


@router.post(
    "/password/reset",
    status_code=202,
    summary="Ask for a link that sets a password",
    responses=problems(*LIMITED),
)
async def request_password(request: MailRequest, writes: Writes, client: Client) -> MailPromise:
    return await writes.link_requests.request(request.email, "set_password", client)


@router.post(
    "/password/reset/confirm",
    status_code=204,
    summary="Set a password by a link; every session ends",
    responses=problems(TokenRefused, PasswordTooWeak, RateLimitsUnavailable),
)
async def set_password(change: PasswordSet, writes: Writes, client: Client) -> None:
    await writes.links.set_password(change, client)


@router.post(
    "/email/verify",
    status_code=202,
    summary="Ask for a link that confirms an address",
    responses=problems(*LIMITED),
)
async def request_confirmation(request: MailRequest, writes: Writes, client: Client) -> MailPromise:
    return await writes.link_requests.request(request.email, "verify_email", client)


@router.post(
    "/email/verify/confirm",
    status_code=204,
    summary="Confirm an address by a link",
    responses=problems(TokenRefused),
)
async def confirm_email(confirmation: EmailConfirmation, writes: Writes) -> None:
    await writes.links.confirm_email(confirmation)
