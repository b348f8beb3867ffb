"""Line charts as SVG: axes, lines, marks and their names, written by hand because nothing else is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 880, 480
LEFT, RIGHT, TOP, BOTTOM = 78, 40, 64, 60
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#bc4c00", "#57606a")
DASHES = ("", "7 4", "2 3", "10 3 2 3", "", "7 4")
INK, FAINT, PAPER = "#1f2328", "#d8dee4", "#ffffff"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    name: str
    ticks: Sequence[float]
    """The first and the last are the ends."""
    label: Callable[[float], str] = "{:g}".format
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where it lies between the ends, 0 to 1; what is outside is put at the end."""
        low, high, at = self.ticks[0], self.ticks[-1], min(max(value, self.ticks[0]), self.ticks[-1])
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    points: Points
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point that is meant to be reached."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    title: str
    subtitle: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    marks: Sequence[Mark] = field(default=())

    def svg(self) -> str:
        rows = max(1, math.ceil(len(self.lines) / 2))
        height = HEIGHT + 20 * rows
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            _text(LEFT, 26, self.title, size=17, weight="600"),
            _text(LEFT, 47, self.subtitle, size=12),
            *self._grid(),
            *(part for number, line in enumerate(self.lines) for part in self._line(number, line)),
            *(part for mark in self.marks for part in self._mark(mark)),
            *(part for number, line in enumerate(self.lines) for part in _legend(number, line)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _at(self, x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + wide * self.x.share(x), 1), round(HEIGHT - BOTTOM - high * self.y.share(y), 1)

    def _grid(self) -> list[str]:
        parts = []
        for tick in self.x.ticks:
            x, _ = self._at(tick, self.y.ticks[0])
            parts += [_rule(x, TOP, x, HEIGHT - BOTTOM), _text(x, HEIGHT - BOTTOM + 19, self.x.label(tick), "middle")]
        for tick in self.y.ticks:
            _, y = self._at(self.x.ticks[0], tick)
            parts += [_rule(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 9, y + 4, self.y.label(tick), "end")]
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 42, self.x.name, "middle"))
        parts.append(f'<g transform="rotate(-90 20 {middle})">{_text(20, middle, self.y.name, "middle")}</g>')
        return parts

    def _line(self, number: int, line: Line) -> list[str]:
        places = [self._at(x, y) for x, y in line.points]
        path = " ".join(f"{x:g},{y:g}" for x, y in places)
        colour = COLOURS[number % len(COLOURS)]
        parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{_dash(number)}/>']
        if line.dots:
            parts += [f'<circle cx="{x:g}" cy="{y:g}" r="3.5" fill="{colour}"/>' for x, y in places]
        return parts

    def _mark(self, mark: Mark) -> list[str]:
        x, y = self._at(mark.x, mark.y)
        cross = f'<path d="M{x - 6:g} {y:g}h12M{x:g} {y - 6:g}v12" stroke="{INK}" stroke-width="2"/>'
        near_end = self.x.share(mark.x) > 0.8
        return [cross, _text(x + (-10 if near_end else 10), y + 18, mark.name, "end" if near_end else "start", size=12)]


def _legend(number: int, line: Line) -> list[str]:
    """Below the axis, two in a row."""
    x, y = LEFT + (number % 2) * 390, HEIGHT + 4 + 20 * (number // 2)
    colour = COLOURS[number % len(COLOURS)]
    key = f'<path d="M{x} {y}h34" stroke="{colour}" stroke-width="3"{_dash(number)}/>'
    return [key, _text(x + 42, y + 4, line.name)]


def _dash(number: int) -> str:
    dash = DASHES[number % len(DASHES)]
    return f" stroke-dasharray={quoteattr(dash)}" if dash else ""


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{FAINT}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", *, size: int = 13, weight: str = "400") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'
