"""Requests that Schemathesis makes up from the contract, sent to the running service by one kind of caller.

What the document can't tell comes from what the resources say of themselves (tests/resources): ids of things that are
there, and a good body for each route. So what a fork adds is fuzzed without another line.
"""

import string
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis.config import ChecksConfig, SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from app.api.errors import MEDIA_TYPE
from app.core.errors import WriteConflict
from app.db.base import Base
from tests.support.application import storing
from tests.support.callers import Callers, Headers
from tests.support.resources import make_world, routes
from tests.support.world import World

type Document = dict[str, Any]

SAFE = ("GET", "HEAD", "OPTIONS")
APPEND_ONLY = "audit_events"
CHECKS = ChecksConfig()

# Schemathesis makes up domains such as `.test`, which get no mail and are refused. No keyword of JSON Schema says so.
LOCAL_PARTS = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20)
schemathesis.openapi.format("email", LOCAL_PARTS.map("{}@example.com".format))


class Cast:
    """One kind of caller, and the world that they act in. When they have used it up, they get a new one.

    It is what Schemathesis calls an auth provider, and its hooks.
    """

    def __init__(self, who: str, app: FastAPI, portal: BlockingPortal) -> None:
        self._who, self._app, self._portal = who, app, portal
        self._begin()
        self.first = self._world
        """Its ids and secrets stand in the document's examples, for those of the world at hand."""

    @property
    def is_anybody(self) -> bool:
        return not self._headers

    def _begin(self) -> None:
        self._world, self._headers = self._portal.call(self._inhabited)
        self._is_used_up = False
        self._made: set[str] = set()

    async def _inhabited(self) -> tuple[World, Headers]:
        while not await self._is_emptied():
            pass
        save = storing(self._app)
        world = await make_world(World(save, Callers(self._app, save)))
        return world, await world.headers_of(self._who)

    async def _is_emptied(self) -> bool:
        """False when a task that works after its response got in the way; it ends soon."""
        with suppress(WriteConflict):
            async with self._app.state.database.transaction() as session:
                for table in reversed(Base.metadata.sorted_tables):
                    if table.name != APPEND_ONLY:
                        await session.execute(table.delete())
            return True
        return False

    def get(self, _case: schemathesis.Case, _context: schemathesis.AuthContext) -> Headers | None:
        if self._is_used_up:
            self._begin()
        return self._headers or None

    def set(self, case: schemathesis.Case, headers: Headers, _context: schemathesis.AuthContext) -> None:
        case.headers.update(headers)

    def before_call(self, _context: schemathesis.HookContext, case: schemathesis.Case, _options: Any) -> None:
        names = dict(zip(texts(self.first), texts(self._world), strict=True))
        case.path_parameters, case.body = replaced(case.path_parameters, names), replaced(case.body, names)

    def after_call(
        self, _context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
    ) -> None:
        """Whoever signed out or deleted something can't do it again. A sequence of steps goes on, unless it ended its
        own session.
        """
        has_changed = case.method not in SAFE and response.status_code < 300
        if has_changed and response.status_code == 201:
            self._made.add(str(response.json().get("id")))
        is_step = case.meta is not None and case.meta.phase.name == "stateful"
        self._is_used_up |= self._is_locked_out(response) or (has_changed and not is_step)

    def _is_locked_out(self, response: schemathesis.Response) -> bool:
        sent = response.request.headers.get("Authorization")
        return code_of(response) == "not_authenticated" and sent == self._headers.get("Authorization", "")

    def filter_failure(
        self,
        _context: schemathesis.HookContext,
        failure: Failure,
        case: schemathesis.Case,
        response: schemathesis.Response,
    ) -> bool:
        """What is no failure: a good request that is refused for what is stored or for how easy a password is to guess,
        which has a code of its own; and that what an earlier world had is gone.
        """
        if isinstance(failure, RejectedPositiveData):
            return code_of(response) == "validation_failed"
        if isinstance(failure, EnsureResourceAvailability):
            return not self._made.isdisjoint(map(str, case.path_parameters.values()))
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
    if response.headers.get("content-type") != [MEDIA_TYPE]:
        return None
    code: str = response.json()["code"]
    return code


def prepared(document: Document, cast: Cast) -> Document:
    """The contract with the world's ids and the good bodies of tests/resources as examples.

    Schemathesis tries what happens without a credential, but only for schemes that OpenAPI calls `http`. What it calls
    `oauth2` is the same on the wire.
    """
    good = {route.key: route.good for route in routes()}
    bearer = {"type": "http", "scheme": "bearer"}
    document["components"]["securitySchemes"] = dict.fromkeys(document["components"]["securitySchemes"], bearer)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in cast.first.ids:
                    parameter["example"] = cast.first.ids[parameter["name"]]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                body["example"] = good[method.upper(), path](cast.first)
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
        return 1 - (self.answers[401] + self.answers[403]) / self.answers.total()

    def add(self, recorder: ScenarioRecorder) -> None:
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is None:
                self.faults[f"{recorder.label}: no answer"] = interaction.request.uri
                continue
            self.answers[interaction.response.status_code] += 1
            case = recorder.cases[case_id].value
            if fault := unnamed_code(case, interaction.response):
                self.faults[f"{case.operation.label}: {fault}"] = "The contract doesn't name the code."
        for check in (each for checks in recorder.checks.values() for each in checks):
            if found := check.failure_info:
                name = f"{found.failure.operation}: {check.name}: {found.failure.title}"
                self.faults.setdefault(name, f"{found.failure.message}\n{found.code_sample}")

    def __str__(self) -> str:
        answers = ", ".join(f"{number} x {status}" for status, number in sorted(self.answers.items()))
        faults = "\n\n".join(f"{name}\n{text}" for name, text in self.faults.items())
        return f"seed {self.seed}: {answers}; {self.let_in:.0%} let in\n{faults}"


def unnamed_code(case: schemathesis.Case, response: schemathesis.Response) -> str | None:
    """Status and code of a problem, if the operation documents the status, but not the code."""
    documented = case.operation.definition.raw["responses"].get(str(response.status_code))
    code = code_of(response)
    is_missing = documented and code and f"`{code}`" not in documented["description"]
    return f"{response.status_code} {code}" if is_missing else None


def fuzz(document: Document, base_url: str, cast: Cast, *, seed: int, examples: int) -> Report:
    """Goes through every phase of Schemathesis, with all of its checks. `examples` are for each operation."""
    # A body may be too large though no field of it is.
    expected = {
        "negative_data_rejection": [*CHECKS.negative_data_rejection.expected_statuses, "413"],
        "positive_data_acceptance": [*CHECKS.positive_data_acceptance.expected_statuses, "413"],
    }
    generation = {"max-examples": examples, "no-shrink": True, "with-security-parameters": False, "database": "none"}
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": base_url,
            "continue-on-failure": True,
            "output": {"sanitization": {"enabled": False}},
            "generation": generation,
            "checks": {name: {"expected-statuses": statuses} for name, statuses in expected.items()},
        }
    )
    schema = schemathesis.openapi.from_dict(prepared(document, cast), config=config)
    if cast.is_anybody:  # the others, who send requests without their credential too, find out that the rest is refused
        schema = schema.exclude(lambda context: {} not in context.operation.definition.raw.get("security", [{}]))
    schema.auth.providers.append(cast)
    report = Report(seed)
    with hooked(cast):
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                report.add(event.recorder)
            elif isinstance(event, events.NonFatalError):
                report.faults[f"{event.label}: {type(event.value).__name__}"] = str(event.value)
            elif isinstance(event, events.FatalError):
                raise event.exception
    return report


@contextmanager
def hooked(cast: Cast) -> Iterator[None]:
    hooks = (cast.before_call, cast.after_call, cast.filter_failure)
    for hook in hooks:
        GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, hook.__name__)
    try:
        yield
    finally:
        for hook in hooks:
            GLOBAL_HOOK_DISPATCHER.unregister(hook)
