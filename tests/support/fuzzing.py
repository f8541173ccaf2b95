"""Requests that Schemathesis makes up from the contract, sent to the running service by one kind of caller.

What the document can't tell comes from what the resources say of themselves (tests/resources): ids of things that are
there, and a good body for each route. So what a fork adds is fuzzed without another line.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER
from schemathesis.openapi.checks import EnsureResourceAvailability
from app.db.base import Base
from tests.support.application import storing
from tests.support.callers import Callers, Headers
from tests.support.resources import make_world, routes
from tests.support.world import World

PROBLEM = "application/problem+json"
SAFE = ("GET", "HEAD", "OPTIONS")
REFUSED = (401, 403)


class Cast:
    """One kind of caller, and the world that they act in. When they have used it up, they get a new one."""

    def __init__(self, who: str, app: FastAPI, portal: BlockingPortal) -> None:
        self._who, self._app, self._portal = who, app, portal
        self._is_used_up = False
        self._begin()
        self.first = self.world
        """Its ids and secrets stand in the document's examples, for those of the world at hand."""

    def _begin(self) -> None:
        self.world, self._headers = self._portal.call(self._inhabited)
        self._is_used_up, self._made = False, set()
        self.n = getattr(self, "n", 0) + 1

    async def _inhabited(self) -> tuple[World, Headers]:
        async with self._app.state.database.transaction() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != "audit_events":  # which nobody can delete from
                    await session.execute(table.delete())
        save = storing(self._app)
        world = await make_world(World(save, Callers(self._app, save)))
        return world, await world.headers_of(self._who)

    def get(self, _case: schemathesis.Case, _context: schemathesis.AuthContext) -> Headers | None:
        if self._is_used_up:
            self._begin()
        return self._headers or None

    def set(self, case: schemathesis.Case, headers: Headers, _context: schemathesis.AuthContext) -> None:
        case.headers.update(headers)

    def before_call(self, _context: schemathesis.HookContext, case: schemathesis.Case, _options: Any) -> None:
        names = dict(zip(texts(self.first), texts(self.world), strict=True))
        case.path_parameters, case.body = replaced(case.path_parameters, names), replaced(case.body, names)

    def after_call(
        self, _context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
    ) -> None:
        """Whoever signed out, deleted themselves or something else can't do it again; a sequence of steps goes on."""
        is_step = case.meta is not None and case.meta.phase.name == "stateful"
        has_changed_something = case.method not in SAFE and response.status_code < 300
        is_locked_out = response.status_code == 401 and code_of(response) == "not_authenticated"
        if case.method == "POST" and response.status_code == 201:
            self._made.add(response.json()["id"])
        self._is_used_up |= is_locked_out or (has_changed_something and not is_step)


    def filter_failure(self, _context, failure, case, response) -> bool:
        if isinstance(failure, EnsureResourceAvailability):
            return not self._made.isdisjoint(case.path_parameters.values())
        return True


def texts(world: World) -> list[str]:
    """What is of this world alone: ids, secrets, addresses."""
    people = (world.owner, world.other, world.admin)
    return [*world.ids.values(), *world.secrets.values(), *(str(each.email) for each in people)]


def replaced(value: Any, by: Mapping[str, str]) -> Any:
    """The same with other texts, at any depth."""
    if isinstance(value, dict):
        return {name: replaced(each, by) for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, by) for each in value]
    return by.get(value, value) if isinstance(value, str) else value


def code_of(response: schemathesis.Response) -> str | None:
    """The problem's code; None if it is no problem."""
    if response.headers.get("content-type", [""])[0] != PROBLEM:
        return None
    code: str = response.json()["code"]
    return code


def with_examples(document: dict[str, Any], world: World) -> dict[str, Any]:
    """The contract, with the world's ids and the good bodies of tests/resources as examples."""
    described = {route.key: route for route in routes()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in world.ids:
                    parameter["example"] = world.ids[parameter["name"]]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                body["example"] = described[method.upper(), path].good(world)
    return document


@dataclass
class Report:
    """What came of a run."""

    seed: int
    answers: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    """What is wrong, once for each kind and operation, with a request that shows it."""

    @property
    def let_in(self) -> float:
        """The part of the answers that aren't about who asks."""
        return 1 - sum(self.answers[status] for status in REFUSED) / self.answers.total()

    def add(self, recorder: ScenarioRecorder) -> None:
        for interaction in recorder.interactions.values():
            if interaction.response is None:
                self.faults[f"{recorder.label}: no answer"] = interaction.request.uri
            else:
                self.answers[interaction.response.status_code] += 1
                self.by = getattr(self, "by", Counter()); self.by[recorder.label, interaction.response.status_code] += 1
        for check in (each for checks in recorder.checks.values() for each in checks):
            if found := check.failure_info:
                name = f"{recorder.label}: {check.name}: {found.failure.title}"
                self.faults.setdefault(name, f"{found.failure.message}\n{found.code_sample}")

    def __str__(self) -> str:
        answers = ", ".join(f"{number} x {status}" for status, number in sorted(self.answers.items()))
        faults = "\n\n".join(f"{name}\n{text}" for name, text in self.faults.items())
        return f"seed {self.seed}: {answers}; {self.let_in:.0%} let in\n{faults}"


def fuzz(document: dict[str, Any], base_url: str, cast: Cast, *, seed: int, examples: int) -> Report:
    """Sends what the document describes in every phase of Schemathesis, and applies all of its checks."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": base_url,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "no-shrink": True, "with-security-parameters": False},
            "output": {"sanitization": {"enabled": False}},
        }
    )
    schema = schemathesis.openapi.from_dict(with_examples(document, cast.first), config=config)
    schema.auth.providers.append(cast)
    GLOBAL_HOOK_DISPATCHER.unregister_all()
    GLOBAL_HOOK_DISPATCHER.register_hook_with_name(cast.before_call, "before_call")
    GLOBAL_HOOK_DISPATCHER.register_hook_with_name(cast.after_call, "after_call")
    GLOBAL_HOOK_DISPATCHER.register_hook_with_name(cast.filter_failure, "filter_failure")
    report = Report(seed)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            report.add(event.recorder)
        elif isinstance(event, events.NonFatalError):
            report.faults[f"{event.label}: {type(event.value).__name__}"] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return report
