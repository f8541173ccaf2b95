"""A verified access token is remembered until it ends, and no longer."""

from collections.abc import Callable
from time import time
from uuid import uuid4

import pytest
from joserfc import jwt

from app.core import security
from app.core.security import Keyring
from tests.support.application import make_settings


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(make_settings())


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was looked at."""
    seen: list[str] = []
    decode: Callable[..., jwt.Token] = jwt.decode

    def watched(token: str, *arguments: object, **options: object) -> jwt.Token:
        seen.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", watched)
    return seen


def test_a_signature_is_verified_once(keyring: Keyring, verifications: list[str]) -> None:
    ids = (uuid4(), uuid4())
    token = keyring.access_token(user_id=ids[0], session_id=ids[1])

    assert [keyring.verify_access_token(token) for _ in range(3)] == [ids] * 3
    assert verifications == [token]


def test_a_remembered_token_ends_when_it_says(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    token = keyring.access_token(user_id=uuid4(), session_id=uuid4())
    assert keyring.verify_access_token(token)
    end = time() + keyring.lifetime + 5  # the leeway

    monkeypatch.setattr(security, "time", lambda: end - 1)
    assert keyring.verify_access_token(token)
    monkeypatch.setattr(security, "time", lambda: end + 1)
    assert keyring.verify_access_token(token) is None


def test_what_resembles_a_remembered_token_is_verified(keyring: Keyring, verifications: list[str]) -> None:
    token = keyring.access_token(user_id=uuid4(), session_id=uuid4())
    keyring.verify_access_token(token)
    body, _, signature = token.rpartition(".")
    forged = f"{body}.{signature[:-4]}AAAA"

    assert keyring.verify_access_token(forged) is None
    assert keyring.verify_access_token(forged) is None
    assert verifications == [token, forged, forged]


def test_no_more_tokens_are_remembered_than_allowed(
    keyring: Keyring, verifications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keyring, "_REMEMBERED", 2)
    first, second, third = (keyring.access_token(user_id=uuid4(), session_id=uuid4()) for _ in range(3))

    for token in (first, second, third, third, second, first):
        assert keyring.verify_access_token(token)

    assert verifications == [first, second, third, first]
