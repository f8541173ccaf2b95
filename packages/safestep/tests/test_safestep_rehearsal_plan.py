"""What is rehearsed, in repositories of every shape: which commit is deployed, and which revisions it lacks."""

from pathlib import Path

import pytest
from alembic.util import CommandError
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.plan import git, make_plan
from safestep_support.notes import Notes


@pytest.fixture
def repository(tmp_path: Path) -> Notes:
    notes = Notes(tmp_path / "notes")
    notes.commit()
    return notes


def plan(
    notes: Notes, base: str | None = None, start: str | None = None, *, from_git: bool = True
) -> tuple[object, ...]:
    made = make_plan(notes.root, base=base, start=start, from_git=from_git)
    return (made.base, *((leg.phase, leg.start, leg.target) for leg in made.legs))


def test_an_uncommitted_revision_is_rehearsed_against_head(repository: Notes) -> None:
    repository.add("new", "SELECT 1")

    assert plan(repository) == (repository.git("rev-parse", "HEAD"), ("expand", "notes", "new"))


def test_a_branch_is_rehearsed_against_where_it_left_main(repository: Notes) -> None:
    left = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "feature")
    repository.add("one", "SELECT 1")
    repository.commit("one")
    repository.add("two", "SELECT 2", after="one")
    repository.commit("two")

    assert plan(repository) == (left, ("expand", "notes", "two"))


def test_on_main_the_newest_revision_is_rehearsed(repository: Notes) -> None:
    before = repository.git("rev-parse", "HEAD")
    repository.add("new", "SELECT 1")
    repository.commit("new")
    repository.commit("later")

    assert plan(repository) == (before, ("expand", "notes", "new"))


def test_an_older_revision_brings_the_code_that_stood_on_it(repository: Notes) -> None:
    before = repository.git("rev-parse", "HEAD")
    repository.add("one", "SELECT 1")
    repository.commit("one")
    repository.add("two", "SELECT 1", after="one")
    repository.commit("two")

    assert plan(repository, start="notes") == (before, ("expand", "notes", "two"))


def test_the_release_changes_sides_at_the_first_contract(repository: Notes) -> None:
    repository.add("one", "SELECT 1")
    repository.add("two", "SELECT 1", phase="contract", after="one")
    repository.add("three", "SELECT 1", after="two")

    assert plan(repository)[1:] == (("expand", "notes", "one"), ("contract", "one", "three"))
    assert plan(repository, start="one", from_git=False) == (None, ("contract", "one", "three"))


def test_a_phase_that_does_not_exist_is_refused_as_by_an_upgrade(repository: Notes) -> None:
    repository.add("one", "SELECT 1", phase="contrct")

    with pytest.raises(CommandError, match="one: phase is 'expand' or 'contract', not 'contrct'"):
        plan(repository)


def test_a_project_may_be_a_part_of_its_repository(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    git(tmp_path, "init", "-q", "-b", "main")
    left = notes.commit()
    notes.add("new", "SELECT 1")

    assert plan(notes) == (left, ("expand", "notes", "new"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"start": "nonsense"}, "nonsense"),
        ({"start": "base"}, "no service on an empty database"),
        ({"start": "heads"}, "nothing to rehearse"),
        ({"base": "HEAD"}, "nothing to rehearse"),
        ({"base": "nonsense"}, "--base"),
        ({"from_git": False}, "needs --from"),
        ({"start": "heads", "from_git": False}, "nothing to rehearse"),
        ({}, "--base"),  # the first commit has every revision, and there is none before it
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_one_line(
    repository: Notes, arguments: dict[str, str], reason: str
) -> None:
    with pytest.raises(RehearsalError, match=reason) as raised:
        plan(repository, **arguments)  # type: ignore[arg-type] # a table of cases

    assert "\n" not in str(raised.value)


def test_without_a_repository_the_checked_out_code_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="--code checkout"):
        plan(Notes(tmp_path / "notes"))


def test_a_base_without_revisions_is_refused(repository: Notes) -> None:
    repository.git("checkout", "-q", "--orphan", "empty")
    repository.git("rm", "-rq", "--cached", ".")
    repository.git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qm", "empty", "--allow-empty")

    with pytest.raises(RehearsalError, match="has no revision"):
        plan(repository, base=repository.git("rev-parse", "HEAD"))
