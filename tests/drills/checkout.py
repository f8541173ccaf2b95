"""A copy of this checkout that a drill changes, and in which it runs the project's own commands."""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "check"),
    ("mypy", "app", "alembic/env.py"),
    ("lint-imports",),
    ("app.cli.main", "db", "gate"),
)
# Every test that reads the descriptions of resources, the laws, and the accounts that every resource builds on.
TESTS = (
    "tests/unit/test_laws.py",
    "tests/unit/test_route_laws.py",
    "tests/unit/test_contracts.py",
    "tests/integration/test_permission_matrix.py",
    "tests/integration/test_input_fields.py",
    "tests/integration/test_mass_assignment.py",
    "tests/integration/test_audited_changes.py",
    "tests/integration/test_deep_pages.py",
    "tests/integration/test_hostile_requests.py",
    "tests/integration/test_openapi.py",
    "tests/integration/test_private_log.py",
    "tests/integration/test_users.py",
    "tests/integration/test_user_privacy.py",
    "tests/integration/test_lifespan.py",
)


class Checkout:
    """The copy. Its own packages come before the installed ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in _git("ls-files", "--cached", "--others", "--exclude-standard"):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)

    def delete(self, *paths: str) -> None:
        """Files and folders; each has to be there, so that the list of a drill can't grow old."""
        for path in paths:
            found = self.folder / path
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink()

    def forget(self, path: str, *names: str) -> None:
        """Takes definitions out of a module: functions, classes, constants, one of a class (`User.posts`), or an entry
        of a dictionary (`TABLES.posts`).
        """
        file = self.folder / path
        lines = file.read_text().splitlines(keepends=True)
        spans = dict(_definitions(ast.parse("".join(lines))))
        if missing := [name for name in names if name not in spans]:
            raise LookupError(f"{path} has no {', '.join(missing)}")
        for first, last in sorted((spans[name] for name in names), reverse=True):
            del lines[first - 1 : last]
        file.write_text("".join(lines))

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        if text.count(old) != 1:
            raise LookupError(f"{path} has {text.count(old)} times: {old}")
        (self.folder / path).write_text(text.replace(old, new))

    def cut(self, path: str, line: str) -> None:
        """Takes out the lines in which this pattern is found."""
        lines = (self.folder / path).read_text().splitlines(keepends=True)
        left = [each for each in lines if not re.search(line, each)]
        if left == lines:
            raise LookupError(f"{path} has no line like {line}")
        (self.folder / path).write_text("".join(left))

    def tidy(self) -> None:
        """What an editor does on saving: imports that nothing uses go, and the code is formatted."""
        self.run("ruff", "check", "--fix", "--quiet", "--select", "F401,I001,F811", "app", "tests", "alembic")
        self.run("ruff", "format", "--quiet")

    def revision(self, message: str, amend: Callable[[str], str] = str) -> None:
        """Writes the migration that the models ask for, amended as its author would, and seals it."""
        before = set((self.folder / "alembic/versions").glob("*.py"))
        self.run("app.cli.main", "db", "upgrade")
        self.run("app.cli.main", "db", "revision", "-m", message)
        (new,) = set((self.folder / "alembic/versions").glob("*.py")) - before
        new.write_text(amend(new.read_text()))
        self.run("ruff", "format", "--quiet", str(new))
        self.run("app.cli.main", "db", "upgrade")
        self.run("app.cli.main", "db", "seal")

    def check(self, *, whole: bool) -> None:
        """`make check`; that every test of the application can be collected; and those that say the most, or all."""
        for command in CHECKS:
            self.run(*command)
        self.run("pytest", "--collect-only", "--quiet", "--no-cov", "tests")
        self.run("pytest", "--quiet", "--no-cov", "-n", "2", *(("tests",) if whole else TESTS))

    def run(self, program: str, *arguments: str) -> None:
        """A program of the environment, or else a module, in the copy; the drill ends when it fails."""
        began = time.monotonic()
        sources = [self.folder, *sorted((self.folder / "packages").glob("*/src"))]
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = inherited | {"PYTHONPATH": os.pathsep.join(map(str, sources)), "ENVIRONMENT": "test"}
        script = Path(sys.executable).with_name(program)
        command = [*([script] if script.exists() else [sys.executable, "-m", program]), *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        tell(f"{time.monotonic() - began:6.1f} s  {program} {' '.join(arguments)[:90]}")
        if done.returncode:
            tell(done.stdout)
            sys.exit(f"the drill failed at: {program} {' '.join(arguments)}")


def drill(change: Callable[[Checkout], None]) -> None:
    """Makes a copy, changes it, and checks what is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--whole", action="store_true", help="run every test, not only those that say the most")
    parser.add_argument("--keep", action="store_true", help="leave the copy, and say where")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="drill-"))
    folder.chmod(0o755)  # root's PostgreSQL runs as another user, who has to enter
    try:
        checkout = Checkout(folder)
        change(checkout)
        checkout.check(whole=options.whole)
    finally:
        if options.keep:
            tell(f"the copy is in {folder}")
        else:
            shutil.rmtree(folder)


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def _definitions(module: ast.Module) -> Iterable[tuple[str, tuple[int, int]]]:
    """Name -> first and last line."""
    for node in module.body:
        yield from _spans(node)
        match node:
            case ast.ClassDef(name=outer):
                for inner in node.body:
                    yield from ((f"{outer}.{name}", span) for name, span in _spans(inner))
            case ast.Assign(targets=[ast.Name(id=outer)], value=ast.Dict(keys=keys, values=values)):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield f"{outer}.{key.value}", (key.lineno, value.end_lineno or value.lineno)


def _spans(node: ast.stmt) -> Iterable[tuple[str, tuple[int, int]]]:
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    span = (first, node.end_lineno or node.lineno)
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name, span
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name, span
