"""Where a revision asks what lint can't know, so that it may run other SQL than the one that lint reads."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OFFLINE = {"as_sql", "is_offline_mode"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "argv"}
OPTIONS = {"get_x_argument", "get_main_option", "get_section_option"}
# Calls whose answer depends on the moment or on the machine; only a condition on it hides SQL.
MOMENT = {"now", "today", "utcnow", "time", "time_ns", "monotonic", "random", "randint", "choice", "uuid4"}
MACHINE = {"exists", "is_file", "is_dir", "isfile", "isdir", "gethostname", "getfqdn", "node", "platform", "getuser"}
READING = {"read_text", "read_bytes", "open", "import_module", "run_path"}
# Modules that hold settings, by the last part of their names.
SETTINGS = {"config", "settings", "decouple", "dotenv", "environs"}


@dataclass(frozen=True, order=True)
class Branch:
    line: int
    rule: str
    message: str


def branches(file: str, root: Path) -> list[Branch]:
    """Every such place but those of the downgrade, which lint doesn't read; `root` is the project's folder."""
    tree = ast.parse(Path(file).read_bytes())
    parts = [part for part in tree.body if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade")]
    nodes = [node for part in parts for node in ast.walk(part)]
    return sorted({found for node in nodes for found in (*_branches_at(node), *_code_elsewhere(node, root))})


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
    elif asked := {*map(_name, _calls_in_condition(node))} & (MOMENT | MACHINE):
        yield _hidden(line, f"{min(map(str, asked))}() answers otherwise where it runs")


def _calls_in_condition(node: ast.AST) -> Iterator[ast.AST]:
    """What is called to find out which way to go."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Match(subject=test):
            conditions = [test]
        case ast.BoolOp(values=values) | ast.comprehension(ifs=values):
            conditions = values
        case _:
            conditions = []
    inside = (part for condition in conditions for part in ast.walk(condition))
    return (part.func for part in inside if isinstance(part, ast.Call))


def _code_elsewhere(node: ast.AST, root: Path) -> Iterator[Branch]:
    """Code or text that the revision takes from another file, which no checksum covers."""
    match node:
        case ast.ImportFrom(level=level, module=module) if level or _is_in(root, module or ""):
            what = f"the module {module or '.'}"
        case ast.Import(names=names) if any(_is_in(root, alias.name) for alias in names):
            what = f"the module {names[0].name}"
        case ast.Call(func=function) if _name(function) in READING:
            what = f"what {_name(function)}() reads"
        case _:
            return
    yield Branch(node.lineno, "code-elsewhere", f"When {what} changes, so does the revision, and no checksum shows it.")


def _is_in(root: Path, module: str) -> bool:
    name = module.partition(".")[0]
    return (root / name / "__init__.py").is_file() or (root / f"{name}.py").is_file()


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
