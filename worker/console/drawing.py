"""Drawing: templates, with the words of the reader's language, times in their zone, marked passages, and charts."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from worker.alerts.self_watch import ActiveCondition
from worker.errors import Problem
from worker.model import times
from worker.model.articles import ARCHIVED, NO_TITLE
from worker.notify.render import conditions, sentences

if TYPE_CHECKING:
    from worker.console.asking import Ask

LANGUAGES = ("fr", "en")
_FOLDER = Path(__file__).parent
#: Of a chart's bars, in the units of its picture.
_BAR_WIDTH, _BAR_GAP = 4, 1
#: Spaces at which no French line ends: before high punctuation, and within guillemets.
_TIED, _NO_BREAK = re.compile("(?<=«) | (?=[;:?!%»])"), "\N{NO-BREAK SPACE}"


class Words:
    """A language's words, by section and key; of something counted, by one and many: `words.today.alerts(3)`."""

    def __init__(self, found: Mapping[str, Any], place: str) -> None:
        self._found, self._place = found, place

    def __getattr__(self, name: str) -> "Words | str":
        try:
            return _read(self._found[name], f"{self._place}.{name}")
        except KeyError:
            raise AttributeError(f"no words for {self._place}.{name}") from None

    def __getitem__(self, name: str) -> "Words | str":
        """The words of a key that is known only when the page is drawn; the key itself where there are none."""
        return _read(self._found.get(name, name), f"{self._place}.{name}")

    def __contains__(self, name: object) -> bool:
        """True where there are words for that key."""
        return name in self._found

    def __call__(self, count: int, **more: object) -> str:
        """The words for so many: `one` (in French for none too), else `many`; `{count}` is filled in."""
        is_one = count in (0, 1) if self._place.startswith("fr") else count == 1
        chosen: str = self._found["one" if is_one else "many"]
        return chosen.format(count=format_decimal(count, locale=self._place[:2]), **more)


def _read(found: Any, place: str) -> "Words | str":
    return Words(found, place) if isinstance(found, Mapping) else str(found)


@cache
def words(language: str) -> Words:
    """The words of a language, from `words/`."""
    text = (_FOLDER / "words" / f"{language}.toml").read_text(encoding="utf-8")
    return Words(tomllib.loads(_TIED.sub(_NO_BREAK, text) if language == "fr" else text), language)


def draw(template: str, ask: "Ask", facts: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return draw_for(ask.language, template, {"ask": ask, **facts})


def draw_for(language: str, template: str, facts: Mapping[str, Any]) -> str:
    """A page as HTML, for somebody of whom only the language is known."""
    return _environment().get_template(template).render(language=language, words=words(language), **facts)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("worker.console"),
        # What is sent as text is no HTML.
        autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "moment": _moment,
        "day": _day,
        "clock": _clock,
        "number": _number,
        "ago": _ago,
        "known": times.known,
        "language": _language,
        "said": _said,
        "ours": _ours,
        "problem": _problem,
        "condition": _condition,
        "titled": _titled,
    }
    made.globals |= {"marked": marked, "sparkline": sparkline, "bars": bars}
    return made


def _of(context: Context) -> "Ask":
    ask: Ask = context["ask"]
    return ask


@pass_context
def _moment(context: Context, at: datetime | None) -> Markup:
    """A moment as `<time>`: the hour today, the day and the hour of this year, else the date."""
    if at is None:
        return Markup("")
    ask = _of(context)
    there, today = at.astimezone(ask.zone), ask.now.astimezone(ask.zone)
    if there.date() == today.date():
        said = format_time(there, "HH:mm", locale=ask.language)
    elif there.year == today.year:
        said = format_datetime(there, "d MMM HH:mm", locale=ask.language)
    else:
        said = format_datetime(there, "d MMM y", locale=ask.language)
    whole = format_datetime(there, "EEEE d MMMM y HH:mm zzz", locale=ask.language)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(there.isoformat(timespec="minutes"), whole, said)


@pass_context
def _day(context: Context, at: datetime) -> str:
    """A day with its name: `lundi 30 novembre`."""
    ask = _of(context)
    return format_date(at.astimezone(ask.zone), "EEEE d MMMM y", locale=ask.language)


@pass_context
def _clock(context: Context, at: datetime) -> str:
    """The hour of a moment: `14:05`."""
    ask = _of(context)
    return format_time(at.astimezone(ask.zone), "HH:mm", locale=ask.language)


@pass_context
def _number(context: Context, value: float) -> str:
    """A number as the language groups its digits."""
    return format_decimal(value, locale=_of(context).language)


@pass_context
def _language(context: Context, tag: str) -> str:
    """The name of a language, by its BCP 47 primary tag; the tag itself where it has none."""
    try:
        return Locale.parse(tag).get_display_name(_of(context).language) or tag
    except (UnknownLocaleError, ValueError):
        return tag


@pass_context
def _ago(context: Context, at: datetime | None) -> str:
    """The time since a moment, or until it, in its greatest unit."""
    if at is None:
        return ""
    from babel.dates import format_timedelta

    ask = _of(context)
    passed: timedelta = at - ask.now
    return format_timedelta(passed, add_direction=True, locale=ask.language)


@pass_context
def _said(context: Context, text: str) -> str:
    """A sentence of ours, or a remark that is stored, in the reader's language; the words of others as quotations."""
    if not context.eval_ctx.autoescape:
        return _ours(context, text)
    return sentences.said(text, context["language"], Markup('<q lang="en">{}</q>').format)


@pass_context
def _ours(context: Context, text: str) -> str:
    """The same, where what is not ours is what people wrote, or goes out as plain text."""
    return sentences.said(text, context["language"])


@pass_context
def _problem(context: Context, one: Problem) -> str:
    """A problem of a file: its place, its line with the caret, and the fix."""
    return sentences.problem(one, context["language"])


@pass_context
def _condition(context: Context, one: ActiveCondition) -> str:
    """A condition that is on, in one sentence."""
    return conditions.stored(one.words, one.kind, context["language"])


@pass_context
def _titled(context: Context, title: str) -> str:
    """A title; for an article that has none, what it is called instead."""
    is_ours = title == NO_TITLE or title.endswith(ARCHIVED)
    return sentences.said(title, context["language"]) if is_ours else title


def marked(text: str, marks: Iterable[Sequence[int]]) -> Markup:
    """A text with its marks [start, end) as `<mark>`; marks that overlap are one."""
    done, parts = 0, []
    for first, last in sorted((int(mark[0]), int(mark[1])) for mark in marks):
        start, end = max(first, done), max(last, done)
        if end > start:
            parts.append(Markup("{}<mark>{}</mark>").format(text[done:start], text[start:end]))
            done = end
    return Markup("").join([*parts, Markup("{}").format(text[done:])])


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
                place = f'x="{number * (_BAR_WIDTH + _BAR_GAP)}" y="{top:.1f}" width="{_BAR_WIDTH}" height="{tall:.1f}"'
                drawn.append(Markup(f'<rect class="{name}" {place}/>'))  # noqa: S704 - numbers and words of ours
    width = max(len(columns) * (_BAR_WIDTH + _BAR_GAP), 1)
    head = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">')
    return head.format(kind, width, height, said) + Markup("").join(drawn) + Markup("</svg>")
