"""An entry of the baseline that lists nothing, or gives no reason, is a finding itself; the command drops it."""

from pathlib import Path

import pytest
from alembic.util import CommandError
from safestep.lint import LintFinding, lint
from safestep.migrations import checksums
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing

REASON = "it ran when the table was empty"


@pytest.fixture
def listed(linted: LintedRevisions) -> LintedRevisions:
    """A sealed revision whose finding is in the baseline."""
    linted.write(executing(LOCK_TIMEOUT, "TRUNCATE tags"))
    checksums.seal(linted.project)
    assert linted.run("baseline", "--reason", REASON).exit_code == 0
    return linted


def edit(revisions: LintedRevisions, old: str, new: str) -> None:
    before = revisions.baseline.read_text()
    assert old in before
    revisions.baseline.write_text(before.replace(old, new))


def findings_in_file(revisions: LintedRevisions) -> list[LintFinding]:
    return [one for one in lint(revisions.project).findings if Path(one.file) == revisions.baseline]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"truncate"', '"cluster"'),
        ('"truncate"', '"no-such-rule"'),
        ("line = ", "line = 1"),
        ('"TRUNCATE tags"', '"TRUNCATE users"'),
        ('revision = "one"', 'revision = "tables"'),
    ],
)
def test_an_entry_that_finds_nothing_is_a_finding(old: str, new: str, listed: LintedRevisions) -> None:
    checksums.seal(listed.project)
    edit(listed, old, new)
    assert [finding.rule for finding in findings_in_file(listed)] == ["baseline-unused"]
    assert listed.violated() == ([] if "tables" in new else ["baseline-unused"]) + ["truncate"]


def test_the_finding_names_the_line_of_the_entry(listed: LintedRevisions) -> None:
    listed.write(executing(LOCK_TIMEOUT, "TRUNCATE users"), name="two", after="one")
    checksums.seal(listed.project)
    listed.run("baseline", "--reason", REASON)
    edit(listed, '"TRUNCATE users"', '"TRUNCATE posts"')
    (finding,) = findings_in_file(listed)
    lines = listed.baseline.read_text().splitlines()
    assert lines[finding.line - 1 : finding.line + 1] == ["[[finding]]", 'revision = "two"']


@pytest.mark.parametrize("revision", ["two", "gone"])
def test_an_entry_for_a_revision_that_is_not_sealed_is_a_finding(revision: str, listed: LintedRevisions) -> None:
    listed.write(executing(LOCK_TIMEOUT, "TRUNCATE tags"), name="two", after="one")
    edit(listed, 'revision = "one"', f'revision = "{revision}"')
    (finding,) = findings_in_file(listed)
    assert (finding.rule, finding.message) == ("baseline-not-sealed", f"there is no sealed revision {revision}")
    assert "truncate" in listed.violated("two")


def test_an_entry_without_a_reason_is_a_finding_and_lists_nothing(listed: LintedRevisions) -> None:
    edit(listed, REASON, " ")
    assert sorted(listed.violated()) == ["baseline-without-reason", "truncate"]
    result = listed.run("baseline", "--reason", "a better one")
    assert result.output.endswith("1 added, 1 dropped, 0 kept\n")
    assert listed.violated() == []


def test_the_command_drops_what_lists_nothing_and_keeps_the_reasons_of_the_rest(listed: LintedRevisions) -> None:
    listed.write(executing(LOCK_TIMEOUT, "TRUNCATE users"), name="two", after="one")
    checksums.seal(listed.project)
    listed.run("baseline", "--reason", "another")
    edit(listed, '"TRUNCATE users"', '"TRUNCATE posts"')
    result = listed.run("baseline", "--reason", "a third")
    assert f"- two, line {listed.line('two', 'TRUNCATE users')}: truncate\n" in result.output
    assert result.output.endswith("1 added, 1 dropped, 1 kept\n")
    assert [line for line in listed.baseline.read_text().splitlines() if line.startswith("reason")] == [
        f'reason = "{REASON}"',
        'reason = "a third"',
    ]


def test_a_file_without_entries_is_removed(listed: LintedRevisions) -> None:
    (listed.root / "alembic" / "checksums.txt").unlink()
    result = listed.run("baseline")
    assert result.output.startswith(f"- one, line {listed.line('one', 'TRUNCATE tags')}: truncate\n")
    assert not listed.baseline.exists()


def test_entries_of_other_revisions_are_no_concern_of_the_chosen_ones(listed: LintedRevisions) -> None:
    edit(listed, '"TRUNCATE tags"', '"TRUNCATE users"')
    assert listed.violated("tables") == []


def test_nothing_is_dropped_while_a_revision_cannot_be_loaded(listed: LintedRevisions) -> None:
    before = listed.baseline.read_text()
    (listed.versions / "two.py").write_text("nothing_there\n")
    result = listed.run("baseline")
    assert result.exit_code == 1
    assert "unreadable-revision" in result.stderr
    assert listed.baseline.read_text() == before


def test_a_statement_with_any_character_is_found_again(linted: LintedRevisions) -> None:
    linted.write(executing(LOCK_TIMEOUT, 'TRUNCATE "a\\b\x7f\x01 ✓ 🙂"'))
    checksums.seal(linted.project)
    assert linted.run("baseline", "--reason", REASON).exit_code == 0
    assert linted.violated() == []


def test_an_exception_that_became_unused_in_a_sealed_revision_can_be_listed(linted: LintedRevisions) -> None:
    linted.write("pass", top="lint_exceptions = {'truncate': 'a rule that was stricter once'}\n")
    checksums.seal(linted.project)
    assert linted.violated() == ["exception-unused"]
    linted.run("baseline", "--reason", REASON)
    assert linted.violated() == []
    assert "statement" not in linted.baseline.read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[finding]]", "[finding]", "each entry begins with a line [[finding]]"),
        ("[[finding]]", "[[findings]]", "each entry begins with a line [[finding]]"),
        ("[[finding]]", "finding = 3 #", "each entry begins with a line [[finding]]"),
        (f'"{REASON}"', '"""\n[[finding]]\n"""', "each entry begins with a line [[finding]]"),
        ("revision = ", "# ", "the entry in line 3 has no revision"),
        ("reason = ", "resaon = ", "the entry in line 3 has the unknown name resaon"),
        ("line = ", "line = 1.5 # ", "the entry in line 3 needs a number as its `line`"),
        ("[[finding]]", "<<<<<<< HEAD\n[[finding]]", "Invalid"),
    ],
)
def test_a_file_that_is_not_a_baseline_is_refused_with_what_is_wrong(
    old: str, new: str, said: str, listed: LintedRevisions
) -> None:
    edit(listed, old, new)
    before = listed.baseline.read_text()
    for command in ("lint", "baseline"):
        error = listed.run(command, *(["--reason", REASON] if command == "baseline" else [])).exception
        assert isinstance(error, CommandError)
        assert f"lint_baseline.toml can't be read: {said}" in str(error)
    assert listed.baseline.read_text() == before


@pytest.mark.parametrize("header", ["[[ finding ]]", "[[finding]]  # in 2024", "\ufeff[[finding]]", "[[finding]]\r"])
def test_an_entry_may_be_written_as_toml_and_editors_write_it(header: str, listed: LintedRevisions) -> None:
    entries = listed.baseline.read_text().partition("\n\n")[2]
    listed.baseline.write_bytes(entries.replace("[[finding]]", header).encode())
    assert listed.violated() == []
