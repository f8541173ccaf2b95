"""A PathTree finds what Starlette finds by trying one route after the other."""

import pytest
from flatroute.paths import PathTree, is_plain
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import compile_path

LITERALS = st.sampled_from(["a", "b", "c", "", "a.b"])
PARAMETERS = st.sampled_from(["{x}", "{y}", "{z}"])
TEMPLATES = st.lists(st.one_of(LITERALS, PARAMETERS), min_size=1, max_size=4).filter(
    lambda segments: all(segments.count(each) < 2 for each in ("{x}", "{y}", "{z}"))
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "", "a.b", "axb", "{x}", "a b", "\n"]), min_size=1, max_size=5)


def joined(segments: list[str]) -> str:
    return "/" + "/".join(segments)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(TEMPLATES.map(joined), min_size=1, max_size=8), st.lists(PATHS.map(joined), min_size=1, max_size=8))
def test_the_first_template_that_matches_is_found(templates: list[str], paths: list[str]) -> None:
    tree = PathTree[int]()
    for number, template in enumerate(templates):
        tree.add(template, number)

    for path in paths:
        matches = [(number, compile_path(template)[0].match(path)) for number, template in enumerate(templates)]
        expected = next(((number, match.groupdict()) for number, match in matches if match), None)
        assert tree.find(path) == (None if path.endswith("\n") else expected)


def test_a_value_is_told_from_none_at_all() -> None:
    tree = PathTree[None]()
    tree.add("/a", None)

    assert tree.find("/a") == (None, {})
    assert tree.find("/b") is None


@pytest.mark.parametrize("template", ["/", "/a/{x}", "/{x}/b", ""])
def test_whole_segments_are_plain(template: str) -> None:
    assert is_plain(template)


@pytest.mark.parametrize("template", ["/a/{x}.json", "/v{x}", "/{x}{y}", "/{x-y}", "/a}"])
def test_parts_of_segments_are_not(template: str) -> None:
    assert not is_plain(template)
