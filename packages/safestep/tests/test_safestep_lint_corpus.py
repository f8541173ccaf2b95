"""A corpus of revisions: for each rule one that violates it, and one that does the same safely."""

from collections import defaultdict
from pathlib import Path

import pytest
from safestep.lint import LintFinding, UnknownRevision, lint
from safestep.lint.recipes import recipes
from safestep_support.linting import CORPUS, CORPUS_PROJECT, SET_LOCK_TIMEOUT

RULES = [rule for rule in recipes() if not rule.startswith("baseline-")]


@pytest.fixture(scope="module")
def findings() -> dict[Path, list[LintFinding]]:
    """Those of the whole corpus, by file."""
    found = defaultdict(list)
    for finding in lint(CORPUS_PROJECT).findings:
        found[Path(finding.file).absolute()].append(finding)
    return found


def revision(kind: str, rule: str) -> Path:
    return CORPUS / kind / f"{rule.replace('-', '_')}.py"


@pytest.mark.parametrize("rule", RULES)
def test_a_bad_revision_is_found_at_its_line(rule: str, findings: dict[Path, list[LintFinding]]) -> None:
    file = revision("bad", rule)
    assert [finding.rule for finding in findings[file]] == [rule]
    line = file.read_text().splitlines()[findings[file][0].line - 1].strip()
    assert line.startswith("lint_exceptions" if rule.startswith("exception") else ("op.", "if ", "from shop"))
    assert rule == "lock-timeout-off" or line != SET_LOCK_TIMEOUT.strip()


@pytest.mark.parametrize("rule", RULES)
def test_a_safe_revision_raises_no_alarm(rule: str, findings: dict[Path, list[LintFinding]]) -> None:
    assert revision("safe", rule).exists()
    assert findings[revision("safe", rule)] == []


def test_the_corpus_holds_nothing_else(findings: dict[Path, list[LintFinding]]) -> None:
    expected = {revision(kind, rule) for kind in ("bad", "safe") for rule in RULES}
    assert {*CORPUS.glob("*/*.py")} - expected == {CORPUS / "base" / "tables.py"}
    assert findings[CORPUS / "base" / "tables.py"] == []


def test_an_unknown_revision_is_refused() -> None:
    for name in ("nope", "base"):
        with pytest.raises(UnknownRevision):
            lint(CORPUS_PROJECT, [name])
