"""Where a revision asks whether its SQL is only printed: what it does otherwise isn't in the SQL that lint reads."""

import ast
from pathlib import Path

NAMES = {"as_sql", "is_offline_mode"}


def offline_checks(file: str) -> list[int]:
    """The lines that ask, except those of the downgrade."""
    tree = ast.parse(Path(file).read_bytes())
    parts = [part for part in tree.body if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade")]
    nodes = [node for part in parts for node in ast.walk(part)]
    return sorted({line for node in nodes if _name(node) in NAMES and (line := getattr(node, "lineno", None))})


def _name(node: ast.AST) -> object:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) | ast.Constant(value=name):
            return name if isinstance(name, str) else None
    return None
