"""What is known of every rule, as data: `cookbook/*.toml`, one file a topic."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template

FOLDER = Path(__file__).with_name("cookbook")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a rule finds, what that locks and blocks, and how to do it safely."""

    rule: str
    by: str
    """Who has the rule: `squawk` or `safestep`."""
    operation: str
    lock: str
    """The strongest lock that the operation takes, and on what."""
    blocks: str
    instead: str
    """The safe way in a sentence."""
    code: str = ""
    """The safe way as lines to paste into a revision, with `$table` and the like for the revision's own names."""
    example: Mapping[str, str] = field(default_factory=dict)
    """Names to show the code with, where no revision gives any."""
    on_new_tables: bool = False
    """It applies to tables that the revision itself creates as well."""
    fine_in_contract: bool = False
    """It finds what breaks the running code and nothing else, which is fine in a revision with `phase = "contract"`."""
    fine_if_destructive: bool = False
    """It is about lost data, which is fine in a revision with `destructive = True`: that has to be confirmed."""
    replaces: tuple[str, ...] = ()
    """Rules that find the same thing in the same statement, and say less about it."""

    def code_for(self, names: Mapping[str, str]) -> str:
        """The code with these names; what isn't known is left open, and doesn't run before somebody fills it in."""
        template = Template(self.code.strip())
        return template.substitute({name: f"<{name}>" for name in template.get_identifiers()} | dict(names))

    @property
    def example_code(self) -> str:
        return self.code_for(self.example)


@cache
def recipes() -> dict[str, Recipe]:
    """Every recipe by its rule, in the order of the files."""
    files = sorted(FOLDER.glob("*.toml"))
    entries = [entry for file in files for entry in tomllib.loads(file.read_text())["rule"]]
    made = [Recipe(**(entry | {"replaces": tuple(entry.get("replaces", ()))})) for entry in entries]
    return {recipe.rule: recipe for recipe in made}


def recipe(rule: str) -> Recipe:
    """The rule's recipe; for a rule that only a newer squawk has, one that says what to read."""
    unknown = Recipe(
        rule=rule,
        by="squawk",
        operation=rule,
        lock="not known here",
        blocks="not known here",
        instead=f"See squawk's documentation of {rule}.",
        on_new_tables=True,
    )
    return recipes().get(rule, unknown)


def markdown_table() -> str:
    """All rules as a Markdown table, for a project's documentation."""
    rows = [f"| {r.operation} | {r.lock} | {r.blocks} | {r.instead} | `{r.rule}` |" for r in recipes().values()]
    return "\n".join(["| operation | lock | blocks | write instead | rule |", "|---|---|---|---|---|", *rows])
