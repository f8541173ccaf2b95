"""The names in a statement, for a recipe that somebody pastes into the same revision."""

from collections.abc import Iterator
from typing import Any

from postgast.pg_query_pb2 import ConstrType, ObjectType
from postgast.walk import unwrap_node

from safestep.lint.linted_revision import LintedStatement
from safestep.lint.sql import column_names, expression_text, find_nodes, relation_name, type_of

SQLALCHEMY_TYPES = {
    "bool": "sa.Boolean()",
    "date": "sa.Date()",
    "float8": "sa.Double()",
    "int2": "sa.SmallInteger()",
    "int4": "sa.Integer()",
    "int8": "sa.BigInteger()",
    "numeric": "sa.Numeric({})",
    "text": "sa.Text()",
    "timestamptz": "sa.DateTime(timezone=True)",
    "uuid": "sa.Uuid()",
    "varchar": "sa.String({})",
}
ABOUT_CONSTRAINTS = ("AT_AddConstraint", "AT_DropConstraint", "AT_ValidateConstraint")


def own_names(statement: LintedStatement) -> dict[str, str]:
    """Each name by what a recipe calls it, ready to stand in a Python string; only those that the statement gives."""
    found: dict[str, str] = {}
    for name, value in _names(statement):
        if value:
            found.setdefault(name, value.replace("\\", "\\\\").replace('"', '\\"') if name != "type" else value)
    return found


def _names(statement: LintedStatement) -> Iterator[tuple[str, str]]:
    node = statement.node
    yield "table", _table(statement)
    if statement.kind == "RenameStmt":
        yield "column", node.subname if node.rename_type == ObjectType.OBJECT_COLUMN else ""
        yield "new_name", node.newname
    if statement.kind == "IndexStmt":
        yield "index", node.idxname
        yield "column", next((part.index_elem.name for part in node.index_params), "")
    if statement.kind == "DropStmt" and node.remove_type == ObjectType.OBJECT_INDEX:
        yield "index", unwrap_node(node.objects[0]).items[-1].string.sval
    if statement.kind == "ReindexStmt":
        yield "index", node.relation.relname
    if statement.kind == "UpdateStmt":
        target = node.target_list[0].res_target
        yield "column", target.name
        yield "value", expression_text(target.val)
        yield "condition", expression_text(node.where_clause) if node.HasField("where_clause") else "true"
    if statement.kind == "AlterObjectSchemaStmt":
        yield "schema", node.newschema
    for part in find_nodes(node, "PartitionCmd"):
        yield "partition", _plain(relation_name(part.name))
    yield from _names_of_constraints(node)
    yield from _names_of_columns(node)


def _names_of_constraints(node: Any) -> Iterator[tuple[str, str]]:
    for part in find_nodes(node, "Constraint"):
        yield "constraint", part.conname
        yield "index", part.indexname
        keys = [key.string.sval for key in (*part.fk_attrs, *part.keys)]
        yield "column", keys[0] if keys else ""
        if part.contype == ConstrType.CONSTR_FOREIGN:
            yield "referred_table", _plain(relation_name(part.pktable))
            yield "referred_column", part.pk_attrs[0].string.sval if part.pk_attrs else "id"
        if part.contype in (ConstrType.CONSTR_CHECK, ConstrType.CONSTR_GENERATED):
            yield "expression", expression_text(part.raw_expr)
        if part.contype == ConstrType.CONSTR_CHECK:
            yield "column", min(column_names(part.raw_expr), default="")
        if part.contype == ConstrType.CONSTR_DEFAULT:
            yield "default", expression_text(part.raw_expr)


def _names_of_columns(node: Any) -> Iterator[tuple[str, str]]:
    for column in find_nodes(node, "ColumnDef"):
        yield "column", column.colname
        yield "type", _sqlalchemy_type(column)
    for command in find_nodes(node, "AlterTableCmd"):
        is_constraint = command.DESCRIPTOR.fields_by_name["subtype"].enum_type.values_by_number[command.subtype].name
        yield "constraint" if is_constraint in ABOUT_CONSTRAINTS else "column", command.name


def _table(statement: LintedStatement) -> str:
    targets = statement.target_tables or [relation_name(part) for part in find_nodes(statement.node, "RangeVar")]
    return _plain(targets[0]) if targets else ""


def _plain(name: str) -> str:
    return name.removeprefix("public.")


def _sqlalchemy_type(column: Any) -> str:
    name, parameters = type_of(column)
    return SQLALCHEMY_TYPES.get(name, "").format(", ".join(map(str, parameters)))
