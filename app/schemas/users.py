"""Users on the wire."""

import unicodedata
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field, StrictBool

from app.schemas.auth import CurrentPassword, Password
from app.schemas.base import Entity, Input, Line, unsent

Name = Annotated[Line, Field(max_length=200, examples=["Ada Lovelace"])]


def _in_small_letters(address: str) -> str:
    """Refuses every letter that isn't small, but A to Z. PostgreSQL and Python don't agree on the small form of others,
    such as İ, nor on letters that are newer than Python's tables: an address would be taken for another's.
    """
    for character in address:
        if not character.isascii() and (character != character.lower() or unicodedata.category(character) == "Cn"):
            raise ValueError("write letters other than A to Z small")
    return address


Email = Annotated[EmailStr, Field(max_length=254, examples=["ada@example.com"]), AfterValidator(_in_small_letters)]


class UserCreate(Input):
    email: Email
    name: Name | None = None
    is_active: StrictBool = True
    password: Password | None = Field(default=None, description="Without one, set it later by a link in a mail.")


class UserUpdate(Input):
    """Only the fields that are sent change."""

    email: Email = Field(default_factory=unsent)
    name: Name | None = None
    is_active: StrictBool = Field(default_factory=unsent)
    current_password: CurrentPassword | None = Field(
        default=None, description="Your own; needed for another `email`, unless an API key changes it."
    )


class AuthorRead(Entity):
    """A user as everybody may see them."""

    name: str | None


class UserRead(AuthorRead):
    email: str | None = Field(description="Null for an author who was imported without an address.")
    is_active: bool
    created_at: datetime
    updated_at: datetime
