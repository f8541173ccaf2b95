"""How far a backfill is: a bar on a terminal, otherwise a line now and then."""

from time import monotonic
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from safestep.steps.execution import SafeStep

ESTIMATED_ROWS = "SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = to_regclass(:table)"
LINE_EVERY = 10.0  # seconds, without a terminal


class BackfillProgress:
    def __init__(self, step: SafeStep, table: str) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        estimate = step.one_row(ESTIMATED_ROWS, table=table).rows
        self._task = self._bar.add_task(f"backfill of {table}", total=estimate if estimate > 0 else None)
        self._announce, self._table = step.migration_run.announce, table
        self._last_line = monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, seen: int) -> None:
        """After each batch, with the number of rows that were looked at."""
        self._bar.update(self._task, completed=seen)
        if self._bar.disable and monotonic() - self._last_line >= LINE_EVERY:
            self._last_line = monotonic()
            self._announce(f"backfill of {self._table}: {seen} rows seen")
