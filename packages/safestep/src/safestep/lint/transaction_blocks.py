"""What PostgreSQL refuses inside of a transaction. Source: the callers of `PreventInTransactionBlock`."""

import json
from collections.abc import Callable
from typing import Any

from postgast.pg_query_pb2 import AlterSubscriptionType, DiscardMode, ObjectType, ReindexObjectType

from safestep.lint.executed_code import executed_bodies
from safestep.lint.known_schema import KnownSchema
from safestep.lint.locks import is_concurrent
from safestep.lint.sql import Statement, alter_commands, relation_name

OF_MANY = (
    ReindexObjectType.REINDEX_OBJECT_SCHEMA,
    ReindexObjectType.REINDEX_OBJECT_SYSTEM,
    ReindexObjectType.REINDEX_OBJECT_DATABASE,
)
REFRESHING = (
    AlterSubscriptionType.ALTER_SUBSCRIPTION_SET_PUBLICATION,
    AlterSubscriptionType.ALTER_SUBSCRIPTION_ADD_PUBLICATION,
    AlterSubscriptionType.ALTER_SUBSCRIPTION_DROP_PUBLICATION,
)
# A subscription's options that are changed in its slot on the other server as well.
OF_SLOT = {"failover", "two_phase"}
OFF = ("false", "off", "0")


def refused_in_transaction(statement: Statement, schema: KnownSchema) -> str | None:
    """What of the statement is refused; None when all of it may run in a transaction."""
    what = REFUSED.get(statement.kind)
    condition = CONDITIONS.get(statement.kind)
    return what if condition is None or condition(statement, schema) else None


def gives_up_slot(statement: Statement) -> str | None:
    """The subscription that has no slot from here on, so that it can be dropped in a transaction."""
    if statement.kind != "AlterSubscriptionStmt":
        return None
    return str(statement.node.subname) if _options(statement.node).get("slot_name") == "none" else None


def _is_concurrent_drop(statement: Statement, _: KnownSchema) -> bool:
    return is_concurrent(statement) and statement.node.remove_type == ObjectType.OBJECT_INDEX


def _detaches_concurrently(statement: Statement, _: KnownSchema) -> bool:
    parts = [part for what, _, part in alter_commands(statement.node) if what == "DetachPartition"]
    return any(part.concurrent for part in parts)


def _reindexes_several(statement: Statement, schema: KnownSchema) -> bool:
    """Or one of them CONCURRENTLY."""
    return is_concurrent(statement) or statement.node.kind in OF_MANY or _is_partitioned(statement, schema)


def _clusters_several(statement: Statement, schema: KnownSchema) -> bool:
    return not statement.node.HasField("relation") or _is_partitioned(statement, schema)


def _makes_slot(statement: Statement, _: KnownSchema) -> bool:
    return "false" not in map(_options(statement.node).get, ("connect", "create_slot"))


def _is_partitioned(statement: Statement, schema: KnownSchema) -> bool:
    """Whether the table that it names is partitioned, or the table of the index that it names."""
    name = relation_name(statement.node.relation)
    return schema.table(schema.table_of_index(name) or name).is_partitioned


def _reaches_publisher(statement: Statement, _: KnownSchema) -> bool:
    """Whether an ALTER SUBSCRIPTION asks the other server for its tables, or changes its slot there."""
    node, options = statement.node, _options(statement.node)
    if node.kind in REFRESHING:
        return options.get("refresh") != "false"
    return node.kind == AlterSubscriptionType.ALTER_SUBSCRIPTION_REFRESH or bool(OF_SLOT & options.keys())


def _commits(statement: Statement, schema: KnownSchema) -> bool:
    trees = [json.dumps(body.tree()) for body in executed_bodies(statement, schema)]
    return any(f"PLpgSQL_stmt_{end}" in tree for tree in trees for end in ("commit", "rollback"))


def _options(node: Any) -> dict[str, str]:
    """The options with their values as text: `false` for each way to say so, and `true` without a value."""
    given = {part.def_elem.defname: part.def_elem for part in node.options}
    texts = {name: _text(option.arg) if option.HasField("arg") else "true" for name, option in given.items()}
    return {name: "false" if text in OFF else text for name, text in texts.items()}


def _text(value: Any) -> str:
    return str(value.string.sval).lower() if value.HasField("string") else str(value.integer.ival)


type Condition = Callable[[Statement, KnownSchema], bool]
REFUSED = {
    "AlterDatabaseStmt": "ALTER DATABASE SET TABLESPACE",
    "AlterSubscriptionStmt": "ALTER SUBSCRIPTION, when it asks the publisher,",
    "AlterSystemStmt": "ALTER SYSTEM",
    "AlterTableStmt": "DETACH PARTITION CONCURRENTLY",
    "CallStmt": "COMMIT and ROLLBACK",
    "ClusterStmt": "CLUSTER of several tables",
    "CreateSubscriptionStmt": "CREATE SUBSCRIPTION with a slot",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "CreatedbStmt": "CREATE DATABASE",
    "DiscardStmt": "DISCARD ALL",
    "DoStmt": "COMMIT and ROLLBACK",
    "DropStmt": "DROP INDEX CONCURRENTLY",
    "DropSubscriptionStmt": "DROP SUBSCRIPTION with a slot",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "DropdbStmt": "DROP DATABASE",
    "ReindexStmt": "REINDEX CONCURRENTLY, or of several tables,",
    "SelectStmt": "COMMIT and ROLLBACK",
    "VacuumStmt": "VACUUM",
}
"""What may be refused of a kind of statement."""
CONDITIONS: dict[str, Condition] = {
    "AlterDatabaseStmt": lambda statement, _: "tablespace" in _options(statement.node),
    "AlterSubscriptionStmt": _reaches_publisher,
    "AlterTableStmt": _detaches_concurrently,
    "CallStmt": _commits,
    "ClusterStmt": _clusters_several,
    "CreateSubscriptionStmt": _makes_slot,
    "DiscardStmt": lambda statement, _: bool(statement.node.target == DiscardMode.DISCARD_ALL),
    "DoStmt": _commits,
    "DropStmt": _is_concurrent_drop,
    "ReindexStmt": _reindexes_several,
    "SelectStmt": _commits,
    "VacuumStmt": lambda statement, _: bool(statement.node.is_vacuumcmd),
}
"""When it is refused; for other kinds always."""
