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
# What is another thing where the revision runs, or when its SQL is only printed. The dialect's name is the same.
CONNECTION = {"get_bind", "bind", "connection", "server_version_info", "version_info", "modules"}
READING = {"read_text", "read_bytes", "open", "import_module", "run_path"}
# Ways to do something that is no SQL of the revision's own connection.
OTHER_MODULES = {"asyncpg", "atexit", "multiprocessing", "psycopg", "psycopg2", "subprocess", "threading"}
OTHER_WAYS = {"create_engine", "create_async_engine", "system", "popen"}
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
    found = ((*_branches_at(node), *_code_elsewhere(node, root), *_other_ways(node)) for node in nodes)
    return sorted({branch for branches_found in found for branch in branches_found})


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
    elif asked := {found for condition in _conditions(node) for found in _asked(condition)}:
        yield _hidden(line, f"{min(asked)} is another where it runs")


def _conditions(node: ast.AST) -> list[ast.expr]:
    """What decides which way to go."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Match(subject=test):
            return [test]
        case ast.BoolOp(values=values) | ast.comprehension(ifs=values):
            return values
        case _:
            return []


def _asked(condition: ast.expr) -> Iterator[str]:
    """The names in it of what is another thing where the revision runs."""
    called = {_name(part.func) for part in ast.walk(condition) if isinstance(part, ast.Call)}
    named = {_name(part) for part in ast.walk(condition) if isinstance(part, ast.Attribute | ast.Name)}
    of_connection = CONNECTION - ({"get_bind", "bind", "connection"} if "dialect" in named else set())
    return (str(name) for name in called & (MOMENT | MACHINE) | named & of_connection)


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


def _other_ways(node: ast.AST) -> Iterator[Branch]:
    """What works beside the SQL that lint reads."""
    match node:
        case ast.ImportFrom(module=str(module)):
            used = {module.partition(".")[0]} & OTHER_MODULES
        case ast.Import(names=names):
            used = {alias.name.partition(".")[0] for alias in names} & OTHER_MODULES
        case ast.Call(func=function):
            used = {str(_name(function))} & OTHER_WAYS
        case _:
            return
    for name in used:
        yield Branch(node.lineno, "code-elsewhere", f"What it does through {name} is no SQL that can be read here.")


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
