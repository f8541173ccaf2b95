"""Values for the fields of a JSON schema, such as a request body needs them.

Libraries for this were tried and turned down: hypothesis-jsonschema and jsf look for what breaks a parser, know no
foreign keys, and take a pattern for the whole truth about a string's length.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from math import floor, inf, isfinite
from typing import Any

from safestep.rehearsal.openapi import OpenApiDocument

type JsonSchema = Mapping[str, Any]

UNIQUE = "{unique}"
UNIQUE_LENGTH = 12
EXAMPLE_OF_UNIQUE = "0" * UNIQUE_LENGTH
"""`{unique}` becomes as many digits and letters as this."""
MAX_DEPTH = 8  # levels of nested objects: a schema may contain itself

FORMATS: dict[str, str | Callable[[], str]] = {
    "email": f"rehearsal-{UNIQUE}@example.com",
    "uuid": "{uuid}",
    "date-time": lambda: datetime.now(UTC).isoformat(timespec="seconds"),
    "date": lambda: datetime.now(UTC).date().isoformat(),
    "time": "12:00:00Z",
    "duration": "P1D",
    "uri": f"https://example.com/{UNIQUE}",
    "url": f"https://example.com/{UNIQUE}",
    "hostname": f"{UNIQUE}.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "cmVoZWFyc2Vk",
}
WORDS = (f"Rehearsed {UNIQUE}", f"rehearsed-{UNIQUE}", f"rehearsed_{UNIQUE}", f"r{UNIQUE}", UNIQUE)


class CannotMake(Exception):
    """No value is known; the text says of which field and why."""


class BodyMaker:
    """Makes bodies with placeholders for what differs from request to request.

    `is_sampled(name)` says whether rows are known that a field of this name can refer to.
    """

    def __init__(self, document: OpenApiDocument, is_sampled: Callable[[str], bool]) -> None:
        self._document = document
        self._is_sampled = is_sampled

    def whole(self, schema: JsonSchema) -> Any:
        """With every required field. Raises CannotMake."""
        return self.value(schema, "the body")

    def change(self, schema: JsonSchema) -> Any:
        """The required fields, and where there are none one field of plain text: a change that does no harm.

        Raises CannotMake.
        """
        schema = self._document.resolve(schema)
        if schema.get("required"):
            return self.whole(schema)
        for name, each in schema.get("properties", {}).items():
            option = next(self._options(each, 0), {})
            if option.get("type") == "string" and not {"format", "enum", "const"} & option.keys():
                return {name: self.value(each, name)}
        raise CannotMake("no field of its body is plain text, which could be changed without harm")

    def value(self, schema: JsonSchema, name: str, depth: int = 0) -> Any:
        """A value that fits the schema. Raises CannotMake."""
        reason = f"no value is known for {name}"
        for option in self._options(schema, depth):
            try:
                return self._of(option, name, depth)
            except CannotMake as error:
                reason = str(error)
        raise CannotMake(reason)

    def _options(self, schema: JsonSchema, depth: int) -> Iterator[JsonSchema]:
        """The schemas of which one has to fit, without those that only admit null."""
        schema = self._document.resolve(schema)
        if depth > MAX_DEPTH:
            return
        if parts := schema.get("allOf"):
            schema = self._merged(schema, parts)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if not choices:
            if schema.get("type") != "null":
                yield schema
            return
        for choice in choices:
            yield from self._options(choice, depth + 1)

    def _merged(self, schema: JsonSchema, parts: list[JsonSchema]) -> JsonSchema:
        merged: dict[str, Any] = {}
        for part in [*map(self._document.resolve, parts), {k: v for k, v in schema.items() if k != "allOf"}]:
            required = [*merged.get("required", []), *part.get("required", [])]
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            merged |= {**part, "required": required, "properties": properties}
        return merged

    def _of(self, schema: JsonSchema, name: str, depth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if choices := [each for each in schema.get("enum", []) if each is not None]:
            return choices[0]
        kind = _type_of(schema)
        if kind in ("string", "integer") and schema.get("format", "uuid") == "uuid" and self._is_sampled(name):
            return f"{{{name}}}"
        make: dict[str | None, Callable[[], Any]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "string": lambda: text(schema, name),
            "integer": lambda: number(schema, name, is_whole=True),
            "number": lambda: number(schema, name, is_whole=False),
            "boolean": lambda: False,
        }
        if kind not in make:
            raise CannotMake(f"the schema of {name} names no type")
        return make[kind]()

    def _object(self, schema: JsonSchema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        return {name: self.value(properties.get(name, {}), name, depth + 1) for name in schema.get("required", [])}

    def _array(self, schema: JsonSchema, name: str, depth: int) -> list[Any]:
        items = schema.get("items", {})
        least = schema.get("minItems", 0)
        if least > 1 and schema.get("uniqueItems"):
            choices = next(self._options(items, depth), {}).get("enum", [])
            if len(choices) < least:
                raise CannotMake(f"no {least} different values are known for {name}")
            return list(choices[:least])
        return [self.value(items, name, depth + 1) for _ in range(least)]


def _type_of(schema: JsonSchema) -> str | None:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):  # ["string", "null"]
        kind = next((each for each in kind if each != "null"), None)
    return kind if isinstance(kind, str) else None


def text(schema: JsonSchema, name: str) -> str:
    """Unique where there is room for it. Raises CannotMake when nothing fits the pattern and the bounds."""
    made = FORMATS.get(schema.get("format", ""))
    if made is not None:
        return made if isinstance(made, str) else made()
    for candidate in _candidates(schema):
        if _fits(candidate.replace(UNIQUE, EXAMPLE_OF_UNIQUE), schema):
            return candidate
    remedy = "give an example" if find_spec("rstr") else "give an example, or `pip install rstr`"
    raise CannotMake(f"nothing is known that fits the pattern of {name}, {schema.get('pattern')}: {remedy}")


def _candidates(schema: JsonSchema) -> Iterator[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    for word in WORDS:
        yield word + "x" * max(0, low - len(word.replace(UNIQUE, EXAMPLE_OF_UNIQUE)))
    yield from map(str, schema.get("examples", [schema["example"]] if "example" in schema else []))
    if isinstance(schema.get("default"), str):
        yield schema["default"]
    for letter in "xX1":
        for length in dict.fromkeys((max(low, 1), *range(low, min(high, 40) + 1))):
            yield letter * length
    yield from _matching(schema)


def _matching(schema: JsonSchema) -> Iterator[str]:
    """What `rstr` makes of the pattern; nothing where it isn't installed."""
    try:
        import rstr
    except ModuleNotFoundError:
        return
    with suppress(re.error):  # a pattern of another language than Python's
        for _ in range(100):
            yield rstr.xeger(schema.get("pattern", ""))


def _fits(candidate: str, schema: JsonSchema) -> bool:
    if not schema.get("minLength", 0) <= len(candidate) <= schema.get("maxLength", len(candidate)):
        return False
    try:
        return re.search(schema.get("pattern", ""), candidate) is not None
    except re.error:
        return False


def number(schema: JsonSchema, name: str, *, is_whole: bool) -> float:
    """A small one within the bounds. Raises CannotMake when they allow none."""
    above, below = schema.get("exclusiveMinimum", -inf), schema.get("exclusiveMaximum", inf)
    low, high = max(schema.get("minimum", -inf), above), min(schema.get("maximum", inf), below)
    step = schema.get("multipleOf", 1)
    nearest = floor((low if isfinite(low) else min(high, step)) / step)
    candidates = [(nearest + extra) * step for extra in (0, 1, -1)]
    if not is_whole and "multipleOf" not in schema:
        candidates.append((low + high) / 2)
    for each in candidates:
        if low <= each <= high and above < each < below:
            return int(each) if is_whole else each
    raise CannotMake(f"the bounds of {name} allow no value that is known")
