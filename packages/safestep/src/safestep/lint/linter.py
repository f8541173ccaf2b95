"""Revisions in, a report out."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, to_tuple

from safestep.lint import rules, squawk
from safestep.lint.locks import targets
from safestep.lint.reading import Reading, Step, read
from safestep.lint.recipes import Recipe, recipe, recipes
from safestep.lint.render import Rendered, render
from safestep.lint.report import Exemption, Finding, Report
from safestep.lint.schema import Schema
from safestep.lint.scripts import load, shown

EXCEPTIONS = "lint_exceptions"
LONGEST_SQL = 100


class UnknownRevision(CommandError):
    """The name stands for no revision."""


def lint(config: Config, names: Sequence[str] = ()) -> Report:
    """Looks at these revisions, or at all; raises UnknownRevision.

    The ones before them are read as well, for what they say about tables and indexes. Needs no database.
    """
    directory = ScriptDirectory.from_config(config)
    scripts, broken = load(directory)
    if broken:
        return Report(0, broken, [])
    chosen = _chosen(directory, names)
    schemas: dict[str, Schema] = {}
    findings: list[Finding] = []
    exemptions: list[Exemption] = []
    for script in scripts:
        before = Schema(schemas[parent] for parent in to_tuple(script.down_revision, default=()))
        rendered = render(config, directory, script)
        reading = read(rendered.statements, before)
        schemas[script.revision] = reading.after
        if script.revision in chosen:
            found, allowed = _excepted(script, sorted(set(_findings(script, rendered, reading))))
            findings += found
            exemptions += allowed
    return Report(len(chosen), sorted(findings), sorted(exemptions))


def _chosen(directory: ScriptDirectory, names: Sequence[str]) -> set[str]:
    chosen: set[str] = set()
    for name in names or [script.revision for script in directory.walk_revisions()]:
        try:
            found = directory.get_revisions(name)
        except CommandError as error:
            raise UnknownRevision(str(error)) from error
        if not found:
            raise UnknownRevision(f"{name} is no revision")
        chosen |= {script.revision for script in found}
    return chosen


def _findings(script: Script, rendered: Rendered, reading: Reading) -> Iterator[Finding]:
    file = shown(script.path)
    yield from (Finding(file, fault.line, fault.rule, fault.message) for fault in rendered.faults)
    objections = [(step, rule, message) for rule, check in rules.RULES.items() for step, message in check(reading)]
    objections += squawk.check(rendered.statements, reading)
    kept = [(step, rule, message) for step, rule, message in objections if not _excused(recipe(rule), script, step)]
    replaced = {(id(step), other) for step, rule, _ in kept for other in recipe(rule).replaces}
    for step, rule, message in kept:
        if (id(step), rule) not in replaced:
            yield Finding(file, step.statement.line or 1, rule, message, _short(step.statement.text))


def _excused(known: Recipe, script: Script, step: Step) -> bool:
    """Whether the rule leaves such revisions, or tables that nobody else uses yet, alone."""
    phase, asks = getattr(script.module, "phase", None), bool(getattr(script.module, "destructive", False))
    if (known.contract and phase == "contract") or (known.destructive and asks) or (known.marked and phase is None):
        return True
    about = targets(step.statement, step.before)
    return not known.on_new_tables and bool(about) and not step.hot(about) and not step.blocked


def _excepted(script: Script, findings: list[Finding]) -> tuple[list[Finding], list[Exemption]]:
    """The findings that stay, and the exceptions that hold; one without a reason or a use is a finding itself."""
    file, line = shown(script.path), _line_of_exceptions(script.path)
    claimed: Any = getattr(script.module, EXCEPTIONS, {})
    if not isinstance(claimed, dict):
        return [*findings, Finding(file, line, "exception-without-reason", f"{EXCEPTIONS} isn't a dict")], []
    reasons = {rule: reason.strip() for rule, reason in claimed.items() if isinstance(reason, str) and reason.strip()}
    broken = {finding.rule for finding in findings}
    allowed = [Exemption(file, line, rule, reason) for rule, reason in reasons.items() if rule in broken]
    left = [finding for finding in findings if finding.rule not in claimed]
    left += [
        Finding(file, line, "exception-without-reason", f"{rule} is allowed without a word why")
        for rule in claimed.keys() - reasons.keys()
    ]
    left += [Finding(file, line, "exception-unused", _unused(rule)) for rule in reasons.keys() - broken]
    return left, allowed


def _unused(rule: str) -> str:
    return f"{rule} finds nothing in this revision" if rule in recipes() else f"there is no rule {rule}"


def _line_of_exceptions(path: str) -> int:
    for node in ast.parse(Path(path).read_bytes()).body:
        names = getattr(node, "targets", None) or [getattr(node, "target", None)]
        if any(isinstance(name, ast.Name) and name.id == EXCEPTIONS for name in names):
            return node.lineno
    return 1


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= LONGEST_SQL else f"{line[: LONGEST_SQL - 1]}…"
