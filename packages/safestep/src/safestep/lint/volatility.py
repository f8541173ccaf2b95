"""Whether an expression has another value for every row."""

from typing import Any

from safestep.lint.sql import find_nodes

# Functions of PostgreSQL's own that aren't volatile: a default of them is computed once for all rows.
NON_VOLATILE = {
    *("abs", "array_fill", "btrim", "ceil", "ceiling", "char_length", "concat", "concat_ws", "current_database"),
    *("current_setting", "date_bin", "date_part", "date_trunc", "decode", "encode", "extract", "floor", "format"),
    *("initcap", "json_build_array", "json_build_object", "jsonb_build_array", "jsonb_build_object", "jsonb_object"),
    *("length", "lower", "lpad", "ltrim", "make_date", "make_interval", "make_time", "make_timestamp"),
    *("make_timestamptz", "md5", "mod", "now", "power", "quote_literal", "repeat", "replace", "reverse", "round"),
    *("rpad", "rtrim", "sha256", "sign", "split_part", "sqrt", "statement_timestamp", "string_to_array", "substr"),
    *("substring", "timezone", "to_char", "to_date", "to_json", "to_jsonb", "to_number", "to_timestamp"),
    *("to_tsvector", "transaction_timestamp", "translate", "trunc", "upper"),
    *("daterange", "int4range", "int8range", "numrange", "tsrange", "tstzrange"),
}


def is_volatile(expression: Any) -> bool:
    """Whether it calls a function that isn't known to give every row of a statement the same value."""
    return not all(map(_is_non_volatile, find_nodes(expression, "FuncCall")))


def _is_non_volatile(call: Any) -> bool:
    names = [part.string.sval for part in call.funcname]
    return names[-1] in NON_VOLATILE and names[:-1] in ([], ["pg_catalog"])
