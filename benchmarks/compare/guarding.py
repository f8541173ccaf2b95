"""What the guard compares with the committed baseline."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.compare import calls, rows
from benchmarks.compare.contenders import Contender, baseline, services
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.machine import facts
from benchmarks.compare.plan import Plan, one_worker
from benchmarks.compare.processes import KEPT
from benchmarks.compare.results import Results
from benchmarks.compare.rows import Size
from benchmarks.compare.run import Run
from benchmarks.compare.stage import Stage
from benchmarks.compare.workloads import CREATED, LISTED, WORKLOADS

SIZE = Size(200, 2000)
COUNTED = 20
"""Requests of each workload whose calls are counted."""
CPU_WORKLOADS = ("user", "post", "list", "create")
ROUNDS, SECONDS = 5, 0.5


@dataclass(frozen=True)
class Verdict:
    workload: str
    found: float
    known: float | None
    """None of a workload that the baseline doesn't have."""
    limit: float

    @property
    def change(self) -> float:
        return self.found / self.known - 1 if self.known else 0.0

    @property
    def passed(self) -> bool:
        return self.change <= self.limit

    def __str__(self) -> str:
        if self.known is None:
            return f"{self.workload} {self.found:,.1f}, not in the baseline"
        outcome = "passed" if self.passed else f"FAILED (limit {self.limit:+.0%})"
        return f"{self.workload} {self.found:,.1f}, baseline {self.known:,.1f}, {self.change:+.1%}: {outcome}"


def verdicts(found: Mapping[str, float], known: Mapping[str, float], limit: float) -> Iterator[Verdict]:
    for workload, value in found.items():
        yield Verdict(workload, value, known.get(workload), limit)


def count_calls(prepared: Stage) -> dict[str, float]:
    """How many functions a request of each workload calls."""
    [(service, url)] = prepared.copies(services([]), SIZE)
    sign_in = urlencode({"username": "user0@example.com", "password": rows.PASSWORD})
    asked = {
        "sign_in": _request("POST", f"{service.prefix}/auth/token", "application/x-www-form-urlencoded", sign_in),
        "workloads": {name: list(requests) for name, requests in _counted(service.prefix).items()},
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        done = subprocess.run(
            [service.command[0], "-P", calls.__file__],
            input=json.dumps(asked),
            env={**kept, "DATA_DIR": folder, **service.environment_with(url)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchmarkError(f"counting failed:\n{done.stderr.strip()[-1500:]}")
    counts: dict[str, float] = json.loads(done.stdout)
    return counts


def _counted(prefix: str) -> dict[str, Iterator[dict[str, Any]]]:
    count = calls.WARM_UP + COUNTED
    users = rows.popular("user", SIZE.users, count)
    posts = rows.popular("post", SIZE.posts, count)
    new = json.dumps({**CREATED, "author_id": str(rows.uuid_of("user", 0))})
    return {
        "user": (_request("GET", f"{prefix}/users/{each}") for each in users),
        "post": (_request("GET", f"{prefix}/posts/{each}") for each in posts),
        "signed": (_request("GET", f"{prefix}/posts/{each}", signed_in=True) for each in posts),
        "list": (_request("GET", f"{prefix}/posts?limit={LISTED}") for _ in range(count)),
        "create": (_request("POST", f"{prefix}/posts", "application/json", new, signed_in=True) for _ in range(count)),
    }


def _request(
    method: str, path: str, media_type: str = "", body: str = "", *, signed_in: bool = False
) -> dict[str, Any]:
    headers = {"Host": "127.0.0.1", "Accept": "application/json"}
    if body:
        headers |= {"Content-Type": media_type, "Content-Length": str(len(body))}
    return {"method": method, "path": path, "headers": headers, "body": body, "signed_in": signed_in}


def cpu_ratios(prepared: Stage) -> dict[str, float]:
    """The service's processor time a request, divided by that of bare ASGI in the same round; medians of the rounds."""
    plan = Plan(
        size=SIZE,
        rounds=ROUNDS,
        seconds=SECONDS,
        warm_up=0.1,
        connections=8,
        workloads=[WORKLOADS[name] for name in CPU_WORKLOADS],
        open_workloads=(),
    )
    bare: Contender = baseline("bare", prepared.cache)
    [service] = services([])
    results = Results.of([bare, service], facts(prepared.databases, plan), {})
    run = Run(plan, prepared.databases, prepared.generator, results)
    run.measure(one_worker(), prepared.copies([bare, service], plan.size), lambda _: None)
    return {
        summary.question.workload: round(summary.ratio.median, 2)
        for summary in results.summaries()
        if summary.contender == service.name and summary.ratio
    }
