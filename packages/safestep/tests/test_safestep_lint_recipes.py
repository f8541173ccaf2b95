"""Every rule has a recipe, and every rule of squawk is either used or left out on purpose."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from safestep.lint import squawk
from safestep.lint.recipes import recipes
from safestep.lint.render import render
from safestep.lint.rules import RULES
from safestep.lint.tools import squawk_program
from safestep.migrations import commands
from safestep_support.linting import CORPUS_PROJECT, SET_LOCK_TIMEOUT, LintedRevisions

RECIPES = recipes()
# Found while a revision is read or its exceptions and the baseline are applied, rather than in its statements.
BESIDE_STATEMENTS = {
    "baseline-not-sealed",
    "baseline-unused",
    "baseline-without-reason",
    "code-elsewhere",
    "exception-unused",
    "exception-without-reason",
    "hidden-branch",
    "needs-connection",
    "offline-branch",
    "several-statements",
    "syntax-error",
    "unreadable-revision",
    "untyped-table",
}


def run_squawk(*options: str, sql: str) -> subprocess.CompletedProcess[str]:
    program = squawk_program() or "squawk"
    return subprocess.run([program, *options], input=sql, capture_output=True, text=True, check=False)


def decided() -> set[str]:
    """Squawk's rules that have a recipe, and those that are left out for a reason."""
    excluded = set(tomllib.loads(squawk.CONFIG.read_text())["excluded_rules"])
    used = {rule for rule, recipe in RECIPES.items() if recipe.by == "squawk"}
    assert not used & excluded
    return used | excluded


def test_every_rule_of_safestep_has_a_recipe() -> None:
    own = {rule for rule, recipe in RECIPES.items() if recipe.by == "safestep"}
    assert RULES.keys() | BESIDE_STATEMENTS == own
    assert {recipe.by for recipe in RECIPES.values()} == {"safestep", "squawk"}


def test_every_rule_of_squawk_is_used_or_left_out() -> None:
    """Squawk prints no list of its rules, but the program holds their names in a row."""
    program = Path(squawk_program() or "").read_bytes()
    row = max(re.findall(rb"require-concurrent-index-creation[a-z-]+", program), key=len).decode()
    assert len(row) > 1000
    for rule in sorted(decided(), key=len, reverse=True):
        row = row.replace(rule, " ")
    assert row.split() == ["unused-ignore"], "it is about comments, which are removed before squawk reads the SQL"


def test_every_rule_that_is_used_or_left_out_is_one_of_squawk() -> None:
    done = run_squawk("--exclude", ",".join(decided()), "--include", ",".join(decided()), sql="SELECT 1;")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_rule_that_squawk_applies_to_the_corpus_is_used_or_left_out() -> None:
    config = commands.config(CORPUS_PROJECT)
    directory = ScriptDirectory.from_config(config)
    rendered = [render(config, directory, script).statements for script in directory.walk_revisions()]
    sql = ";\n".join(statement.text for statements in rendered for statement in statements)
    done = run_squawk("--config", os.devnull, "--reporter", "json", sql=f"{sql};")
    found = {finding["rule_name"] for finding in json.loads(done.stdout)}
    assert len(found) > 20
    assert found <= decided()


@pytest.mark.parametrize("rule", [rule for rule, recipe in RECIPES.items() if recipe.code])
def test_a_recipe_raises_no_alarm(rule: str, linted: LintedRevisions) -> None:
    """Pasted as it stands: assignments at the top of the file, each part in a revision of its own."""
    names = linted.paste(RECIPES[rule].example_code)
    # The recipe for exceptions is an example that needs something to except.
    assert {*linted.violated(*names)} <= {"exception-unused"}


def test_a_rule_replaces_only_rules_that_exist() -> None:
    assert {other for recipe in RECIPES.values() for other in recipe.replaces} <= RECIPES.keys()


def test_recipes_are_for_any_project() -> None:
    """A command has other names in other projects, so the texts call it by its last word alone."""
    texts = [f"{recipe.operation} {recipe.lock} {recipe.blocks} {recipe.instead}" for recipe in RECIPES.values()]
    assert not [text for text in texts if re.search(r"`\w+ (db )?(upgrade|baseline|lint)", text)]


OWN = {
    "ALTER TABLE tags ALTER COLUMN name SET NOT NULL": 'safestep.set_not_null_safely("tags", "name")',
    "CREATE INDEX ix_tags_name ON tags (name)": 'safestep.add_index_concurrently("ix_tags_name", "tags", ["name"])',
    "ALTER TABLE tags ADD CONSTRAINT ck CHECK (name <> '')": """
safestep.add_check_not_valid("ck", "tags", "name <> ''")
safestep.validate_constraint("ck", "tags")""".strip(),
    "UPDATE tags SET name = '\"' WHERE name IS NULL": """
safestep.batched_backfill("tags", {"name": "'\\"'"}, where="name IS NULL")""".strip(),
    "ALTER TABLE tags ADD CHECK (name <> '')": """
safestep.add_check_not_valid("<constraint>", "tags", "name <> ''")
safestep.validate_constraint("<constraint>", "tags")""".strip(),
}


@pytest.mark.parametrize("sql", OWN)
def test_a_recipe_names_what_the_revision_names(sql: str, linted: LintedRevisions) -> None:
    linted.write(SET_LOCK_TIMEOUT + f"op.execute({sql!r})")
    (finding,) = linted.lint().findings
    assert finding.recipe == OWN[sql]
    assert json.loads(linted.lint().for_machines())["findings"][0]["recipe"] == OWN[sql]


def test_a_name_that_the_revision_does_not_give_is_left_open(linted: LintedRevisions) -> None:
    """Whoever pastes it unread gets an error, and doesn't change the table of an example."""
    examples = {name for recipe in RECIPES.values() for name in ("posts", "users") if f'"{name}"' in recipe.code}
    assert examples == set()
