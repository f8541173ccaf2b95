"""The exceptions that a revision claims for itself, in its `lint_exceptions`: reasons by rule."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.script import Script

from safestep.lint.recipes import recipes
from safestep.lint.report import LintFinding, RuleException
from safestep.lint.scripts import display_path

NAME = "lint_exceptions"


@dataclass(frozen=True)
class Claim:
    """What one revision says in its `lint_exceptions`."""

    revision: str
    file: str
    line: int
    reasons: dict[str, str]
    """By rule; empty text where the revision gives no reason."""
    is_dict: bool


def claim_of(script: Script) -> Claim:
    given: Any = getattr(script.module, NAME, {})
    is_dict = isinstance(given, dict)
    items = given.items() if is_dict else ()
    reasons = {rule: reason.strip() if isinstance(reason, str) else "" for rule, reason in items}
    return Claim(script.revision, display_path(script.path), _line_of_claim(script.path), reasons, is_dict)


def without_exceptions(claim: Claim, findings: Sequence[LintFinding]) -> tuple[list[LintFinding], list[RuleException]]:
    """The findings that stay, with those about the claim itself, and the exceptions that apply."""
    violated = {finding.rule for finding in findings}
    applied = [
        RuleException(claim.file, claim.line, rule, reason)
        for rule, reason in claim.reasons.items()
        if reason and rule in violated
    ]
    objections = [
        LintFinding(claim.file, claim.line, rule, message, revision=claim.revision)
        for rule, message in _objections(claim, violated)
    ]
    return [finding for finding in findings if finding.rule not in claim.reasons] + objections, applied


def _objections(claim: Claim, violated: set[str]) -> Iterator[tuple[str, str]]:
    if not claim.is_dict:
        yield "exception-without-reason", f"{NAME} isn't a dict"
    for rule, reason in claim.reasons.items():
        if not reason:
            yield "exception-without-reason", f"{rule} is allowed without a reason"
        elif rule not in recipes() and rule not in violated:
            yield "exception-unused", f"there is no rule {rule}"
        elif rule not in violated:
            yield "exception-unused", f"{rule} finds nothing in this revision"


def _line_of_claim(path: str) -> int:
    for node in ast.parse(Path(path).read_bytes()).body:
        names = getattr(node, "targets", None) or [getattr(node, "target", None)]
        if any(isinstance(name, ast.Name) and name.id == NAME for name in names):
            return node.lineno
    return 1
