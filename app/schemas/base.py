"""The two kinds of model on the wire: what comes in, and what goes out."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints


class Input(BaseModel):
    """What a client sends. Unknown fields are refused rather than ignored: a typo must not look like success."""

    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    """What a client gets; built from rows and ORM objects by attribute."""

    model_config = ConfigDict(from_attributes=True)


class Entity(Output):
    """Something with an address of its own."""

    id: UUID


# Constraints of the string itself, not validator functions: those would run before the stripping, lose the
# constraints that fields add, and stay out of the contract.
ANY_TEXT = r"^[^\x00]*$"
ONE_LINE = r"^[^\x00\r\n]*$"

Text = Annotated[str, StringConstraints(pattern=ANY_TEXT)]
"""Any text that PostgreSQL can store."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=ONE_LINE)]
"""One line of text, without space around it."""


def unsent() -> Any:
    """Default of a field that may be left out of a change but never be null; `exclude_unset` drops it."""
    return None
