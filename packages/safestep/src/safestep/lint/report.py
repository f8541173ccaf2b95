"""What lint found, for people and for machines."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from textwrap import fill, indent

from safestep.lint.recipes import recipe

WIDTH = 110


@dataclass(frozen=True, order=True)
class Finding:
    file: str
    line: int
    rule: str
    message: str
    sql: str = ""
    """The statement's beginning, on one line."""


@dataclass(frozen=True, order=True)
class Exemption:
    """A rule that a revision says it may break, and why."""

    file: str
    line: int
    rule: str
    reason: str


@dataclass(frozen=True)
class Report:
    revisions: int
    findings: list[Finding]
    exemptions: list[Exemption]

    def for_people(self) -> str:
        parts = [_finding(finding) for finding in self.findings]
        if self.exemptions:
            lines = [f"  {e.file}:{e.line}: {e.rule} - {e.reason}" for e in self.exemptions]
            parts.append("\n".join(["Exceptions, with their reasons:", *lines]))
        counts = f"{_count(len(self.findings), 'finding')} in {_count(self.revisions, 'revision')}"
        return "\n\n".join([*parts, f"{counts}, {_count(len(self.exemptions), 'exception')}"])

    def for_machines(self) -> str:
        findings = [asdict(finding) | _advice(finding) for finding in self.findings]
        exceptions = [asdict(exemption) for exemption in self.exemptions]
        return json.dumps({"revisions": self.revisions, "findings": findings, "exceptions": exceptions}, indent=2)


def _advice(finding: Finding) -> dict[str, str]:
    known = recipe(finding.rule)
    return {"lock": known.lock, "blocks": known.blocks, "instead": known.instead, "recipe": known.code.strip()}


def _finding(finding: Finding) -> str:
    return "\n".join([f"{finding.file}:{finding.line}: {finding.rule}", *_details(finding)])


def _details(finding: Finding) -> Iterator[str]:
    known = recipe(finding.rule)
    if finding.sql:
        yield f"    {finding.sql}"
    yield _paragraph(finding.message)
    yield _paragraph(f"Lock: {known.lock}. Blocks: {known.blocks}.")
    yield _paragraph(f"Instead: {known.instead}")
    if known.code:
        yield indent(known.code.strip(), " " * 8)


def _paragraph(text: str) -> str:
    return fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
