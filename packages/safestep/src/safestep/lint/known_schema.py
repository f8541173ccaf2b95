"""What the revisions up to a statement say about the database's tables, types and functions."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from postgast.pg_query_pb2 import ConstrType, ObjectType

from safestep.lint.known_tables import KnownTable, add_column, add_constraint, add_index, constraints_of, note_setting
from safestep.lint.known_types import KnownTypes
from safestep.lint.sql import (
    Statement,
    alter_commands,
    find_nodes,
    qualified_name,
    relation_name,
    type_of,
)


class KnownSchema:
    """Tables, types and functions by qualified name. Incomplete where lint can't read what a revision does."""

    def __init__(self, parents: Iterable["KnownSchema"] = ()) -> None:
        known = list(parents)
        self.tables: dict[str, KnownTable] = {}
        self.types: KnownTypes = KnownTypes(parent.types for parent in known)
        self.functions: dict[tuple[str, str], Statement] = {}
        """By qualified name, and by the arguments: several functions may share a name."""
        for parent in known:
            self.tables |= parent.tables
            self.functions |= parent.functions

    def table(self, name: str) -> KnownTable:
        """Without columns when no revision creates it."""
        return self.tables.get(name) or KnownTable(name)

    def after(self, statement: Statement) -> "KnownSchema":
        """What is known after the statement; this object doesn't change."""
        schema = KnownSchema([self])
        schema.types = self.types.after(statement)
        schema._apply(statement)
        return schema

    def without(self, tables: Iterable[str]) -> "KnownSchema":
        """The same without these tables."""
        schema = KnownSchema([self])
        schema.tables = {name: table for name, table in self.tables.items() if name not in {*tables}}
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

    def functions_called(self, name: tuple[str, ...]) -> Iterator[tuple[str, Statement]]:
        """Each function that a call may mean, and what it is called; without a schema it may be one of any schema."""
        for (known, _), definition in self.functions.items():
            if tuple(known.split("."))[-len(name) :] == name:
                yield f"{known.removeprefix('public.')}()", definition

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
                add_index(self._copied(relation_name(node.relation)), node)
            case "DropStmt":
                self._drop(node)
            case "RenameStmt":
                self._rename(node)
            case "CreateFunctionStmt":
                arguments = [str(part.function_parameter.arg_type.names) for part in node.parameters]
                self.functions[qualified_name(node.funcname), "".join(arguments)] = statement
            case "CreatePolicyStmt":
                self._copied(relation_name(node.table)).has_policy = True

    def _create(self, node: Any) -> None:
        name = relation_name(node.relation)
        # One of a known name was found by IF NOT EXISTS, or stands in another schema.
        if name in self.tables:
            return
        for part in node.inh_relations:
            if node.HasField("partbound") and node.partbound.is_default:
                self._copied(relation_name(part.range_var)).default_partition = name
        table = self.tables[name] = KnownTable(name, is_partitioned=node.HasField("partspec"))
        # A parent, a type or another table may give it a key that isn't written here.
        table.has_identity = bool(node.inh_relations or node.HasField("of_typename"))
        for element in node.table_elts:
            table.has_identity |= element.HasField("table_like_clause")
            if element.HasField("column_def"):
                add_column(table, element.column_def)
            elif element.HasField("constraint"):
                add_constraint(table, element.constraint)
        table.partition_key = {part.partition_elem.name for part in node.partspec.part_params} - {""}

    def _alter(self, table: KnownTable, what: str, command: Any, definition: Any) -> None:
        match what:
            case "AddColumn":
                add_column(table, definition)
            case "AlterColumnType":
                table.columns[command.name] = type_of(definition)
            case "DropColumn":
                table.columns.pop(command.name, None)
            case "SetNotNull":
                table.not_null.add(command.name)
            case "DropNotNull":
                table.not_null.discard(command.name)
            case "AddConstraint":
                add_constraint(table, definition)
            case "ValidateConstraint" if command.name in table.checks:
                table.checks[command.name].valid = True
            case "DropConstraint":
                table.checks.pop(command.name, None)
                table.indexes.pop(command.name, None)
            case _:
                note_setting(table, what, definition)

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
            table = self.tables.pop(relation_name(node.relation), None) or KnownTable("")
            name = f"{node.relation.schemaname or 'public'}.{node.newname}"
            self.tables[name] = replace(table, name=name)
        elif node.rename_type == ObjectType.OBJECT_COLUMN:
            table = self._copied(relation_name(node.relation))
            table.columns[node.newname] = table.columns.pop(node.subname, ("", ()))
            if node.subname in table.not_null:
                table.not_null ^= {node.subname, node.newname}


def dropped_names(node: Any, kind: ObjectType.ValueType) -> list[str]:
    """The names in a DROP of this kind of object; none for another statement's kind."""
    return [qualified_name(part.list.items) for part in node.objects] if node.remove_type == kind else []


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
