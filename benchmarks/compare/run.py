"""A run: every contender on a copy of the same rows, measured in turns."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice

from sqlalchemy.engine import URL

from benchmarks.compare.contenders import Contender
from benchmarks.compare.database import Databases
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.plan import OPEN_SHARE, Phase, Plan
from benchmarks.compare.processes import pin, processor_seconds_of_postgres
from benchmarks.compare.results import Results, Window
from benchmarks.compare.subjects import Served, Subject, started
from benchmarks.compare.workloads import Workload

type Progress = Callable[[str], None]


class Run:
    def __init__(self, plan: Plan, databases: Databases, generator: Executor, results: Results) -> None:
        self._plan = plan
        self._databases = databases
        self._generator = generator
        self._results = results

    def measure(self, phase: Phase, contenders: Sequence[tuple[Contender, URL]], progress: Progress) -> None:
        """Adds the phase's windows to the results; `progress` is told of each beforehand."""
        pin(self._databases.pid, phase.for_others)
        admitted = [(contender, url) for contender, url in contenders if phase.admits(contender)]
        asked = {contender.name: contender for contender, _ in admitted}
        with started(self._plan, phase, admitted, self._generator) as subjects:
            for number in range(self._plan.rounds):
                self._databases.checkpoint()
                for workload, subject in self._turns(subjects, number):
                    if self._plan.asks(workload, asked[subject.name]):
                        progress(f"{phase.name}, round {number + 1}, {workload.name}: {subject.name}")
                        self._window(phase, workload, subject, number)
            if phase.is_open:
                self._measure_memory(subjects)
                self._measure_openly(phase, subjects, asked, progress)

    def _measure_memory(self, subjects: Sequence[Subject]) -> None:
        for subject in subjects:
            if isinstance(subject, Served):
                self._results.memory[subject.name] = subject.memory()

    def _measure_openly(
        self, phase: Phase, subjects: Sequence[Subject], asked: dict[str, Contender], progress: Progress
    ) -> None:
        capacity = {
            (summary.question.workload, summary.contender): summary.throughput.median
            for summary in self._results.summaries()
            if summary.question.phase == phase.name
        }
        for number in range(self._plan.rounds):
            for workload, subject in self._turns(subjects, number):
                if self._plan.asks_openly(workload, asked[subject.name]):
                    progress(f"open load, round {number + 1}, {workload.name}: {subject.name}")
                    rate = OPEN_SHARE * capacity[workload.name, subject.name]
                    self._window(phase, workload, subject, number, rate)

    def _turns(self, subjects: Sequence[Subject], number: int) -> Iterator[tuple[Workload, Subject]]:
        """Each round begins with another one, so that nobody is always measured after the same neighbour."""
        start = number % len(subjects)
        for workload in self._plan.workloads:
            for subject in islice([*subjects, *subjects], start, start + len(subjects)):
                yield workload, subject

    def _window(
        self, phase: Phase, workload: Workload, subject: Subject, number: int, rate: float | None = None
    ) -> None:
        before = processor_seconds_of_postgres(self._databases.pid)
        measured = subject.measure(workload, rate)
        after = processor_seconds_of_postgres(self._databases.pid)
        if not measured.requests:
            raise BenchmarkError(f"{subject.name} answered nothing to {workload.name}: {measured.fault}")
        # PostgreSQL worked during the warm-up too.
        share = measured.seconds / measured.whole / measured.requests
        self._results.windows.append(
            Window(
                phase=f"open load at {OPEN_SHARE:.0%}" if rate else phase.name,
                workload=workload.name,
                contender=subject.name,
                round=number,
                requests=measured.requests,
                failed=measured.failed,
                fault=measured.fault,
                throughput=measured.requests / measured.seconds,
                latency={name: seconds * 1000 for name, seconds in measured.latency.items()},
                cpu=measured.watched / measured.requests * 1e6,
                database_cpu=None if before is None or after is None else (after - before) * share * 1e6,
                generator=None if measured.generator is None else measured.generator / measured.seconds,
                rate=rate,
                late=measured.late * 1000,
            )
        )
