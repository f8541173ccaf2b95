"""Latency over time as an SVG, with the statements that the migration ran. Written by hand: it is dots and bars."""

import importlib.util
from collections.abc import Iterator
from html import escape
from itertools import accumulate
from math import floor, log10
from pathlib import Path

from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.load import RequestResult
from safestep.rehearsal.report import LegReport, RehearsalReport
from safestep.rehearsal.statements import StatementReport

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LINE = 1000, 340, 60, 44, 40, 15
PLOT = HEIGHT - TOP - BOTTOM
FASTEST = (
    0.001  # seconds at the bottom; the axis is logarithmic, because a stall takes a thousand times as long as a request
)
MAX_DOTS = 20_000
LONGEST_TEXT = 140


def must_be_drawable(file: Path | None) -> None:
    """Raises RehearsalError before the work for what couldn't be written after it."""
    if file and file.suffix not in (".svg", ".png"):
        raise RehearsalError(f"--plot {file}: name a file that ends in .svg or .png")
    if file and file.suffix == ".png" and importlib.util.find_spec("resvg_py") is None:
        raise RehearsalError(f"--plot {file}: a .png needs `pip install resvg-py`, an .svg nothing")


def write_plot(report: RehearsalReport, file: Path) -> None:
    """A PNG is the same picture, rendered."""
    charts = [_Chart(leg, report.max_stall) for leg in report.legs]
    tops = accumulate((chart.height for chart in charts), initial=0)
    drawn = "".join(chart.svg(top) for chart, top in zip(charts, tops, strict=False))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{sum(chart.height for chart in charts)}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>{drawn}</svg>\n'
    )
    if file.suffix == ".png":
        import resvg_py

        file.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2, sans_serif_family="DejaVu Sans")))
    else:
        file.write_text(svg)


class _Chart:
    """One leg."""

    def __init__(self, report: LegReport, max_stall: float) -> None:
        self._report = report
        self._timeline = report.timeline
        self._max_stall = max_stall
        self._slowest = max([max_stall, *(result.seconds for result in report.results)]) * 1.2
        self.height = HEIGHT + LINE * len(report.statements)

    def svg(self, offset: int) -> str:
        return f'<g transform="translate(0 {offset})">{"".join(self._parts())}</g>'

    def _parts(self) -> Iterator[str]:
        leg = self._report.leg
        title = f"{leg.start} → {leg.target} ({leg.phase}) under {self._report.code}"
        yield f'<text x="{LEFT}" y="16" font-size="13">{escape(title)}</text>'
        yield self._band(self._timeline.started, self._timeline.ended, "#e8eef7", "the migration's process")
        for number, statement in enumerate(self._report.statements, start=1):
            yield from self._statement(number, statement)
        yield from self._axes()
        for result in self._shown():
            colour = "#c00000" if result.fault else "#1f5fa8"
            yield f'<circle cx="{self._x(result.due):.1f}" cy="{self._y(result.seconds):.1f}" r="1.6" fill="{colour}"/>'

    def _shown(self) -> list[RequestResult]:
        """All that is slow or failed; of the others every n-th, when there are very many."""
        results = [result for result in self._report.results if result.due >= self._timeline.opened]
        step = max(1, len(results) // MAX_DOTS)
        return [r for n, r in enumerate(results) if n % step == 0 or r.fault or r.seconds > self._max_stall / 4]

    def _statement(self, number: int, statement: StatementReport) -> Iterator[str]:
        """A band from its beginning to its end, and its number in the legend."""
        began = self._timeline.started + statement.at
        locks = "; ".join(f"{lock.table} {lock.mode}" for lock in statement.locks)
        text = f"{' '.join(statement.sql.split())} [{locks}]"
        yield self._band(began, began + statement.seconds, "#f2b8a0", text)
        # Quick ones stand close together: their numbers take turns in two rows.
        yield f'<text x="{self._x(began):.1f}" y="{TOP - 4 - 11 * (number % 2)}">{number}</text>'
        short = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
        yield f'<text x="{LEFT}" y="{HEIGHT + LINE * (number - 1)}">{number}  {escape(short)}</text>'

    def _band(self, began: float, ended: float, colour: str, title: str) -> str:
        x, end = self._x(began), self._x(ended)
        shape = f'x="{x:.1f}" y="{TOP}" width="{max(1.5, end - x):.1f}" height="{PLOT}" fill="{colour}"'
        return f"<rect {shape}><title>{escape(title)}</title></rect>"

    def _axes(self) -> Iterator[str]:
        second = FASTEST
        while second <= self._slowest:
            label = f"{second * 1000:g} ms" if second < 1 else f"{second:g} s"
            yield self._line(second, "#cccccc", label)
            second *= 10
        yield self._line(self._max_stall, "#c00000", "")
        length = self._timeline.closed - self._timeline.opened
        step = 10 ** max(0, floor(log10(max(length, 1) / 2)))
        for number in range(int(length // step) + 1):
            x = self._x(self._timeline.opened + number * step)
            seconds = round(self._timeline.opened + number * step - self._timeline.started)
            text = f"{seconds:+d} s" if seconds else "0 s"
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'

    def _line(self, seconds: float, colour: str, label: str) -> str:
        y = self._y(seconds)
        line = f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>'
        return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'

    def _x(self, at: float) -> float:
        length = self._timeline.closed - self._timeline.opened
        return LEFT + (at - self._timeline.opened) / length * (WIDTH - LEFT - 10)

    def _y(self, seconds: float) -> float:
        part = (log10(max(seconds, FASTEST)) - log10(FASTEST)) / (log10(self._slowest) - log10(FASTEST))
        return TOP + PLOT * (1 - part)
