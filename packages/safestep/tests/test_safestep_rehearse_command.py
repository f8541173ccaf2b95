"""The command `rehearse` refuses what it can't or mustn't do: one line, exit code 2, before anything is started."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from safestep.cli import make_app
from safestep.project import Project
from safestep.scratch import ScratchDatabase
from safestep_support.notes import Notes, rehearse
from sqlalchemy.engine import URL, make_url
from typer.testing import CliRunner

OWN = "postgresql+asyncpg://notes:secret@db.example.com/notes"
CHECKOUT = ("--code", "checkout", "--from", "notes")
BRIEF = ("--rows", "10", "--rate", "5", "--warm-up", "0", "--before", "1", "--after", "0.5", "--max-stall", "20")


def protecting(project: Project, url: str) -> Project:
    """The project with this as the service's own database."""
    assert project.rehearsal
    profile = replace(project.rehearsal(), protected=make_url(url))
    return replace(project, rehearsal=lambda: profile)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*CHECKOUT, "--url", OWN), "--url is the service's own database"),
        (
            (*CHECKOUT, "--url", "postgresql+psycopg://other@db.example.com:5432/notes"),
            "--url is the service's own database",
        ),
        ((*CHECKOUT, "--url", "mysql://localhost/notes"), "--url: mysql:// can't be used here"),
        ((*CHECKOUT, "--url", "nonsense"), "--url: this is no database URL"),
        (("--code", "checkout"), "needs --from"),
        (("--code", "checkout", "--from", "nonsense"), "nonsense"),
        (("--base", "nonsense"), "--base"),
        ((*CHECKOUT, "--plot", "out.gif"), ".svg or .png"),
    ],
)
def test_it_refuses_in_one_line(notes: Notes, arguments: tuple[str, ...], reason: str) -> None:
    notes.commit()
    notes.add("new", "SELECT 1")

    outcome = rehearse(protecting(notes.project, OWN), *arguments)

    assert outcome.code == 2
    assert reason in outcome.errors
    assert len(outcome.errors.splitlines()) == 1
    assert "secret" not in outcome.errors


def test_a_copy_that_is_not_there_is_said_in_one_line(notes: Notes) -> None:
    notes.add("new", "SELECT 1")

    outcome = rehearse(notes.project, *CHECKOUT, "--url", "postgresql+asyncpg://nobody@127.0.0.1:1/none")

    assert outcome.code == 2
    assert outcome.errors.splitlines()[-1].startswith("notes: can't reach notes")


def test_a_copy_that_is_past_the_deployed_revision_is_not_passed_for_rehearsed(notes: Notes, server: URL) -> None:
    notes.add("new", "SELECT 1")
    with ScratchDatabase(server) as url:
        where = url.render_as_string(hide_password=False)
        assert rehearse(notes.project, *CHECKOUT, "--url", where, *BRIEF).code == 0

        outcome = rehearse(notes.project, *CHECKOUT, "--url", where)

    assert outcome.code == 2
    assert outcome.errors.splitlines()[-1] == (
        "notes: the database stands on new already, past notes: name new with --from"
    )


def test_without_a_scratch_server_a_copy_is_asked_for(notes: Notes) -> None:
    notes.add("new", "SELECT 1")

    outcome = rehearse(replace(notes.project, scratch_server=None), *CHECKOUT)

    assert (outcome.code, "name a copy of the database with --url" in outcome.errors) == (2, True)


def test_a_package_that_is_missing_is_named(notes: Notes) -> None:
    notes.add("new", "SELECT 1")

    def without_server(_folder: Path, _settings: Mapping[str, str]) -> AbstractContextManager[URL]:
        raise ModuleNotFoundError("No module named 'pgfolder'", name="pgfolder")

    outcome = rehearse(replace(notes.project, scratch_server=without_server), *CHECKOUT)

    assert outcome.code == 2
    assert outcome.errors.splitlines() == ["notes: a rehearsal needs pgfolder, which isn't installed"]


def test_a_service_that_does_not_start_is_quoted(notes: Notes) -> None:
    notes.add("new", "SELECT 1")
    (notes.root / "service.py").write_text("raise SystemExit('no configuration here')")

    outcome = rehearse(notes.project, *CHECKOUT, "--rows", "10")

    assert outcome.code == 2
    assert outcome.errors.splitlines()[-1] == "notes: the checked-out code doesn't start: no configuration here"


def test_a_project_without_traffic_has_no_such_command(notes: Notes) -> None:
    listed = CliRunner().invoke(make_app(replace(notes.project, rehearsal=None)), ["--help"])

    assert "rehearse" not in listed.output


def test_its_options_are_explained(notes: Notes) -> None:
    shown = CliRunner().invoke(make_app(notes.project), ["rehearse", "--help"], env={"COLUMNS": "200"})

    assert "--max-stall" in shown.output
