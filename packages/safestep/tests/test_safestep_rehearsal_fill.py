"""Rows for a rehearsal: every kind of column, key and constraint, and what is said of a table that can't be filled."""

import pytest
from safestep.rehearsal import TableProfile
from safestep.rehearsal.fill import FilledTables, fill
from safestep_support.databases import ask
from sqlalchemy.engine import URL

KINDS = """
    CREATE TYPE mood AS ENUM ('calm', 'it''s late');
    CREATE DOMAIN short_text AS varchar(12);
    CREATE TABLE kinds (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        a smallint NOT NULL UNIQUE, b integer NOT NULL, c bigint NOT NULL, d numeric(6, 2) NOT NULL, e numeric NOT NULL,
        f real NOT NULL, g double precision NOT NULL, h boolean NOT NULL, i text NOT NULL UNIQUE, j varchar(4) NOT NULL,
        k char(9) NOT NULL, l bytea NOT NULL UNIQUE, m uuid NOT NULL UNIQUE, n timestamp NOT NULL,
        o timestamptz NOT NULL,
        p date NOT NULL, q time NOT NULL, r interval NOT NULL, s json NOT NULL, t jsonb NOT NULL, u inet NOT NULL,
        v cidr NOT NULL, w macaddr NOT NULL, x tsvector NOT NULL, y bit(5) NOT NULL, z money NOT NULL,
        aa int4range NOT NULL, ab tstzrange NOT NULL, ac text[] NOT NULL, ad mood NOT NULL, ae short_text NOT NULL,
        af mood[] NOT NULL, ag daterange NOT NULL, ah numrange NOT NULL, ai varbit NOT NULL, aj timetz NOT NULL,
        ak text DEFAULT 'the default' NOT NULL, al integer GENERATED ALWAYS AS (b + 1) STORED, am xml,
        "An odd: %name" text
    )
"""


async def filled(url: URL, rows: int, *statements: str) -> FilledTables:
    for statement in statements:
        ask(url, statement)
    return await fill(url, rows, {}, lambda *_: None)


async def test_every_kind_of_column_gets_values(live_url: URL) -> None:
    done = await filled(live_url, 300, KINDS)

    assert done.notes == []
    assert ask(live_url, "SELECT count(*) FROM kinds") == [(300,)]
    assert ask(live_url, "SELECT array_agg(DISTINCT ad ORDER BY ad)::text[] FROM kinds") == [(["calm", "it's late"],)]
    assert ask(live_url, "SELECT DISTINCT ak FROM kinds") == [("the default",)]


async def test_a_table_is_filled_as_its_profile_says(live_url: URL) -> None:
    tables = {
        "users": TableProfile(1 / 20, {"name": "'Author ' || n"}),
        "posts": TableProfile(columns={"slug": "CASE WHEN n % 5 > 0 THEN 'note-' || n END", "gone": "1"}),
    }

    done = await fill(live_url, 2000, tables, lambda *_: None)

    assert done.notes == []
    assert (done.rows["posts"], done.rows["users"]) == (2000, 100)
    assert ask(live_url, "SELECT count(*) FROM posts WHERE slug LIKE 'note-%'") == [(1600,)]
    assert ask(live_url, "SELECT count(*) FROM users WHERE name LIKE 'Author %'") == [(100,)]
    drafts, authors = ask(
        live_url, "SELECT count(*) FILTER (WHERE published_at IS NULL), count(DISTINCT author_id) FROM posts"
    )[0]
    assert 100 < drafts < 400
    assert authors > 50


async def test_simple_checks_decide_values_and_others_choose_rows(live_url: URL) -> None:
    done = await filled(
        live_url,
        200,
        """
        CREATE TABLE checked (
            id uuid PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('a', 'b')), fixed text NOT NULL CHECK (fixed = 'x'),
            percent int NOT NULL CHECK (percent >= 0 AND percent <= 100), positive int NOT NULL CHECK (positive > 0),
            starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
            odd int NOT NULL CHECK (odd % 2 = 1)
        )
        """,
    )

    assert done.notes == []
    assert ask(live_url, "SELECT count(*) FROM checked") == [
        (100,)
    ]  # every other row has an even number, which its own check leaves out


async def test_foreign_keys_refer_to_rows_that_are_there(live_url: URL) -> None:
    done = await filled(
        live_url,
        100,
        "CREATE TABLE parents (a int, b text, PRIMARY KEY (a, b))",
        """
        CREATE TABLE children (
            id uuid PRIMARY KEY, a int NOT NULL, b text NOT NULL, parent uuid REFERENCES children,
            FOREIGN KEY (a, b) REFERENCES parents
        )
        """,
        "CREATE TABLE twins (a int NOT NULL, b text NOT NULL, UNIQUE (a, b), FOREIGN KEY (a, b) REFERENCES parents)",
        "CREATE TABLE selves (id uuid PRIMARY KEY, self uuid NOT NULL REFERENCES selves)",
    )

    assert done.notes == []
    assert {name: done.rows[name] for name in ("parents", "children", "twins", "selves")} == {
        "parents": 100,
        "children": 100,
        "twins": 100,
        "selves": 100,
    }


async def test_partitions_are_filled_through_their_table(live_url: URL) -> None:
    done = await filled(
        live_url,
        100,
        "CREATE TABLE parted (id bigint PRIMARY KEY) PARTITION BY HASH (id)",
        "CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    )

    assert done.rows["parted"] == 100


async def test_rows_that_are_there_already_stay_alone(live_url: URL) -> None:
    done = await filled(live_url, 100, "CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (7)")

    assert done.rows["kept"] == 1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("CREATE TABLE refused (p point NOT NULL)", "refused stays empty: no value for p"),
        ("CREATE TABLE refused (n int NOT NULL CHECK (n < n))", "refused stays empty: its constraints refuse"),
        (
            "CREATE DOMAIN three AS text CHECK (value = 'three'); CREATE TABLE refused (t three)",
            "refused has 0 rows only",
        ),
    ],
)
async def test_a_table_that_cannot_be_filled_is_named(live_url: URL, table: str, reason: str) -> None:
    done = await filled(live_url, 100, *table.split(";"))

    assert done.rows["refused"] == 0
    assert any(note.startswith(reason) for note in done.notes), done.notes
