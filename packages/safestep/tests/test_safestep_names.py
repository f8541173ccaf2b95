"""The safe steps in another schema, and with names that have to be quoted."""

import pytest
from alembic.util import CommandError
from safestep_support.databases import ask, open_transaction
from safestep_support.printing import brought
from safestep_support.revisions import Revisions, on_change, upgrade
from sqlalchemy.engine import URL

ODD = """
    CREATE SCHEMA "App";
    CREATE TABLE "App"."Owners" ("Id" int PRIMARY KEY);
    CREATE TABLE "App"."Things" ("Id" int PRIMARY KEY, "Owner" int, note text DEFAULT '');
    CREATE TABLE "Things" (id int);
    INSERT INTO "App"."Owners" SELECT generate_series(1, 5);
    INSERT INTO "App"."Things" SELECT n, n FROM generate_series(1, 5) AS n
"""


EVERY_STEP = """
    there = {"schema": "App"}
    safestep.add_index_concurrently("ix_Owner", "Things", ["Owner"], **there)
    safestep.add_foreign_key_not_valid(
        "fk_Owner", "Things", "Owners", ["Owner"], ["Id"], referred_schema="App", ondelete="cascade", **there
    )
    safestep.validate_constraint("fk_Owner", "Things", **there)
    safestep.add_check_not_valid("ck_Owner", "Things", '"Owner" > 0', **there)
    safestep.validate_constraint("ck_Owner", "Things", **there)
    safestep.batched_backfill("Things", {"note": "note || 'x'"}, key="Id", batch=2, pause=0, **there)
    safestep.set_not_null_safely("Things", "Owner", **there)
    safestep.add_index_concurrently("ix_gone", "Things", ["note"], **there)
    safestep.drop_index_concurrently("ix_gone", "Things", **there)
"""


ODD_AFTER = """
    SELECT (SELECT array_agg(conname || convalidated ORDER BY conname COLLATE "C") FROM pg_constraint
            WHERE conrelid = '"App"."Things"'::regclass AND contype IN ('c', 'f')),
           (SELECT array_agg(relname || indisvalid ORDER BY relname COLLATE "C")
            FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = '"App"."Things"'::regclass),
           (SELECT array_agg(DISTINCT note) FROM "App"."Things"),
           (SELECT attnotnull FROM pg_attribute WHERE attrelid = '"App"."Things"'::regclass AND attname = 'Owner')
"""


ODD_DONE = [(["ck_Ownertrue", "fk_Ownertrue"], ["Things_pkeytrue", "ix_Ownertrue"], ["x"], True)]


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_every_safe_step_works_in_another_schema_and_with_capitals(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, ODD)
    revisions.add("odd", EVERY_STEP)
    await brought(revisions, live_url, capsys, way)
    assert ask(live_url, ODD_AFTER) == ODD_DONE


async def test_what_is_done_in_another_schema_is_not_done_again(revisions: Revisions, url: URL) -> None:
    ask(url, ODD)
    revisions.add("odd", EVERY_STEP.replace("note ||", "note || note ||"))
    await upgrade(revisions, url)
    revisions.add("again", EVERY_STEP)
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert [change for change in changes if change.startswith("ALTER")] == []
    assert [change for change in changes if "ix_Owner" in change] == []


async def test_an_index_of_another_schema_that_was_left_invalid_is_built_again(revisions: Revisions, url: URL) -> None:
    ask(url, ODD)
    revisions.add("odd", 'safestep.add_index_concurrently("ix_Owner", "Things", ["Owner"], schema="App")')
    async with open_transaction(url, 'LOCK TABLE "App"."Things" IN ROW EXCLUSIVE MODE'):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, concurrent_timeout=0.2)
    assert ask(url, ODD_AFTER)[0][1] == ["Things_pkeytrue", "ix_Ownerfalse"]
    await upgrade(revisions, url)
    assert ask(url, ODD_AFTER)[0][1] == ["Things_pkeytrue", "ix_Ownertrue"]
