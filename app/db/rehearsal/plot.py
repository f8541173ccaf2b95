"""Latency over time as an SVG, with the statements that the migration ran. Written by hand: it is dots and bars."""

import importlib.util
from collections.abc import Iterator
from html import escape
from math import floor, log10
from pathlib import Path

from app.db.rehearsal.errors import RehearsalError
from app.db.rehearsal.load import Sample
from app.db.rehearsal.report import LegResult, Report

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1000, 340, 60, 40, 40
PLOT = HEIGHT - TOP - BOTTOM
FASTEST = 0.001  # seconds at the bottom; the axis is logarithmic, for a stall is a thousand times a request
SHOWN = 20_000


def must_be_drawable(file: Path | None) -> None:
    """Raises RehearsalError before the work for what couldn't be written after it."""
    if file and file.suffix not in (".svg", ".png"):
        raise RehearsalError(f"--plot {file}: name a file that ends in .svg or .png")
    if file and file.suffix == ".png" and importlib.util.find_spec("resvg_py") is None:
        raise RehearsalError(f"--plot {file}: a .png needs the package resvg-py, an .svg nothing")


def write_plot(report: Report, file: Path) -> None:
    """A PNG is the same picture, rendered."""
    charts = "".join(_Chart(result, report.max_stall).svg(number * HEIGHT) for number, result in enumerate(report.legs))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(report.legs)}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>{charts}</svg>\n'
    )
    if file.suffix == ".png":
        import resvg_py

        file.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2, sans_serif_family="DejaVu Sans")))
    else:
        file.write_text(svg)


class _Chart:
    """One leg."""

    def __init__(self, result: LegResult, max_stall: float) -> None:
        self._result = result
        self._window = result.window
        self._max_stall = max_stall
        self._slowest = max([max_stall, *(sample.seconds for sample in result.samples)]) * 1.2

    def svg(self, offset: int) -> str:
        return f'<g transform="translate(0 {offset})">{"".join(self._parts())}</g>'

    def _parts(self) -> Iterator[str]:
        result = self._result
        title = f"{result.leg.start} → {result.leg.target} ({result.leg.phase}) under {result.code}"
        yield f'<text x="{LEFT}" y="16" font-size="13">{escape(title)}</text>'
        yield self._band(self._window.started, self._window.ended, "#e8eef7", "the migration's process")
        for finding in result.findings:
            began = self._window.started + finding.at
            locks = "; ".join(f"{lock.table} {lock.mode}" for lock in finding.locks)
            yield self._band(began, began + finding.seconds, "#f2b8a0", f"{finding.sql} [{locks}]")
        yield from self._axes()
        for sample in self._shown():
            colour = "#c00000" if sample.fault else "#1f5fa8"
            yield f'<circle cx="{self._x(sample.due):.1f}" cy="{self._y(sample.seconds):.1f}" r="1.6" fill="{colour}"/>'

    def _shown(self) -> list[Sample]:
        """All that is slow or failed; of very many others every so manieth."""
        samples = [sample for sample in self._result.samples if sample.due >= self._window.opened]
        step = max(1, len(samples) // SHOWN)
        return [s for n, s in enumerate(samples) if n % step == 0 or s.fault or s.seconds > self._max_stall / 4]

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
        length = self._window.closed - self._window.opened
        step = 10 ** max(0, floor(log10(max(length, 1) / 2)))
        for number in range(int(length // step) + 1):
            x = self._x(self._window.opened + number * step)
            text = f"{self._window.opened + number * step - self._window.started:+.0f} s"
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'

    def _line(self, seconds: float, colour: str, label: str) -> str:
        y = self._y(seconds)
        line = f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>'
        return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'

    def _x(self, at: float) -> float:
        length = self._window.closed - self._window.opened
        return LEFT + (at - self._window.opened) / length * (WIDTH - LEFT - 10)

    def _y(self, seconds: float) -> float:
        part = (log10(max(seconds, FASTEST)) - log10(FASTEST)) / (log10(self._slowest) - log10(FASTEST))
        return TOP + PLOT * (1 - part)
