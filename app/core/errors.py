"""What can go wrong, as nouns: each error has a stable code, an HTTP status and one sentence for the caller."""

from typing import ClassVar


class DomainError(Exception):
    """An outcome that a caller is told about. Its text is safe to show: it never quotes data or internals."""

    code: ClassVar[str]
    status: ClassVar[int]
    detail: ClassVar[str]
    retry_after: ClassVar[int | None] = None
    """Seconds after which the same request may succeed."""

    def __str__(self) -> str:
        return self.detail


class UserNotFound(DomainError):
    code, status, detail = "user_not_found", 404, "There is no user with this id."


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


class SlugTaken(DomainError):
    code, status, detail = "slug_taken", 409, "Another post already uses this slug."


class AuthorUnknown(DomainError):
    code, status, detail = "author_unknown", 422, "The author of a post must be an existing user."


class StateConflict(DomainError):
    code, status, detail = "conflict", 409, "The change contradicts what is stored; nothing was changed."


class DatabaseUnavailable(DomainError):
    code, status, detail = "database_unavailable", 503, "The database can't be reached at the moment."
    retry_after = 1


class DatabaseTimeout(DomainError):
    code, status, detail = "database_timeout", 503, "The database took too long; nothing was changed."
    retry_after = 1


class WriteConflict(DomainError):
    code, status, detail = (
        "write_conflict",
        503,
        "A concurrent change got in the way; nothing was changed, try again.",
    )
    retry_after = 1


class InvalidSettings(Exception):
    """The environment doesn't make a valid configuration; `faults` has one line for each thing to mend."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Invalid settings:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults
