"""Whole tables and their partitions."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import AlterPublicationAction

from safestep.lint.known_tables import NO_IDENTITY
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.partitions import excludes, scan_reason
from safestep.lint.rules.rule import Violation, altering, names, of_kind, rule
from safestep.lint.sql import alter_commands, relation_name


@rule("attach-partition-scans")
def attach_partition_scans(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AttachPartition"):
        parent = statement.before.table(relation_name(statement.node.relation))
        # ALTER INDEX … ATTACH PARTITION has no bounds, and reads no rows.
        for part in [part for _, _, part in alter_commands(statement.node) if part.HasField("bound")]:
            name = relation_name(part.name)
            reason = scan_reason(statement.before.table(name), parent, part.bound)
            if reason and statement.in_use([name]):
                yield statement, f"Every row of {names([name])} is read, because {reason}."


@rule("default-partition-scans")
def default_partition_scans(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        for parent in _parents_of_new_partition(statement):
            table = statement.before.table(parent)
            default = table.default_partition
            if default and statement.in_use([default]) and not excludes(statement.before.table(default), table):
                yield statement, f"Every row of {names([default])} is read for rows that belong into the new partition."


@rule("row-security-without-policy")
def row_security_without_policy(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "EnableRowSecurity", "ForceRowSecurity"):
        table = relation_name(statement.node.relation)
        if not statement.before.table(table).has_policy:
            yield statement, f"{names([table])} has no policy, so that nobody it applies to sees a row or writes one."


@rule("set-tablespace")
def set_tablespace(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetTableSpace"):
        yield statement, "The files are copied to the other tablespace under the strongest lock."
    for statement in of_kind(revision, "AlterTableMoveAllStmt"):
        yield statement, "Every table of the tablespace is locked and copied."


@rule("set-logged")
def set_logged(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetLogged", "SetUnLogged"):
        yield statement, "The table is rewritten under the strongest lock, and an unlogged one is empty after a crash."


@rule("set-access-method")
def set_access_method(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetAccessMethod"):
        yield statement, "The table is rewritten in the other form under the strongest lock."


@rule("published-without-identity")
def published_without_identity(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "CreatePublicationStmt", "AlterPublicationStmt"):
        if without := [name for name in _published(statement) if not revision.after.tables[name].has_identity]:
            yield statement, f"{names(without)} has no primary key: its rows can't be changed or deleted any more."
    for statement in altering(revision, "ReplicaIdentity"):
        identities = [
            part.identity_type for what, _, part in alter_commands(statement.node) if what == "ReplicaIdentity"
        ]
        if NO_IDENTITY in identities:
            yield statement, "While the table is published, its rows can't be changed or deleted."


@rule("owned-objects")
def owned_objects(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "DropOwnedStmt", "ReassignOwnedStmt"):
        yield statement, "What a role owns is another thing in each database, and stands nowhere in the revision."


def _published(statement: LintedStatement) -> list[str]:
    """The tables that a publication publishes changes of, other than new rows; only those that a revision creates."""
    node, known = statement.node, statement.before.tables
    options = {part.def_elem.defname: part.def_elem.arg.string.sval for part in node.options}
    if not {"update", "delete"} & {kind.strip() for kind in options.get("publish", "update").split(",")}:
        return []
    if statement.kind == "AlterPublicationStmt" and node.action == AlterPublicationAction.AP_DropObjects:
        return []
    objects = [part.publication_obj_spec for part in node.pubobjects]
    named = {relation_name(part.pubtable.relation) for part in objects}
    schemas = {part.name for part in objects}
    return [name for name in known if node.for_all_tables or name in named or name.split(".")[0] in schemas]


def _parents_of_new_partition(statement: LintedStatement) -> list[str]:
    """The partitioned tables that get a partition, other than the default one."""
    if statement.kind == "CreateStmt" and statement.node.HasField("partbound"):
        is_default = statement.node.partbound.is_default
        return [] if is_default else [relation_name(part.range_var) for part in statement.node.inh_relations]
    if statement.kind != "AlterTableStmt":
        return []
    parts = [part for what, _, part in alter_commands(statement.node) if what == "AttachPartition"]
    bounded = [part for part in parts if part.HasField("bound") and not part.bound.is_default]
    return [relation_name(statement.node.relation)] if bounded else []
