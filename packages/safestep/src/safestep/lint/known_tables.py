"""What the revisions say about one table: its columns, indexes, constraints and partitions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.sql import (
    column_names,
    conjuncts,
    expression_text,
    not_null_column,
    relation_name,
    type_of,
)

# REPLICA IDENTITY DEFAULT, which means the primary key, and NOTHING, as PostgreSQL's source calls them.
DEFAULT_IDENTITY, NO_IDENTITY = "d", "n"
KEYS = (ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_UNIQUE)
NEVER_NULL = (ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_NOTNULL, ConstrType.CONSTR_IDENTITY)


@dataclass
class KnownCheck:
    """A CHECK constraint; `valid` says whether existing rows were checked as well."""

    expression: Any
    valid: bool

    @property
    def columns(self) -> set[str]:
        return column_names(self.expression)


@dataclass
class KnownTable:
    name: str
    columns: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    """Each column's type, and the type's modifiers."""
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Each index's columns, in order."""
    unique: set[str] = field(default_factory=set)
    """The indexes that are unique."""
    conditional: dict[str, set[str]] = field(default_factory=dict)
    """Indexes with an expression or a condition, and the columns that they name."""
    unique_expressions: dict[str, str] = field(default_factory=dict)
    """Unique indexes of one expression, as text."""
    checks: dict[str, KnownCheck] = field(default_factory=dict)
    not_null: set[str] = field(default_factory=set)
    partition_key: set[str] = field(default_factory=set)
    """Empty when the table isn't partitioned, and when the key is an expression or isn't known."""
    is_partitioned: bool = False
    default_partition: str | None = None
    has_policy: bool = False
    has_identity: bool = False
    """Whether a subscriber can tell which row changed: by the primary key, or by REPLICA IDENTITY."""
    virtual: set[str] = field(default_factory=set)
    """Generated columns that aren't stored."""

    def free_name(self, *parts: str) -> str:
        """The name that PostgreSQL gives to a part of the table that has none of its own, such as `posts_slug_key`."""
        name, taken = "_".join([self.name.rpartition(".")[2], *parts]), {*self.indexes, *self.conditional, *self.checks}
        return next(free for number in ["", *range(1, len(taken) + 2)] if (free := f"{name}{number}") not in taken)

    @property
    def keys(self) -> list[set[str]]:
        """The sets of columns whose values identify a row."""
        return [set(columns) for name, columns in self.indexes.items() if name in self.unique]

    @property
    def proven_conditions(self) -> list[Any]:
        """The conditions that hold for every row, because a valid check says so."""
        return [part for check in self.checks.values() if check.valid for part in conjuncts(check.expression)]

    @property
    def never_null(self) -> set[str]:
        """The columns of which PostgreSQL knows, without reading the rows, that none is NULL."""
        return self.not_null | {column for part in self.proven_conditions if (column := not_null_column(part))}


def constraints_of(column: Any) -> Iterator[Any]:
    return (part.constraint for part in column.constraints)


def add_column(table: KnownTable, column: Any) -> None:
    table.columns[column.colname] = type_of(column)
    for constraint in constraints_of(column):
        add_constraint(table, constraint, column.colname)


def add_constraint(table: KnownTable, constraint: Any, column: str | None = None) -> None:
    columns = (column,) if column else tuple(key.string.sval for key in constraint.keys)
    name = constraint.conname or _given_name(table, constraint, columns)
    table.has_identity |= constraint.contype == ConstrType.CONSTR_PRIMARY
    if constraint.contype in KEYS and not constraint.indexname:
        table.indexes[name] = columns
        table.unique.add(name)
    elif constraint.contype == ConstrType.CONSTR_CHECK:
        table.checks[name] = KnownCheck(constraint.raw_expr, not constraint.skip_validation)
    elif constraint.contype == ConstrType.CONSTR_GENERATED and constraint.generated_kind == "v":
        table.virtual |= {*columns}
    if constraint.contype in NEVER_NULL and not constraint.skip_validation:
        table.not_null |= {*table.indexes.get(constraint.indexname, columns)}


def _given_name(table: KnownTable, constraint: Any, columns: tuple[str, ...]) -> str:
    match constraint.contype:
        case ConstrType.CONSTR_PRIMARY:
            return table.free_name("pkey")
        case ConstrType.CONSTR_CHECK:
            named = column_names(constraint.raw_expr)
            return table.free_name(*(named if len(named) == 1 else ()), "check")
        case _:
            return table.free_name(*columns, "key")


def note_setting(table: KnownTable, what: str, definition: Any) -> None:
    match what:
        case "ReplicaIdentity" if definition.identity_type != DEFAULT_IDENTITY:
            table.has_identity = definition.identity_type != NO_IDENTITY
        case "AttachPartition" if definition.bound.is_default:
            table.default_partition = relation_name(definition.name)
        case "DetachPartition" if table.default_partition == relation_name(definition.name):
            table.default_partition = None


def add_index(table: KnownTable, node: Any) -> None:
    name = node.idxname or table.free_name(*(part.index_elem.name or "expr" for part in node.index_params), "idx")
    if columns := _index_columns(node):
        table.indexes[name] = columns
        table.unique = table.unique - {name} | ({name} if node.unique else set())
    expressions = [part.index_elem.expr for part in node.index_params if part.index_elem.HasField("expr")]
    if node.HasField("where_clause") or expressions:
        named = {part.index_elem.name for part in node.index_params} - {""}
        table.conditional[name] = named.union(*map(column_names, [*expressions, node.where_clause]))
    if node.unique and len(node.index_params) == len(expressions) == 1 and not node.HasField("where_clause"):
        table.unique_expressions[name] = expression_text(expressions[0])


def _index_columns(node: Any) -> tuple[str, ...]:
    """None for an index that can't serve a foreign key: of another access method, or a partial one."""
    columns = tuple(part.index_elem.name for part in node.index_params)
    if node.access_method not in ("", "btree", "hash"):
        return ()
    partial = node.HasField("where_clause") and not_null_column(node.where_clause) not in columns
    return () if partial else columns
