"""Where a revision asks what lint can't know, so that it may run other SQL than the one that lint reads."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OFFLINE = {"as_sql", "is_offline_mode"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "argv"}
OPTIONS = {"get_x_argument", "get_main_option", "get_section_option"}
# Modules that hold settings, by the last part of their names.
SETTINGS = {"config", "settings", "decouple", "dotenv", "environs"}


@dataclass(frozen=True, order=True)
class Branch:
    line: int
    rule: str
    message: str


def branches(file: str) -> list[Branch]:
    """Every such place but those of the downgrade, which lint doesn't read."""
    tree = ast.parse(Path(file).read_bytes())
    parts = [part for part in tree.body if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade")]
    return sorted({found for part in parts for node in ast.walk(part) for found in _branches_at(node)})


def _branches_at(node: ast.AST) -> Iterator[Branch]:
    line = getattr(node, "lineno", 1)
    name = _name(node)
    if name in OFFLINE:
        yield Branch(
            line, "offline-branch", "What it does when its SQL isn't only printed can't be known before it runs."
        )
    elif name in ENVIRONMENT and not isinstance(node, ast.Constant):
        yield _hidden(line, f"{name} has another value where it runs")
    elif name in OPTIONS:
        yield _hidden(line, f"{name} answers otherwise where it runs")
    elif module := _settings_module(node):
        yield _hidden(line, f"the settings in {module} are others where it runs")
    elif (isinstance(node, ast.Try | ast.TryStar) and node.handlers) or (name == "suppress"):
        yield _hidden(line, "an exception that it catches comes only where it runs")


def _hidden(line: int, why: str) -> Branch:
    return Branch(line, "hidden-branch", f"Lint reads the SQL of one way through it, but {why}.")


def _settings_module(node: ast.AST) -> str | None:
    match node:
        case ast.ImportFrom(module=str(module)):
            modules = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        case ast.Import():
            modules = [alias.name for alias in node.names]
        case _:
            return None
    return next((module for module in modules if module.rpartition(".")[2] in SETTINGS), None)


def _name(node: ast.AST) -> object:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) | ast.Constant(value=name):
            return name if isinstance(name, str) else None
    return None
