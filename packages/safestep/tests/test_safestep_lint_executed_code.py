"""What a statement executes: blocks, functions that it calls, statements inside of it."""

import pytest
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions

FOUND = {
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
}
QUIET = [
    "CREATE FUNCTION clear() RETURNS void BEGIN ATOMIC DELETE FROM posts; END",
    "DO $$ DECLARE n integer; BEGIN SELECT 1 INTO n; n := n + 1; IF n > 1 THEN RETURN; END IF; END $$",
    "PREPARE p AS DELETE FROM posts WHERE id = '1'",
    "COPY (SELECT id FROM posts) TO STDOUT",
]


@pytest.mark.parametrize("sql", FOUND)
def test_unsafe_code_inside_of_a_statement_is_found(sql: str, linted: LintedRevisions) -> None:
    assert {*linted.rules_of(LOCK_TIMEOUT, sql)} == FOUND[sql]


@pytest.mark.parametrize("sql", QUIET)
def test_safe_code_inside_of_a_statement_is_left_alone(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == []


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
    function: str, found: str | None, call: str, linted: LintedRevisions
) -> None:
    assert {*linted.rules_of(function, call)} == ({found} if found else set())
    assert linted.rules_of(function) == []


def test_a_function_of_an_earlier_revision_is_known(linted: LintedRevisions) -> None:
    linted.write(f"op.execute({f'{PLPGSQL} DELETE FROM posts; RETURN 1; END $$'!r})", name="zero")
    linted.write("op.execute('SELECT clear()')", after="zero")
    assert linted.violated() == ["unbatched-change"]


@pytest.mark.parametrize(
    "mention",
    [
        "CREATE TRIGGER t BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION clear()",
        "ALTER TABLE posts ALTER COLUMN views SET DEFAULT clear()",
        "COMMENT ON FUNCTION clear IS 'SELECT clear()'",
    ],
)
def test_a_function_that_is_only_mentioned_does_nothing(mention: str, linted: LintedRevisions) -> None:
    function = f"{PLPGSQL} DELETE FROM posts; RETURN 1; END $$"
    assert linted.rules_of(LOCK_TIMEOUT, function, mention) == []
