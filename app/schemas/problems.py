"""Errors on the wire: RFC 9457 problem details with our extensions."""

from pydantic import BaseModel, Field


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
    trace_id: str | None = Field(default=None, description="The trace of the request, where the service is traced.")
    errors: list[Fault] | None = Field(default=None, description="For `validation_failed`: the faults, 20 at the most.")
