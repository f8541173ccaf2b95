"""The command line: `python -m benchmarks.compare`."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from benchmarks.compare.commands import guard, ladder, profile, run
from benchmarks.compare.failures import BenchmarkError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(run.run)
app.command()(guard.guard)
app.command()(profile.profile)
app.command()(ladder.ladder)


@app.callback()
def commands() -> None:
    """Measure the service beside its limit and its peers."""


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM goes through every `with`, as Ctrl-C does, so that everything stops."""
    sys.exit(128 + signal.SIGTERM)


def main() -> None:
    signal.signal(signal.SIGTERM, _leave)
    try:
        app()
    except BenchmarkError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
