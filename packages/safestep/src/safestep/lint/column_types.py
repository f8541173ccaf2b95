"""Changes of a column's type that leave its rows as they are.

Source: `ATColumnChangeRequiresRewrite` in PostgreSQL's tablecmds.c, the support functions of its length casts, and
the casts of pg_cast that are binary coercible. Tried on PostgreSQL 18, with `client_min_messages = debug1`, where
each rewrite and each index that is built shows.
"""

from typing import Any

from safestep.lint.sql import alter_commands

type ColumnType = tuple[str, tuple[int, ...]]

# The last parameter may grow or go: a length, or the digits of a second.
GROWING = {"varchar", "varbit", "timestamp", "timestamptz", "time", "timetz"}
# The bytes of a value are the same in both, and so is the order in an index. Only without a length.
SAME_BYTES = {("varchar", "text"), ("text", "varchar"), ("cidr", "inet")}


def keeps_rows(old: ColumnType | None, new: ColumnType) -> bool:
    """Whether neither the table nor an index of the column alone is written anew; unknown types may be."""
    if old is None:
        return False
    if old[0] != new[0]:
        return (old[0], new[0]) in SAME_BYTES and not new[1]
    if new[0] == "numeric":
        return not new[1] or (bool(old[1]) and old[1][0] <= new[1][0] and old[1][1:] == new[1][1:])
    return new[0] in GROWING and (not new[1] or (bool(old[1]) and old[1] <= new[1]))


def retyped_columns(node: Any) -> list[tuple[str, Any]]:
    """The columns whose type an ALTER TABLE changes, and their new definitions."""
    return [(command.name, part) for what, command, part in alter_commands(node) if what == "AlterColumnType"]


def only_changes_type(definition: Any) -> bool:
    """Whether no USING computes the values, and the collation stays."""
    return not (definition.HasField("raw_default") or definition.HasField("coll_clause"))
