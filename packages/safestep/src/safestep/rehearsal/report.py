"""What came of a rehearsal, as data and as JSON."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from safestep.rehearsal.figures import Figures, PhaseName, Window, by_phase, figures
from safestep.rehearsal.findings import Finding
from safestep.rehearsal.load import Sample
from safestep.rehearsal.plan import Leg

SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Direction:
    """One version of the code on a schema or on rows that aren't its own."""

    what: str
    requests: int
    faults: list[str]


@dataclass(frozen=True)
class LegResult:
    """One leg: the code that ran, what the migration did, and what requests saw of it."""

    leg: Leg
    code: str
    window: Window
    samples: list[Sample]
    findings: list[Finding]
    exit_code: int
    output: str

    @property
    def phases(self) -> dict[PhaseName, Figures]:
        return {name: figures(samples) for name, samples in by_phase(self.samples, self.window).items()}

    @property
    def stall(self) -> float:
        """The longest that a request took from the start of the migration on, in seconds."""
        return max(self.phases["during"].longest, self.phases["after"].longest)

    @property
    def faults(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.fault]


@dataclass
class Report:
    """`notes` say what the rehearsal couldn't do as it was meant to."""

    rate: float
    max_stall: float
    rows: dict[str, int] = field(default_factory=dict)
    legs: list[LegResult] = field(default_factory=list)
    directions: list[Direction] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Why it failed; empty when it passed."""
        found = []
        for result in self.legs:
            if result.exit_code:
                last = (result.output.strip().splitlines() or ["it says nothing"])[-1]
                found.append(f"the migration to {result.leg.target} failed: {last}")
            if result.faults:
                found.append(f"{len(result.faults)} of {len(result.samples)} requests to {result.code} failed")
            if result.stall > self.max_stall:
                found.append(f"a request took {result.stall:.2f} s, more than {self.max_stall:g} s")
        return found + [
            f"{direction.what}: {len(direction.faults)} of {direction.requests} requests failed"
            for direction in self.directions
            if direction.faults
        ]

    def as_json(self) -> str:
        content = {
            "passed": not self.reasons,
            "reasons": self.reasons,
            "rate": self.rate,
            "max_stall": self.max_stall,
            "rows": self.rows,
            "legs": [_leg(result) for result in self.legs],
            "directions": [asdict(direction) for direction in self.directions],
            "notes": self.notes,
        }
        return json.dumps(_rounded(content), indent=2)


def _leg(result: LegResult) -> dict[str, Any]:
    started = result.window.started
    return {
        "phase": result.leg.phase,
        "code": result.code,
        "from": result.leg.start,
        "to": result.leg.target,
        "revisions": list(result.leg.revisions),
        "migration": {
            "exit_code": result.exit_code,
            "seconds": result.window.ended - started,
            "output": result.output.strip().splitlines(),
        },
        "phases": {name: asdict(each) for name, each in result.phases.items()},
        "stall": result.stall,
        "statements": [asdict(finding) for finding in result.findings],
        "faults": [
            {"at": sample.due - started, "request": sample.kind, "fault": sample.fault}
            for sample in result.faults[:SHOWN_FAULTS]
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
