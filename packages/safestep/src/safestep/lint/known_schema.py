"""What the revisions up to a statement say about the database's tables, types and functions."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from postgast.pg_query_pb2 import ConstrType, ObjectType

from safestep.lint.known_types import KnownTypes
from safestep.lint.sql import (
    Statement,
    alter_commands,
    column_names,
    conjuncts,
    expression_text,
    find_nodes,
    not_null_column,
    qualified_name,
    relation_name,
    type_of,
)

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
    virtual: set[str] = field(default_factory=set)
    """Generated columns that aren't stored."""

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


class KnownSchema:
    """Tables, types and functions by qualified name. Incomplete where lint can't read what a revision does."""

    def __init__(self, parents: Iterable["KnownSchema"] = ()) -> None:
        known = list(parents)
        self.tables: dict[str, KnownTable] = {}
        self.types: KnownTypes = KnownTypes(parent.types for parent in known)
        self.functions: dict[str, Statement] = {}
        for parent in known:
            self.tables |= parent.tables
            self.functions |= parent.functions

    def table(self, name: str) -> KnownTable:
        """Without columns when no revision creates it."""
        return self.tables.get(name, KnownTable())

    def after(self, statement: Statement) -> "KnownSchema":
        """What is known after the statement; this object doesn't change."""
        schema = KnownSchema([self])
        schema.types = self.types.after(statement)
        schema._apply(statement)
        return schema

    def _copied(self, name: str) -> KnownTable:
        """Puts a copy in the place of the table, which other objects share; returns the copy."""
        table = self.tables[name] = deepcopy(self.table(name))
        return table

    def table_of_index(self, index: str) -> str | None:
        """The table that an index belongs to, if known."""
        name = index.rpartition(".")[2]
        indexed = self.tables.items()
        return next((table for table, known in indexed if name in {*known.indexes, *known.conditional}), None)

    def has_index_on(self, table: str, columns: Iterable[str]) -> bool:
        """Whether an index starts with these columns, in any order."""
        wanted = set(columns)
        return any(set(index[: len(wanted)]) == wanted for index in self.table(table).indexes.values())

    def _apply(self, statement: Statement) -> None:
        node = statement.node
        match statement.kind:
            case "CreateStmt":
                self._create(node)
            case "AlterTableStmt":
                for what, command, definition in alter_commands(node):
                    self._alter(self._copied(relation_name(node.relation)), what, command, definition)
            case "IndexStmt":
                _add_index(self._copied(relation_name(node.relation)), node)
            case "DropStmt":
                self._drop(node)
            case "RenameStmt":
                self._rename(node)
            case "CreateFunctionStmt":
                self.functions[qualified_name(node.funcname)] = statement
            case "CreatePolicyStmt":
                self._copied(relation_name(node.table)).has_policy = True

    def _create(self, node: Any) -> None:
        name = relation_name(node.relation)
        if node.if_not_exists and name in self.tables:
            return
        for part in node.inh_relations:
            if node.HasField("partbound") and node.partbound.is_default:
                self._copied(relation_name(part.range_var)).default_partition = name
        table = self.tables[name] = KnownTable(is_partitioned=node.HasField("partspec"))
        for element in node.table_elts:
            if element.HasField("column_def"):
                _add_column(table, element.column_def)
            elif element.HasField("constraint"):
                _add_constraint(table, element.constraint)
        table.partition_key = {part.partition_elem.name for part in node.partspec.part_params} - {""}

    def _alter(self, table: KnownTable, what: str, command: Any, definition: Any) -> None:
        match what:
            case "AddColumn":
                _add_column(table, definition)
            case "AlterColumnType":
                table.columns[command.name] = type_of(definition)
            case "DropColumn":
                table.columns.pop(command.name, None)
            case "SetNotNull":
                table.not_null.add(command.name)
            case "DropNotNull":
                table.not_null.discard(command.name)
            case "AddConstraint":
                _add_constraint(table, definition)
            case "ValidateConstraint" if command.name in table.checks:
                table.checks[command.name].valid = True
            case "DropConstraint":
                table.checks.pop(command.name, None)
                table.indexes.pop(command.name, None)
            case "AttachPartition" | "DetachPartition":
                _note_partition(table, what, definition)

    def _drop(self, node: Any) -> None:
        for name in dropped_names(node, ObjectType.OBJECT_TABLE):
            self.tables.pop(name, None)
        for name in dropped_names(node, ObjectType.OBJECT_INDEX):
            if owner := self.table_of_index(name):
                table, index = self._copied(owner), name.rpartition(".")[2]
                table.indexes.pop(index, None)
                table.conditional.pop(index, None)
                table.unique_expressions.pop(index, None)

    def _rename(self, node: Any) -> None:
        if node.rename_type == ObjectType.OBJECT_TABLE:
            table = self.tables.pop(relation_name(node.relation), None) or KnownTable()
            self.tables[f"{node.relation.schemaname or 'public'}.{node.newname}"] = table
        elif node.rename_type == ObjectType.OBJECT_COLUMN:
            table = self._copied(relation_name(node.relation))
            table.columns[node.newname] = table.columns.pop(node.subname, ("", ()))
            if node.subname in table.not_null:
                table.not_null ^= {node.subname, node.newname}


def dropped_names(node: Any, kind: ObjectType.ValueType) -> list[str]:
    """The names in a DROP of this kind of object; none for another statement's kind."""
    return [qualified_name(part.list.items) for part in node.objects] if node.remove_type == kind else []


def constraints_of(column: Any) -> Iterator[Any]:
    return (part.constraint for part in column.constraints)


def foreign_keys(statement: Statement) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Each foreign key that the statement adds: its table, its columns, and the table that it refers to."""
    if statement.kind not in ("CreateStmt", "AlterTableStmt"):
        return
    table = relation_name(statement.node.relation)
    for column in find_nodes(statement.node, "ColumnDef"):
        for constraint in constraints_of(column):
            if constraint.contype == ConstrType.CONSTR_FOREIGN:
                yield table, (column.colname,), relation_name(constraint.pktable)
    for constraint in find_nodes(statement.node, "Constraint"):
        if constraint.contype == ConstrType.CONSTR_FOREIGN and constraint.fk_attrs:
            yield table, tuple(part.string.sval for part in constraint.fk_attrs), relation_name(constraint.pktable)


def _add_column(table: KnownTable, column: Any) -> None:
    table.columns[column.colname] = type_of(column)
    for constraint in constraints_of(column):
        _add_constraint(table, constraint, column.colname)


def _add_constraint(table: KnownTable, constraint: Any, column: str | None = None) -> None:
    name = constraint.conname or f"unnamed {len(table.checks) + len(table.indexes)}"
    columns = (column,) if column else tuple(key.string.sval for key in constraint.keys)
    if constraint.contype in KEYS and not constraint.indexname:
        table.indexes[name] = columns
        table.unique.add(name)
    elif constraint.contype == ConstrType.CONSTR_CHECK:
        table.checks[name] = KnownCheck(constraint.raw_expr, not constraint.skip_validation)
    elif constraint.contype == ConstrType.CONSTR_GENERATED and constraint.generated_kind == "v":
        table.virtual |= {*columns}
    if constraint.contype in NEVER_NULL and not constraint.skip_validation:
        table.not_null |= {*table.indexes.get(constraint.indexname, columns)}


def _note_partition(table: KnownTable, what: str, definition: Any) -> None:
    name = relation_name(definition.name)
    if what == "AttachPartition" and definition.bound.is_default:
        table.default_partition = name
    elif what == "DetachPartition" and table.default_partition == name:
        table.default_partition = None


def _add_index(table: KnownTable, node: Any) -> None:
    name = node.idxname or f"unnamed {len(table.indexes) + len(table.conditional)}"
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
