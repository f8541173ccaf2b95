"""The service's own tables, as a rehearsal fills them."""

from safestep.rehearsal.fill import fill
from sqlalchemy.engine import URL

from app.rehearsal import TABLES, make_credential
from tests.support.database import ask


async def test_every_table_of_the_service_is_filled(live_url: URL) -> None:
    done = await fill(live_url, 2000, TABLES, lambda *_: None)

    assert done.notes == []
    assert {name for name, rows in done.rows.items() if rows == 0} == set()
    assert (done.rows["posts"], done.rows["users"]) == (2000, 100)
    drafts, authors = ask(
        live_url, "SELECT count(*) FILTER (WHERE published_at IS NULL), count(DISTINCT author_id) FROM posts"
    )[0]
    assert 100 < drafts < 400
    assert authors > 50


async def test_a_schema_without_keys_gets_no_credential(live_url: URL) -> None:
    ask(live_url, "DROP TABLE api_keys CASCADE")

    assert await make_credential(live_url) == {}


async def test_a_schema_with_other_keys_than_todays_gets_no_credential(live_url: URL) -> None:
    ask(live_url, "ALTER TABLE api_keys RENAME COLUMN key_hash TO digest")

    assert await make_credential(live_url) == {}
