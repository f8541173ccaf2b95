"""Bodies made from a JSON schema: they fit it, differ from request to request, and do no harm."""

import re
from typing import Any

import pytest
from safestep.rehearsal.bodies import EXAMPLE_OF_UNIQUE, BodyMaker, CannotMake
from safestep.rehearsal.openapi import OpenApiDocument

SCHEMAS = {
    "Scope": {"type": "string", "enum": ["read", "write"]},
    "Tree": {"type": "object", "required": ["child"], "properties": {"child": {"$ref": "#/components/schemas/Tree"}}},
}
MAKER = BodyMaker(
    OpenApiDocument({"paths": {}, "components": {"schemas": SCHEMAS}}), lambda name: name in ("post_id", "number")
)


def field(schema: dict[str, Any], name: str = "field") -> Any:
    """What is made for a required field of this schema."""
    return MAKER.whole({"type": "object", "required": [name], "properties": {name: schema, "optional": {}}})[name]


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"const": "note"}, "note"),
        ({"enum": [None, "calm"]}, "calm"),
        ({"$ref": "#/components/schemas/Scope"}, "read"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Scope"}]}, "read"),
        ({"oneOf": [{"type": "string", "pattern": "^(?!)"}, {"type": "boolean"}]}, False),
        ({"allOf": [{"type": "string"}, {"maxLength": 5}]}, "x"),
        ({"type": ["string", "null"], "maxLength": 2}, "x"),
        ({"type": "string", "format": "email"}, "rehearsal-{unique}@example.com"),
        ({"type": "string", "format": "uuid"}, "{uuid}"),
        ({"type": "string"}, "Rehearsed {unique}"),
        ({"type": "string", "minLength": 1, "maxLength": 3}, "x"),
        ({"type": "string", "minLength": 40}, "Rehearsed {unique}" + "x" * 18),
        ({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}, "rehearsed-{unique}"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "XXX"),
        ({"type": "string", "pattern": "^no-.+-yes$", "examples": ["no-and-yes"]}, "no-and-yes"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 0}, 0),
        ({"type": "integer", "exclusiveMinimum": 3, "maximum": 9, "multipleOf": 2}, 4),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "minItems": 1, "items": {"type": "integer"}}, [1]),
        (
            {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"$ref": "#/components/schemas/Scope"}},
            ["read", "write"],
        ),
        ({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "m": {}}}, {"n": 1}),
    ],
)
def test_a_required_field_gets_a_value_of_its_schema(schema: dict[str, Any], made: Any) -> None:
    assert field(schema) == made


def test_a_pattern_that_no_plain_word_fits_is_followed() -> None:
    made = field({"type": "string", "pattern": r"^[A-Z]{2}-\d{4}$"})

    assert re.search(r"^[A-Z]{2}-\d{4}$", made)


def test_a_unique_text_is_as_long_as_it_may_be_when_it_is_sent() -> None:
    made = field({"type": "string", "maxLength": 14})

    assert made == "r{unique}"
    assert len(made.replace("{unique}", EXAMPLE_OF_UNIQUE)) <= 14


@pytest.mark.parametrize(
    ("name", "schema", "made"),
    [
        ("post_id", {"type": "string", "format": "uuid"}, "{post_id}"),
        ("number", {"type": "integer"}, "{number}"),
        ("other_id", {"type": "string", "format": "uuid"}, "{uuid}"),
    ],
)
def test_a_field_with_the_name_of_a_foreign_key_refers_to_a_row(name: str, schema: dict[str, Any], made: str) -> None:
    assert field(schema, name) == made


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "string", "pattern": "^(?!)"}, "field"),
        ({"type": "string", "pattern": "(?<broken"}, "field"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "bounds of field"),
        ({"type": "array", "minItems": 2, "uniqueItems": True, "items": {"type": "integer"}}, "different values"),
        ({"$ref": "#/components/schemas/Tree"}, "child"),
        ({}, "names no type"),
    ],
)
def test_what_cannot_be_made_is_named(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotMake, match=reason):
        field(schema)


def test_a_change_is_of_plain_text_and_of_nothing_else() -> None:
    """Neither a switch that might turn an account off, nor an address, nor a choice."""
    properties = {
        "is_active": {"type": "boolean"},
        "email": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        "scope": {"$ref": "#/components/schemas/Scope"},
        "name": {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]},
    }

    assert MAKER.change({"type": "object", "properties": properties}) == {"name": "Rehearsed {unique}"}
    with pytest.raises(CannotMake, match="without harm"):
        MAKER.change({"type": "object", "properties": {"is_active": {"type": "boolean"}}})


def test_a_change_that_requires_fields_has_them() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "t": {"type": "string"}}}

    assert MAKER.change(schema) == {"n": 1}
