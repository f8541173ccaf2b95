"""What came of a rehearsal, as data and as JSON."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from safestep.rehearsal.latency import LatencySummary, PeriodName, Timeline, by_period, summary
from safestep.rehearsal.load import RequestResult
from safestep.rehearsal.plan import Leg
from safestep.rehearsal.statements import StatementReport

SHOWN_FAULTS = 20
# The end of a traceback of SQLAlchemy's: a link, which says nothing. The error itself stands further up.
BACKGROUND = re.compile(r"\(Background on this error at:")
ERROR = re.compile(r"[\w.]+(Error|Exception)\b.*: ")
VALUE = re.compile(r': "[^"]*"$')


@dataclass(frozen=True)
class CompatibilityResult:
    """One version of the code on a schema or on rows that aren't its own."""

    what: str
    requests: int
    faults: list[str]


@dataclass(frozen=True)
class LegReport:
    """One leg: the code that ran, what the migration did, and what requests saw of it."""

    leg: Leg
    code: str
    timeline: Timeline
    results: list[RequestResult]
    statements: list[StatementReport]
    exit_code: int
    output: str
    tables_without_traffic: list[str] = field(default_factory=list)
    """Those that no request touched before the migration: nothing is known of how it would have stalled them."""

    @property
    def periods(self) -> dict[PeriodName, LatencySummary]:
        return {name: summary(results) for name, results in by_period(self.results, self.timeline).items()}

    @property
    def stall(self) -> float:
        """The longest that a request took from the start of the migration on, in seconds."""
        return max(self.periods["during"].longest, self.periods["after"].longest)

    @property
    def failure(self) -> str:
        """Why the migration failed: its own last word, or behind a traceback the error that the database gave."""
        lines = self.output.strip().splitlines() or ["it says nothing"]
        if not BACKGROUND.match(lines[-1]):
            return lines[-1]
        faults = [statement.fault for statement in self.statements if statement.fault]
        errors = [line for line in lines if ERROR.match(line)]
        return faults[-1] if faults else VALUE.sub(': "…"', errors[-1]) if errors else "an error of its SQL"

    @property
    def faults(self) -> list[RequestResult]:
        return [result for result in self.results if result.fault]


@dataclass
class RehearsalReport:
    """`notes` say what the rehearsal couldn't do as it was meant to."""

    rate: float
    max_stall: float
    rows: dict[str, int] = field(default_factory=dict)
    legs: list[LegReport] = field(default_factory=list)
    compatibility: list[CompatibilityResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Why it failed; empty when it passed."""
        found = []
        for leg in self.legs:
            if leg.exit_code:
                found.append(f"the migration to {leg.leg.target} failed: {leg.failure}")
            if leg.faults:
                found.append(f"{len(leg.faults)} of {len(leg.results)} requests to {leg.code} failed")
            if leg.stall > self.max_stall:
                found.append(f"a request took {leg.stall:.2f} s, more than {self.max_stall:g} s")
        return found + [
            f"{result.what}: {len(result.faults)} of {result.requests} requests failed"
            for result in self.compatibility
            if result.faults
        ]

    def note(self, line: str) -> None:
        """Adds a note, once."""
        if line not in self.notes:
            self.notes.append(line)

    def as_json(self) -> str:
        content = {
            "passed": not self.reasons,
            "reasons": self.reasons,
            "rate": self.rate,
            "max_stall": self.max_stall,
            "rows": self.rows,
            "legs": [_leg(leg) for leg in self.legs],
            "compatibility": [asdict(result) for result in self.compatibility],
            "notes": self.notes,
        }
        return json.dumps(_rounded(content), indent=2)


def _leg(report: LegReport) -> dict[str, Any]:
    started = report.timeline.started
    return {
        "phase": report.leg.phase,
        "code": report.code,
        "from": report.leg.start,
        "to": report.leg.target,
        "revisions": list(report.leg.revisions),
        "migration": {
            "exit_code": report.exit_code,
            "seconds": report.timeline.ended - started,
            "output": report.output.strip().splitlines(),
        },
        "periods": {name: asdict(each) for name, each in report.periods.items()},
        "stall": report.stall,
        "statements": [asdict(statement) for statement in report.statements],
        "tables_without_traffic": report.tables_without_traffic,
        "faults": [
            {"at": result.due - started, "request": result.request, "fault": result.fault}
            for result in report.faults[:SHOWN_FAULTS]
        ],
    }


def _rounded(value: Any) -> Any:
    """Times to the tenth of a millisecond: more would be noise."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value
