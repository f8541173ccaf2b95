"""Where the processor time of a request goes, from samples of the service's stacks."""

import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep

from benchmarks.compare import sampler
from benchmarks.compare.contenders import Contender
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.subjects import Served
from benchmarks.compare.workloads import Workload

WRITE_WITHIN = 10  # seconds

type Stack = tuple[str, ...]
"""From the outermost function: `function (package/module.py)`."""


@dataclass(frozen=True)
class Profile:
    stacks: dict[Stack, int]
    """How often each was seen."""
    cpu: float
    """Processor time of a request in microseconds, measured while nobody samples."""


def sampled(contender: Contender, file: Path) -> Contender:
    """The same service with a sampler in its process."""
    python, _, *rest = contender.command
    return replace(contender, command=(python, "-P", sampler.__file__, str(file), *rest))


def profile_of(subject: Served, workload: Workload, file: Path) -> Profile:
    """Measures once without samples, which slow the service down a little, and once with them."""
    alone = subject.measure(workload)
    process, *_ = subject.server.processes()
    file.unlink(missing_ok=True)
    os.kill(process, signal.SIGUSR1)
    subject.measure(workload)
    os.kill(process, signal.SIGUSR2)
    end = monotonic() + WRITE_WITHIN
    while not file.exists():
        if monotonic() > end:
            raise BenchmarkError(f"the sampler wrote nothing:\n{subject.server.said()}")
        sleep(0.05)
    return Profile(read_stacks(file.read_text()), alone.watched / alone.requests * 1e6)


def read_stacks(text: str) -> dict[Stack, int]:
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        stacks[tuple(frames.split(";"))] += int(count)
    return dict(stacks)


def by_package(profile: Profile) -> list[tuple[str, float]]:
    """Each package's share, the largest first. The standard library counts for the package that called it."""
    found: Counter[str] = Counter()
    for stack, count in profile.stacks.items():
        found[_package(stack)] += count
    total = sum(found.values()) or 1
    return [(name, count / total) for name, count in found.most_common()]


def _package(stack: Stack) -> str:
    """The innermost one; our own with its layer."""
    for frame in reversed(stack):
        first, *rest = frame.partition(" (")[2].removesuffix(")").split("/")
        if first == "app" and rest:
            return f"app/{rest[0].removesuffix('.py')}"
        if rest and first not in sys.stdlib_module_names:
            return first
    return "standard library"
