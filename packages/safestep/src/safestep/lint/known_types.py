"""What the revisions say about types other than PostgreSQL's own."""

from collections.abc import Iterable
from typing import Any

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.sql import Statement, qualified_name, relation_name
from safestep.lint.volatility import is_volatile

CHECKED = (ConstrType.CONSTR_CHECK, ConstrType.CONSTR_NOTNULL)
# ALTER DOMAIN … ADD CONSTRAINT and SET NOT NULL, as PostgreSQL's source calls them.
ADDS_CONSTRAINT = ("C", "O")
SETS_DEFAULT = "T"


class KnownTypes:
    """Types by qualified name: whether they have constraints, and which have a volatile default. Only domains can."""

    def __init__(self, parents: Iterable["KnownTypes"] = ()) -> None:
        self.has_constraint: dict[str, bool] = {}
        self.volatile_default: set[str] = set()
        for parent in parents:
            self.has_constraint |= parent.has_constraint
            self.volatile_default |= parent.volatile_default

    def after(self, statement: Statement) -> "KnownTypes":
        types = KnownTypes([self])
        types.has_constraint |= self._types_in(statement)
        types._note_default(statement)
        return types

    def _note_default(self, statement: Statement) -> None:
        node = statement.node
        match statement.kind:
            case "CreateDomainStmt":
                name, base = qualified_name(node.domainname), qualified_name(node.type_name.names)
                defaults = [part.constraint for part in node.constraints]
                given = [part.raw_expr for part in defaults if part.contype == ConstrType.CONSTR_DEFAULT]
                is_computed = any(map(is_volatile, given)) if given else base in self.volatile_default
            case "AlterDomainStmt" if node.subtype == SETS_DEFAULT:
                name, is_computed = qualified_name(node.type_name), is_volatile(getattr(node, "def"))
            case _:
                return
        self.volatile_default = self.volatile_default - {name} | ({name} if is_computed else set())

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
