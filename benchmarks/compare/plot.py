"""The results as a picture: for each question a bar a contender, requests a second on the left, CPU on the right."""

import importlib.util
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.results import Results, Spread, Summary
from benchmarks.compare.workloads import WORKLOADS

WIDTH, NAMES, HEAD, LINE, TITLE, GAP = 1000, 90, 24, 18, 26, 16
PANEL = (WIDTH - NAMES) // 2
BAR = PANEL - 120  # the rest is for the figure
COLOURS = {True: "#1f5fa8", False: "#9db4cc"}
"""Of the service or services, and of the others."""


def must_be_drawable(file: Path | None) -> None:
    """Raises BenchmarkError before the work for what couldn't be written after it."""
    if file and file.suffix not in (".svg", ".png"):
        raise BenchmarkError(f"--plot {file}: name a file that ends in .svg or .png")
    if file and file.suffix == ".png" and importlib.util.find_spec("resvg_py") is None:
        raise BenchmarkError(f"--plot {file}: a .png needs `pip install resvg-py`, an .svg nothing")


def write_plot(results: Results, file: Path) -> None:
    """A PNG is the same picture, rendered."""
    drawn, height = ["".join(_heads())], HEAD
    for question, group in groupby(results.summaries_in_order(), key=lambda summary: summary.question):
        summaries = list(group)
        title = f"{WORKLOADS[question.workload].title} ({question.phase})"
        parts = "".join(_chart(title, summaries, results.services))
        drawn.append(f'<g transform="translate(0 {height})">{parts}</g>')
        height += TITLE + LINE * len(summaries) + GAP
    write_svg("".join(drawn), WIDTH, height, file)


def write_svg(content: str, width: int, height: int, file: Path) -> None:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>{content}</svg>\n'
    )
    if file.suffix == ".png":
        import resvg_py

        file.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2, sans_serif_family="DejaVu Sans")))
    else:
        file.write_text(svg)


def _heads() -> Iterator[str]:
    for left, text in ((NAMES, "requests a second"), (NAMES + PANEL, "CPU µs a request")):
        yield f'<text x="{left}" y="16" font-weight="bold">{text}</text>'


def _chart(title: str, summaries: Sequence[Summary], services: Sequence[str]) -> Iterator[str]:
    yield f'<text x="8" y="17" font-size="13">{escape(title)}</text>'
    fastest = max(summary.throughput.most for summary in summaries)
    dearest = max(summary.cpu.most for summary in summaries)
    for number, summary in enumerate(summaries):
        top = TITLE + LINE * number
        colour = COLOURS[summary.contender in services]
        yield f'<text x="{NAMES - 6}" y="{top + 12}" text-anchor="end">{escape(summary.contender)}</text>'
        yield from _bar(NAMES, top, summary.throughput, fastest, colour)
        yield from _bar(NAMES + PANEL, top, summary.cpu, dearest, colour)


def _bar(left: int, top: int, value: Spread, longest: float, colour: str) -> Iterator[str]:
    """The median, with a line from the least to the most."""
    scale = BAR / longest
    least, median, most = (left + each * scale for each in (value.least, value.median, value.most))
    yield f'<rect x="{left}" y="{top + 2}" width="{median - left:.1f}" height="{LINE - 5}" fill="{colour}"/>'
    middle = top + LINE / 2
    yield f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}" stroke="#333333"/>'
    yield f'<text x="{max(median, most) + 5:.1f}" y="{top + 12}">{value.median:,.0f}</text>'
