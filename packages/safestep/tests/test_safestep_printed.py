"""What `--sql` prints, piped into psql, does what a run does."""

import pytest
from safestep.migrations.plan import Phase
from safestep_support.databases import ask
from safestep_support.printing import brought, pipe, printed
from safestep_support.revisions import Revisions, on_change, upgrade
from safestep_support.samples import ADD_COLUMN, POSTS, VERSION
from sqlalchemy.engine import URL

SMILES = """
    safestep.add_check_not_valid("ck_posts_smile", "posts", "title <> ' :smile' AND body <> '(:x)'")
    safestep.add_index_concurrently("ix_posts_smile", "posts", ["title"], postgresql_where="title <> ' :smile'")
    safestep.batched_backfill("posts", {"body": "' :was'"}, where="body = ' :is'")
    safestep.set_not_null_safely("posts", "a :b")
"""


SMILED = """
    SELECT pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE conname = 'ck_posts_smile')),
           pg_get_indexdef('ix_posts_smile'::regclass),
           (SELECT array_agg(body ORDER BY body) FROM posts),
           (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attname = 'a :b')
"""


PERCENT = """
    safestep.add_check_not_valid("ck_posts_percent", "posts", "title <> '100%'")
    safestep.batched_backfill("posts", {"body": "(length(body) % 2)::text || '%'"}, batch=2)
    op.execute("CREATE TABLE percents AS SELECT '100%'::text AS word, 5 % 2 AS rest, '%%' AS two")
"""


async def test_the_printed_sql_is_what_runs(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    revisions.add(
        "steps",
        """
        safestep.add_check_not_valid("ck_posts_title", "posts", "title <> 'a:b'")
        safestep.validate_constraint("ck_posts_title", "posts")
        safestep.set_not_null_safely("posts", "slug")
        safestep.drop_index_concurrently("ix_posts_drafts", "posts")
        safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])
        op.create_table("extras", sa.Column("id", sa.Uuid(), primary_key=True))
        """,
    )
    sql = " ".join((await printed(revisions, url, capsys, lock_timeout=2.0)).split())
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert len(changes) == 10
    places = [sql.find(change.rstrip(";")) for change in changes if not change.startswith("UPDATE alembic_version")]
    assert -1 not in places
    assert places == sorted(places)
    assert sql.startswith("\\set ON_ERROR_STOP on SET lock_timeout = '2000ms';")
    assert (await printed(revisions, url, capsys)).endswith("-- nothing to do\n\n")


async def test_what_is_printed_for_a_phase_ends_where_the_phase_does(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("column", ADD_COLUMN)
    revisions.add("later", "pass", marks='phase = "contract"')
    sql = await printed(revisions, url, capsys, until=Phase.EXPAND)
    assert "ADD COLUMN extra" in sql
    assert "-- stopped before later (contract)" in sql


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_a_colon_in_a_revisions_sql_stays_a_colon(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, POSTS.format(2))
    ask(live_url, 'ALTER TABLE posts ADD "a :b" int DEFAULT 1')
    revisions.add("smiles", SMILES)
    await brought(revisions, live_url, capsys, way)
    ((check, index, bodies, is_required),) = ask(live_url, SMILED)
    assert "' :smile'" in check
    assert "'(:x)'" in check
    assert "' :smile'" in index
    assert (bodies, is_required) == (["", " :was"], True)


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_a_percent_sign_in_a_revisions_sql_stays_one(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, POSTS.format(3))
    revisions.add("percent", PERCENT)
    await brought(revisions, live_url, capsys, way)
    assert ask(live_url, "SELECT word, rest, two FROM percents") == [("100%", 1, "%%")]
    assert ask(live_url, "SELECT body FROM posts ORDER BY title") == [("0%",), ("0%",), ("0%",)]
    assert (
        "'100%'::text"
        in ask(live_url, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname ~ 'perce'")[0][0]
    )


async def test_a_printed_revision_is_not_recorded_after_a_step_that_failed(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("unique", 'safestep.add_index_concurrently("uq_posts_body", "posts", ["body"], unique=True)')
    ask(url, POSTS.format(3))
    before = ask(url, VERSION)
    done = await pipe(await printed(revisions, url, capsys), url)
    assert done.returncode == 3
    assert "could not create unique index" in done.stderr
    assert ask(url, VERSION) == before
