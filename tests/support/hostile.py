"""Inputs that cost whoever handles them carelessly far more than they cost the sender."""

from collections.abc import Iterator
from urllib.parse import quote

FACTORS = (1, 10, 100)

# Each is repeated. A run of them is what regular expressions, normalisation, decoding or splitting are slow with.
RUNS = {
    "letters": "a",
    "combining marks": "\u0300\u0316",  # of two classes, which normalisation sorts
    "two-letter capitals": "\u0130",
    "ligatures": "\ufdfa",
    "horses": "\U0001f40e",
    "digits": "9",
    "dashes": "-",
    "words": "a.",
    "addresses": "a@b.",
    "spaces": " ",
    "quotes": '"',
    "escapes": "\\",
    "schemes": "a://",
    "tokens": "eyJ.",
    "parameters": "a=b; ",
}


def texts(length: int) -> Iterator[tuple[str, str]]:
    """Texts of this many characters, named; each begins with a letter, so that marks have something to combine with."""
    for name, run in RUNS.items():
        yield name, ("a" + run * (length // len(run) + 1))[:length]


def addresses(length: int) -> Iterator[tuple[str, str]]:
    """What an e-mail address could be taken for."""
    for name, run in RUNS.items():
        yield f"name of {name}", run * (length // len(run)) + "@example.com"
        yield f"domain of {name}", "a@" + run * (length // len(run)) + ".example.com"
    yield "literal", "a@[" + "1:" * (length // 2) + "]"
    yield "named", "a <" * (length // 3) + "a@example.com" + ">" * (length // 3)


def json_values(length: int) -> Iterator[tuple[str, str]]:
    """JSON of about this many characters that is no text."""
    yield "deep lists", "[" * (length // 2) + "]" * (length // 2)
    yield "deep objects", '{"a":' * (length // 6) + "1" + "}" * (length // 6)
    yield "open lists", "[" * length
    yield "a long number", "9" * length
    yield "a long fraction", "0." + "9" * length
    yield "a long exponent", "1e" + "9" * length
    yield "a long list", "[" + ",".join(["0"] * (length // 2)) + "]"
    yield "a list of texts", "[" + ",".join(f'"{n}"' for n in range(length // 9)) + "]"
    yield "a list of lists", "[" + ",".join(["[]"] * (length // 3)) + "]"
    yield "a list of objects", "[" + ",".join(["{}"] * (length // 3)) + "]"
    yield "many keys", json_object(length)
    yield "one key again", "{" + ",".join(['"a":0'] * (length // 6)) + "}"
    yield "a long key", '{"' + "a" * (length - 6) + '":0}'
    yield "escapes", '"' + "\\u0300" * (length // 6) + '"'
    yield "halves of pairs", '"' + "\\ud800" * (length // 6) + '"'


def json_object(length: int) -> str:
    """One with as many keys as fit."""
    return "{" + ",".join(f'"{n}":0' for n in range(length // 11)) + "}"


MULTIPART = "multipart/form-data; boundary=x"
URLENCODED = "application/x-www-form-urlencoded"


def forms(length: int) -> Iterator[tuple[str, str, str]]:
    """Names, media types and bodies of forms."""
    part = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n\r\n'
    yield "many parts", MULTIPART, "".join(part.format(n) for n in range(length // 60)) + "--x--\r\n"
    fields = {
        "grant_type": "password",
        "password": "a",
        "username": "\u0300" * (length // 5) + "\u0316" * (length // 5),
    }
    filled = "".join(part.format(name)[:-2] + value + "\r\n" for name, value in fields.items())
    yield "marks to sort", MULTIPART, filled + "--x--\r\n"
    yield "many files", MULTIPART, part.format('a"; filename="b') * (length // 70) + "--x--\r\n"
    yield "a long name of a part", MULTIPART, part.format("a" * length) + "--x--\r\n"
    yield "headers of a part", MULTIPART, "--x\r\n" + "X: a\r\n" * (length // 6) + "\r\n"
    yield "parameters of a part", MULTIPART, "--x\r\nContent-Disposition: form-data" + "; a=b" * (length // 5)
    yield "almost boundaries", MULTIPART, part.format("username") + "\r\n--" * (length // 4)
    yield "a long boundary", f"multipart/form-data; boundary={'x' * min(length, 50_000)}", "--x" * (length // 3)
    yield "many fields", URLENCODED, "&".join(f"{n}=" for n in range(length // 7))
    yield "one field again", URLENCODED, "username=a&" * (length // 11)
    yield "separators", URLENCODED, "&" * length
    yield "semicolons", URLENCODED, ";" * length
    yield "percents", URLENCODED, "username=" + "%cc%80" * (length // 6)
    yield "broken percents", URLENCODED, "username=" + "%" * length


def fields_of_forms(length: int) -> Iterator[tuple[str, str, str]]:
    """The same for each field of the form that signs in."""
    for field in ("username", "password", "scope", "client_id"):
        for name, text in texts(length):
            yield f"{field} of {name}", URLENCODED, f"username=a&password=b&grant_type=password&{field}={quote(text)}"
