"""What lint found, for people and for machines."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from textwrap import fill, indent

from safestep.lint.recipes import recipe

WIDTH = 110


@dataclass(frozen=True, order=True)
class LintFinding:
    """A rule that a statement, or a revision as a whole, violates."""

    file: str
    line: int
    rule: str
    message: str
    sql: str = ""
    """The statement's beginning, on one line; empty when the finding isn't about a statement."""
    revision: str = ""
    """Its id; empty when the finding isn't about a revision that could be loaded."""
    sealed: bool = False
    """Whether the revision is sealed, so that it can't be changed any more."""
    recipe: str = field(default="", compare=False)
    """The safe way as lines to paste, with the revision's own names."""


@dataclass(frozen=True, order=True)
class KnownFinding:
    """A finding in a sealed revision that the baseline lists, and the reason given there."""

    finding: LintFinding
    reason: str


@dataclass(frozen=True, order=True)
class RuleException:
    """A rule that a revision may violate, and the reason that its `lint_exceptions` gives."""

    file: str
    line: int
    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LintReport:
    revisions: int
    findings: list[LintFinding]
    exceptions: list[RuleException] = field(default_factory=list)
    known: list[KnownFinding] = field(default_factory=list)
    command: str = "safestep"
    """How a person calls the command line."""
    unreadable: bool = False
    """Whether no revision was read, because one can't be loaded."""

    def for_people(self) -> str:
        parts = [_described(finding) for finding in self.findings]
        if any(finding.sealed for finding in self.findings):
            parts.append(f"A sealed revision can't be changed: `{self.command} baseline` lists its findings as known.")
        if self.exceptions:
            lines = [f"  {e.file}:{e.line}: {e.rule} - {e.reason}" for e in self.exceptions]
            parts.append("\n".join(["Exceptions, with their reasons:", *lines]))
        parts += [known] if (known := self.known_for_people()) else []
        counts = f"{_count(len(self.findings), 'finding')} in {_count(self.revisions, 'revision')}"
        return "\n\n".join([*parts, f"{counts}, {_count(len(self.exceptions), 'exception')}, {len(self.known)} known"])

    def known_for_people(self) -> str | None:
        if not self.known:
            return None
        lines = [f"  {k.finding.file}:{k.finding.line}: {k.finding.rule} - {k.reason}" for k in self.known]
        return "\n".join(["Known, in sealed revisions, with their reasons:", *lines])

    def for_machines(self) -> str:
        report = {
            "revisions": self.revisions,
            "findings": [asdict(finding) | _advice(finding) for finding in self.findings],
            "exceptions": [asdict(exception) for exception in self.exceptions],
            "known": [asdict(known.finding) | {"reason": known.reason} for known in self.known],
        }
        return json.dumps(report, indent=2)


def _advice(finding: LintFinding) -> dict[str, str]:
    known = recipe(finding.rule)
    return {"lock": known.lock, "blocks": known.blocks, "instead": known.instead}


def _described(finding: LintFinding) -> str:
    return "\n".join([f"{finding.file}:{finding.line}: {finding.rule}", *_details(finding)])


def _details(finding: LintFinding) -> Iterator[str]:
    known = recipe(finding.rule)
    if finding.sql:
        yield f"    {finding.sql}"
    yield _paragraph(finding.message)
    yield _paragraph(f"Lock: {known.lock}. Blocks: {known.blocks}.")
    yield _paragraph(f"Instead: {known.instead}")
    if finding.recipe:
        yield indent(finding.recipe, " " * 8)


def _paragraph(text: str) -> str:
    return fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
