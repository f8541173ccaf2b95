"""Contenders that run, and how one measurement of them is taken."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlencode

import psutil
from sqlalchemy.engine import URL

from benchmarks.compare import rows, workloads
from benchmarks.compare.contenders import Contender
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.generator import Load, Measured, generate, latency_of
from benchmarks.compare.plan import Phase, Plan
from benchmarks.compare.processes import Server, memory, pinned
from benchmarks.compare.workloads import Target, Workload

CHECKED = 3
"""Rows of each kind whose answers are compared before anything is measured."""
OPEN_CONNECTIONS = 128
SHOWN = 300  # characters of an answer that differs


class Subject(Protocol):
    """A contender that is ready to be measured."""

    @property
    def name(self) -> str: ...

    def measure(self, workload: Workload, rate: float | None = None) -> Measured:
        """One window; with a rate, of an open load."""


@dataclass(frozen=True)
class Driver:
    """It is started for each measurement."""

    contender: Contender
    url: URL
    plan: Plan
    phase: Phase

    @property
    def name(self) -> str:
        return self.contender.name

    def measure(self, workload: Workload, rate: float | None = None) -> Measured:
        if rate is not None:
            raise NotImplementedError("the driver has no open load")
        plan = self.plan
        with pinned(self.phase.for_contender):
            done = subprocess.run(
                [*self.contender.command, workload.name, *map(str, (plan.seconds, plan.connections, plan.warm_up))],
                input="\n".join(map(str, workloads.ids_of(workload, plan.size))),
                env=self.contender.environment_with(self.url),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise BenchmarkError(f"the driver failed:\n{done.stderr.strip()[-1500:]}")
        found: dict[str, Any] = json.loads(done.stdout)
        took, seconds = found["took"], found["seconds"]
        return Measured(len(took), 0, None, seconds, seconds + plan.warm_up, latency_of(took), found["cpu"], None, 0.0)


@dataclass(frozen=True)
class Served:
    contender: Contender
    server: Server
    plan: Plan
    generator: Executor
    requests: Mapping[str, tuple[bytes, ...]]
    """Of each workload."""

    @property
    def name(self) -> str:
        return self.contender.name

    def measure(self, workload: Workload, rate: float | None = None) -> Measured:
        load = Load(
            port=self.server.port,
            requests=self.requests[workload.name],
            connections=OPEN_CONNECTIONS if rate else self.plan.connections,
            warm_up=self.plan.warm_up,
            seconds=self.plan.seconds,
            watched=self.server.processes(),
            rate=rate,
        )
        try:
            measured = self.generator.submit(generate, load).result()
        except (OSError, psutil.NoSuchProcess) as error:
            raise BenchmarkError(f"{self.name} has gone ({error}):\n{self.server.said()}") from error
        self.server.empty_log()
        return measured

    def memory(self) -> tuple[int, int | None]:
        return memory(self.server.processes())

    def answers(self) -> list[Any]:
        """What it shows of a few rows, as far as all contenders show it."""
        return [_essence(json.loads(self.server.get(path)[1])) for path in self.sample()]

    def sample(self) -> list[str]:
        return workloads.sample(self.contender.prefix, self.plan.size, CHECKED)


@contextmanager
def started(
    plan: Plan, phase: Phase, contenders: Sequence[tuple[Contender, URL]], generator: Executor
) -> Iterator[list[Subject]]:
    """The contenders while the block runs. Raises BenchmarkError when two answer differently."""
    with ExitStack() as stack:
        servers = {}
        for contender, url in contenders:
            if not contender.is_driver:
                with pinned(phase.for_contender):
                    environment = contender.environment_with(url)
                    server = Server(contender.name, contender.command, phase.workers, environment)
                stack.callback(server.stop)
                servers[contender.name] = server
        subjects: list[Subject] = []
        for contender, url in contenders:
            if contender.is_driver:
                subjects.append(Driver(contender, url, plan, phase))
            else:
                subjects.append(_served(contender, servers[contender.name], plan, generator))
        _compare_answers(subjects)
        yield subjects


def _served(contender: Contender, server: Server, plan: Plan, generator: Executor) -> Served:
    server.wait_for(f"{contender.prefix}/posts?limit=1")
    target = Target(server.port, contender.prefix, _sign_in(server) if contender.is_service else ())
    asked = [workload for workload in plan.workloads if plan.asks(workload, contender)]
    requests = {workload.name: workload.requests(target, plan.size) for workload in asked}
    return Served(contender, server, plan, generator, requests)


def _sign_in(server: Server) -> list[str]:
    """An access token of each account."""
    tokens = []
    for number in range(rows.ACCOUNTS):
        form = urlencode({"username": f"user{number}@example.com", "password": rows.PASSWORD})
        status, answer = server.send("POST", "/api/v1/auth/token", form, "application/x-www-form-urlencoded")
        if status != HTTPStatus.OK:
            raise BenchmarkError(f"signing in was answered with {status}: {answer.decode(errors='replace')}")
        tokens.append(json.loads(answer)["access_token"])
    return tokens


def _compare_answers(subjects: Sequence[Subject]) -> None:
    """Whoever answers something else does another job."""
    served = [each for each in subjects if isinstance(each, Served)]
    for each in served[1:]:
        for path, ours, theirs in zip(served[0].sample(), served[0].answers(), each.answers(), strict=True):
            if ours != theirs:
                said = f"{served[0].name}: {str(ours)[:SHOWN]}\n{each.name}: {str(theirs)[:SHOWN]}"
                raise BenchmarkError(f"{path} isn't answered alike\n{said}")


def _essence(answer: Any) -> Any:
    """What all contenders show: the service shows more, and everybody writes times in another way."""
    if "items" in answer:
        return [_essence(item) for item in answer["items"]]
    shown = {name: answer.get(name) for name in ("id", "name", "title", "slug", "body")}
    return {**shown, "author": answer["author"]["id"] if "author" in answer else None}
