"""What a run of migrations is going to do: its steps, their phases, and what has to be confirmed first."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from alembic.runtime.migration import RevisionStep
from alembic.util import CommandError


class Phase(StrEnum):
    """`expand` fits the code that is running; `contract` only the code that comes after it."""

    EXPAND = "expand"
    CONTRACT = "contract"


@dataclass(frozen=True)
class Step:
    """One revision, up or down, with the marks it carries as module-level names."""

    move: RevisionStep

    @property
    def phase(self) -> Phase:
        """Revisions without the mark are older than it and expand."""
        mark = getattr(self.move.revision.module, "phase", Phase.EXPAND)
        if mark not in list(Phase):
            raise CommandError(f"{self.revision}: phase is 'expand' or 'contract', not {mark!r}")
        return Phase(mark)

    @property
    def is_destructive(self) -> bool:
        return self.move.is_downgrade or bool(getattr(self.move.revision.module, "destructive", False))

    @property
    def revision(self) -> str:
        return self.move.revision.revision

    def __str__(self) -> str:
        way = "down" if self.move.is_downgrade else self.phase
        return f"{self.revision} ({way}) {self.move.doc}"


@dataclass
class Plan:
    """The steps still to run, and those that the phase holds back."""

    pending: deque[Step] = field(default_factory=deque)
    held: list[Step] = field(default_factory=list)

    @property
    def destructive(self) -> list[Step]:
        return [step for step in self.pending if step.is_destructive]

    @property
    def stop(self) -> str | None:
        """Why the run ends before the newest revision, in one line."""
        if not self.held:
            return None
        later = f", and {len(self.held) - 1} after it" if len(self.held) > 1 else ""
        return f"stopped before {self.held[0]}{later}: run the rest once the new code is out everywhere"


def make_plan(moves: Iterable[RevisionStep], until: Phase) -> Plan:
    """With `until=expand`, everything from the first pending contract revision on is held back.

    Revisions are a chain: an expand revision behind a contract one can't run before it.
    """
    plan = Plan()
    for step in map(Step, moves):
        contracts = not step.move.is_downgrade and step.phase is Phase.CONTRACT
        if plan.held or (contracts and until is Phase.EXPAND):
            plan.held.append(step)
        else:
            plan.pending.append(step)
    return plan
