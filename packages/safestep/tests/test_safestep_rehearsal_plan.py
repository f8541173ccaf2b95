"""What is rehearsed, in repositories of every shape: which commit is deployed, and which revisions it lacks."""

import subprocess
from pathlib import Path

import pytest
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.plan import git, make_plan

from tests.support.rehearsals import Project, copied


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = copied(tmp_path)
    commands = (("init", "-q", "-b", "main"), ("config", "user.name", "T"), ("config", "user.email", "t@example.com"))
    for command in commands:
        git(project.root, *command)
    commit(project, "as it is")
    return project


def commit(project: Project, message: str) -> str:
    git(project.root, "add", ".")
    git(project.root, "commit", "-q", "-m", message)
    return git(project.root, "rev-parse", "HEAD")


def plan(
    project: Project, base: str | None = None, start: str | None = None, *, from_git: bool = True
) -> tuple[object, ...]:
    made = make_plan(project.root, base=base, start=start, from_git=from_git)
    return (made.base, *((leg.phase, leg.start, leg.target) for leg in made.legs))


def test_an_uncommitted_revision_is_rehearsed_against_head(project: Project) -> None:
    head, old = git(project.root, "rev-parse", "HEAD"), project.head
    new = project.add("new", "SELECT 1")

    assert plan(project) == (head, ("expand", old, new))


def test_a_branch_is_rehearsed_against_where_it_left_main(project: Project) -> None:
    left, old = git(project.root, "rev-parse", "HEAD"), project.head
    git(project.root, "checkout", "-q", "-b", "feature")
    project.add("one", "SELECT 1")
    commit(project, "one")
    two = project.add("two", "SELECT 2")
    commit(project, "two")

    assert plan(project) == (left, ("expand", old, two))


def test_on_main_the_newest_revision_is_rehearsed(project: Project) -> None:
    old = project.head
    before = git(project.root, "rev-parse", "HEAD")
    new = project.add("new", "SELECT 1")
    commit(project, "new")
    (project.root / "README.md").write_text("later")
    commit(project, "later")

    assert plan(project) == (before, ("expand", old, new))


def test_an_older_revision_brings_the_code_that_stood_on_it(project: Project) -> None:
    old, before = project.head, git(project.root, "rev-parse", "HEAD")
    for name in ("one", "two"):
        newest = project.add(name, "SELECT 1")
        commit(project, name)

    assert plan(project, start=old) == (before, ("expand", old, newest))


def test_the_release_changes_sides_at_the_first_contract(project: Project) -> None:
    old = project.head
    one = project.add("one", "SELECT 1")
    project.add("two", "SELECT 1", phase="contract")
    three = project.add("three", "SELECT 1")

    assert plan(project)[1:] == (("expand", old, one), ("contract", one, three))
    assert plan(project, start=one, from_git=False) == (None, ("contract", one, three))


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
def test_what_cannot_be_rehearsed_is_said_in_one_line(project: Project, arguments: dict[str, str], reason: str) -> None:
    with pytest.raises(RehearsalError, match=reason) as raised:
        plan(project, **arguments)  # type: ignore[arg-type] # a table of cases

    assert "\n" not in str(raised.value)


def test_without_a_repository_the_checked_out_code_is_suggested(tmp_path: Path) -> None:
    project = copied(tmp_path)

    with pytest.raises(RehearsalError, match="--code checkout"):
        plan(project)


def test_a_base_without_revisions_is_refused(project: Project) -> None:
    newest = git(project.root, "rev-parse", "HEAD")
    subprocess.run(["git", "-C", project.root, "checkout", "-q", "--orphan", "empty"], check=True)
    git(project.root, "rm", "-rq", "--cached", ".")
    git(project.root, "commit", "-q", "--allow-empty", "-m", "empty")
    empty = git(project.root, "rev-parse", "HEAD")

    with pytest.raises(RehearsalError, match="has no revision"):
        plan(project, base=empty)
    assert newest != empty
