"""What a new column costs: a constant is noted once for all rows, anything else is written into each of them."""

from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.schema import Schema, constraints_of
from safestep.lint.sql import commands, dotted, find, type_of

SERIAL = {"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"}
VIRTUAL = "v"
BUILT_IN = {
    *("bit", "bool", "box", "bpchar", "bytea", "char", "cidr", "circle", "date", "float4", "float8", "inet", "int2"),
    *("int4", "int8", "interval", "json", "jsonb", "jsonpath", "line", "lseg", "macaddr", "macaddr8", "money", "name"),
    *("numeric", "oid", "path", "pg_lsn", "point", "polygon", "regclass", "text", "time", "timestamp", "timestamptz"),
    *("timetz", "tsquery", "tsvector", "uuid", "varbit", "varchar", "xid8", "xml"),
    *("daterange", "int4range", "int8range", "numrange", "tsrange", "tstzrange"),
    *("datemultirange", "int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange"),
}
# Of extensions: base types, which have no checks.
EXTENSIONS = {"citext", "geography", "geometry", "halfvec", "hstore", "ltree", "vector"}
# Functions of PostgreSQL's own that are no more than stable: a default of them is computed once.
STEADY = {
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


def added(node: Any) -> list[Any]:
    """The columns that an ALTER TABLE adds."""
    return [definition for what, _, definition in commands(node) if what == "AddColumn"]


def is_steady(column: Any) -> bool:
    """Whether its default is the same for all rows that are there, or none; virtual columns aren't stored at all."""
    return all(map(_is_steady, constraints_of(column)))


def rewrites(column: Any, schema: Schema) -> str | None:
    """Why its type alone makes PostgreSQL write all rows anew, or may make it."""
    name = type_of(column)[0]
    if name in SERIAL:
        return f"{name} takes a number for every row."
    restricted = schema.types.restricted.get(dotted(column.type_name.names))
    if column.type_name.array_bounds or name in BUILT_IN | EXTENSIONS or restricted is False:
        return None
    if restricted:
        return f"{name} is a domain with a constraint, which is checked in every row as it is written."
    if any(part.contype == ConstrType.CONSTR_DEFAULT for part in constraints_of(column)):
        return f"No revision says what {name} is: with a domain's constraint the default is written into every row."
    return None


def _is_steady(constraint: Any) -> bool:
    match constraint.contype:
        case ConstrType.CONSTR_GENERATED:
            return bool(constraint.generated_kind == VIRTUAL)
        case ConstrType.CONSTR_DEFAULT:
            return all(map(_is_steady_call, find(constraint.raw_expr, "FuncCall")))
        case kind:
            return bool(kind != ConstrType.CONSTR_IDENTITY)


def _is_steady_call(call: Any) -> bool:
    names = [part.string.sval for part in call.funcname]
    return names[-1] in STEADY and names[:-1] in ([], ["pg_catalog"])
