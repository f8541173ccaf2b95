"""Indexes, those that are there and those that aren't."""

from collections.abc import Iterator

from safestep.lint.locks import is_concurrent
from safestep.lint.reading import Reading
from safestep.lint.rules.rule import Hit, by_hand, names, of_kind, rule
from safestep.lint.schema import foreign_keys


@rule("concurrent-index-if-not-exists")
def concurrent_index_if_not_exists(reading: Reading) -> Iterator[Hit]:
    cleared: set[str] = set()
    for step in of_kind(reading, "DropStmt", "IndexStmt"):
        if not is_concurrent(step.statement):
            continue
        if step.statement.kind == "DropStmt":
            cleared |= {part.list.items[-1].string.sval for part in step.node.objects}
        elif step.node.if_not_exists and step.node.idxname not in cleared:
            yield step, f"An invalid {step.node.idxname} that an earlier attempt left behind would be kept."


@rule("concurrently-by-hand")
def concurrently_by_hand(reading: Reading) -> Iterator[Hit]:
    cleared: set[str] = set()
    for step in by_hand(reading):
        match step.statement.kind if is_concurrent(step.statement) else "":
            case "DropStmt" if step.node.missing_ok:
                cleared |= {part.list.items[-1].string.sval for part in step.node.objects}
            case "IndexStmt" if step.node.idxname not in cleared:
                what = step.node.idxname or "index"
                yield step, f'A build that fails leaves an invalid {what}, and the next one ends with "already exists".'
            case "ReindexStmt":
                yield step, "A rebuild that fails leaves an invalid index behind, which costs every write."
            case "RefreshMatViewStmt":
                yield step, "It gets no more time than a statement that blocks traffic, and has to wait for others."


@rule("foreign-key-without-index")
def foreign_key_without_index(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        for table, columns, referred in foreign_keys(step.statement):
            # At the end: the index may follow the key, or the table be gone again.
            if table in reading.after.tables and not reading.after.indexed(table, columns):
                what = f"{names([table])} ({', '.join(columns)})"
                yield step, f"No index on {what}: each delete in {names([referred])} reads the whole table."
