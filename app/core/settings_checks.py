"""What the settings are checked for besides their types: misspelt names, and what production must not run with."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

SIMILARITY = 0.85  # of 0 to 1: a letter too much, too few or in another place

# .env.example's own values, and what else is meant to be replaced.
PLACEHOLDERS = {
    "database_url": "user:password@host:5432",
    "smtp_url": "user:password@host:587",
    "mail_from": "@example.com>",
    "public_url": "https://example.com",
}
_PLACEHOLDER_SECRET = re.compile(
    r"paste.?the|change.?me|change.?this|example|placeholder|replace|your.?(own.?)?(secret|key)", re.IGNORECASE
)
_FEWEST_CHARACTERS = 8
"""Different ones in a secret: 32 random hexadecimal digits have fewer once in 28 million times."""

# KiB of argon2id at least, by passes over the memory: OWASP's Password Storage Cheat Sheet.
_LEAST_MEMORY = {1: 47104, 2: 19456, 3: 12288, 4: 9216, 5: 7168}


def misspelt(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """A line for each variable whose name is nearly one of ours; not when ours is set too, for then it is another's.

    OpenTelemetry has variables of its own besides the one that is ours too.
    """
    given, ours = {name.upper() for name in names}, {name.upper() for name in known}
    for name in sorted(name for name in given - ours if not name.startswith("OTEL_")):
        for meant in get_close_matches(name, ours - given, n=1, cutoff=SIMILARITY):
            yield f"{name}: there is no such setting; did you mean {meant}?"


def placeholders(values: Mapping[str, str]) -> Iterator[str]:
    """A line for each setting that still has its value of .env.example."""
    for name, text in PLACEHOLDERS.items():
        value = values.get(name, "")
        if value.rstrip("/") == text or (name != "public_url" and text in value):
            yield f"{name.upper()} is .env.example's placeholder: write your own"


def weak_secret(secret: str) -> bool:
    """Whether it is a placeholder, has few different characters, or repeats a part of itself."""
    repeats = secret in (secret + secret)[1:-1]
    return repeats or len(set(secret)) < _FEWEST_CHARACTERS or bool(_PLACEHOLDER_SECRET.search(secret))


def weak_hashing(*, time_cost: int, memory_kib: int) -> str | None:
    """What to write instead of parameters that are weaker than OWASP's least."""
    least = _LEAST_MEMORY[min(time_cost, max(_LEAST_MEMORY))]
    if memory_kib >= least:
        return None
    return f"PASSWORD_MEMORY_KIB is too little for PASSWORD_TIME_COST={time_cost}: write {least} or more"
