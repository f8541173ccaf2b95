"""What can go wrong, as nouns: each error has a stable code, an HTTP status and one sentence for the caller."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

RETRY_SOON = MappingProxyType({"Retry-After": "1"})
CHALLENGE = MappingProxyType({"WWW-Authenticate": "Bearer"})


class DomainError(Exception):
    """An outcome that a caller is told about. Its text is safe to show: it never quotes data or internals."""

    code: ClassVar[str]
    status: ClassVar[int]
    detail: ClassVar[str]
    headers: Mapping[str, str] = MappingProxyType({})
    """Response headers."""
    keeps_changes: ClassVar[bool] = False
    """Whether what was written before the error is committed, such as the audit row of a refusal."""

    def __str__(self) -> str:
        return self.detail


class UserNotFound(DomainError):
    code, status, detail = "user_not_found", 404, "There is no user with this id."


class AdminNotFound(DomainError):
    code, status, detail = "admin_not_found", 404, "There is no administrator with this e-mail address."


class PostNotFound(DomainError):
    code, status, detail = "post_not_found", 404, "There is no post with this id."


class EmailTaken(DomainError):
    code, status, detail = "email_taken", 409, "Another account already uses this e-mail address."


class NameTaken(DomainError):
    code, status, detail = (
        "name_taken",
        409,
        "Another author without an e-mail address already has this name.",
    )


class UserNameless(DomainError):
    code, status, detail = "user_nameless", 422, "A user has an e-mail address or a name at least."


class SlugTaken(DomainError):
    code, status, detail = "slug_taken", 409, "A published post, or another one of this author, already uses this slug."


class AuthorUnknown(DomainError):
    code, status, detail = "author_unknown", 422, "The author of a post must be an existing user."


class NotAuthenticated(DomainError):
    code, status, detail = "not_authenticated", 401, "Sign in, or send a valid API key, as a bearer token."
    headers = CHALLENGE


class SignInRefused(DomainError):
    code, status, detail = "sign_in_refused", 401, "The e-mail address or the password is wrong."
    headers = CHALLENGE
    keeps_changes = True  # the audit row stays


class RefreshRefused(DomainError):
    code, status, detail = "refresh_refused", 401, "The refresh token is not valid any more; sign in again."
    headers = CHALLENGE
    keeps_changes = True  # a spent token that comes back ends its session


class Forbidden(DomainError):
    code, status, detail = "forbidden", 403, "This account may not do that."


class ScopeMissing(DomainError):
    code, status, detail = "scope_missing", 403, "The API key lacks the scope for this, or it takes a signed-in user."


class EmailUnverified(DomainError):
    code, status, detail = "email_unverified", 403, "Confirm the account's e-mail address first."


class RegistrationClosed(DomainError):
    code, status, detail = "registration_closed", 403, "Only administrators create accounts here."


class TokenRefused(DomainError):
    code, status, detail = "token_refused", 422, "The token is not valid any more; ask for a new one."


class PasswordTooWeak(DomainError):
    code, status, detail = (
        "password_too_weak",
        422,
        "This password is easy to guess: it is common, repeats itself, or is made of your name or address. "
        "Choose another, such as a few words that don't belong together.",
    )


class PasswordWrong(DomainError):
    code, status, detail = "password_wrong", 403, "The current password is missing or wrong."
    keeps_changes = True  # the audit row stays


class SessionNotFound(DomainError):
    code, status, detail = "session_not_found", 404, "There is no session with this id."


class ApiKeyNotFound(DomainError):
    code, status, detail = "api_key_not_found", 404, "There is no API key with this id."


class ApiKeyExpired(DomainError):
    code, status, detail = "api_key_expired", 422, "The key would expire in the past."


class TooManyApiKeys(DomainError):
    code, status, detail = "too_many_api_keys", 409, "There are too many API keys; revoke one first."


class RateLimited(DomainError):
    code, status, detail = "rate_limited", 429, "Too many attempts; try again later."

    def __init__(self, *, policy: str, limit: int, window: int, reset: int) -> None:
        super().__init__()
        self.headers = {
            "Retry-After": str(reset),
            "RateLimit-Policy": f'"{policy}";q={limit};w={window}',
            "RateLimit": f'"{policy}";r=0;t={reset}',
        }


class RateLimitsUnavailable(DomainError):
    code, status, detail = "rate_limits_unavailable", 503, "Attempts can't be counted at the moment."
    headers = RETRY_SOON


class StateConflict(DomainError):
    code, status, detail = "conflict", 409, "The change contradicts what is stored; nothing was changed."


class DatabaseUnavailable(DomainError):
    code, status, detail = "database_unavailable", 503, "The database can't be reached at the moment."
    headers = RETRY_SOON


class CommitUnknown(DomainError):
    code, status, detail = (
        "commit_unknown",
        503,
        "The connection was lost while the change was being stored: see whether it is there before you try again.",
    )


class DatabaseTimeout(DomainError):
    code, status, detail = "database_timeout", 503, "The database took too long; nothing was changed."
    headers = RETRY_SOON


class WriteConflict(DomainError):
    code, status, detail = (
        "write_conflict",
        503,
        "A concurrent change got in the way; nothing was changed, try again.",
    )
    headers = RETRY_SOON


class RequestTimedOut(DomainError):
    code, status, detail = "request_timed_out", 503, "The request took too long; what it had begun was undone."
    headers = RETRY_SOON


class ClientGone(DomainError):
    """Its answer reaches nobody; the status, which is nginx's, is seen in the log."""

    code, status, detail = "client_closed_request", 499, "The client left before its request had begun."


class InvalidSettings(Exception):
    """The environment doesn't make a valid configuration; `faults` has one line for each thing to mend."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Invalid settings:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults
