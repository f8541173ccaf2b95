"""The baseline: findings in sealed revisions, which can't be changed any more, each listed with a reason.

It is a file beside the checksums, so that a rule which is newer than a sealed revision doesn't close the gate for good.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alembic.util import CommandError

from safestep.lint.report import KnownFinding, LintFinding
from safestep.lint.scripts import display_path
from safestep.migrations.checksums import checksums_file
from safestep.project import Project

NAME = "lint_baseline.toml"
HEADER = "[[finding]]"
_HEADER = re.compile(r"\s*\[\[\s*finding\s*\]\]\s*(#.*)?")
_NEEDED = {"revision", "line", "rule"}
_KNOWN = _NEEDED | {"statement", "reason"}


@dataclass(frozen=True, order=True, kw_only=True)
class BaselineEntry:
    """What a rule finds in one statement; when a finding has no statement, in one line."""

    revision: str
    line: int
    rule: str
    statement: str = ""
    """Its beginning, on one line, as in the report."""
    reason: str = ""

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.revision, self.line, self.rule, self.statement


@dataclass(frozen=True)
class Baseline:
    file: Path
    command: str
    """How a person calls the command line."""
    entries: dict[int, BaselineEntry] = field(default_factory=dict)
    """By the line of the file in which each begins."""

    @classmethod
    def read(cls, project: Project) -> "Baseline":
        """Without entries when there is no file. Raises CommandError when the file isn't one of these."""
        file = checksums_file(project).with_name(NAME)
        try:
            text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
            return cls(file, project.command, _entries(text))
        except ValueError as error:
            raise CommandError(f"{display_path(str(file))} can't be read: {error}") from error

    def of_revisions(self, revisions: Collection[str]) -> "Baseline":
        """With these revisions' entries alone."""
        kept = {line: entry for line, entry in self.entries.items() if entry.revision in revisions}
        return Baseline(self.file, self.command, kept)

    def known(self, findings: Iterable[LintFinding]) -> list[KnownFinding]:
        """The findings in sealed revisions that an entry with a reason lists."""
        reasons = {entry.key: entry.reason for entry in self.entries.values()}
        listed = [(finding, reasons.get(key_of(finding))) for finding in findings if finding.sealed]
        return sorted({KnownFinding(finding, reason) for finding, reason in listed if reason})

    def objections(self, findings: Iterable[LintFinding], sealed: Collection[str]) -> Iterator[LintFinding]:
        """A finding for each entry that lists nothing, or gives no reason; `sealed` are ids of revisions."""
        keys = {key_of(finding) for finding in findings}
        for line, entry in self.entries.items():
            if entry.revision not in sealed:
                rule, message = "baseline-not-sealed", f"there is no sealed revision {entry.revision}"
            elif entry.key not in keys:
                rule = "baseline-unused"
                message = f"{entry.rule} doesn't find this any more in line {entry.line} of {entry.revision}"
            elif not entry.reason:
                rule = "baseline-without-reason"
                message = f"{entry.rule} in line {entry.line} of {entry.revision} is listed without a reason"
            else:
                continue
            yield LintFinding(display_path(str(self.file)), line, rule, message, entry.statement)

    def write(self, entries: Iterable[BaselineEntry]) -> None:
        """Replaces what is in the file; without entries there is no file."""
        if blocks := [_as_toml(entry) for entry in sorted({*entries})]:
            comment = f"# Findings in sealed revisions, and why they may stay. `{self.command} baseline` writes it.\n"
            self.file.write_text("\n".join([comment, *blocks]), encoding="utf-8")
        else:
            self.file.unlink(missing_ok=True)


def key_of(finding: LintFinding) -> tuple[str, int, str, str]:
    """The key of the entry that lists the finding."""
    return finding.revision, finding.line, finding.rule, finding.sql


def _entries(text: str) -> dict[int, BaselineEntry]:
    """By line. Raises ValueError with what is wrong, also for what `write` would lose."""
    values = tomllib.loads(text)
    findings = values.pop("finding", [])
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if _HEADER.fullmatch(line)]
    if values or not isinstance(findings, list) or len(findings) != len(lines):
        raise ValueError(f"each entry begins with a line {HEADER}, and nothing else is in the file")
    return {line: _entry(line, entry) for line, entry in zip(lines, findings, strict=True)}


def _entry(line: int, values: dict[str, Any]) -> BaselineEntry:
    if missing := _NEEDED - values.keys():
        raise ValueError(f"the entry in line {line} has no {min(missing)}")
    if unknown := values.keys() - _KNOWN:
        raise ValueError(f"the entry in line {line} has the unknown name {min(unknown)}")
    if not isinstance(values["line"], int):
        raise ValueError(f"the entry in line {line} needs a number as its `line`")
    return BaselineEntry(
        revision=str(values["revision"]),
        line=values["line"],
        rule=str(values["rule"]),
        statement=str(values.get("statement", "")),
        reason=str(values.get("reason", "")).strip(),
    )


def _as_toml(entry: BaselineEntry) -> str:
    lines = [f"{name} = {_toml_value(value)}" for name, value in asdict(entry).items() if value]
    return "\n".join([HEADER, *lines, ""])


def _toml_value(value: str | int) -> str:
    """JSON's notation is TOML's, apart from the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
