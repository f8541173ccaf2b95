"""What a rehearsal is given: its options, and the workspace in which it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from safestep.project import Project
from safestep.rehearsal.configuration import ServiceProfile
from safestep.rehearsal.fill import Progress


@dataclass(frozen=True)
class RehearsalOptions:
    """How to rehearse; times in seconds."""

    rows: int = 1_000_000
    dump: Path | None = None
    rate: float = 200.0
    connections: int = 64
    warm_up: float = 3.0
    before: float = 10.0
    after: float = 10.0
    max_stall: float = 1.0


@dataclass(frozen=True)
class Workspace:
    """The project, a database, a folder that is gone afterwards, and the code that is deployed."""

    project: Project
    profile: ServiceProfile
    database: URL
    is_scratch: bool
    """Whether the database is on a server of our own, whose log can be read and whose roles can be made."""
    folder: Path
    deployed: Path
    say: Callable[[str], None] = lambda _line: None
    progress: Progress = lambda _table, _done, _total: None
