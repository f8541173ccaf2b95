"""The two kinds of model on the wire: what comes in, and what goes out."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import ErrorDetails

MOST_UNKNOWN = 20


class Input(BaseModel):
    """What a client sends. Unknown fields are refused rather than ignored: a typo must not look like success."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, sent: Any) -> Any:
        """Refuses many unknown fields with one fault, because a fault for each would cost time and memory."""
        if isinstance(sent, Mapping) and len(sent) > len(cls.model_fields) + MOST_UNKNOWN:
            raise ValueError(f"{len(sent)} fields are too many; it takes {len(cls.model_fields)} at the most")
        return sent


class Output(BaseModel):
    """What a client gets; built from rows and ORM objects by attribute."""

    model_config = ConfigDict(from_attributes=True)


class Entity(Output):
    """An output with an id."""

    id: UUID


class Written(Entity):
    """What an API key gets back that may write this but not read it."""


_PATTERNS_IN_WORDS: dict[str, str] = {}


def pattern(regex: str, in_words: str) -> str:
    """Returns the regular expression, and remembers what to tell a person whose text doesn't match it."""
    _PATTERNS_IN_WORDS[regex] = in_words
    return regex


def in_words(fault: ErrorDetails) -> str:
    """What Pydantic found, for a person: without its prefix, and without a regular expression."""
    regex = fault.get("ctx", {}).get("pattern", "")
    return _PATTERNS_IN_WORDS.get(regex) or fault["msg"].removeprefix("Value error, ")


# Constraints of the string itself, not validator functions: those would run before the stripping, lose the
# constraints that fields add, and stay out of the contract.
ANY_TEXT = pattern(r"^[^\x00]*$", "Text can't contain the character NUL")
# The characters that are stripped, one by one: languages don't agree on `\s`.
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
ONE_LINE = pattern(
    rf"^[{_SPACE}]*[^{_SPACE}\x00]([^\x00\r\n]*[^{_SPACE}\x00])?[{_SPACE}]*$",
    "Text has to be one line, without the character NUL",
)

Text = Annotated[str, StringConstraints(pattern=ANY_TEXT)]
"""Any text that PostgreSQL can store."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=ONE_LINE)]
"""One line of text, without space around it."""


def unsent() -> Any:
    """Default of a field that may be left out of a change but never be null; `exclude_unset` drops it."""
    return None
