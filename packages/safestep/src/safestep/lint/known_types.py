"""What the revisions say about types other than PostgreSQL's own."""

from collections.abc import Iterable
from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.sql import Statement, qualified_name, relation_name

CHECKED = (ConstrType.CONSTR_CHECK, ConstrType.CONSTR_NOTNULL)
# ALTER DOMAIN … ADD CONSTRAINT and SET NOT NULL, as PostgreSQL's source calls them.
ADDS_CONSTRAINT = ("C", "O")


class KnownTypes:
    """Whether a type has constraints, which only a domain can have, by the type's qualified name."""

    def __init__(self, parents: Iterable["KnownTypes"] = ()) -> None:
        self.has_constraint: dict[str, bool] = {}
        for parent in parents:
            self.has_constraint |= parent.has_constraint

    def after(self, statement: Statement) -> "KnownTypes":
        types = KnownTypes([self])
        types.has_constraint |= self._types_in(statement)
        return types

    def _types_in(self, statement: Statement) -> dict[str, bool]:
        node = statement.node
        match statement.kind:
            case "CreateDomainStmt":
                return {qualified_name(node.domainname): self._is_constrained(node)}
            case "AlterDomainStmt" if node.subtype in ADDS_CONSTRAINT:
                return {qualified_name(node.type_name): True}
            case "CreateEnumStmt" | "CreateRangeStmt":
                return {qualified_name(node.type_name): False}
            case "CompositeTypeStmt":
                return {relation_name(node.typevar): False}
        return {}

    def _is_constrained(self, domain: Any) -> bool:
        """A domain over another one has that one's constraints as well."""
        inherited = self.has_constraint.get(qualified_name(domain.type_name.names), False)
        return inherited or any(part.constraint.contype in CHECKED for part in domain.constraints)
