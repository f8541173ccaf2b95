"""A corpus of revisions: for each rule one that violates it, and one that does the same safely.

Further cases of a rule have its name, two underscores and a name of their own.
"""

from collections import defaultdict
from pathlib import Path

import pytest
from safestep.lint import LintFinding, UnknownRevision, lint
from safestep.lint.recipes import recipes
from safestep_support.linting import CORPUS, CORPUS_PROJECT, SET_LOCK_TIMEOUT

BEGINNINGS = ("op.", "if ", "try:", "safestep.", "from shop", "import ")
RULES = [rule for rule in recipes() if not rule.startswith("baseline-")]


@pytest.fixture(scope="module")
def findings() -> dict[Path, list[LintFinding]]:
    """Those of the whole corpus, by file."""
    found = defaultdict(list)
    for finding in lint(CORPUS_PROJECT).findings:
        found[Path(finding.file).absolute()].append(finding)
    return found


CASES = sorted({file.stem for file in CORPUS.glob("bad/*.py")} | {rule.replace("-", "_") for rule in RULES})


@pytest.mark.parametrize("case", CASES)
def test_a_bad_revision_is_found_at_its_line(case: str, findings: dict[Path, list[LintFinding]]) -> None:
    file = CORPUS / "bad" / f"{case}.py"
    rule = case.partition("__")[0].replace("_", "-")
    assert [finding.rule for finding in findings[file]] == [rule]
    line = file.read_text().splitlines()[findings[file][0].line - 1].strip()
    assert line.startswith("lint_exceptions" if rule.startswith("exception") else BEGINNINGS)
    assert rule == "lock-timeout-off" or line != SET_LOCK_TIMEOUT.strip()


@pytest.mark.parametrize("case", CASES)
def test_a_safe_revision_raises_no_alarm(case: str, findings: dict[Path, list[LintFinding]]) -> None:
    file = CORPUS / "safe" / f"{case}.py"
    assert file.exists()
    assert findings[file] == []


def test_the_corpus_holds_nothing_else(findings: dict[Path, list[LintFinding]]) -> None:
    assert {case.partition("__")[0].replace("_", "-") for case in CASES} == {*RULES}
    expected = {CORPUS / kind / f"{case}.py" for kind in ("bad", "safe") for case in CASES}
    assert {*CORPUS.glob("*/*.py")} - expected == {CORPUS / "base" / "tables.py"}
    assert findings[CORPUS / "base" / "tables.py"] == []


def test_an_unknown_revision_is_refused() -> None:
    for name in ("nope", "base"):
        with pytest.raises(UnknownRevision):
            lint(CORPUS_PROJECT, [name])
