"""Small line charts as SVG text, for pages without scripts; the same data gives the same text.

In: named series of points within 0..1 on the y axis. Out: one SVG document. Texts are escaped.
"""

from collections.abc import Sequence
from html import escape

from cotfaith.cluster.colours import COLOURS

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 680, 320, 48, 16, 210, 44
Points = Sequence[tuple[float, float]]
DASHES = ("", "6 3", "2 3")


def line_chart(series: Sequence[tuple[str, Points]], x_title: str, y_title: str, x_max: float = 1.0) -> str:
    """Return a line chart with a legend on the right."""
    body = [*_axes(x_title, y_title, x_max)]
    for index, (name, points) in enumerate(series):
        body += _line(index, name, points, x_max)
    font = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *body, "</svg>", ""])


def _x(value: float, x_max: float) -> float:
    return LEFT + value / x_max * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)


def _axes(x_title: str, y_title: str, x_max: float) -> list[str]:
    lines = []
    for i in range(5):
        level, x = i / 4, i / 4 * x_max
        lines += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(level):.1f}" y2="{_y(level):.1f}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{_y(level) + 4:.1f}" text-anchor="end">{level:.2f}</text>',
            f'<text x="{_x(x, x_max):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:.2f}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [
        *lines,
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>',
        f'<text x="12" y="{HEIGHT / 2:.0f}" transform="rotate(-90 12 {HEIGHT / 2:.0f})" text-anchor="middle">'
        f"{escape(y_title)}</text>",
    ]


def _line(index: int, name: str, points: Points, x_max: float) -> list[str]:
    # Lines with the same colour differ in their dashes.
    colour = COLOURS[index % len(COLOURS)]
    style = f'stroke="{colour}" stroke-dasharray="{DASHES[index // len(COLOURS) % len(DASHES)]}"'
    path = " ".join(f"{_x(x, x_max):.1f},{_y(y):.1f}" for x, y in points)
    dots = [f'<circle cx="{_x(x, x_max):.1f}" cy="{_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
    at = TOP + 12 + 18 * index
    left = WIDTH - RIGHT + 14
    return [
        f'<polyline points="{path}" fill="none" stroke-width="2" {style}/>',
        *dots,
        f'<line x1="{left}" x2="{left + 24}" y1="{at}" y2="{at}" stroke-width="2" {style}/>',
        f'<text x="{left + 30}" y="{at + 4}">{escape(name)}</text>',
    ]
