"""The baseline: findings in sealed revisions are listed with a reason, and then known."""

import json

import pytest
from alembic.util import CommandError
from safestep.cli import make_app
from safestep.gate import GateClosed, safe_to_run
from safestep.migrations import checksums
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import Revisions, executing
from sqlalchemy.engine import URL
from typer.testing import CliRunner

REASON = "it ran when the table was empty"


@pytest.fixture
def sealed(linted: LintedRevisions) -> LintedRevisions:
    """A sealed revision with one finding."""
    linted.write(executing(LOCK_TIMEOUT, "TRUNCATE tags"))
    checksums.seal(linted.project)
    return linted


def test_a_finding_in_a_sealed_revision_names_the_remedy(sealed: LintedRevisions) -> None:
    result = sealed.run("lint")
    assert result.exit_code == 1
    assert "A sealed revision can't be changed: `shop db baseline` lists its findings as known." in result.output


def test_a_listed_finding_is_known_to_people(sealed: LintedRevisions) -> None:
    assert sealed.run("baseline", "--reason", REASON).exit_code == 0
    result = sealed.run("lint")
    assert result.exit_code == 0
    assert "Known, in sealed revisions, with their reasons:\n" in result.output
    assert f"one.py:{sealed.line('one', 'TRUNCATE tags')}: truncate - {REASON}\n" in result.output
    assert result.output.endswith("0 findings in 2 revisions, 0 exceptions, 1 known\n")


def test_a_listed_finding_is_known_to_machines(sealed: LintedRevisions) -> None:
    sealed.run("baseline", "--reason", REASON)
    report = json.loads(sealed.run("lint", "--json").output)
    assert report["findings"] == []
    (known,) = report["known"]
    assert (known["revision"], known["rule"], known["sql"]) == ("one", "truncate", "TRUNCATE tags")
    assert (known["sealed"], known["reason"]) == (True, REASON)


def test_the_gate_is_closed_until_a_finding_is_listed(sealed: LintedRevisions) -> None:
    with pytest.raises(GateClosed, match="shop db baseline"):
        safe_to_run(sealed.project)
    sealed.run("baseline", "--reason", REASON)
    safe_to_run(sealed.project)


def test_the_gate_shows_what_is_known(revisions: Revisions, server: URL) -> None:
    revisions.add("one", executing("TRUNCATE counters"))
    checksums.seal(revisions.project)
    run, commands = CliRunner().invoke, make_app(revisions.project)
    assert run(commands, ["baseline", "--reason", REASON]).exit_code == 0
    result = run(commands, ["gate", "--server", server.render_as_string(hide_password=False)])
    assert result.exit_code == 0
    _, _, shown = result.output.partition("open: revisions are safe to run\nKnown, in sealed revisions,")
    assert f"truncate - {REASON}\nopen: " in shown


def test_the_file_has_one_entry_for_each_finding_in_a_fixed_order(sealed: LintedRevisions) -> None:
    sealed.write(executing(LOCK_TIMEOUT, "TRUNCATE users", "TRUNCATE posts"), name="a_later_one", after="one")
    checksums.seal(sealed.project)
    result = sealed.run("baseline", "--reason", '  "old"  and\tempty: ✓ ')
    assert result.output.endswith("3 added, 0 dropped, 0 kept\n")
    places = [("a_later_one", "TRUNCATE users"), ("a_later_one", "TRUNCATE posts"), ("one", "TRUNCATE tags")]
    comment = "# Findings in sealed revisions, and why they may stay. `shop db baseline` writes it."
    lines = [comment]
    for revision, statement in places:
        lines += ["", "[[finding]]", f'revision = "{revision}"', f"line = {sealed.line(revision, statement)}"]
        lines += ['rule = "truncate"', f'statement = "{statement}"', r'reason = "\"old\" and empty: ✓"']
    assert sealed.baseline.read_text().splitlines() == lines
    assert sealed.run("lint").exit_code == 0


def test_a_second_run_changes_nothing(sealed: LintedRevisions) -> None:
    sealed.run("baseline", "--reason", REASON)
    before = sealed.baseline.read_text()
    result = sealed.run("baseline")
    assert (result.exit_code, result.output) == (0, "0 added, 0 dropped, 1 kept\n")
    assert sealed.baseline.read_text() == before


def test_a_dry_run_shows_what_would_change_and_writes_nothing(sealed: LintedRevisions) -> None:
    result = sealed.run("baseline", "--dry-run")
    assert result.exit_code == 0
    assert f"one.py:{sealed.line('one', 'TRUNCATE tags')}: truncate\n    TRUNCATE tags\n" in result.output
    assert result.output.endswith("1 added, 0 dropped, 0 kept; nothing is written\n")
    assert not sealed.baseline.exists()


def test_the_reason_is_asked_for(sealed: LintedRevisions) -> None:
    assert sealed.run("baseline", typed=f"{REASON}\n").exit_code == 0
    assert f'reason = "{REASON}"' in sealed.baseline.read_text()


@pytest.mark.parametrize(("arguments", "code"), [([], 1), (["--reason", " "], 2)])
def test_without_a_reason_nothing_is_written(arguments: list[str], code: int, sealed: LintedRevisions) -> None:
    assert sealed.run("baseline", *arguments).exit_code == code
    assert not sealed.baseline.exists()


def test_a_finding_in_a_revision_that_is_not_sealed_is_not_listed(sealed: LintedRevisions) -> None:
    sealed.write(executing(LOCK_TIMEOUT, "TRUNCATE users"), name="two", after="one")
    result = sealed.run("baseline", "--reason", REASON)
    assert result.exit_code == 1
    assert f"two.py:{sealed.line('two', 'TRUNCATE users')}: truncate\n" in result.stderr
    assert "change the revision, or give the rule and the reason in its `lint_exceptions`" in result.stderr
    assert 'revision = "one"' in sealed.baseline.read_text()
    assert 'revision = "two"' not in sealed.baseline.read_text()
    assert sealed.violated("one", "two") == ["truncate"]


def test_a_revision_that_is_not_sealed_is_refused_by_name(sealed: LintedRevisions) -> None:
    sealed.write(executing(LOCK_TIMEOUT, "TRUNCATE users"), name="two", after="one")
    result = sealed.run("baseline", "--reason", REASON, "one", "two")
    assert result.exit_code == 2
    assert "two isn't sealed" in result.stderr
    assert not sealed.baseline.exists()


def test_an_unknown_revision_is_refused_by_the_baseline(sealed: LintedRevisions) -> None:
    assert sealed.run("baseline", "nope").exit_code == 2


def test_findings_of_chosen_revisions_get_a_reason_of_their_own(sealed: LintedRevisions) -> None:
    sealed.write(executing(LOCK_TIMEOUT, "TRUNCATE users"), name="two", after="one")
    checksums.seal(sealed.project)
    sealed.run("baseline", "one", "--reason", "first")
    assert sealed.baseline.read_text().count("[[finding]]") == 1
    sealed.run("baseline", "two", "--reason", "second")
    assert sealed.baseline.read_text().index('"first"') < sealed.baseline.read_text().index('"second"')


def test_one_statement_that_a_rule_finds_twice_is_one_entry(linted: LintedRevisions) -> None:
    linted.write(executing(LOCK_TIMEOUT, "ALTER TABLE posts ADD COLUMN a serial, ADD COLUMN b serial"))
    checksums.seal(linted.project)
    assert linted.violated() == ["adding-field-rewrites"]
    assert linted.run("baseline", "--reason", REASON).output.endswith("1 added, 0 dropped, 0 kept\n")
    assert linted.violated() == []


def test_a_file_that_is_no_baseline_is_refused_in_one_line(sealed: LintedRevisions) -> None:
    for content in ("[[finding]", "[[finding]]\nline = 1\n", "finding = 1\n", 'finding = [{revision = "one"}]\n'):
        sealed.baseline.write_text(content)
        with pytest.raises(CommandError, match=r"lint_baseline\.toml can't be read: [^\n]+$"):
            sealed.lint()
