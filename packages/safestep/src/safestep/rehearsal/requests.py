"""Requests as they are written down, with names in the place of what differs from one to the next."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.openapi import collection_of

GENERATED = frozenset({"unique", "uuid"})
"""Names that stand for something new in every request; all others stand for sampled values."""

_NAME = re.compile(r"\{(\w+)\}")

type Bindings = Mapping[str, Any]
"""A value for each name."""


@dataclass(frozen=True)
class RequestTemplate:
    """A request and how often it occurs. Its names are written in braces, in the path and in strings of the body."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1
    is_anonymous: bool = False
    is_generated: bool = False
    needs_etag: bool = False
    """Whether it has to say which version of the resource it is about (`If-Match`)."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @cached_property
    def names(self) -> frozenset[str]:
        """Those that stand for sampled values."""
        return frozenset([*_NAME.findall(self.path), *_names_in(self.body)]) - GENERATED

    @property
    def collection(self) -> str:
        return collection_of(self.path)

    @cached_property
    def path_parameters(self) -> dict[str, str]:
        """Each name in the path, and the collection that it is a key of."""
        path = self.path.partition("?")[0]
        return {found[1]: collection_of(path[: found.start()]) for found in _NAME.finditer(path)}

    def path_with(self, values: Bindings) -> str:
        return _NAME.sub(lambda found: quote(str(values[found[1]]), safe=""), self.path)

    def body_with(self, values: Bindings) -> Any:
        return _filled(self.body, values)


def parse(line: str, weight: float, *, is_anonymous: bool = False) -> RequestTemplate:
    """Reads `POST /notes {"text": "…"}`. Raises RehearsalError when it can't be read."""
    method, _, rest = line.strip().partition(" ")
    path, _, body = rest.strip().partition(" ")
    if not method.isupper() or not path.startswith("/"):
        raise RehearsalError(f"a request is written as `GET /path`, not `{line}`")
    try:
        content = json.loads(body) if body.strip() else None
    except ValueError as error:
        raise RehearsalError(f"the body of `{line}` isn't JSON: {error}") from error
    return RequestTemplate(method, path, content, weight=weight, is_anonymous=is_anonymous)


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _NAME.findall(value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names_in(each)


def _filled(value: Any, values: Bindings) -> Any:
    """A string that is nothing but a name becomes its value, of whatever type that is."""
    if isinstance(value, str):
        if (whole := _NAME.fullmatch(value)) and whole[1] in values:
            return values[whole[1]]
        return _NAME.sub(lambda found: str(values.get(found[1], found[0])), value)
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return value
