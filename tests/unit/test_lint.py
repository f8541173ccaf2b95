"""The static gate for revisions: a corpus of real ones, a bad and a safe one for each rule, and its edges."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path
from textwrap import indent

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import AsyncConnection
from safestep.gate import GateClosed, safe_to_run
from safestep.lint import Report, UnknownRevision, lint, recipes, squawk
from safestep.lint.render import render
from safestep.lint.report import Finding
from safestep.lint.rules import RULES
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from app.cli.main import app as cli
from tests.support.server import Clone

CORPUS = Path(__file__).parents[1] / "migrations_corpus"
DOCS = migrations.ROOT / "docs" / "migrations.md"
KNOWN = recipes.recipes()
# Found while a revision is read, rather than by a look at its statements.
WHILE_READING = {
    "exception-unused",
    "exception-without-reason",
    "needs-connection",
    "offline-branch",
    "several-statements",
    "syntax-error",
    "unreadable-revision",
}
PATIENT = "op.execute(\"SET LOCAL lock_timeout = '2s'\")\n"


def configured(folder: Path, *versions: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder / name) for name in versions))
    return config


def corpus() -> Config:
    return configured(CORPUS, "base", "bad", "safe")


def executing(*sql: str) -> str:
    """The body of an upgrade; one text may hold several statements, separated by a semicolon and a new line."""
    return "\n".join(f"op.execute({statement!r})" for text in sql for statement in text.split(";\n"))


class Revisions:
    """Revisions on top of the corpus's tables, written by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(CORPUS / "base", folder / "base")
        shutil.copy(CORPUS / "env.py", folder)
        (folder / "versions").mkdir()
        self.config = configured(folder, "base", "versions")

    def write(self, body: str, *, top: str = "", name: str = "one", after: str | tuple[str, ...] = "tables") -> None:
        header = f"import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {name!r}\ndown_revision = {after!r}\n"
        header += "phase = 'expand'\n"
        upgrade = f"\n\ndef upgrade() -> None:\n{indent(body or 'pass', '    ')}\n"
        (self.folder / "versions" / f"{name}.py").write_text(header + top + upgrade)

    def paste(self, recipe: str) -> list[str]:
        """One revision for each part of it, with the assignments at the top of the file."""
        names: list[str] = []
        for number, part in enumerate(re.split(r"^# .*revision.*\n", recipe, flags=re.MULTILINE)):
            top = "".join(re.findall(r"^\w+ = .*\n", part, flags=re.MULTILINE))
            body = "import safestep\n" + re.sub(r"^\w+ = .*\n", "", part, flags=re.MULTILINE)
            timeout = "op.execute(\"SET lock_timeout = '2s'\")\n"
            self.write(timeout + body, top=top, name=f"step_{number}", after=names[-1] if names else "tables")
            names.append(f"step_{number}")
        return names

    def sql(self, name: str) -> list[str]:
        """What the revision runs."""
        directory = ScriptDirectory.from_config(self.config)
        statements = render(self.config, directory, directory.get_revision(name)).statements
        return [statement.text for statement in statements if statement.line]

    def lint(self, *names: str) -> Report:
        return lint(self.config, names or ["one"])

    def rules(self, body: str, top: str = "") -> list[str]:
        self.write(body, top=top)
        return [finding.rule for finding in self.lint().findings]

    def rules_of(self, *sql: str) -> list[str]:
        return self.rules(executing(*sql))


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return Revisions(tmp_path)


@pytest.fixture(scope="module")
def findings() -> dict[Path, list[Finding]]:
    """Those of the whole corpus, by file."""
    found = defaultdict(list)
    for finding in lint(corpus()).findings:
        found[Path(finding.file).absolute()].append(finding)
    return found


def fixture_of(kind: str, rule: str) -> Path:
    return CORPUS / kind / f"{rule.replace('-', '_')}.py"


@pytest.mark.parametrize("rule", KNOWN)
def test_a_bad_revision_is_found_at_its_line(rule: str, findings: dict[Path, list[Finding]]) -> None:
    file = fixture_of("bad", rule)
    assert [finding.rule for finding in findings[file]] == [rule]
    line = file.read_text().splitlines()[findings[file][0].line - 1].strip()
    assert line.startswith("lint_exceptions" if rule.startswith("exception") else ("op.", "if ", "from app"))
    assert rule == "lock-timeout-off" or line != PATIENT.strip()


@pytest.mark.parametrize("rule", KNOWN)
def test_a_safe_revision_raises_no_alarm(rule: str, findings: dict[Path, list[Finding]]) -> None:
    assert fixture_of("safe", rule).exists()
    assert findings[fixture_of("safe", rule)] == []


def test_the_corpus_holds_nothing_else(findings: dict[Path, list[Finding]]) -> None:
    expected = {fixture_of(kind, rule) for kind in ("bad", "safe") for rule in KNOWN}
    assert {*CORPUS.glob("*/*.py")} - expected == {CORPUS / "base" / "tables.py"}
    assert findings[CORPUS / "base" / "tables.py"] == []


def test_every_rule_of_ours_has_a_recipe() -> None:
    assert RULES.keys() | WHILE_READING == {rule for rule, recipe in KNOWN.items() if recipe.by == "postern"}


def binary() -> str:
    return shutil.which("squawk", path=squawk.places()) or ""


def decided() -> set[str]:
    """Squawk's rules that have a recipe, and those that we leave out with a reason."""
    excluded = set(tomllib.loads(squawk.CONFIG.read_text())["excluded_rules"])
    known = {rule for rule, recipe in KNOWN.items() if recipe.by == "squawk"}
    assert not known & excluded
    return known | excluded


def test_every_rule_of_squawk_is_decided_upon() -> None:
    """Squawk prints no list of its rules, but their names stand in a row in the program."""
    row = max(re.findall(rb"require-concurrent-index-creation[a-z-]+", Path(binary()).read_bytes()), key=len).decode()
    assert len(row) > 1000
    for rule in sorted(decided(), key=len, reverse=True):
        row = row.replace(rule, " ")
    assert row.split() == ["unused-ignore"], "which no comment can call for: they are taken out"


def test_every_rule_that_is_decided_upon_is_one_of_squawk() -> None:
    options = ["--exclude", ",".join(decided()), "--include", ",".join(decided())]
    done = subprocess.run([binary(), *options], input="SELECT 1;", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_rule_that_squawk_applies_to_the_corpus_is_decided_upon() -> None:
    config, directory = corpus(), ScriptDirectory.from_config(corpus())
    rendered = [render(config, directory, script).statements for script in directory.walk_revisions()]
    sql = ";\n".join(statement.text for statements in rendered for statement in statements)
    options = ["--config", os.devnull, "--reporter", "json"]
    done = subprocess.run([binary(), *options], input=f"{sql};", capture_output=True, text=True, check=False)
    found = {finding["rule_name"] for finding in json.loads(done.stdout)}
    assert len(found) > 20
    assert found <= decided()


@pytest.mark.parametrize("rule", [rule for rule, recipe in KNOWN.items() if recipe.code])
def test_a_recipe_raises_no_alarm(rule: str, revisions: Revisions) -> None:
    """Pasted as it stands: assignments at the top of the file, each part in a revision of its own."""
    names = revisions.paste(KNOWN[rule].code)
    # The one for exceptions is an example that needs something to except.
    assert {finding.rule for finding in revisions.lint(*names).findings} <= {"exception-unused"}


def test_a_rule_replaces_only_rules_that_exist() -> None:
    assert {other for recipe in KNOWN.values() for other in recipe.replaces} <= KNOWN.keys()


def test_the_documentation_has_the_table_of_all_rules() -> None:
    assert recipes.table() in DOCS.read_text(), "`postern db lint --rules` writes the table"


def test_the_shipped_revisions_are_safe() -> None:
    report = lint(migrations.config())
    assert report.revisions >= 1
    assert report.findings == []


# What the SQL is like, and what it is found to be: beyond the one example in the corpus.

FOUND = {
    "ALTER TABLE posts ADD COLUMN tag uuid REFERENCES tags": {
        "adding-foreign-key-constraint",
        "foreign-key-without-index",
    },
    "ALTER TABLE posts ADD COLUMN number bigserial PRIMARY KEY": {"adding-serial-primary-key-field"},
    "ALTER TABLE posts ADD COLUMN twice integer GENERATED ALWAYS AS (views * 2) STORED": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN number serial": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN number smallserial, ADD COLUMN a text": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN mail address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mail public.address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mail work_address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mood mood DEFAULT 'fair'": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN s other.state DEFAULT 'draft'": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN a integer DEFAULT 1, ADD COLUMN b float DEFAULT random()": {
        "adding-field-with-default"
    },
    "ALTER TABLE posts ADD COLUMN a float NOT NULL DEFAULT random()": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN a text DEFAULT lower(gen_random_uuid()::text)": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN a text DEFAULT mine.lower('X')": {"adding-field-with-default"},
    'ALTER TABLE posts ADD COLUMN a text COLLATE "C", ALTER COLUMN views SET EXPRESSION AS (1)': {"set-expression"},
    'ALTER TABLE posts ALTER COLUMN title TYPE varchar(400) COLLATE "C"': {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(400), ALTER COLUMN views TYPE bigint": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN views TYPE bigint, ALTER COLUMN title TYPE varchar(400)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(100)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN title TYPE text USING upper(title)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN body TYPE varchar(100)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN unknown TYPE text": {"changing-column-type"},
    "ALTER TABLE posts ADD COLUMN free varchar;\nALTER TABLE posts ALTER COLUMN free TYPE varchar(9)": {
        "changing-column-type"
    },
    "ALTER TABLE posts ADD CHECK (title <> '') NOT VALID;\nALTER TABLE posts ALTER COLUMN title TYPE text": {
        "changing-column-type"
    },
    "ALTER TABLE posts ADD COLUMN extra json[]": {"json-column"},
    "ALTER TABLE posts ALTER COLUMN title TYPE json USING title::json": {"changing-column-type", "json-column"},
    "ALTER TABLE posts ADD COLUMN a integer, SET LOGGED": {"set-logged"},
    "ALTER INDEX ix_posts_slug SET TABLESPACE fast": {"set-tablespace"},
    "ALTER TABLE ALL IN TABLESPACE slow SET TABLESPACE fast": {"set-tablespace"},
    "DROP TRIGGER stamp ON posts": set(),
    "CREATE TABLE part PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')": set(),
    "TRUNCATE ONLY public.posts CASCADE": {"truncate"},
    "DELETE FROM posts": {"unbatched-change"},
    "DELETE FROM posts WHERE id = '1' OR views = 0": {"unbatched-change"},
    "UPDATE posts SET views = (SELECT 1 LIMIT 1)": {"unbatched-change"},
    "UPDATE posts SET views = 0 WHERE id = author_id": {"unbatched-change"},
    "INSERT INTO tags SELECT id, name FROM users": {"unbatched-change"},
    "INSERT INTO tags SELECT id, name FROM users UNION SELECT id, title FROM posts": {"unbatched-change"},
    "MERGE INTO tags t USING users u ON t.id = u.id WHEN MATCHED THEN DELETE": {"unbatched-change"},
    "WITH gone AS (DELETE FROM posts RETURNING id) SELECT count(*) FROM gone": {"unbatched-change"},
    "DELETE FROM posts WHERE author_id IN (SELECT id FROM users LIMIT 100)": {"unbatched-change"},
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT ALL)": {"unbatched-change"},
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT 1000000)": {"unbatched-change"},
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT (SELECT count(*) FROM posts))": {"unbatched-change"},
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts)": {"unbatched-change"},
    "DELETE FROM posts WHERE id NOT IN (SELECT id FROM posts LIMIT 10)": {"unbatched-change"},
    "DELETE FROM posts WHERE id > ANY (SELECT id FROM posts LIMIT 10)": {"unbatched-change"},
    "DELETE FROM posts WHERE EXISTS (SELECT 1 FROM users LIMIT 1)": {"unbatched-change"},
    "DELETE FROM posts WHERE author_id = ANY (ARRAY(SELECT id FROM users LIMIT 10))": {"unbatched-change"},
    "DELETE FROM posts WHERE id = ANY (ARRAY(SELECT id FROM posts))": {"unbatched-change"},
    "DELETE FROM posts WHERE id = (SELECT posts.id)": {"unbatched-change"},
    "DELETE FROM posts WHERE id <> '1'": {"unbatched-change"},
    "DELETE FROM posts USING tags WHERE tags.id = '1'": {"unbatched-change"},
    "DELETE FROM posts p USING posts o WHERE p.id = o.id": {"unbatched-change"},
    "DELETE FROM posts USING tags TABLESAMPLE system (1) WHERE posts.id = tags.id": {"unbatched-change"},
    "UPDATE posts p SET views = 0 FROM tags t WHERE t.id = '1'": {"unbatched-change"},
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) AS batch": {"unbatched-change"},
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) b WHERE posts.author_id = b.id": {
        "unbatched-change"
    },
    "UPDATE posts SET views = 0 FROM (SELECT id FROM tags LIMIT 9) a, tags b WHERE posts.id = b.id": {
        "unbatched-change"
    },
    "WITH b AS (SELECT id FROM posts LIMIT 10) UPDATE posts SET views = 0": {"unbatched-change"},
    "WITH b AS (SELECT id FROM tags LIMIT 9) DELETE FROM posts WHERE id IN (SELECT id FROM users)": {
        "unbatched-change"
    },
    "WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT n FROM b) DELETE FROM posts WHERE id IN (SELECT n FROM b)": {
        "unbatched-change"
    },
    "WITH gone AS (DELETE FROM posts RETURNING *) INSERT INTO tags SELECT id, title FROM gone": {"unbatched-change"},
    "INSERT INTO tags SELECT id, name FROM users, (SELECT 1 LIMIT 1) AS one": {"unbatched-change"},
    "INSERT INTO tags SELECT id, name FROM users JOIN (SELECT 1 LIMIT 1) AS one ON true": {"unbatched-change"},
    "INSERT INTO tags SELECT unnest(ARRAY(SELECT id FROM users))": {"unbatched-change"},
    "INSERT INTO tags SELECT * FROM unnest(ARRAY(SELECT id FROM users))": {"unbatched-change"},
    "MERGE INTO tags t USING (SELECT id FROM users LIMIT 9) u ON true WHEN MATCHED THEN DELETE": {"unbatched-change"},
    "SELECT set_config('lock_timeout', '0', true)": {"lock-timeout-off"},
    "SET lock_timeout = '0ms'": {"lock-timeout-off"},
    "SET lock_timeout = '400us'": {"lock-timeout-off"},
    "SET lock_timeout = '2 s 3'": {"lock-timeout-off"},
    "SET lock_timeout = '1.2.3'": {"lock-timeout-off"},
    "SET lock_timeout = '1e999'": {"lock-timeout-off"},
    "SET lock_timeout = -1": {"lock-timeout-off"},
    "SET lock_timeout = 61000": {"lock-timeout-off"},
    "SET lock_timeout = '1 h'": {"lock-timeout-off"},
    "SET lock_timeout = '1d'": {"lock-timeout-off"},
    'SET "LOCK_TIMEOUT" = 0': {"lock-timeout-off"},
    "SELECT set_config('Lock_Timeout', '0', false)": {"lock-timeout-off"},
    "SELECT set_config('lock_timeout'::text, '0'::text, false)": {"lock-timeout-off"},
    "SELECT set_config(is_local => false, setting_name => 'lock_timeout', new_value => '0')": {"lock-timeout-off"},
    "SELECT set_config('lock_timeout', new_value => '0', is_local => true)": {"lock-timeout-off"},
    "ALTER ROLE app SET lock_timeout = 0": {"lock-timeout-off"},
    "ALTER ROLE app IN DATABASE posts SET lock_timeout TO '1h'": {"lock-timeout-off"},
    "ALTER DATABASE posts SET lock_timeout = 0": {"lock-timeout-off"},
    "ALTER FUNCTION f() SET lock_timeout = 0": {"lock-timeout-off"},
    "ALTER SYSTEM SET lock_timeout = 0": {"lock-timeout-off"},
    "ALTER TYPE state RENAME VALUE 'draft' TO 'sketch'": {"renaming-object"},
    "DO $$ BEGIN ALTER TABLE posts ADD COLUMN rank integer; END $$": {"hidden-ddl"},
    "DO $$ BEGIN IF true THEN DELETE FROM posts; END IF; END $$": {"unbatched-change"},
    "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP END LOOP; END $$": {"hidden-ddl"},
    "DO $$ BEGIN nonsense; END $$": {"hidden-ddl"},
    "DO LANGUAGE plpython3u 'pass'": {"hidden-ddl"},
    "DO LANGUAGE plpgsql 'BEGIN DROP VIEW slugs; END'": {"hidden-ddl"},
    "DO $$ DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE 'DROP TABLE tags'; END $$": {"hidden-ddl"},
    "PREPARE p AS DELETE FROM posts": {"unbatched-change"},
    "COPY (DELETE FROM posts RETURNING id) TO STDOUT": {"unbatched-change"},
    "EXPLAIN ANALYZE DELETE FROM posts": {"unbatched-change"},
    "VACUUM (FULL, ANALYZE) posts": {"vacuum-full"},
    "REFRESH MATERIALIZED VIEW counts WITH NO DATA": set(),
    "BEGIN": {"transaction-nesting"},
}

QUIET = [
    "ALTER INDEX ix_visits ATTACH PARTITION ix_visits_2026",
    "ALTER TABLE posts ADD COLUMN a bigint DEFAULT (1+2)",
    "ALTER TABLE posts ADD COLUMN a text DEFAULT lower('X')",
    "ALTER TABLE posts ADD COLUMN a text DEFAULT pg_catalog.lower('X'), ADD COLUMN b timestamptz DEFAULT now()",
    "ALTER TABLE posts ADD COLUMN a integer GENERATED ALWAYS AS (views * 2) VIRTUAL",
    "ALTER TABLE posts ADD COLUMN mood mood",
    "ALTER TABLE posts ADD COLUMN mail address[] DEFAULT '{}'",
    "ALTER TABLE posts ADD COLUMN s state DEFAULT 'draft'",
    "ALTER TABLE posts ADD COLUMN s span DEFAULT '(1,2)'",
    "ALTER TABLE posts ADD COLUMN s pair DEFAULT '(1,2)'",
    "ALTER TABLE posts ADD COLUMN name citext DEFAULT ''",
    "SET lock_timeout = 60000",
    "SET lock_timeout = ' 0.5 min '",
    "ALTER ROLE app SET lock_timeout = '2s'",
    "ALTER ROLE app RESET lock_timeout",
    "SELECT set_config('lock_timeout', '2s')",
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(201)",
    "ALTER TABLE posts ADD COLUMN language text DEFAULT 'en' NOT NULL",
    "ALTER TABLE posts ADD COLUMN extra jsonb",
    "ALTER TABLE posts ALTER COLUMN slug DROP NOT NULL",
    "ALTER TABLE posts DROP CONSTRAINT posts_body_check",
    "SELECT a FROM json_to_recordset('[]') AS x(a json)",
    "UPDATE posts SET views = 0 WHERE id IN ('1', '2') AND views IS NULL",
    "UPDATE posts SET views = 0 WHERE '1' = id",
    "UPDATE posts AS p SET views = 0 WHERE p.id = '1'::uuid",
    "UPDATE posts SET views = 0 WHERE id = ANY ('{1,2}')",
    "UPDATE posts SET views = 0 WHERE id IN (SELECT post_id FROM flags FETCH FIRST ROW ONLY)",
    "UPDATE posts SET views = 0 FROM users WHERE posts.id = '1' AND author_id = users.id",
    "UPDATE posts SET views = 0 FROM (SELECT author_id AS a FROM posts LIMIT 9) AS b WHERE id = a",
    "UPDATE posts SET views = 0 FROM (VALUES ('1', 2)) AS given (id, views) WHERE posts.id = given.id",
    "UPDATE posts SET views = 0 FROM tags t, (SELECT id FROM tags LIMIT 9) b WHERE b.id = posts.id AND t.id = b.id",
    "UPDATE posts SET views = 0 FROM tags t JOIN (SELECT id FROM tags LIMIT 9) b ON b.id = t.id WHERE posts.id = b.id",
    "DELETE FROM posts WHERE ctid IN (SELECT ctid FROM posts LIMIT 10)",
    "DELETE FROM posts WHERE id IN (SELECT id FROM (SELECT id FROM posts LIMIT 10) AS batch)",
    "WITH b AS (SELECT id FROM tags LIMIT 9), c AS (SELECT id FROM b) DELETE FROM tags WHERE id IN (SELECT id FROM c)",
    "WITH b AS (DELETE FROM posts WHERE id = '1' RETURNING id) INSERT INTO tags SELECT id FROM b",
    "MERGE INTO tags t USING (VALUES ('1')) AS v (id) ON t.id = v.id WHEN MATCHED THEN DELETE",
    "INSERT INTO tags SELECT '1', 'news' WHERE NOT EXISTS (SELECT 1 FROM tags WHERE name = 'news')",
    "INSERT INTO tags SELECT '1', 'news' WHERE '1' <> ALL (ARRAY(SELECT name FROM tags))",
    "INSERT INTO tags SELECT '1', 'a' UNION ALL SELECT '2', 'b'",
    "INSERT INTO tags DEFAULT VALUES",
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) AS batch WHERE posts.id = batch.id",
    "WITH batch AS (SELECT id FROM tags LIMIT 10) DELETE FROM tags USING batch WHERE tags.id = batch.id",
    "DELETE FROM posts WHERE id = ANY (ARRAY(SELECT id FROM posts LIMIT 10))",
    "INSERT INTO tags SELECT id, name FROM users LIMIT 10",
    "INSERT INTO tags (id) SELECT gen_random_uuid() FROM generate_series(1, 3)",
    "CREATE FUNCTION clear() RETURNS void BEGIN ATOMIC DELETE FROM posts; END",
    "DO $$ DECLARE n integer; BEGIN SELECT 1 INTO n; n := n + 1; IF n > 1 THEN RETURN; END IF; END $$",
    "PREPARE p AS DELETE FROM posts WHERE id = '1'",
    "COPY (SELECT id FROM posts) TO STDOUT",
    "COMMENT ON TABLE posts IS 'texts'",
    "GRANT SELECT ON posts TO reader",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
]


@pytest.mark.parametrize("sql", FOUND)
def test_sql_is_found_to_be_unsafe(sql: str, revisions: Revisions) -> None:
    assert {*revisions.rules_of("SET LOCAL lock_timeout = '2s'", sql)} == FOUND[sql]


@pytest.mark.parametrize("sql", QUIET)
def test_sql_is_left_alone(sql: str, revisions: Revisions) -> None:
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", sql) == []


NEW = "CREATE TABLE fresh (id uuid PRIMARY KEY, owner uuid, note json)"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX ix_fresh_owner ON fresh (owner)",
        "ALTER TABLE fresh ADD CHECK (owner IS NOT NULL)",
        "ALTER TABLE fresh ALTER COLUMN owner SET NOT NULL",
        "ALTER TABLE fresh SET UNLOGGED",
        "ALTER TABLE fresh RENAME COLUMN owner TO holder",
        "CREATE TRIGGER stamp BEFORE UPDATE ON fresh FOR EACH ROW EXECUTE FUNCTION stamp()",
        "UPDATE fresh SET owner = id",
        "WITH old AS (SELECT id FROM fresh) DELETE FROM fresh USING old WHERE fresh.id = old.id",
        "LOCK TABLE fresh",
        "TRUNCATE fresh",
        "DROP TRIGGER stamp ON fresh",
        "DROP TABLE fresh",
        "CREATE INDEX i ON fresh (owner);\nALTER INDEX i SET TABLESPACE fast",
    ],
)
def test_a_table_that_the_revision_creates_locks_nobody_out(sql: str, revisions: Revisions) -> None:
    assert revisions.rules_of(NEW.replace("json", "text"), sql) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (NEW, "json-column"),
        ("CREATE TABLE fresh (at timestamp)", "prefer-timestamp-tz"),
        ("CREATE TABLE fresh (code char(3))", "ban-char-field"),
        (f"CREATE TABLE fresh (a{'a' * 63} text)", "identifier-too-long"),
        ("CREATE TABLE fresh (id uuid REFERENCES fresh)", "foreign-key-without-index"),
        ("ALTER TYPE state ADD VALUE 'old';\nCREATE TABLE fresh (s state DEFAULT 'old')", "enum-value-used-early"),
        (
            "CREATE TABLE fresh (id uuid);\nCREATE INDEX CONCURRENTLY i ON fresh (id)",
            "ban-concurrent-index-creation-in-transaction",
        ),
    ],
)
def test_what_a_new_table_is_made_of_counts_nevertheless(sql: str, found: str, revisions: Revisions) -> None:
    assert revisions.rules_of(sql) == [found]


def test_a_table_is_in_use_until_it_is_dropped_though_the_revision_creates_it_anew(revisions: Revisions) -> None:
    patient = "SET LOCAL lock_timeout = '2s'"
    assert revisions.rules_of(patient, "TRUNCATE tags", "DROP TABLE tags", "CREATE TABLE tags (id uuid)") == [
        "truncate",
        "ban-drop-table",
        "destructive-not-marked",
    ]


# lock_timeout


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (["SET LOCAL lock_timeout = '2s'"], []),
        (["SET lock_timeout TO 1500"], []),
        (["SELECT set_config('lock_timeout', '2s', false)"], []),
        (["SELECT set_config(new_value => '2s', setting_name => 'Lock_timeout', is_local => true)"], []),
        (["ALTER ROLE app SET lock_timeout = '2s'"], ["lock-without-timeout"]),
        (["SELECT set_config('lock_timeout', current_setting('my.timeout'), false)"], []),
        ([], ["lock-without-timeout"]),
        (["SET statement_timeout = '2s'"], ["lock-without-timeout"]),
        (["SET LOCAL lock_timeout = '2s'", "RESET lock_timeout"], ["lock-without-timeout"]),
        (["SET LOCAL lock_timeout = '2s'", "SET lock_timeout TO DEFAULT"], ["lock-without-timeout"]),
        (["SET lock_timeout = '2s'", "RESET ALL"], ["lock-without-timeout"]),
    ],
)
def test_a_strong_lock_needs_a_timeout(settings: list[str], found: list[str], revisions: Revisions) -> None:
    assert revisions.rules_of(*settings, "DROP TRIGGER stamp ON posts") == found


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE POLICY own ON posts USING (true)",
        "DROP POLICY own ON posts",
        "CREATE RULE quiet AS ON DELETE TO posts DO INSTEAD NOTHING",
        "CREATE TABLE likes (id uuid PRIMARY KEY REFERENCES posts)",
        "CREATE TABLE likes (id uuid PRIMARY KEY, FOREIGN KEY (id) REFERENCES posts)",
        "CREATE TABLE part PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
        "CREATE TABLE child () INHERITS (posts)",
        "ALTER TABLE posts ADD COLUMN extra text",
        "ALTER TABLE posts VALIDATE CONSTRAINT posts_body_check, ADD COLUMN extra text",
        "ALTER TABLE visits ATTACH PARTITION visits_2026 DEFAULT",
        "DROP INDEX ix_posts_slug",
        "VACUUM FULL posts",
        "LOCK TABLE posts IN SHARE MODE",
        "REINDEX TABLE posts",
    ],
)
def test_these_lock_others_out(sql: str, revisions: Revisions) -> None:
    assert "lock-without-timeout" in revisions.rules_of(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE posts VALIDATE CONSTRAINT posts_body_check",
        "ALTER TABLE posts ALTER COLUMN slug SET STATISTICS 1000",
        "ALTER TABLE posts SET (autovacuum_vacuum_scale_factor = 0.01)",
        "ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY",
        "ALTER INDEX ix_posts_slug RENAME TO ix_slug",
        "ALTER FUNCTION f RENAME TO g",
        "LOCK TABLE posts IN SHARE UPDATE EXCLUSIVE MODE",
        "REINDEX (CONCURRENTLY) TABLE posts",
        "VACUUM posts",
        "ANALYZE posts",
        "CREATE STATISTICS s ON slug, title FROM posts",
    ],
)
def test_these_let_others_pass(sql: str, revisions: Revisions) -> None:
    assert "lock-without-timeout" not in revisions.rules_of(sql)


def test_statements_outside_of_transactions_keep_no_lock_for_each_other(revisions: Revisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN language text")
    op.execute("UPDATE posts SET language = 'en' WHERE id IN (SELECT id FROM posts LIMIT 1000)")
"""
    assert revisions.rules(body) == []


def test_an_index_of_a_new_table_goes_without_harm(revisions: Revisions) -> None:
    assert revisions.rules_of("CREATE TABLE fresh (id uuid)", "CREATE INDEX i ON fresh (id)", "DROP INDEX i") == []


def test_what_only_squawk_cannot_read_is_no_fault(revisions: Revisions, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = {"rule_name": "syntax-error", "line": 1, "message": "expected something else"}
    monkeypatch.setattr(squawk, "_run", lambda _sql: [finding])
    assert revisions.rules_of("SELECT 1") == []


def test_an_enum_that_the_revision_creates_may_be_used_at_once(revisions: Revisions) -> None:
    create, add = "CREATE TYPE mood AS ENUM ('fair')", "ALTER TYPE mood ADD VALUE 'good'"
    assert revisions.rules_of(create, add, "SELECT 'good'::mood") == []


def test_a_value_may_be_used_in_a_later_transaction(revisions: Revisions) -> None:
    body = "op.execute(\"ALTER TYPE state ADD VALUE 'old'\")\nwith op.get_context().autocommit_block():\n    pass\n"
    assert revisions.rules(f"{body}op.execute(\"SELECT 'old'::state\")") == []


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("SET LOCAL lock_timeout = '2s'", ["lock-without-timeout"]),
        ("SELECT set_config('lock_timeout', '2s', true)", ["lock-without-timeout"]),
        ("SET lock_timeout = '2s'", []),
        ("SELECT set_config('lock_timeout', '2s', false)", []),
    ],
)
def test_a_local_timeout_ends_with_its_transaction(setting: str, found: list[str], revisions: Revisions) -> None:
    block = "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')\n"
    body = f"op.execute({setting!r})\n{block}op.execute('DROP TRIGGER stamp ON posts')"
    assert revisions.rules(body) == found


def test_a_local_timeout_means_nothing_outside_of_a_transaction(revisions: Revisions) -> None:
    body = "with op.get_context().autocommit_block():\n"
    body += indent(PATIENT + "op.execute('DROP TRIGGER stamp ON posts')", "    ")
    assert revisions.rules(body) == ["lock-without-timeout"]


def test_a_timeout_of_the_environment_counts(revisions: Revisions) -> None:
    environment = (revisions.folder / "env.py").read_text()
    setting = "context.static_output(\"SET lock_timeout = '2s';\")\n"
    (revisions.folder / "env.py").write_text(environment.replace("with context.begin", f"{setting}with context.begin"))
    assert revisions.rules_of("DROP TRIGGER stamp ON posts") == []


# What functions do when they are called

CLEAR = "CREATE FUNCTION clear() RETURNS integer"
PLPGSQL = f"{CLEAR} LANGUAGE plpgsql AS $$ BEGIN"


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (f"{CLEAR} LANGUAGE sql AS 'DROP VIEW slugs; SELECT 1'", "hidden-ddl"),
        (f"{CLEAR} AS 'DELETE FROM posts RETURNING 1' LANGUAGE sql", "unbatched-change"),
        (f"{CLEAR} BEGIN ATOMIC DELETE FROM posts; SELECT 1; END", "unbatched-change"),
        (f"{PLPGSQL} DROP VIEW slugs; RETURN 1; END $$", "hidden-ddl"),
        (f"{PLPGSQL} EXECUTE 'DROP VIEW slugs'; RETURN 1; END $$", "hidden-ddl"),
        (f"{PLPGSQL} DELETE FROM posts; RETURN 1; END $$", "unbatched-change"),
        (f"{PLPGSQL} nonsense; RETURN 1; END $$", "hidden-ddl"),
        (f"{CLEAR} LANGUAGE plpython3u AS 'pass'", "hidden-ddl"),
        (f"{PLPGSQL} RETURN 1; END $$", None),
        (f"{PLPGSQL} DELETE FROM posts WHERE id = '1'; RETURN clear(); END $$", None),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        "SELECT clear()",
        "CALL public.clear()",
        "UPDATE posts SET views = clear() WHERE id = '1'",
        "DO $$ BEGIN PERFORM clear(); END $$",
        "DO $$ BEGIN CALL clear(); END $$",
        "DO $$ DECLARE n integer := clear(); BEGIN END $$",
        "DO $$ DECLARE n integer; BEGIN n := clear(); END $$",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT clear() LOOP END LOOP; END $$",
        "DO $$ BEGIN IF clear() > 1 THEN RETURN; END IF; END $$",
    ],
)
def test_what_a_function_does_is_seen_where_it_is_called(
    function: str, found: str | None, call: str, revisions: Revisions
) -> None:
    assert {*revisions.rules_of(function, call)} == ({found} if found else set())
    assert revisions.rules_of(function) == []


def test_a_function_of_an_earlier_revision_is_known(revisions: Revisions) -> None:
    revisions.write(f"op.execute({f'{PLPGSQL} DELETE FROM posts; RETURN 1; END $$'!r})", name="zero")
    revisions.write("op.execute('SELECT clear()')", after="zero")
    assert [finding.rule for finding in revisions.lint().findings] == ["unbatched-change"]


@pytest.mark.parametrize(
    "mention",
    [
        "CREATE TRIGGER t BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION clear()",
        "ALTER TABLE posts ALTER COLUMN views SET DEFAULT clear()",
        "COMMENT ON FUNCTION clear IS 'SELECT clear()'",
    ],
)
def test_a_function_that_is_only_mentioned_does_nothing(mention: str, revisions: Revisions) -> None:
    function = f"{PLPGSQL} DELETE FROM posts; RETURN 1; END $$"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", function, mention) == []


# What earlier revisions and transactions say


def test_an_index_of_an_earlier_revision_serves_a_foreign_key(revisions: Revisions) -> None:
    block = "with op.get_context().autocommit_block():\n"
    create = "    op.create_index('ix_posts_author', 'posts', ['author_id'], postgresql_concurrently=True)"
    key = PATIENT + "op.execute('ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users NOT VALID')"
    revisions.write(key, name="one", after="zero")
    revisions.write(block + create, name="zero")
    assert revisions.lint("one").findings == []
    revisions.write("", name="zero")
    assert [finding.rule for finding in revisions.lint("one").findings] == ["foreign-key-without-index"]


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX i ON likes (post_id) WHERE liked",
        "CREATE INDEX i ON likes (liked, post_id)",
        "CREATE INDEX i ON likes USING brin (post_id)",
        "CREATE INDEX i ON likes ((post_id::text))",
        "CREATE INDEX i ON likes (post_id);\nDROP INDEX i",
    ],
)
def test_an_index_that_a_foreign_key_cannot_use_does_not_count(index: str, revisions: Revisions) -> None:
    table = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts, liked boolean)"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", table, index) == ["foreign-key-without-index"]


def test_a_check_that_was_only_added_does_not_prove_not_null(revisions: Revisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT c CHECK (slug IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE posts ALTER COLUMN slug SET NOT NULL")
"""
    assert revisions.rules(body) == ["adding-not-nullable-field"]


TO_2026 = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
BOUNDS = "at >= '2026-01-01' AND at < '2027-01-01'"


@pytest.mark.parametrize(
    ("table", "bounds", "lacks"),
    [
        (f"(at date NOT NULL, CHECK ({BOUNDS}))", TO_2026, None),
        (f"(at date PRIMARY KEY, CHECK ({BOUNDS}))", TO_2026, None),
        (f"(at date, CHECK (at IS NOT NULL AND {BOUNDS}))", TO_2026, None),
        ("(at date CHECK (at IS NOT NULL) CHECK (at >= DATE '2026-01-01') CHECK (at < '2027-01-01'))", TO_2026, None),
        ("(at date NOT NULL CHECK (at > '2026-01-01' AND at < '2027-01-01'))", TO_2026, None),
        ("(at date NOT NULL CHECK (at < '2027-01-01'))", "FOR VALUES FROM (MINVALUE) TO ('2027-01-01')", None),
        ("(at date NOT NULL CHECK (at IN ('2026-01-01')))", "FOR VALUES IN ('2026-01-01', '2026-01-02')", None),
        ("(at date NOT NULL CHECK (at = '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", None),
        ("(at date NOT NULL CHECK (at = ANY (ARRAY['2026-01-01']::date[])))", "FOR VALUES IN ('2026-01-01')", None),
        ("(at date CHECK (at < '2026-01-01'))", "DEFAULT", None),
        (f"(at date CHECK ({BOUNDS}))", TO_2026, "at may be null"),
        (f"(at date, CHECK (at IS NOT NULL OR {BOUNDS}))", TO_2026, "at may be null"),
        ("(at date CHECK (at = '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", "at may be null"),
        ("(at date NOT NULL)", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2026-01-01'))", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at < '2027-01-01'))", TO_2026, "no valid check has its bounds"),
        (f"(at date NOT NULL, CHECK ({BOUNDS} OR true))", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2025-01-01' AND at < '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2026-01-01' AND at <= '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL, b date CHECK (b >= '2026-01-01' AND b < '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL CHECK (at IN ('2026-01-01', '2026-01-03')))", "FOR VALUES IN ('2026-01-01')", "bounds"),
        ("(at date NOT NULL CHECK (at <> '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", "has its bounds"),
        ("(at date NOT NULL, b text CHECK (b IN ('x')))", "FOR VALUES IN ('x')", "has its bounds"),
        ("(at date, path text CHECK (path <> ''))", "DEFAULT", "no valid check is about its key"),
        ("(at date)", "DEFAULT", "no valid check is about its key"),
    ],
)
def test_a_partition_is_attached_without_a_scan_when_its_constraints_say_enough(
    table: str, bounds: str, lacks: str | None, revisions: Revisions
) -> None:
    revisions.write(f"op.execute({f'CREATE TABLE part {table}'!r})", name="zero")
    revisions.write(PATIENT + f"op.execute({f'ALTER TABLE visits ATTACH PARTITION part {bounds}'!r})", after="zero")
    messages = [finding.message for finding in revisions.lint().findings if finding.rule == "attach-partition-scans"]
    assert len(messages) == (1 if lacks else 0)
    assert lacks is None or lacks in messages[0]


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS}) NOT VALID", "ALTER TABLE part ALTER at SET NOT NULL"], "bounds"),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ALTER at SET NOT NULL"], None),
        (
            [
                f"ALTER TABLE part ADD CHECK ({BOUNDS})",
                "ALTER TABLE part ALTER at SET NOT NULL",
                "ALTER TABLE part ALTER at DROP NOT NULL",
            ],
            "at may be null",
        ),
        (
            [
                f"ALTER TABLE part ADD CHECK ({BOUNDS})",
                "CREATE UNIQUE INDEX pk ON part (at)",
                "ALTER TABLE part ADD PRIMARY KEY USING INDEX pk",
            ],
            None,
        ),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ADD CONSTRAINT n NOT NULL at NOT VALID"], "null"),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ADD CONSTRAINT n NOT NULL at"], None),
        (["ALTER TABLE part ALTER at SET NOT NULL", "ALTER TABLE part RENAME at TO day"], "at may be null"),
    ],
)
def test_what_later_statements_say_of_a_partition_counts(
    changes: list[str], lacks: str | None, revisions: Revisions
) -> None:
    sql = ["CREATE TABLE part (at date)", *changes]
    revisions.write(executing(*sql), name="zero")
    attach = f"op.execute({f'ALTER TABLE visits ATTACH PARTITION part {TO_2026}'!r})"
    revisions.write(PATIENT + attach, after="zero")
    messages = [finding.message for finding in revisions.lint().findings]
    assert len(messages) == (1 if lacks else 0)
    assert lacks is None or lacks in messages[0]


def test_the_key_of_a_partition_that_is_not_known_asks_for_any_check(revisions: Revisions) -> None:
    attach = f"ALTER TABLE unknown ATTACH PARTITION posts {TO_2026}"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", attach) == []
    attach = f"ALTER TABLE unknown ATTACH PARTITION tags {TO_2026}"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", attach) == ["attach-partition-scans"]


IMPLIED = 'partition constraint for table "visits_2026" is implied by existing constraints'


async def notices(url: URL, *statements: str) -> list[str]:
    """What PostgreSQL says when it runs these, each alone."""
    said: list[str] = []
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        await connection.execute("SET client_min_messages = debug1")
        for statement in statements:
            await connection.execute(statement.encode())
    return said


async def test_postgresql_reads_no_row_of_a_partition_that_is_attached_by_the_recipe(
    template: URL, revisions: Revisions
) -> None:
    tables = [sql for sql in revisions.sql("tables") if "visits" in sql]
    (name,) = revisions.paste(KNOWN["attach-partition-scans"].code)
    async with Clone(template) as url:
        assert IMPLIED in await notices(url, *tables, *revisions.sql(name))


async def test_postgresql_reads_a_partition_whose_key_may_be_null(template: URL, revisions: Revisions) -> None:
    tables = [sql for sql in revisions.sql("tables") if "visits" in sql]
    attach = f"ALTER TABLE visits ATTACH PARTITION visits_2026 {TO_2026}"
    async with Clone(template) as url:
        said = await notices(url, *tables, f"ALTER TABLE visits_2026 ADD CHECK ({BOUNDS})", attach)
    assert IMPLIED not in said
    assert 'verifying table "visits_2026"' in said


@pytest.mark.parametrize(
    ("key", "condition", "is_batch"),
    [
        ("ALTER TABLE users ADD UNIQUE (email)", "email = 'a'", True),
        ("CREATE UNIQUE INDEX i ON users (email)", "email IN ('a', 'b')", True),
        ("CREATE UNIQUE INDEX i ON users (email) WHERE email IS NOT NULL", "email = 'a'", True),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a' AND name = 'b'", True),
        (
            "ALTER TABLE users ADD UNIQUE (email, name)",
            "(email, name) IN (SELECT email, name FROM users LIMIT 9)",
            True,
        ),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a'", False),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a' OR name = 'b'", False),
        ("ALTER TABLE users ADD UNIQUE (email)", "email LIKE 'a%'", False),
        ("ALTER TABLE users ADD UNIQUE (email)", "email = name", False),
        ("CREATE INDEX i ON users (email)", "email = 'a'", False),
        ("CREATE UNIQUE INDEX i ON users (email) WHERE name = ''", "email = 'a'", False),
        ("CREATE UNIQUE INDEX i ON users (lower(email))", "email = 'a'", False),
        (
            "CREATE UNIQUE INDEX i ON users (email);\nDROP INDEX i;\nCREATE INDEX i ON users (email)",
            "email = 'a'",
            False,
        ),
    ],
)
def test_a_row_may_be_named_by_any_key_of_its_table(
    key: str, condition: str, is_batch: bool, revisions: Revisions
) -> None:
    revisions.write(executing(key), name="zero")
    revisions.write(f"op.execute({f'DELETE FROM users WHERE {condition}'!r})", after="zero")
    assert [finding.rule for finding in revisions.lint().findings] == ([] if is_batch else ["unbatched-change"])


ALONE = "with op.get_context().autocommit_block():\n"


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["CREATE INDEX CONCURRENTLY i ON posts (title)"], ["concurrently-by-hand"]),
        (["CREATE INDEX CONCURRENTLY ON posts (title)"], ["concurrently-by-hand"]),
        (["CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON posts (title)"], ["concurrent-index-if-not-exists"]),
        (["DROP INDEX CONCURRENTLY IF EXISTS i", "CREATE INDEX CONCURRENTLY i ON posts (title)"], []),
        (
            ["DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON posts (title)"],
            ["concurrently-by-hand"],
        ),
        (
            ["DROP INDEX CONCURRENTLY IF EXISTS other", "CREATE INDEX CONCURRENTLY i ON posts (title)"],
            ["concurrently-by-hand"],
        ),
        (["REINDEX INDEX CONCURRENTLY ix_posts_slug"], ["concurrently-by-hand"]),
        (["REINDEX (CONCURRENTLY) TABLE posts"], ["concurrently-by-hand"]),
        (["REFRESH MATERIALIZED VIEW CONCURRENTLY counts"], ["concurrently-by-hand"]),
    ],
)
def test_what_runs_concurrently_is_safe_to_repeat(
    statements: list[str], found: list[str], revisions: Revisions
) -> None:
    body = ALONE + "\n".join(f"    op.execute({statement!r})" for statement in statements)
    assert revisions.rules(body) == found
    # What has no phase is older than the mark, sealed, and can't be written anew.
    assert "concurrently-by-hand" not in revisions.rules(body, top="del phase\n")


@pytest.mark.parametrize(
    ("sql", "constrained"),
    [
        ("CREATE DOMAIN code AS text", False),
        ("CREATE DOMAIN code AS text DEFAULT 'x'", False),
        ("CREATE DOMAIN code AS text NOT NULL", True),
        ("CREATE DOMAIN code AS text CHECK (value <> '')", True),
        ("CREATE DOMAIN code AS address", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code ADD CHECK (value <> '') NOT VALID", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code SET NOT NULL", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code SET DEFAULT ''", False),
    ],
)
def test_a_domain_has_the_constraints_that_the_revisions_gave_it(
    sql: str, constrained: bool, revisions: Revisions
) -> None:
    revisions.write(executing(sql), name="zero")
    revisions.write(PATIENT + "op.execute('ALTER TABLE posts ADD COLUMN code code')", after="zero")
    assert [finding.rule for finding in revisions.lint().findings] == ["adding-field-rewrites"] * constrained


def test_a_foreign_key_that_is_gone_in_the_end_needs_no_index(revisions: Revisions) -> None:
    create = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts)"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", create, "DROP TABLE likes") == []


def test_a_check_that_was_dropped_proves_nothing(revisions: Revisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT c CHECK (slug IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE posts VALIDATE CONSTRAINT c")
"""
    revisions.write(body, name="zero")
    revisions.write(PATIENT + "op.alter_column('posts', 'slug', nullable=False)", after="zero")
    assert revisions.lint().findings == []
    revisions.write(body + "    op.execute('ALTER TABLE posts DROP CONSTRAINT c')", name="zero")
    assert [finding.rule for finding in revisions.lint().findings] == ["adding-not-nullable-field"]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["slug"], []),
        (["slug", "title"], ["adding-not-nullable-field"]),
        (["title", "slug"], ["adding-not-nullable-field"]),
    ],
)
def test_every_column_that_a_statement_makes_not_null_is_proven(
    columns: list[str], found: list[str], revisions: Revisions
) -> None:
    revisions.write("op.execute('ALTER TABLE posts ADD CHECK (slug IS NOT NULL AND views > 0)')", name="zero")
    changes = ", ".join(f"ALTER {column} SET NOT NULL" for column in columns)
    revisions.write(PATIENT + f"op.execute('ALTER TABLE posts {changes}')", after="zero")
    assert [finding.rule for finding in revisions.lint().findings] == found


def test_a_column_has_the_type_that_it_was_given_last(revisions: Revisions) -> None:
    widened = "ALTER TABLE posts ALTER COLUMN title TYPE varchar(400)"
    narrowed = "ALTER TABLE posts ALTER COLUMN title TYPE varchar(300)"
    patient = "SET LOCAL lock_timeout = '2s'"
    assert revisions.rules_of(patient, widened, narrowed) == ["changing-column-type"]


def test_an_index_that_became_a_constraint_serves_a_foreign_key(revisions: Revisions) -> None:
    table = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts)"
    index = "CREATE UNIQUE INDEX uq_likes ON likes (post_id)"
    constraint = "ALTER TABLE likes ADD CONSTRAINT uq_likes UNIQUE USING INDEX uq_likes"
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", table, index, constraint) == []


def test_names_follow_a_rename(revisions: Revisions) -> None:
    body = (
        PATIENT + "op.rename_table('posts', 'articles')\nop.alter_column('articles', 'title', new_column_name='head')"
    )
    revisions.write(body, name="zero")
    revisions.write(PATIENT + "op.alter_column('articles', 'head', type_=sa.String(300))", after="zero")
    assert revisions.lint().findings == []


def test_a_merge_knows_the_tables_of_both_branches(revisions: Revisions) -> None:
    revisions.write("op.execute('CREATE TABLE a (x varchar(10))')", name="left")
    revisions.write("op.execute('CREATE TABLE b (y varchar(10))')", name="right")
    widen = "op.alter_column('a', 'x', type_=sa.String(20))\nop.alter_column('b', 'y', type_=sa.String(20))"
    revisions.write(PATIENT + widen, after=("left", "right"))
    assert revisions.lint().findings == []


def test_a_branch_does_not_know_the_other(revisions: Revisions) -> None:
    revisions.write("op.execute('CREATE TABLE a (x varchar(10))')", name="left")
    assert revisions.rules(PATIENT + "op.alter_column('a', 'x', type_=sa.String(20))") == ["changing-column-type"]


# Where a statement comes from


def test_a_finding_names_the_call_that_wrote_its_statement(revisions: Revisions) -> None:
    body = "for name in ('posts', 'tags'):\n    clear(\n        name\n    )"
    top = "\n\ndef clear(name: str) -> None:\n    op.execute(\n        f'TRUNCATE {name}'\n    )\n"
    revisions.write(PATIENT + body, top=top)
    found = revisions.lint().findings
    lines = (revisions.folder / "versions" / "one.py").read_text().splitlines()
    assert [lines[finding.line - 1].strip() for finding in found] == ["op.execute("] * 2
    assert [finding.sql for finding in found] == ["TRUNCATE posts", "TRUNCATE tags"]


def test_an_upgrade_that_needs_a_database_is_found_at_the_deepest_line(revisions: Revisions) -> None:
    top = "\n\ndef count() -> int:\n    return op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n"
    revisions.write("if count():\n    op.execute('TRUNCATE posts')", top=top)
    (finding,) = revisions.lint().findings
    assert finding.rule == "needs-connection"
    assert "scalar_one" in (revisions.folder / "versions" / "one.py").read_text().splitlines()[finding.line - 1]


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
    file: str, line: int, message: str, revisions: Revisions
) -> None:
    (revisions.folder / "versions" / "one.py").write_text(file)
    (finding,) = revisions.lint().findings
    assert (Path(finding.file).name, finding.line, finding.rule) == ("one.py", line, "unreadable-revision")
    assert message in finding.message


@pytest.mark.filterwarnings("ignore:Revision nope referenced")
def test_a_revision_after_none_that_exists_is_a_finding(revisions: Revisions) -> None:
    revisions.write("", after="nope")
    (finding,) = revisions.lint().findings
    assert (finding.rule, finding.message) == ("unreadable-revision", "KeyError: 'nope'")


def test_a_revision_may_be_written_in_another_encoding(revisions: Revisions) -> None:
    revisions.write("op.execute('SELECT 1')")
    file = revisions.folder / "versions" / "one.py"
    file.write_text(f"# coding: latin-1\n# Größe\n{file.read_text()}", encoding="latin-1")
    assert revisions.lint().findings == []


def test_a_name_that_is_missing_when_the_upgrade_runs_is_found_at_its_line(revisions: Revisions) -> None:
    revisions.write("op.execute('SELECT 1')\nnothing_there()")
    assert [(finding.line, finding.rule) for finding in revisions.lint().findings] == [(11, "unreadable-revision")]


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
def test_a_revision_does_not_ask_whether_it_is_only_printed(top: str, body: str, revisions: Revisions) -> None:
    assert revisions.rules(body, top=top) == ["offline-branch"]


@pytest.mark.parametrize(
    "sql",
    [
        "-- squawk-ignore-file\nDROP INDEX ix_posts_slug",
        "DROP INDEX -- squawk-ignore-file\nix_posts_slug",
        "DROP INDEX /* squawk-ignore require-concurrent-index-deletion */ ix_posts_slug",
    ],
)
def test_a_comment_in_the_sql_switches_nothing_off(sql: str, revisions: Revisions) -> None:
    assert revisions.rules_of("SET LOCAL lock_timeout = '2s'", sql) == ["require-concurrent-index-deletion"]


def test_several_statements_in_one_call_and_letters_of_more_bytes_are_told_apart(revisions: Revisions) -> None:
    sql = "COMMENT ON TABLE posts IS 'Größe; ✓';\n\nTRUNCATE posts;\nDROP INDEX\nix_posts_slug;\nDROP VIEW slugs"
    revisions.write(PATIENT + f"op.execute({sql!r})")
    found = {finding.rule: finding.sql for finding in revisions.lint().findings}
    assert found == {
        "ban-drop-view": "DROP VIEW slugs",
        "require-concurrent-index-deletion": "DROP INDEX ix_posts_slug",
        "several-statements": "",
        "truncate": "TRUNCATE posts",
    }


# Exceptions and phases


def test_an_exception_with_a_reason_is_listed(revisions: Revisions) -> None:
    top = 'lint_exceptions: dict[str, str] = {"truncate": "it is empty before the release"}\n'
    revisions.write(PATIENT + "op.execute('TRUNCATE tags')", top=top)
    report = revisions.lint()
    assert report.findings == []
    assert [(e.rule, e.reason, e.line) for e in report.exemptions] == [
        ("truncate", "it is empty before the release", 7)
    ]
    assert "truncate - it is empty before the release" in report.for_people()


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        ("{'truncate': ''}", "exception-without-reason"),
        ("{'truncate': None}", "exception-without-reason"),
        ("['truncate']", "exception-without-reason"),
        ("{'truncate': 'why', 'cluster': 'why'}", "exception-unused"),
        ("{'truncate': 'why', 'no-such-rule': 'why'}", "exception-unused"),
    ],
)
def test_an_exception_that_says_nothing_is_a_finding(claimed: str, found: str, revisions: Revisions) -> None:
    rules = revisions.rules(PATIENT + "op.execute('TRUNCATE tags')", top=f"lint_exceptions = {claimed}\n")
    assert found in rules
    assert {exemption.rule for exemption in revisions.lint().exemptions} <= {"truncate"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [("no-such-rule", "there is no rule no-such-rule"), ("cluster", "cluster finds nothing in this revision")],
)
def test_an_unused_exception_says_why_it_is(rule: str, message: str, revisions: Revisions) -> None:
    revisions.write("op.execute('SELECT 1')", top=f"lint_exceptions = {{{rule!r}: 'why'}}\n")
    assert [finding.message for finding in revisions.lint().findings] == [message]


def test_a_contract_revision_may_drop_but_not_stall(revisions: Revisions) -> None:
    body = PATIENT + "op.drop_column('posts', 'views')\nop.drop_index('ix_posts_slug', 'posts')"
    top = "phase = 'contract'\ndestructive = True\n"
    assert revisions.rules(body, top=top) == ["require-concurrent-index-deletion"]
    assert "ban-drop-column" in revisions.rules(body, top="phase = 'expand'\n")


@pytest.mark.parametrize(
    ("sql", "is_destructive"),
    [
        ("DROP TABLE tags", True),
        ("ALTER TABLE posts ADD COLUMN a text, DROP COLUMN views", True),
        ("DROP TYPE state CASCADE", True),
        ("DROP DOMAIN short CASCADE", True),
        ("DROP EXTENSION hstore CASCADE", True),
        ("DROP TYPE state", False),
        ("DROP VIEW slugs CASCADE", False),
        ("DROP FUNCTION stamp CASCADE", False),
        ("ALTER TABLE posts DROP CONSTRAINT posts_body_check", False),
    ],
)
def test_a_contract_revision_that_drops_data_says_so(sql: str, is_destructive: bool, revisions: Revisions) -> None:
    body = f"{PATIENT}op.execute({sql!r})"
    for mark in ("", "destructive = False\n"):
        rules = revisions.rules(body, top=f"phase = 'contract'\n{mark}")
        assert ("destructive-not-marked" in rules) is is_destructive
    assert "destructive-not-marked" not in revisions.rules(body, top="phase = 'contract'\ndestructive = True\n")


def test_a_table_that_comes_and_goes_in_one_revision_destroys_nothing(revisions: Revisions) -> None:
    assert revisions.rules_of("CREATE TABLE fresh (id uuid)", "DROP TABLE fresh") == []


# Reports, the command and the gate


def test_a_report_says_what_is_locked_and_what_to_write(revisions: Revisions) -> None:
    revisions.write(PATIENT + "op.create_index('ix_posts_title', 'posts', ['title'])")
    report = revisions.lint()
    text, (machine,) = report.for_people(), json.loads(report.for_machines())["findings"]
    assert "one.py:11: require-concurrent-index-creation" in text
    assert "Lock: SHARE on the table. Blocks: writes" in text
    assert "safestep.add_index_concurrently(" in text
    assert machine["line"] == 11
    assert machine["lock"] == "SHARE on the table"
    assert machine["recipe"].startswith("safestep.")
    assert text.endswith("1 finding in 1 revision, 0 exceptions")


def test_a_long_statement_is_cut_short(revisions: Revisions) -> None:
    revisions.write(PATIENT + f"op.execute('TRUNCATE posts, {'tags, ' * 50} users')")
    assert len(revisions.lint().findings[0].sql) == 100


def test_a_rule_that_a_newer_squawk_brings_is_reported_without_a_recipe() -> None:
    report = Report(1, [Finding("a.py", 1, "ban-mondays", "Not today.")], [])
    assert "See squawk's documentation of ban-mondays." in report.for_people()


def test_an_unknown_revision_is_refused() -> None:
    for name in ("nope", "base"):
        with pytest.raises(UnknownRevision):
            lint(corpus(), [name])


def test_the_command_exits_with_0_1_or_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "config", corpus)
    run = CliRunner().invoke
    assert run(cli, ["db", "lint", "safe_truncate"]).exit_code == 0
    bad = run(cli, ["db", "lint", "--json", "bad_truncate", "bad_cluster"])
    assert bad.exit_code == 1
    assert {finding["rule"] for finding in json.loads(bad.output)["findings"]} == {"truncate", "cluster"}
    assert run(cli, ["db", "lint", "nope"]).exit_code == 2
    assert recipes.table() in run(cli, ["db", "lint", "--rules"]).output


def test_the_gate_closes_on_an_unsafe_revision(revisions: Revisions) -> None:
    root = revisions.folder / "root"
    shutil.copytree(CORPUS / "base", root / "alembic" / "versions")
    shutil.copy(CORPUS / "env.py", root / "alembic")
    shutil.copy(migrations.ROOT / "alembic.ini", root)
    safe_to_run(root)
    shutil.copy(fixture_of("bad", "truncate"), root / "alembic" / "versions")
    with pytest.raises(GateClosed, match="truncate"):
        safe_to_run(root)


def test_squawk_missing_or_broken_is_said_in_a_line(
    revisions: Revisions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(squawk, "places", lambda: str(tmp_path))
    with pytest.raises(CommandError, match="squawk isn't installed"):
        revisions.rules_of("SELECT 1")
    (tmp_path / "squawk").write_text("#!/bin/sh\necho broken >&2; echo oh\n")
    (tmp_path / "squawk").chmod(0o755)
    with pytest.raises(CommandError, match="squawk failed: broken"):
        revisions.rules_of("SELECT 1")
