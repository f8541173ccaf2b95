"""How revisions are read: their order, where a statement comes from, and what can't be read."""

from pathlib import Path

import pytest
from safestep_support.linting import LOCK_TIMEOUT, OUTSIDE_OF_TRANSACTION, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing


def test_names_follow_a_rename(linted: LintedRevisions) -> None:
    rename = "op.rename_table('posts', 'articles')\nop.alter_column('articles', 'title', new_column_name='head')"
    linted.write(SET_LOCK_TIMEOUT + rename, name="zero")
    linted.write(SET_LOCK_TIMEOUT + "op.alter_column('articles', 'head', type_=sa.String(300))", after="zero")
    assert linted.lint().findings == []


def test_a_merge_knows_the_tables_of_both_branches(linted: LintedRevisions) -> None:
    linted.write("op.execute('CREATE TABLE a (x varchar(10))')", name="left")
    linted.write("op.execute('CREATE TABLE b (y varchar(10))')", name="right")
    widen = "op.execute('ALTER TABLE {} ALTER COLUMN {} TYPE varchar(20)')"
    body = [executing("SET lock_timeout = '2s'"), widen.format("a", "x"), widen.format("b", "y")]
    linted.write(OUTSIDE_OF_TRANSACTION + "\n".join(f"    {line}" for line in body), after=("left", "right"))
    assert linted.lint().findings == []


def test_a_branch_does_not_know_the_other(linted: LintedRevisions) -> None:
    linted.write("op.execute('CREATE TABLE a (x varchar(10))')", name="left")
    assert linted.rules(SET_LOCK_TIMEOUT + "op.alter_column('a', 'x', type_=sa.String(20))") == ["changing-column-type"]


def test_a_finding_names_the_call_that_wrote_its_statement(linted: LintedRevisions) -> None:
    body = "for name in ('posts', 'tags'):\n    clear(\n        name\n    )"
    top = "\n\ndef clear(name: str) -> None:\n    op.execute(\n        f'TRUNCATE {name}'\n    )\n"
    linted.write(SET_LOCK_TIMEOUT + body, top=top)
    found = linted.lint().findings
    lines = (linted.versions / "one.py").read_text().splitlines()
    assert [lines[finding.line - 1].strip() for finding in found] == ["op.execute("] * 2
    assert [finding.sql for finding in found] == ["TRUNCATE posts", "TRUNCATE tags"]


def test_an_upgrade_that_needs_a_database_is_found_at_the_deepest_line(linted: LintedRevisions) -> None:
    top = "\n\ndef count() -> int:\n    return op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n"
    linted.write("if count():\n    op.execute('TRUNCATE posts')", top=top)
    (finding,) = linted.lint().findings
    assert finding.rule == "needs-connection"
    assert "scalar_one" in (linted.versions / "one.py").read_text().splitlines()[finding.line - 1]


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("revision = 'one'\nx = = 1\n", 2, "SyntaxError"),
        ("revision = 'one'\n\nimport nothing_there\n", 3, "No module named 'nothing_there'"),
        ("revision = 'one'\nnothing_there\n", 2, "NameError"),
        ("revision = 'one'\nraise SystemExit(0)\n", 2, "SystemExit"),
        ("import ast\nast.parse('x = = 1')\n", 2, "SyntaxError"),
    ],
)
def test_a_revision_that_cannot_be_loaded_is_a_finding_of_its_own(
    file: str, line: int, message: str, linted: LintedRevisions
) -> None:
    (linted.versions / "one.py").write_text(file)
    (finding,) = linted.lint().findings
    assert (Path(finding.file).name, finding.line, finding.rule) == ("one.py", line, "unreadable-revision")
    assert message in finding.message


@pytest.mark.filterwarnings("ignore:Revision nope referenced")
def test_a_revision_after_none_that_exists_is_a_finding(linted: LintedRevisions) -> None:
    linted.write("pass", after="nope")
    (finding,) = linted.lint().findings
    assert (finding.rule, finding.message) == ("unreadable-revision", "KeyError: 'nope'")


def test_a_revision_may_be_written_in_another_encoding(linted: LintedRevisions) -> None:
    linted.write("op.execute('SELECT 1')")
    file = linted.versions / "one.py"
    file.write_text(f"# coding: latin-1\n# Größe\n{file.read_text()}", encoding="latin-1")
    assert linted.lint().findings == []


def test_a_name_that_is_missing_when_the_upgrade_runs_is_found_at_its_line(linted: LintedRevisions) -> None:
    file = linted.write("op.execute('SELECT 1')\nnothing_there()")
    (finding,) = linted.lint().findings
    assert finding.rule == "unreadable-revision"
    assert file.read_text().splitlines()[finding.line - 1].strip() == "nothing_there()"


@pytest.mark.parametrize(
    ("top", "body"),
    [
        ("", "if op.get_context().as_sql:\n    return\nop.execute('TRUNCATE posts')"),
        ("", "online = not op.get_context().as_sql"),
        ("", "if not getattr(op.get_context(), 'as_sql'):\n    op.execute('TRUNCATE posts')"),
        ("from alembic import context\n", "if not context.is_offline_mode():\n    op.execute('TRUNCATE posts')"),
        ("from alembic.context import is_offline_mode as printed\n", "if not printed():\n    op.execute('SELECT 1')"),
        ("def is_online():\n    return not op.get_context().as_sql\n", "is_online()"),
    ],
)
def test_a_revision_does_not_ask_whether_it_is_only_printed(top: str, body: str, linted: LintedRevisions) -> None:
    assert linted.rules(body, top=top) == ["offline-branch"]


@pytest.mark.parametrize(
    "sql",
    [
        "-- squawk-ignore-file\nDROP INDEX ix_posts_slug",
        "DROP INDEX -- squawk-ignore-file\nix_posts_slug",
        "DROP INDEX /* squawk-ignore require-concurrent-index-deletion */ ix_posts_slug",
    ],
)
def test_a_comment_in_the_sql_switches_nothing_off(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == ["require-concurrent-index-deletion"]


def test_several_statements_in_one_call_and_letters_of_more_bytes_are_told_apart(linted: LintedRevisions) -> None:
    sql = "COMMENT ON TABLE posts IS 'Größe; ✓';\n\nTRUNCATE posts;\nDROP INDEX\nix_posts_slug;\nDROP VIEW slugs"
    linted.write(SET_LOCK_TIMEOUT + f"op.execute({sql!r})")
    found = {finding.rule: finding.sql for finding in linted.lint().findings}
    assert found == {
        "ban-drop-view": "DROP VIEW slugs",
        "require-concurrent-index-deletion": "DROP INDEX ix_posts_slug",
        "several-statements": "",
        "truncate": "TRUNCATE posts",
    }


@pytest.mark.parametrize("line", ["import shop", "from shop import name", "from shop.tables import name"])
def test_code_of_the_project_changes_without_the_revision(
    line: str, linted: LintedRevisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    (linted.root / "shop").mkdir()
    for module in ("__init__", "tables"):
        (linted.root / "shop" / f"{module}.py").write_text("name = 'posts'")
    monkeypatch.syspath_prepend(str(linted.root))
    assert linted.rules(f"{line}\nop.execute('SELECT 1')") == ["code-elsewhere"]
    assert linted.rules("import json\nop.execute('SELECT 1')") == []


@pytest.mark.parametrize("how", ["(id int)", "AS SELECT 1 AS id"])
def test_a_temporary_table_is_gone_after_its_revision(how: str, linted: LintedRevisions) -> None:
    upgrade = executing(f"CREATE TEMPORARY TABLE batch {how}", "ALTER TABLE batch ALTER COLUMN id TYPE bigint")
    linted.write(upgrade)
    linted.write(upgrade, name="two", after="one")
    assert linted.violated("one", "two") == []
