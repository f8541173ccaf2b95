"""What is rehearsed: which code is deployed, which revision it stands on, and which steps a release would take."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from safestep.migrations.plan import Phase, phase_of
from safestep.rehearsal.errors import RehearsalError

MAIN = ("remotes/origin/main", "heads/main")


@dataclass(frozen=True)
class Leg:
    """Revisions that run under one version of the code: `expand` under the deployed one, `contract` under the new."""

    phase: Phase
    start: str
    target: str
    revisions: tuple[str, ...]


@dataclass(frozen=True)
class RehearsalPlan:
    """`base` is the commit of the deployed code; None stands for the checked-out code itself."""

    root: Path
    base: str | None
    legs: tuple[Leg, ...]

    @property
    def start(self) -> str:
        return self.legs[0].start


def make_plan(root: Path, *, base: str | None, start: str | None, from_git: bool) -> RehearsalPlan:
    """The default base is where this branch left main; on main itself, the commit before the newest revision.

    Raises RehearsalError when there is nothing to rehearse, or the deployed code can't be found.
    """
    scripts = ScriptDirectory.from_config(Config(root / "alembic.ini"))
    if not from_git:
        if start is None:
            raise RehearsalError("--code checkout needs --from REV: the revision that the database stands on")
        return RehearsalPlan(root, None, _legs(scripts, _known(scripts, start)))
    if start is not None and base is None:
        base = _before(root, _first_after(scripts, _known(scripts, start)).path)
    commit = git(root, "rev-parse", "--verify", f"{base or _default_base(root, scripts)}^{{commit}}")
    return RehearsalPlan(
        root, commit, _legs(scripts, _known(scripts, start) if start else _head_at(root, commit, scripts))
    )


def git(root: Path, *arguments: str) -> str:
    """What git answers. Raises RehearsalError with its last line."""
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)  # noqa: S607 - the user's own git
    except FileNotFoundError:
        raise RehearsalError("there is no git to check the deployed code out with: use --code checkout") from None
    if done.returncode:
        reason = (done.stderr.strip() or "git failed").splitlines()[-1].removeprefix("fatal: ")
        deeper = ", or `git fetch --unshallow`" if (root / ".git" / "shallow").exists() else ""
        raise RehearsalError(f"{reason}: name the deployed commit with --base, or use --code checkout{deeper}")
    return done.stdout.strip()


def _legs(scripts: ScriptDirectory, start: str) -> tuple[Leg, ...]:
    """At the first revision that contracts the release changes sides: it runs once the new code is out."""
    pending = list(scripts.iterate_revisions("heads", start))[::-1]
    phases = [phase_of(script) for script in pending]
    cut = phases.index(Phase.CONTRACT) if Phase.CONTRACT in phases else len(pending)
    halves = ((Phase.EXPAND, pending[:cut]), (Phase.CONTRACT, pending[cut:]))
    legs = []
    for phase, half in halves:
        if half:
            legs.append(Leg(phase, start, half[-1].revision, tuple(script.revision for script in half)))
            start = half[-1].revision
    if not legs:
        raise RehearsalError(f"nothing to rehearse: {start} is the newest revision; name an older one with --from")
    return tuple(legs)


def _known(scripts: ScriptDirectory, revision: str) -> str:
    try:
        found = scripts.get_revision(revision)
    except CommandError as error:
        raise RehearsalError(str(error)) from error
    if found is None:  # "base"
        raise RehearsalError("there is no service on an empty database: name its first revision with --from")
    return found.revision


def _first_after(scripts: ScriptDirectory, start: str) -> Script:
    after = [script for script in scripts.iterate_revisions("heads", start) if script.down_revision == start]
    if not after:
        raise RehearsalError(f"nothing to rehearse: {start} is the newest revision; name an older one with --from")
    return after[-1]


def _before(root: Path, path: str) -> str:
    """The commit before main got this, or the branch did; HEAD when it isn't committed.

    By first parents: the commits of a branch that was merged were never deployed.
    """
    for ref in [*_mains(root), "HEAD"]:
        added = git(root, "log", "--first-parent", "-m", "-1", "--diff-filter=A", "--format=%H", ref, "--", path)
        if added:
            return f"{added}~"
    return "HEAD"


def _mains(root: Path) -> list[str]:
    return git(root, "for-each-ref", "--format=%(refname:short)", *(f"refs/{name}" for name in MAIN)).split()


def _default_base(root: Path, scripts: ScriptDirectory) -> str:
    """The first of these that lacks a checked-out revision: where this branch left main, HEAD, the commit before the
    newest revision.
    """
    candidates = [git(root, "merge-base", "HEAD", ref) for ref in _mains(root)]
    for commit in [*candidates, "HEAD"]:
        if _revision_files(root, commit, scripts) != {file.name for file in Path(scripts.versions).glob("*.py")}:
            return commit
    return _before(root, next(iter(scripts.walk_revisions())).path)


def _revision_files(root: Path, commit: str, scripts: ScriptDirectory) -> set[str]:
    folder = Path(scripts.versions).resolve().relative_to(root.resolve())
    names = git(root, "ls-tree", "--name-only", commit, f"{folder.as_posix()}/").split()
    return {Path(name).name for name in names if name.endswith(".py")}


def _head_at(root: Path, commit: str, scripts: ScriptDirectory) -> str:
    """The newest revision that the commit has."""
    files = _revision_files(root, commit, scripts)
    known = [script for script in scripts.walk_revisions() if Path(script.path).name in files]
    if not known:
        raise RehearsalError(f"{commit[:12]} has no revision: there is no service on an empty database; name --base")
    return known[0].revision
