"""What was measured: windows, and what the rounds of one question come to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Self

from benchmarks.compare.contenders import Contender

GENERATOR_BUSY = 0.85
"""Share of a processor above which the load generator, not the contender, may be what was measured."""


@dataclass(frozen=True)
class Spread:
    """Of the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        values = list(values)
        return cls(median(values), min(values), max(values))

    @property
    def deviation(self) -> float:
        """The largest from the median, as a share of it."""
        return max(self.most - self.median, self.median - self.least) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Window:
    """One contender under one workload in one round."""

    phase: str
    workload: str
    contender: str
    round: int
    requests: int
    failed: int
    fault: str | None
    throughput: float
    """Answers a second."""
    latency: dict[str, float]
    """p50, p95, p99 and longest, in milliseconds."""
    cpu: float
    """Processor time of the contender's processes in microseconds a request."""
    database_cpu: float | None
    generator: float | None
    """Share of one processor that the load generator used."""
    rate: float | None = None
    """Requests a second that were due, of an open load."""
    late: float = 0.0
    """Milliseconds by which 99 of 100 requests of an open load were sent late at the most."""


@dataclass(frozen=True)
class Question:
    """What windows are summed up by."""

    phase: str
    workload: str


@dataclass(frozen=True)
class Summary:
    """All rounds of one contender under one workload."""

    question: Question
    contender: str
    windows: list[Window]
    ratio: Spread | None
    """Processor time a request, divided by the service's in the same round."""

    def spread(self, value: Callable[[Window], float]) -> Spread:
        return Spread.of(map(value, self.windows))

    @property
    def cpu(self) -> Spread:
        return self.spread(lambda window: window.cpu)

    @property
    def throughput(self) -> Spread:
        return self.spread(lambda window: window.throughput)

    @property
    def database_cpu(self) -> float | None:
        known = [window.database_cpu for window in self.windows if window.database_cpu is not None]
        return median(known) if known else None

    @property
    def generator(self) -> float | None:
        known = [window.generator for window in self.windows if window.generator is not None]
        return median(known) if known else None

    @property
    def is_limited_by_generator(self) -> bool:
        return (self.generator or 0) > GENERATOR_BUSY

    @property
    def failed(self) -> int:
        return sum(window.failed for window in self.windows)

    def latency(self, name: str) -> Spread:
        return self.spread(lambda window: window.latency[name])

    def as_json(self) -> dict[str, Any]:
        return {
            "phase": self.question.phase,
            "workload": self.question.workload,
            "contender": self.contender,
            "throughput": asdict(self.throughput),
            "latency_ms": {name: asdict(self.latency(name)) for name in self.windows[0].latency},
            "cpu_us": asdict(self.cpu),
            "cpu_ratio": asdict(self.ratio) if self.ratio else None,
            "database_cpu_us": self.database_cpu,
            "generator_share": self.generator,
            "limited_by_generator": self.is_limited_by_generator,
            "failed": self.failed,
        }


@dataclass
class Results:
    services: list[str]
    """The names of the contenders that are services."""
    reference: str
    """The contender whom the others are compared with."""
    facts: dict[str, Any]
    windows: list[Window] = field(default_factory=list)
    memory: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """Resident bytes of each contender with one worker after its measurements, and those that it shares with nobody."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Contenders that can't run here, and why."""

    @classmethod
    def of(cls, contenders: Sequence[Contender], facts: dict[str, Any], skipped: dict[str, str]) -> Self:
        """Empty; the first contender is the one whom others are compared with."""
        services = [each.name for each in contenders if each.is_service]
        return cls(services, contenders[0].name, facts, skipped=skipped)

    def summaries(self) -> list[Summary]:
        grouped: dict[tuple[Question, str], list[Window]] = {}
        for window in self.windows:
            key = Question(window.phase, window.workload), window.contender
            grouped.setdefault(key, []).append(window)
        return [
            Summary(question, contender, windows, _ratio(windows, grouped.get((question, self.reference))))
            for (question, contender), windows in grouped.items()
        ]

    def summaries_in_order(self) -> list[Summary]:
        """Those of one question beside each other, in the order in which they were first asked."""
        summaries = self.summaries()
        order = list(dict.fromkeys(summary.question for summary in summaries))
        return sorted(summaries, key=lambda summary: (order.index(summary.question), summary.cpu.median))

    @property
    def faults(self) -> list[str]:
        return [
            f"{window.phase}, {window.workload}, {window.contender}: {window.failed} failed, first: {window.fault}"
            for window in self.windows
            if window.failed
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            **self.facts,
            "reference": self.reference,
            "skipped": self.skipped,
            "memory_bytes": {name: {"rss": rss, "uss": uss} for name, (rss, uss) in self.memory.items()},
            "summaries": [summary.as_json() for summary in self.summaries()],
            "windows": [asdict(window) for window in self.windows],
        }


def _ratio(windows: list[Window], reference: list[Window] | None) -> Spread | None:
    """Of windows of the same round alone: what disturbs a machine lasts longer than one window."""
    theirs = {window.round: window.cpu for window in reference or []}
    ratios = [window.cpu / theirs[window.round] for window in windows if theirs.get(window.round)]
    return Spread.of(ratios) if ratios else None
