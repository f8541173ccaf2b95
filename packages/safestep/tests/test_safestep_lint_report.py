"""What lint reports, its command, and the gate."""

import json
import re

import pytest
from safestep.cli import make_app
from safestep.gate import GateClosed, safe_to_run
from safestep.lint import LintFinding, LintReport
from safestep.lint.recipes import markdown_table
from safestep_support.linting import CORPUS_PROJECT, LOCK_TIMEOUT, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing
from typer.testing import CliRunner

COMMANDS = make_app(CORPUS_PROJECT)


def test_a_report_says_what_is_locked_and_what_to_write(linted: LintedRevisions) -> None:
    file = linted.write(SET_LOCK_TIMEOUT + "op.create_index('ix_posts_title', 'posts', ['title'])")
    report = linted.lint()
    text, (machine,) = report.for_people(), json.loads(report.for_machines())["findings"]
    line = 1 + file.read_text()[: file.read_text().index("op.create_index")].count("\n")
    assert f"one.py:{line}: require-concurrent-index-creation" in text
    assert "Lock: SHARE on the table. Blocks: writes" in text
    assert "safestep.add_index_concurrently(" in text
    assert (machine["revision"], machine["line"], machine["sealed"]) == ("one", line, False)
    assert machine["lock"] == "SHARE on the table"
    assert machine["recipe"].startswith("safestep.")
    assert text.endswith("1 finding in 1 revision, 0 exceptions, 0 known")


def test_a_long_statement_is_cut_short(linted: LintedRevisions) -> None:
    linted.write(executing(LOCK_TIMEOUT, f"TRUNCATE posts, {'tags, ' * 50} users"))
    assert len(linted.lint().findings[0].sql) == 100


def test_a_rule_that_a_newer_squawk_brings_is_reported_without_a_recipe() -> None:
    report = LintReport(revisions=1, findings=[LintFinding("a.py", 1, "ban-mondays", "Not today.")])
    assert "See squawk's documentation of ban-mondays." in report.for_people()


def test_the_command_exits_with_0_when_there_is_no_finding() -> None:
    assert CliRunner().invoke(COMMANDS, ["lint", "safe_truncate"]).exit_code == 0


def test_the_command_exits_with_1_when_there_are_findings() -> None:
    result = CliRunner().invoke(COMMANDS, ["lint", "--json", "bad_truncate", "bad_cluster"])
    assert result.exit_code == 1
    assert {finding["rule"] for finding in json.loads(result.output)["findings"]} == {"truncate", "cluster"}


def test_the_command_exits_with_2_when_there_is_no_such_revision() -> None:
    assert CliRunner().invoke(COMMANDS, ["lint", "nope"]).exit_code == 2


def test_the_command_prints_the_rules() -> None:
    assert markdown_table() in CliRunner().invoke(COMMANDS, ["lint", "--rules"]).output


def test_the_gate_closes_on_an_unsafe_revision(linted: LintedRevisions) -> None:
    assert safe_to_run(linted.project) is None
    linted.write(executing(LOCK_TIMEOUT, "TRUNCATE tags"))
    with pytest.raises(GateClosed, match=re.escape("truncate\n    TRUNCATE tags")):
        safe_to_run(linted.project)
