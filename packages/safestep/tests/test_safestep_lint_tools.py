"""Lint without its tools says what to install, and nothing else of safestep needs them."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from alembic.util import CommandError
from safestep.lint import MissingTools
from safestep.migrations import checksums
from safestep_support.linting import LintedRevisions
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL

WITHOUT_PARSER = """
import sys
from pathlib import Path

sys.modules["postgast"] = None  # as if it weren't installed

from safestep.cli import run
from safestep_support.revisions import project_in
from sqlalchemy.engine import make_url

root, url, *sys.argv[1:] = sys.argv[1:]
run(project_in(Path(root), make_url(url)))
"""


def run_without_parser(revisions: Revisions, url: URL, *arguments: str) -> "subprocess.CompletedProcess[str]":
    address = url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WITHOUT_PARSER, str(revisions.root), address, *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_lint_without_the_parser_ends_with_one_line(revisions: Revisions, empty: URL) -> None:
    done = run_without_parser(revisions, empty, "lint")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "shop db: lint needs postgast beside this Python: pip install postgast\n"


def test_the_gate_without_the_parser_ends_with_one_line(revisions: Revisions, empty: URL, server: URL) -> None:
    checksums.seal(revisions.project)
    done = run_without_parser(revisions, empty, "gate", "--server", server.render_as_string(hide_password=False))
    assert done.returncode == 1
    assert "open: committed revisions are untouched" in done.stdout
    assert done.stderr == "shop db: lint needs postgast beside this Python: pip install postgast\n"


def test_the_list_of_rules_needs_no_parser(revisions: Revisions, empty: URL) -> None:
    assert run_without_parser(revisions, empty, "lint", "--rules").returncode == 0


def test_an_upgrade_with_safe_steps_needs_no_parser(revisions: Revisions, empty: URL) -> None:
    revisions.add("one", 'safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])')
    done = run_without_parser(revisions, empty, "upgrade")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder in which programs are looked for."""
    folder = tmp_path_factory.mktemp("programs")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(folder))
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.usefixtures("elsewhere")
def test_without_any_tool_both_are_named(linted: LintedRevisions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "postgast", None)
    with pytest.raises(MissingTools, match="lint needs postgast and squawk-cli beside this Python: pip install postg"):
        linted.rules_of("SELECT 1")


@pytest.mark.usefixtures("elsewhere")
def test_without_squawk_alone_it_is_named(linted: LintedRevisions) -> None:
    with pytest.raises(MissingTools, match="lint needs squawk-cli beside this Python: pip install squawk-cli"):
        linted.rules_of("SELECT 1")


def test_a_squawk_that_fails_is_quoted(linted: LintedRevisions, elsewhere: Path) -> None:
    program = elsewhere / "squawk"
    program.write_text("#!/bin/sh\necho broken >&2; echo oh\n")
    program.chmod(0o755)
    with pytest.raises(CommandError, match="squawk failed: broken"):
        linted.rules_of("SELECT 1")
