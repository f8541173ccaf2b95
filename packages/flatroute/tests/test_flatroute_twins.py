"""A compiled application answers every request with the bytes of the same application without it."""

from urllib.parse import quote_plus

import flatroute
import pytest
from flatroute_support.notes import make_notes
from flatroute_support.twins import Twins
from hypothesis import given, settings
from hypothesis import strategies as st

ID = "00000000-0000-0000-0000-00000000002a"
EXAMPLES = settings(max_examples=600, derandomize=True, deadline=None, database=None)

SEGMENTS = [
    "notes",
    "latest",
    "by",
    "raw",
    "now",
    "here",
    "v2",
    ID,
    "42",
    "-1",
    "abc",
    "toolong",
    "text",
    "invalid",
    "wrong",
]
ODD_SEGMENTS = ["", "a\n", "{}", "{note_id}", "Ünï", "%2F", "a b", "notes\n", "..", "\x00"]
TEMPLATES = [
    ("notes",),
    ("notes", "latest"),
    ("notes", ID),
    ("notes", "42", "abc"),
    ("notes", "x", "by", "y"),
    ("notes", "x", "raw", "now"),
    ("notes", "text", "raw", "now"),
    ("notes", "invalid", "raw", "now"),
    ("notes", "x", "tag", "new"),
    ("notes", "x", "tag", "known"),
    ("notes", "x", "tag", "own"),
    ("v2", "tenant", "notes", ID),
    ("v2", "tenant", "notes", "42", "abc"),
]
NAMES = ["limit", "order", "tags", "q", "tag", "lang", "unknown"]
VALUES = ["1", "20", "0", "101", "newest", "oldest", "", "x", "1.0", "Ünï", "a b"]
HEADERS = {
    "authorization": ["Bearer me", "Bearer refused", "Bearer odd", "Bearer gone", "Basic x", "Bearer", ""],
    "user-agent": ["test", ""],
    "if-match": ["a", "b"],
    "cookie": ["Flavour=sweet", "flavour=sour; other", "=;"],
    "accept-language": ["de", "en"],
    "x-rank": ["1", "2", "x"],
    "content-length": ["0", "3"],
}


def any_path() -> st.SearchStrategy[str]:
    free = st.lists(st.sampled_from(SEGMENTS + ODD_SEGMENTS), max_size=6)
    known = st.sampled_from(TEMPLATES).map(list)
    changed = st.tuples(known, st.integers(0, 5), st.sampled_from(SEGMENTS + ODD_SEGMENTS)).map(_replaced)
    return st.one_of(known, changed, free).map(lambda segments: "/" + "/".join(segments))


def _replaced(change: tuple[list[str], int, str]) -> list[str]:
    segments, place, segment = change
    return [*segments[:place], segment, *segments[place + 1 :]]


def any_query() -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4)
    encoded = pairs.map(lambda found: "&".join(f"{name}={quote_plus(value)}" for name, value in found))
    return st.one_of(st.just(""), encoded, st.sampled_from(["&&", "=", "limit", "q=%ff", "tags=%00", "limit=5;q=1"]))


def any_headers() -> st.SearchStrategy[list[tuple[str, str]]]:
    one = st.sampled_from([(name, value) for name, values in HEADERS.items() for value in values])
    usual = one.filter(lambda header: header[0] != "content-length")
    return st.one_of(st.lists(usual, max_size=4), st.lists(one, max_size=3))


async def test_every_request_has_one_answer_either_way() -> None:
    twins = Twins(make_notes)
    usual = [("User-Agent", "test"), ("Authorization", "Bearer me")]
    requests = [("/" + "/".join(template), "", usual) for template in TEMPLATES]

    @EXAMPLES
    @given(any_path(), any_query(), any_headers())
    def collect(path: str, query: str, headers: list[tuple[str, str]]) -> None:
        requests.append((path, query, headers))

    collect()
    answers = [await twins.get(path, query, headers) for path, query, headers in requests]

    compiled = [answer for answer in answers if answer.compiled]
    assert len(compiled) > len(answers) / 5
    assert {200, 202, 203, 206, 304, 401, 403, 410, 500} <= {answer.status for answer in compiled}
    assert {404, 422} <= {answer.status for answer in answers if not answer.compiled}
    assert any(answer.raised for answer in compiled)


@pytest.mark.parametrize("path", ["/notes", "/notes/latest", f"/notes/{ID}", "/notes/42/abc", f"/v2/one/notes/{ID}"])
async def test_a_usual_request_is_answered_by_the_compiled_route(path: str) -> None:
    answer = await Twins(make_notes).get(path, headers=[("User-Agent", "test"), ("Authorization", "Bearer me")])

    assert answer.compiled
    assert answer.status in (200, 203)


async def test_lists_and_defaults_are_read_by_the_compiled_route() -> None:
    twins = Twins(make_notes)

    assert (await twins.get(f"/notes/{ID}", "tag=1&tag=2&q=7")).compiled
    assert (await twins.get("/notes", "tags=a&tags=b&limit=2")).compiled


def test_every_route_of_the_example_is_compiled() -> None:
    documentation = ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")

    assert {route.path: route.obstacle for route in flatroute.survey(make_notes()) if route.obstacle} == dict.fromkeys(
        documentation, "it isn't a plain FastAPI route"
    )
