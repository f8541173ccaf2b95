"""Every rule's operation, lock and safe way, as data: `cookbook/*.toml`, one file a topic."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("cookbook")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What there is to know of one rule."""

    rule: str
    by: str
    """Who finds it: `squawk`, or `postern` for our own."""
    operation: str
    lock: str
    """The strongest lock that the operation takes, and on what."""
    blocks: str
    instead: str
    """The safe way in a sentence."""
    code: str = ""
    """The safe way as lines to paste into a revision."""
    on_new_tables: bool = False
    """It objects to tables that the revision itself creates as well."""
    contract: bool = False
    """It breaks the code that is running, and nothing else: fine in a revision with `phase = "contract"`."""
    destructive: bool = False
    """Fine in a revision with `destructive = True`, which production is asked about."""
    marked: bool = False
    """Asked only of revisions with the mark `phase`: those without are older than it, sealed, and never edited."""
    replaces: tuple[str, ...] = ()
    """Rules that object to the same thing in the same statement, in a less useful way."""


@cache
def recipes() -> dict[str, Recipe]:
    """By rule, in the order of the files."""
    files = sorted(FOLDER.glob("*.toml"))
    entries = [entry for file in files for entry in tomllib.loads(file.read_text())["rule"]]
    made = [Recipe(**(entry | {"replaces": tuple(entry.get("replaces", ()))})) for entry in entries]
    return {recipe.rule: recipe for recipe in made}


def recipe(rule: str) -> Recipe:
    """Also for a rule that a newer squawk brought along before anybody wrote a recipe."""
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


def table() -> str:
    """All rules as a Markdown table, for docs/migrations.md."""
    rows = [f"| {r.operation} | {r.lock} | {r.blocks} | {r.instead} | `{r.rule}` |" for r in recipes().values()]
    return "\n".join(["| operation | lock | blocks | write instead | rule |", "|---|---|---|---|---|", *rows])
