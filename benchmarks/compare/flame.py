"""A flame graph as an SVG: each bar is a function, as wide as its share of the time, on top of who called it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from html import escape
from pathlib import Path

from benchmarks.compare.plot import write_svg
from benchmarks.compare.profiling import Profile

WIDTH, LINE, HEAD = 1200, 15, 30
LEAST = 3.0  # pixels
LETTER = 6.3  # pixels
SHORTEST = 3  # letters of a label
ROOT = "all"


@dataclass
class Node:
    """A function, called by its parents."""

    count: int = 0
    children: dict[str, "Node"] = field(default_factory=dict)


def write_flame_graph(profile: Profile, title: str, file: Path) -> None:
    """The functions around every request, which all have in common, are left out."""
    root, depth = Node(), 0
    for stack, count in profile.stacks.items():
        _add(root, stack, count)
    root = _without_common_start(root)
    scale = WIDTH / (root.count or 1)
    bars = list(_bars(root, 0.0, 0, scale))
    depth = max((level for *_, level in bars), default=0)
    height = HEAD + LINE * (depth + 1)
    head = f"{title}: {profile.cpu:,.0f} µs of processor time a request"
    drawn = [f'<text x="6" y="19" font-size="14">{escape(head)}</text>']
    for name, left, share, level in bars:
        drawn.append(_bar(name, left, share * scale, height - LINE * (level + 1), share / root.count * profile.cpu))
    write_svg("".join(drawn), WIDTH, height, file)


def _add(root: Node, stack: tuple[str, ...], count: int) -> None:
    node = root
    node.count += count
    for frame in stack:
        node = node.children.setdefault(frame, Node())
        node.count += count


def _without_common_start(root: Node) -> Node:
    while len(root.children) == 1:
        (child,) = root.children.values()
        if child.count < root.count or not child.children:
            break
        root = child
    return root


def _bars(node: Node, left: float, level: int, scale: float) -> Iterator[tuple[str, float, int, int]]:
    """Name, left edge in pixels, count and level of each function that is wide enough."""
    for name, child in sorted(node.children.items()):
        if child.count * scale >= LEAST:
            yield name, left, child.count, level
            yield from _bars(child, left, level + 1, scale)
        left += child.count * scale


def _bar(name: str, left: float, width: float, top: int, microseconds: float) -> str:
    function, _, place = name.partition(" (")
    place = place.removesuffix(")")
    room = int(width / LETTER)
    label = function if len(function) <= room else f"{function[: room - 1]}…"
    text = f'<text x="{left + 3:.1f}" y="{top + 11}">{escape(label)}</text>' if room > SHORTEST else ""
    shape = f'x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.5):.1f}" height="{LINE - 1}" fill="{_colour(place)}"'
    told = f"<title>{escape(function)} in {escape(place)}: {microseconds:,.0f} µs</title>"
    return f"<g>{told}<rect {shape}/>{text}</g>"


def _colour(place: str) -> str:
    """One for each package."""
    package = place.split("/", maxsplit=1)[0]
    if package == "app":
        return "hsl(211,70%,72%)"
    hue = int.from_bytes(blake2b(package.encode(), digest_size=2).digest()) % 360
    return f"hsl({hue},45%,80%)"
