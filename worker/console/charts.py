"""Charts as SVG, made on the server: they take the colours of the page, and say in words what they show."""

from collections.abc import Sequence

from markupsafe import Markup

_BAR, _GAP = 4, 1


def sparkline(counts: Sequence[int], said: str, *, height: int = 20) -> Markup:
    """A small chart without axes: a bar for each count, the highest as high as the chart; `said`: its text."""
    return _chart([((count, "bar"),) for count in counts], said, height, "spark")


def bars(days: Sequence[tuple[int, int, int]], said: str, *, height: int = 80) -> Markup:
    """A bar a day of what stays, is gained and is lost, one above the other; `said`: its text."""
    return _chart([tuple(zip(day, ("bar", "gained", "lost"), strict=True)) for day in days], said, height, "bars")


def _chart(columns: Sequence[Sequence[tuple[int, str]]], said: str, height: int, kind: str) -> Markup:
    most = max((sum(count for count, _ in column) for column in columns), default=0) or 1
    drawn = []
    for number, column in enumerate(columns):
        top = float(height)
        for count, name in column:
            # What there is of is seen, however little.
            tall = max(count / most * (height - 1), 1.0) if count else 0.0
            top -= tall
            if count:
                place = f'x="{number * (_BAR + _GAP)}" y="{top:.1f}" width="{_BAR}" height="{tall:.1f}"'
                drawn.append(Markup(f'<rect class="{name}" {place}/>'))  # noqa: S704 - numbers and words of ours
    width = max(len(columns) * (_BAR + _GAP), 1)
    head = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">')
    return head.format(kind, width, height, said) + Markup("").join(drawn) + Markup("</svg>")
