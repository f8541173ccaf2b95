"""Which tables a statement locks against reads or writes, from PostgreSQL's documentation of explicit locking."""

from typing import Any

from postgast.pg_query_pb2 import ObjectType

from safestep.lint.schema import Schema, dropped, foreign_keys
from safestep.lint.sql import Statement, commands, dotted, full_name

# Parts of ALTER TABLE that take no more than SHARE UPDATE EXCLUSIVE, beside which rows are read and written.
GENTLE = {"ValidateConstraint", "SetStatistics", "SetOptions", "ResetOptions", "SetRelOptions", "ResetRelOptions"}
GENTLE |= {"ReplaceRelOptions", "ClusterOn", "DropCluster", "AttachPartition", "DetachPartitionFinalize"}
# Kinds of statement that block on the table they name, whatever else they say.
BLOCKING = {"CreateTrigStmt", "RuleStmt", "AlterObjectSchemaStmt", "RenameStmt", "ClusterStmt"}
SHARE = 5
"""LOCK TABLE's modes in order of strength; from here on it blocks writes."""


def targets(statement: Statement, schema: Schema) -> list[str]:
    """The tables that a statement of DDL is about; none for one that is about something else."""
    node = statement.node
    match statement.kind:
        case "TruncateStmt" | "LockStmt":
            return [full_name(part.range_var) for part in node.relations]
        case "VacuumStmt":
            return [full_name(part.vacuum_relation.relation) for part in node.rels]
        case "CreatePolicyStmt" | "AlterPolicyStmt":
            return [full_name(node.table)]
        case "DropStmt":
            return _dropped(node, schema)
        case "CreateStmt" | "AlterTableStmt" | "IndexStmt" | "ReindexStmt" | "RefreshMatViewStmt":
            return _relation(node, schema)
        case kind:
            return _relation(node, schema) if kind in BLOCKING else []


def blocked(statement: Statement, schema: Schema) -> list[str]:
    """The tables that nobody writes to, or even reads, until the statement's transaction ends."""
    names = targets(statement, schema) if _blocks(statement) else []
    names += [referred for _, _, referred in foreign_keys(statement)]
    if statement.kind == "CreateStmt":
        names += [full_name(part.range_var) for part in statement.node.inh_relations]
    return names + attached(statement)


def attached(statement: Statement) -> list[str]:
    """The tables that become partitions of another."""
    if statement.kind != "AlterTableStmt":
        return []
    return [full_name(part.name) for what, _, part in commands(statement.node) if what == "AttachPartition"]


def is_full_vacuum(statement: Statement) -> bool:
    """Of a VACUUM."""
    options = {part.def_elem.defname: part.def_elem for part in statement.node.options}
    return "full" in options and _on(options["full"])


def is_concurrent(statement: Statement) -> bool:
    """Whether it says CONCURRENTLY."""
    if statement.kind == "ReindexStmt":
        return any(part.def_elem.defname == "concurrently" for part in statement.node.params)
    return bool(getattr(statement.node, "concurrent", False))


def _blocks(statement: Statement) -> bool:
    match statement.kind:
        case "AlterTableStmt":
            return any(not _gentle(what, part) for what, _, part in commands(statement.node))
        case "VacuumStmt":
            return is_full_vacuum(statement)
        case "LockStmt":
            return bool(statement.node.mode >= SHARE)
        case "RenameStmt":
            return bool(statement.node.rename_type != ObjectType.OBJECT_INDEX)
        case kind:
            return kind != "CreateStmt" and not is_concurrent(statement)


def _gentle(what: str, part: Any) -> bool:
    return what in GENTLE or (what == "DetachPartition" and part.concurrent)


def _relation(node: Any, schema: Schema) -> list[str]:
    name = full_name(node.relation)
    return [schema.owner(name) or name] if node.relation.relname else []


def _dropped(node: Any, schema: Schema) -> list[str]:
    tables = dropped(node, ObjectType.OBJECT_TABLE)
    indexes = [schema.owner(name) or name for name in dropped(node, ObjectType.OBJECT_INDEX)]
    if node.remove_type in (ObjectType.OBJECT_TRIGGER, ObjectType.OBJECT_POLICY, ObjectType.OBJECT_RULE):
        return [dotted(part.list.items[:-1]) for part in node.objects]
    return tables + indexes


def _on(option: Any) -> bool:
    """VACUUM (FULL), (FULL true), (FULL 1), but not (FULL off)."""
    if not option.HasField("arg"):
        return True
    value = option.arg
    return bool(value.integer.ival or value.string.sval.lower() in ("true", "on", "1"))
