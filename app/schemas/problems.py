"""Errors on the wire: RFC 9457 problem details with our extensions."""

from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails

from app.schemas.base import ANY_TEXT, ONE_LINE
from app.schemas.posts import SLUG

_PATTERNS_IN_WORDS = {
    ANY_TEXT: "Text can't contain the character NUL",
    ONE_LINE: "Text has to be one line, without the character NUL",
    SLUG: "A path has letters, digits and . _ ~ @ + - between single slashes, and no part that is . or ..",
}


def in_words(fault: ErrorDetails) -> str:
    """What Pydantic found, for a person: without its prefix, and without a regular expression."""
    pattern = fault.get("ctx", {}).get("pattern", "")
    return _PATTERNS_IN_WORDS.get(pattern) or fault["msg"].removeprefix("Value error, ")


class Fault(BaseModel):
    """One fault of a request that didn't validate."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `path` or `header`, then the way inside.")
    code: str
    detail: str


class Problem(BaseModel):
    """Every error has this shape, as `application/problem+json`."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    code: str = Field(description="What to switch on: stable, one for each kind of problem.")
    detail: str = Field(description="One sentence for a person.")
    request_id: str = Field(description="Quote it when you ask for help; the logs carry it.")
    errors: list[Fault] | None = Field(default=None, description="For `validation_failed`: each fault.")
