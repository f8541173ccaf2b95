"""Signing in on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    EmailStr,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticKnownError

from app.core.security import LONGEST_PASSWORD
from app.schemas.base import Entity, Input, Output


def _whole_characters(secret: SecretStr) -> SecretStr:
    """JSON can carry lone surrogates, which can't be encoded and hashed. Pydantic refuses them in `str` alone."""
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("write Unicode characters") from None
    return secret


def _in_characters(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Pydantic's message for secrets counts "items after validation"; a password has characters."""
    try:
        return validate(value)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        if fault["type"] == "too_short":
            raise PydanticKnownError("string_too_short", fault["ctx"]) from None
        if fault["type"] == "too_long":
            raise PydanticKnownError("string_too_long", fault["ctx"]) from None
        raise


Secret = Annotated[SecretStr, AfterValidator(_whole_characters)]
Password = Annotated[Secret, Field(min_length=8, max_length=LONGEST_PASSWORD), WrapValidator(_in_characters)]
CurrentPassword = Annotated[Secret, Field(max_length=LONGEST_PASSWORD), WrapValidator(_in_characters)]
OpaqueToken = Annotated[Secret, Field(min_length=1, max_length=200), WrapValidator(_in_characters)]


class TokenPair(Output):
    """The shape that OAuth2 clients expect (RFC 6749, 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    refresh_token: str


class RefreshRequest(Input):
    refresh_token: OpaqueToken


class SessionRead(Entity):
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    is_current: bool = Field(description="Whether this request came from it.")


class PasswordChange(Input):
    current_password: CurrentPassword
    new_password: Password


class MailRequest(Input):
    email: Annotated[EmailStr, Field(max_length=254)]


class MailPromise(Output):
    """The same for every address: it doesn't tell whether there is such an account."""

    detail: str = "If there is such an account, a mail is on its way."


class PasswordSet(Input):
    token: OpaqueToken
    password: Password


class EmailConfirmation(Input):
    token: OpaqueToken
