"""What a run measures, and where it lets whom run."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.compare.contenders import Contender
from benchmarks.compare.processes import processors
from benchmarks.compare.rows import Size
from benchmarks.compare.workloads import Workload

OPEN_SHARE = 0.7
"""Of the measured capacity: the rate of an open load."""


@dataclass(frozen=True)
class Plan:
    size: Size
    rounds: int
    seconds: float
    """Of each window."""
    warm_up: float
    connections: int
    workloads: Sequence[Workload]
    open_workloads: Sequence[str]
    """Those that are measured under an open load, too."""

    def asks(self, workload: Workload, contender: Contender) -> bool:
        if contender.is_driver:
            return workload.of_driver
        return contender.is_service or workload.of_baselines

    def asks_openly(self, workload: Workload, contender: Contender) -> bool:
        is_open = workload.name in self.open_workloads and not contender.is_driver
        return is_open and self.asks(workload, contender)

    def windows(self, phase: "Phase", contenders: Sequence[Contender]) -> int:
        """How many there will be."""
        pairs = [(workload, each) for workload in self.workloads for each in contenders if phase.admits(each)]
        closed = sum(self.asks(*pair) for pair in pairs)
        return self.rounds * (closed + (sum(self.asks_openly(*pair) for pair in pairs) if phase.is_open else 0))


@dataclass(frozen=True)
class Phase:
    name: str
    workers: int
    for_contender: list[int]
    """Processors of the contender, and of everything else; empty where nothing is pinned."""
    for_others: list[int]
    is_open: bool
    """Whether open loads follow the closed ones."""

    def admits(self, contender: Contender) -> bool:
        """The driver is one process."""
        return self.workers == 1 or not contender.is_driver


def one_worker() -> Phase:
    """With a processor to itself, where there are several."""
    available = processors()
    several = len(available) > 1
    return Phase("one worker", 1, available[:1] if several else [], available[1:] if several else [], is_open=True)


def all_processors() -> Phase | None:
    """A worker for each processor, which everybody shares; None where there is one."""
    available = processors()
    count = len(available)
    return Phase(f"{count} workers", count, available, available, is_open=False) if count > 1 else None
