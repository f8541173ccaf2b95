"""Latency: percentiles, and the periods before, during and after the migration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from safestep.rehearsal.load import RequestResult

type PeriodName = Literal["before", "during", "after"]


@dataclass(frozen=True)
class LatencySummary:
    """Of one period; times in seconds, zero when there was no request."""

    requests: int
    failed: int
    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Timeline:
    """When a leg's periods began and ended, on the monotonic clock; the migration ran from `started` to `ended`."""

    opened: float
    started: float
    ended: float
    closed: float


def percentile(ordered: Sequence[float], part: float) -> float:
    """The nearest-rank percentile of sorted values: one of them, never something between two."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0


def summary(results: Iterable[RequestResult]) -> LatencySummary:
    results = list(results)
    times = sorted(result.seconds for result in results)
    failed = sum(result.fault is not None for result in results)
    return LatencySummary(
        len(results), failed, percentile(times, 0.5), percentile(times, 0.99), times[-1] if times else 0.0
    )


def by_period(results: Iterable[RequestResult], timeline: Timeline) -> dict[PeriodName, list[RequestResult]]:
    """A request that was under way at any moment of the migration belongs to it; the warm-up belongs nowhere."""
    periods: dict[PeriodName, list[RequestResult]] = {"before": [], "during": [], "after": []}
    for result in results:
        if result.due > timeline.ended:
            periods["after"].append(result)
        elif result.due + result.seconds >= timeline.started:
            periods["during"].append(result)
        elif result.due >= timeline.opened:
            periods["before"].append(result)
    return periods
