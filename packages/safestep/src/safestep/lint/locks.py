"""Which tables a statement locks against reads or writes. Source: PostgreSQL's documentation of explicit locking."""

from typing import Any

from postgast.pg_query_pb2 import ObjectType

from safestep.lint.known_schema import KnownSchema, dropped_names, foreign_keys
from safestep.lint.sql import Statement, alter_commands, qualified_name, relation_name

# Subcommands of ALTER TABLE that take no more than SHARE UPDATE EXCLUSIVE, which lets reads and writes pass.
NON_BLOCKING = {"ValidateConstraint", "SetStatistics", "SetOptions", "ResetOptions", "SetRelOptions", "ResetRelOptions"}
NON_BLOCKING |= {"ReplaceRelOptions", "ClusterOn", "DropCluster", "AttachPartition", "DetachPartitionFinalize"}
# Kinds of statement that always block the table that they name.
ALWAYS_BLOCKING = {"CreateTrigStmt", "RuleStmt", "AlterObjectSchemaStmt", "RenameStmt", "ClusterStmt"}
# Objects that are dropped by the name of their table and their own.
PARTS_OF_TABLES = (ObjectType.OBJECT_TRIGGER, ObjectType.OBJECT_POLICY, ObjectType.OBJECT_RULE)
SHARE = 5
"""The number of the weakest lock mode that blocks writes; stronger modes have greater numbers."""


def target_tables(statement: Statement, schema: KnownSchema) -> list[str]:
    """The tables that a DDL statement changes; none when it changes something else."""
    node = statement.node
    match statement.kind:
        case "TruncateStmt" | "LockStmt":
            return [relation_name(part.range_var) for part in node.relations]
        case "VacuumStmt":
            return [relation_name(part.vacuum_relation.relation) for part in node.rels]
        case "CreatePolicyStmt" | "AlterPolicyStmt":
            return [relation_name(node.table)]
        case "DropStmt":
            return _tables_of_drop(node, schema)
        case "CreateStmt" | "AlterTableStmt" | "IndexStmt" | "ReindexStmt" | "RefreshMatViewStmt":
            return _table_of(node, schema)
        case kind:
            return _table_of(node, schema) if kind in ALWAYS_BLOCKING else []


def tables_blocked_by(statement: Statement, schema: KnownSchema) -> list[str]:
    """The tables whose writes, or reads and writes, wait until the statement's transaction ends."""
    names = target_tables(statement, schema) if _blocks(statement) else []
    names += [referred for _, _, referred in foreign_keys(statement)]
    if statement.kind == "CreateStmt":
        names += [relation_name(part.range_var) for part in statement.node.inh_relations]
    return names + attached_partitions(statement)


def attached_partitions(statement: Statement) -> list[str]:
    """The tables that become partitions of another one."""
    if statement.kind != "AlterTableStmt":
        return []
    return [relation_name(part.name) for what, _, part in alter_commands(statement.node) if what == "AttachPartition"]


def is_full_vacuum(statement: Statement) -> bool:
    """Whether a VACUUM says FULL."""
    options = {part.def_elem.defname: part.def_elem for part in statement.node.options}
    return "full" in options and _is_true(options["full"])


def is_concurrent(statement: Statement) -> bool:
    """Whether it says CONCURRENTLY."""
    if statement.kind == "ReindexStmt":
        return any(part.def_elem.defname == "concurrently" for part in statement.node.params)
    return bool(getattr(statement.node, "concurrent", False))


def _blocks(statement: Statement) -> bool:
    match statement.kind:
        case "AlterTableStmt":
            return any(not _is_non_blocking(what, part) for what, _, part in alter_commands(statement.node))
        case "VacuumStmt":
            return is_full_vacuum(statement)
        case "LockStmt":
            return bool(statement.node.mode >= SHARE)
        case "RenameStmt":
            return bool(statement.node.rename_type != ObjectType.OBJECT_INDEX)
        case kind:
            return kind != "CreateStmt" and not is_concurrent(statement)


def _is_non_blocking(what: str, part: Any) -> bool:
    return what in NON_BLOCKING or (what == "DetachPartition" and part.concurrent)


def _table_of(node: Any, schema: KnownSchema) -> list[str]:
    name = relation_name(node.relation)
    return [schema.table_of_index(name) or name] if node.relation.relname else []


def _tables_of_drop(node: Any, schema: KnownSchema) -> list[str]:
    tables = dropped_names(node, ObjectType.OBJECT_TABLE)
    indexes = [schema.table_of_index(name) or name for name in dropped_names(node, ObjectType.OBJECT_INDEX)]
    if node.remove_type in PARTS_OF_TABLES:
        return [qualified_name(part.list.items[:-1]) for part in node.objects]
    return tables + indexes


def _is_true(option: Any) -> bool:
    """VACUUM (FULL), (FULL true), (FULL 1), but not (FULL off)."""
    if not option.HasField("arg"):
        return True
    value = option.arg
    return bool(value.integer.ival or value.string.sval.lower() in ("true", "on", "1"))
