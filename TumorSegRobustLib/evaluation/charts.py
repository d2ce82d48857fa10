"""Small charts as SVG text for the report: no script, no library, sharp on any screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SIDE, _MARGIN = 300, 42


def scatter(points: Sequence[tuple[float, float, str]], x_label: str, y_label: str) -> str:
    """(x, y, name) in the unit square, with the diagonal; the name shows when the mouse rests on a dot."""
    dots = "".join(
        f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4" class="dot"><title>{_plain(name)}</title></circle>'
        for x, y, name in points
    )
    return _square(dots, x_label, y_label)


def reliability_diagram(points: Sequence[tuple[float, float, int]]) -> str:
    """(mean predicted probability, share that is tumour, voxels) per bin; a dot's area shows the voxels."""
    most = max((n for _, _, n in points), default=1)
    way = " ".join(f"{_x(p):.1f},{_y(t):.1f}" for p, t, _ in points)
    dots = "".join(
        f'<circle cx="{_x(p):.1f}" cy="{_y(t):.1f}" r="{2 + 8 * (n / most) ** 0.5:.1f}" class="dot">'
        f"<title>said {p:.2f}, is {t:.2f}, {n} voxels</title></circle>"
        for p, t, n in points
    )
    return _square(
        f'<polyline points="{way}" class="line"/>{dots}', "probability said", "share that is tumour"
    )


def site_strips(sites: Mapping[str, Sequence[tuple[float, str]]]) -> str:
    """{site: [(value in 0..1, case)]}: a line of dots for every site and a bar at its mean."""
    width, row, left = 640, 34, 150
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + tick * (width - left - 20)
        parts.append(f'<line x1="{x:.0f}" y1="4" x2="{x:.0f}" y2="{row * len(sites) + 6}" class="grid"/>')
        parts.append(f'<text x="{x:.0f}" y="{row * len(sites) + 24}" class="tick middle">{tick:g}</text>')
    for number, (site, values) in enumerate(sites.items()):
        y = row * number + row / 2 + 4
        parts.append(f'<text x="{left - 14}" y="{y + 4:.0f}" class="tick end">{_plain(site)}</text>')
        for value, case in values:
            x = left + value * (width - left - 20)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.0f}" r="4.5" class="dot">'
                f"<title>{_plain(case)}: {value:.3f}</title></circle>"
            )
        mean = sum(value for value, _ in values) / max(1, len(values))
        x = left + mean * (width - left - 20)
        parts.append(f'<line x1="{x:.1f}" y1="{y - 12:.0f}" x2="{x:.1f}" y2="{y + 12:.0f}" class="mean"/>')
    height = row * len(sites) + 34
    return f'<svg viewBox="0 0 {width} {height}" role="img" class="wide">{"".join(parts)}</svg>'


def _square(inner: str, x_label: str, y_label: str) -> str:
    low, high = 0.0, 1.0
    ticks = "".join(
        f'<text x="{_x(t):.0f}" y="{_y(0) + 16:.0f}" class="tick middle">{t:g}</text>'
        f'<text x="{_x(0) - 8:.0f}" y="{_y(t) + 4:.0f}" class="tick end">{t:g}</text>'
        f'<line x1="{_x(t):.0f}" y1="{_y(0):.0f}" x2="{_x(t):.0f}" y2="{_y(1):.0f}" class="grid"/>'
        f'<line x1="{_x(0):.0f}" y1="{_y(t):.0f}" x2="{_x(1):.0f}" y2="{_y(t):.0f}" class="grid"/>'
        for t in (0.0, 0.5, 1.0)
    )
    middle = (_x(low) + _x(high)) / 2
    labels = (
        f'<text x="{middle:.0f}" y="{_y(0) + 34:.0f}" class="label middle">{_plain(x_label)}</text>'
        f'<text x="14" y="{middle:.0f}" class="label middle" transform="rotate(-90 14 {middle:.0f})">'
        f"{_plain(y_label)}</text>"
    )
    diagonal = (
        f'<line x1="{_x(low):.0f}" y1="{_y(low):.0f}" x2="{_x(high):.0f}" y2="{_y(high):.0f}" class="ideal"/>'
    )
    return f'<svg viewBox="0 0 {_SIDE} {_SIDE}" role="img">{ticks}{diagonal}{inner}{labels}</svg>'


def _x(value: float) -> float:
    return _MARGIN + value * (_SIDE - _MARGIN - 12)


def _y(value: float) -> float:
    return 12 + (1 - value) * (_SIDE - _MARGIN - 12)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
