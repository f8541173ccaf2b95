"""Two addresses are one account when PostgreSQL and Python both take them for one, and are refused otherwise."""

import sys
import unicodedata

import httpx2
import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.schemas.users import Email
from tests.support.accounts import USERS

COLLATIONS = ("C", "pg_c_utf8", "pg_unicode_fast")  # those that every build of PostgreSQL 18 has


@pytest.mark.parametrize(
    "address", ["v\u0130ctim@example.com", "\u01c5ora@example.com", "Ångström@example.com", "Σ@example.com"]
)
async def test_an_address_with_a_capital_beyond_z_is_refused(visitor: httpx2.AsyncClient, address: str) -> None:
    refused = await visitor.post(USERS, json={"email": address})

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize(
    "address", ["ångström@example.com", "ADA@example.com", "δοκιμή@example.com", "用户@example.com"]
)
async def test_others_are_taken_and_found_again(visitor: httpx2.AsyncClient, address: str) -> None:
    created, again = [await visitor.post(USERS, json={"email": address}) for _ in range(2)]

    assert (created.status_code, again.status_code) == (201, 409)


def accepted() -> list[str]:
    """Every character beyond ASCII that an address may have."""
    email = TypeAdapter[str](Email)
    found = []
    for code in range(128, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] not in "LMN":
            continue
        try:
            address = email.validate_python(f"a{character}@example.com")
        except ValidationError:
            continue
        found += [letter for letter in address if not letter.isascii()]
    return found


@pytest.fixture(scope="module")
def letters() -> list[str]:
    """Found before a test begins a transaction, which the server would end meanwhile: it takes long."""
    return accepted()


@pytest.mark.parametrize("collation", COLLATIONS)
async def test_postgresql_leaves_every_accepted_letter_as_it_is(
    letters: list[str], connection: AsyncConnection, collation: str
) -> None:
    pairs = text(f'SELECT c FROM unnest(CAST(:all AS text[])) AS c WHERE lower(c COLLATE "{collation}") <> c')

    folded = (await connection.scalars(pairs, {"all": letters})).all()

    assert folded == []
