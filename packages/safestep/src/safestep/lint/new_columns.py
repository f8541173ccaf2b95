"""Whether a new column makes PostgreSQL rewrite the table: a constant default doesn't, any other does."""

from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.known_schema import KnownSchema
from safestep.lint.known_tables import constraints_of
from safestep.lint.sql import alter_commands, qualified_name, type_of
from safestep.lint.volatility import is_volatile

SERIAL_TYPES = {"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"}
VIRTUAL = "v"
BUILT_IN_TYPES = {
    *("bit", "bool", "box", "bpchar", "bytea", "char", "cidr", "circle", "date", "float4", "float8", "inet", "int2"),
    *("int4", "int8", "interval", "json", "jsonb", "jsonpath", "line", "lseg", "macaddr", "macaddr8", "money", "name"),
    *("numeric", "oid", "path", "pg_lsn", "point", "polygon", "regclass", "text", "time", "timestamp", "timestamptz"),
    *("timetz", "tsquery", "tsvector", "uuid", "varbit", "varchar", "xid8", "xml"),
    *("daterange", "int4range", "int8range", "numrange", "tsrange", "tstzrange"),
    *("datemultirange", "int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange"),
}
# Base types of extensions: only a domain has constraints.
EXTENSION_TYPES = {"citext", "geography", "geometry", "halfvec", "hstore", "ltree", "vector"}


def added_columns(node: Any) -> list[Any]:
    """The columns that an ALTER TABLE adds."""
    return [definition for what, _, definition in alter_commands(node) if what == "AddColumn"]


def adds_without_rewrite(column: Any) -> bool:
    """Whether all existing rows get the same default, or none, or the column is virtual."""
    return all(map(_adds_without_rewrite, constraints_of(column)))


def rewrite_reason(column: Any, schema: KnownSchema) -> str | None:
    """Why the column's type makes PostgreSQL rewrite the table, or may make it; None when it doesn't."""
    name = type_of(column)[0]
    if name in SERIAL_TYPES:
        return f"{name} takes a number from a sequence for every row."
    full_name = qualified_name(column.type_name.names)
    has_default = any(part.contype == ConstrType.CONSTR_DEFAULT for part in constraints_of(column))
    if full_name in schema.types.volatile_default and not (has_default or column.type_name.array_bounds):
        return f"{name} is a domain with a volatile default, which is computed for every row."
    has_constraint = schema.types.has_constraint.get(full_name)
    if column.type_name.array_bounds or name in BUILT_IN_TYPES | EXTENSION_TYPES or has_constraint is False:
        return None
    if has_constraint:
        return f"{name} is a domain with a constraint, which is checked for every row as it is rewritten."
    if has_default:
        return f"No revision defines {name}: as a domain with a constraint, it has the default written into every row."
    return None


def _adds_without_rewrite(constraint: Any) -> bool:
    match constraint.contype:
        case ConstrType.CONSTR_GENERATED:
            return bool(constraint.generated_kind == VIRTUAL)
        case ConstrType.CONSTR_DEFAULT:
            return not is_volatile(constraint.raw_expr)
        case kind:
            return bool(kind != ConstrType.CONSTR_IDENTITY)
