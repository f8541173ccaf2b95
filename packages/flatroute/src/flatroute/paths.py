"""Finding a route by its path, at a cost that doesn't grow with the number of routes."""

import re
from typing import Any

_PARAMETER = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)}")
_ANY = object()  # leads to the node after a parameter
_END = object()  # leads to the value of the template that ends here

type _Node = dict[Any, Any]


def is_plain(template: str) -> bool:
    """Whether each segment is either a literal or one whole parameter, so that a PathTree can hold the template."""
    return all(_PARAMETER.fullmatch(segment) or not {*"{}"} & {*segment} for segment in template.split("/"))


class PathTree[Value]:
    """Values by templates such as `/users/{user_id}`. Where several match a path, the first that was added counts."""

    def __init__(self) -> None:
        self._root: _Node = {}
        self._size = 0

    def add(self, template: str, value: Value) -> None:
        node = self._root
        names = []
        for place, segment in enumerate(template.split("/")):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter:
                names.append((parameter[1], place))
            node = node.setdefault(_ANY if parameter else segment, {})
        node.setdefault(_END, (self._size, value, names))
        self._size += 1

    def find(self, path: str) -> tuple[Value, dict[str, str]] | None:
        """The value, and what the template's parameters stand for. As in Starlette, none of them is empty.

        Nothing is found for a path that ends with a newline: Starlette's patterns match some of those as if it weren't
        there.
        """
        if path.endswith("\n"):
            return None
        segments = path.split("/")
        nodes = [self._root]
        for segment in segments:
            following = [node[segment] for node in nodes if segment in node]
            if segment:
                following += [node[_ANY] for node in nodes if _ANY in node]
            if not following:
                return None
            nodes = following
        ends = [node[_END] for node in nodes if _END in node]
        if not ends:
            return None
        _, value, names = min(ends, key=_order)
        return value, {name: segments[place] for name, place in names}


def _order(end: tuple[int, Any, Any]) -> int:
    return end[0]
