"""What samples amount to: percentiles, phases, stalls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from safestep.rehearsal.load import Sample

type PhaseName = Literal["before", "during", "after"]


@dataclass(frozen=True)
class Figures:
    """Of one phase; times in seconds, zero when there was no request."""

    requests: int
    failed: int
    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Window:
    """When a leg's phases began and ended, on the monotonic clock; the migration ran from `started` to `ended`."""

    opened: float
    started: float
    ended: float
    closed: float


def percentile(ordered: Sequence[float], part: float) -> float:
    """The nearest-rank percentile of sorted values: one of them, never something between two."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0


def figures(samples: Iterable[Sample]) -> Figures:
    samples = list(samples)
    times = sorted(sample.seconds for sample in samples)
    failed = sum(sample.fault is not None for sample in samples)
    return Figures(len(samples), failed, percentile(times, 0.5), percentile(times, 0.99), times[-1] if times else 0.0)


def by_phase(samples: Iterable[Sample], window: Window) -> dict[PhaseName, list[Sample]]:
    """A request that was under way at any moment of the migration belongs to it; the warm-up belongs nowhere."""
    phases: dict[PhaseName, list[Sample]] = {"before": [], "during": [], "after": []}
    for sample in samples:
        if sample.due > window.ended:
            phases["after"].append(sample)
        elif sample.due + sample.seconds >= window.started:
            phases["during"].append(sample)
        elif sample.due >= window.opened:
            phases["before"].append(sample)
    return phases
