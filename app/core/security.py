"""Secrets: passwords, random tokens, and the signed access tokens."""

import hmac
import random
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from hashlib import sha256
from threading import Lock
from time import perf_counter, sleep, time
from typing import NamedTuple
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.product import API_KEY_PREFIX, COMMAND

LONGEST_PASSWORD = 128
WEAKEST_SCORE = 2
"""Of zxcvbn's 0 to 4: at least a million guesses, which take longer than a year at the rate that sign-in allows."""
_SCORED_LENGTH = 64  # characters: the estimate takes more than linear time
_SHORTEST_WORD, _LEAST_ADDED = 3, 4  # characters
_scoring = Lock()  # the library keeps the words to avoid in a global dictionary
TIMER_SLACK = 0.0001  # seconds by which a sleep is longer than asked for


class Passwords:
    """Argon2id off the event loop. No more than `concurrency` at a time: each takes a core and its memory."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_time_cost,
            memory_cost=settings.password_memory_kib,
            parallelism=1,
        )
        self._concurrency = settings.password_concurrency
        self._limiter: CapacityLimiter | None = None
        began = perf_counter()
        # Verified for accounts that don't exist, so that they take as long as those that do.
        self._dummy = self._hasher.hash(secrets.token_hex())
        # How many seconds the last wrong passwords took, each hashed with today's parameters.
        self._refusals = deque([perf_counter() - began], maxlen=100)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password matches the stored hash. Without a hash it takes as long, and returns False."""
        if len(password) > LONGEST_PASSWORD:  # bounds the cost of hashing
            return False
        return await self._run(lambda: self._verify(password, stored or self._dummy)) and stored is not None

    async def is_guessable(self, password: str, about: Iterable[str | None]) -> bool:
        """Whether few guesses find the password; `about` are texts that a guesser knows, such as the address."""
        known = [text for text in about if text]
        return await self._run(lambda: _score(password, known)) < WEAKEST_SCORE

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's, or isn't one."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def _verify(self, password: str, stored: str) -> bool:
        began = perf_counter()
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):  # forms can carry lone surrogates
            self._take_as_long_as_others(perf_counter() - began, stored)
            return False

    def _take_as_long_as_others(self, took: float, stored: str) -> None:
        """Waits until a refusal by weaker parameters took as long as one by today's: the shorter time would tell that
        there is an account. A second, cheaper hash wouldn't add up to the same time, so the total is copied from one
        of the last refusals.
        """
        if self.needs_rehash(stored):
            sleep(max(0.0, random.choice(self._refusals) - took - TIMER_SLACK))  # noqa: S311 - the choice needn't be unpredictable
        else:
            self._refusals.append(took)

    async def _run[Result](self, work: Callable[[], Result]) -> Result:
        if self._limiter is None:  # a limiter belongs to the event loop that it is made on
            self._limiter = CapacityLimiter(self._concurrency)
        return await to_thread.run_sync(work, limiter=self._limiter)


def _score(password: str, about: Iterable[str]) -> int:
    from zxcvbn import zxcvbn  # loads large lists, which most processes of the command never need

    parts = (part for text in (*about, COMMAND) for part in (text, *re.split(r"[\W_]+", text)))
    words = sorted({part[:_SCORED_LENGTH].lower() for part in parts if part}, key=len, reverse=True)
    if _adds_little(password, words):
        return 0
    with _scoring:
        return int(zxcvbn(password[:_SCORED_LENGTH], user_inputs=words, max_length=_SCORED_LENGTH)["score"])


def _adds_little(password: str, words: Iterable[str]) -> bool:
    """Whether hardly anything is left without these words, which the estimate counts as if their order were secret."""
    left = password.lower()
    for word in words:
        if len(word) >= _SHORTEST_WORD:
            left = left.replace(word, "")
    return len(left) < _LEAST_ADDED


def new_secret() -> str:
    """256 random bits, for a URL or a header."""
    return secrets.token_urlsafe(32)


def new_api_key() -> tuple[str, str]:
    """A key and its readable prefix."""
    prefix = f"{API_KEY_PREFIX}{secrets.token_hex(4)}"
    return f"{prefix}_{new_secret()}", prefix


def digest(secret: str) -> bytes:
    """What is stored of a random secret. It has too many bits to be guessed, so a fast hash will do."""
    return sha256(secret.encode()).digest()


class _VerifiedToken(NamedTuple):
    user_id: UUID
    session_id: UUID
    ends_at: float
    """Seconds since the epoch."""


class Keyring:
    """The service's own keys: the first signs, each verifies, so that keys can change without signing anybody out."""

    _ALGORITHMS = ("HS256",)
    _TYPE = "at+jwt"  # RFC 9068
    _LEEWAY = 5  # seconds by which the clocks of two machines may differ

    _REMEMBERED = 10_000  # verified tokens

    def __init__(self, settings: Settings) -> None:
        self._verified: dict[bytes, _VerifiedToken] = {}
        self._keys = {key_id: key.get_secret_value().encode() for key_id, key in settings.secret_keys.items()}
        self._issuer, self._audience = settings.token_issuer, settings.token_audience
        self.lifetime = settings.access_token_lifetime
        self._jwks = KeySet(
            [OctKey.import_key(_derive(key, "access"), {"kid": key_id}) for key_id, key in self._keys.items()]
        )
        self._claims = jwt.JWTClaimsRegistry(
            leeway=self._LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
            sid={"essential": True},
        )

    def access_token(self, *, user_id: UUID, session_id: UUID) -> str:
        now = int(time())
        header = {"alg": self._ALGORITHMS[0], "kid": next(iter(self._keys)), "typ": self._TYPE}
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "iat": now,
            "exp": now + int(self.lifetime),
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": str(uuid7()),
        }
        return jwt.encode(header, claims, self._jwks, algorithms=self._ALGORITHMS)

    def verify_access_token(self, access_token: str) -> tuple[UUID, UUID] | None:
        """The ids of the token's user and session; None when anything is wrong with the token.

        A token that was verified is remembered until it ends, by its digest.
        """
        known_as = digest(access_token)
        verified = self._verified.get(known_as)
        if verified is None:
            verified = self._verify(access_token)
            if verified is None:
                return None
            self._verified[known_as] = verified
            if len(self._verified) > self._REMEMBERED:
                del self._verified[next(iter(self._verified))]  # the oldest
        elif verified.ends_at <= time():
            del self._verified[known_as]
            return None
        return verified.user_id, verified.session_id

    def _verify(self, access_token: str) -> "_VerifiedToken | None":
        try:
            token = jwt.decode(access_token, self._jwks, algorithms=self._ALGORITHMS)
            if token.header.get("typ") != self._TYPE:
                return None
            claims = token.claims
            self._claims.validate(claims)
            ends_at = claims["exp"] + self._LEEWAY
            return _VerifiedToken(UUID(claims["sub"]), UUID(str(claims["sid"])), ends_at)
        except (JoseError, ValueError, TypeError):  # the library iterates over a `crit` that isn't a list
            return None

    def successors(self, refresh_token: str) -> list[str]:
        """The refresh token that follows this one, by each key, the signing one first.

        It is derived rather than random: a client that lost the answer gets the same one again, though only
        its hash is stored.
        """
        return [
            hmac.new(_derive(key, "refresh"), refresh_token.encode(), sha256).hexdigest() for key in self._keys.values()
        ]


def _derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose alone."""
    return hmac.new(key, f"{COMMAND}:{purpose}".encode(), sha256).digest()
