"""What a run of migrations is going to do: its revisions, their phases, and what has to be confirmed first."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from alembic.runtime.migration import RevisionStep
from alembic.script import Script
from alembic.util import CommandError


class Phase(StrEnum):
    """`expand` fits the code that is running; `contract` only the code that comes after it."""

    EXPAND = "expand"
    CONTRACT = "contract"


def phase_of(revision: Script) -> Phase:
    """The phase that a revision names. One without the mark is older than it and expands.

    Raises CommandError for any other word.
    """
    mark = getattr(revision.module, "phase", Phase.EXPAND)
    if mark not in list(Phase):
        raise CommandError(f"{revision.revision}: phase is 'expand' or 'contract', not {mark!r}")
    return Phase(mark)


@dataclass(frozen=True)
class PlannedRevision:
    """One revision, up or down, with the marks that it carries as module-level names."""

    step: RevisionStep

    @property
    def phase(self) -> Phase:
        return phase_of(self.step.revision)

    @property
    def is_destructive(self) -> bool:
        return self.step.is_downgrade or bool(getattr(self.step.revision.module, "destructive", False))

    @property
    def id(self) -> str:
        return self.step.revision.revision

    def __str__(self) -> str:
        direction = "down" if self.step.is_downgrade else self.phase
        return f"{self.id} ({direction}) {self.step.doc}"


@dataclass
class MigrationPlan:
    """The revisions still to run, and those that the phase holds back."""

    pending: deque[PlannedRevision] = field(default_factory=deque)
    held_back: list[PlannedRevision] = field(default_factory=list)

    @property
    def destructive(self) -> list[PlannedRevision]:
        return [revision for revision in self.pending if revision.is_destructive]

    @property
    def stop_reason(self) -> str | None:
        """Why the run ends before the newest revision, in one line."""
        if not self.held_back:
            return None
        later = f", and {len(self.held_back) - 1} after it" if len(self.held_back) > 1 else ""
        return f"stopped before {self.held_back[0]}{later}: run the rest once the new code is out everywhere"


def make_migration_plan(steps: Iterable[RevisionStep], until: Phase) -> MigrationPlan:
    """With `until=expand`, everything from the first pending contract revision on is held back.

    Revisions are a chain: an expand revision behind a contract one can't run before it.
    """
    plan = MigrationPlan()
    for revision in map(PlannedRevision, steps):
        contracts = not revision.step.is_downgrade and revision.phase is Phase.CONTRACT
        if plan.held_back or (contracts and until is Phase.EXPAND):
            plan.held_back.append(revision)
        else:
            plan.pending.append(revision)
    return plan
