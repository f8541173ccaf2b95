"""What is known of types other than PostgreSQL's own from the revisions before."""

from collections.abc import Iterable
from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.sql import Statement, dotted, full_name

RESTRICTIONS = (ConstrType.CONSTR_CHECK, ConstrType.CONSTR_NOTNULL)
# ALTER DOMAIN … ADD CONSTRAINT and SET NOT NULL, as PostgreSQL's source calls them.
RESTRICTING = ("C", "O")


class Types:
    """By full name: whether values of it have to pass a constraint, which only a domain has."""

    def __init__(self, parents: Iterable["Types"] = ()) -> None:
        self.restricted: dict[str, bool] = {}
        for parent in parents:
            self.restricted |= parent.restricted

    def after(self, statement: Statement) -> "Types":
        types = Types([self])
        types.restricted |= self._told_by(statement)
        return types

    def _told_by(self, statement: Statement) -> dict[str, bool]:
        node = statement.node
        match statement.kind:
            case "CreateDomainStmt":
                return {dotted(node.domainname): self._restricts(node)}
            case "AlterDomainStmt" if node.subtype in RESTRICTING:
                return {dotted(node.type_name): True}
            case "CreateEnumStmt" | "CreateRangeStmt":
                return {dotted(node.type_name): False}
            case "CompositeTypeStmt":
                return {full_name(node.typevar): False}
        return {}

    def _restricts(self, domain: Any) -> bool:
        """Also by the constraint of a domain below it."""
        is_restricted = self.restricted.get(dotted(domain.type_name.names), False)
        return is_restricted or any(part.constraint.contype in RESTRICTIONS for part in domain.constraints)
