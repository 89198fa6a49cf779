"""Templates of the user's own, tried before they count: read, checked for names, and rendered with samples."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from worker.errors import Problem
from worker.model import (
    Alert,
    AlertItem,
    Answers,
    Change,
    Channel,
    Digest,
    EmailSettings,
    Notice,
    Passage,
    Severity,
    Suppression,
    Target,
    Templates,
    WaveReport,
    WaveStory,
)
from worker.notify.render.digest import Story, Summary
from worker.notify.render.email import Palette
from worker.notify.render.seal import page
from worker.notify.render.templates import NAMES, environment, path, said
from worker.notify.render.view import Named, View
from worker.notify.render.wording import Wording
from worker.rules.query import suggestion

_ALWAYS = {"words", "palettes", "pieces", "subject"}
#: What each template is given.
_GIVEN = {
    "alert.html": {"views", "because"},
    "digest.html": {"digest"},
    "notice.html": {"text", "severity"},
    "item.html": set[str](),
    "layout.html": set[str](),
}
_FIELDS = {
    field.name for shown in (View, Named, Summary, Story, Passage, Change, Palette, Wording) for field in fields(shown)
}
#: Characters of a message's HTML; the samples are of a few lines.
LONGEST = 1 << 20
#: A name that nothing of ours has.
_NAMED = re.compile(r"'(\w+)' is undefined|(?<!') has no attribute '(\w+)'")

_NOW = datetime(2026, 3, 12, 3, 0, tzinfo=UTC)
_PASSAGE = Passage(text="La visite de Hun Sen durera deux jours.", marks=((3, 9), (13, 16), (17, 20)))
_ITEM = AlertItem(
    article_id=1,
    rules=(("Visite de Hun Sen", "hun-sen-visit"), ("Accord frontalier", "border-agreement")),
    severity=Severity.HIGH,
    occasion="first",
    title=Passage(text="Hun Sen attendu à Hanoï", marks=((0, 3), (4, 7))),
    passages=(_PASSAGE, _PASSAGE),
    source="Le Courrier du Mékong",
    language="fr",
    published=_NOW - timedelta(days=70),
    first_seen=_NOW,
    link="https://courrier.example/a",
    outlets=("Mekong Post", "VNA"),
    perhaps=("Hanoi prepares a visit", "AKP"),
    changes=(Change(before=_PASSAGE, after=_PASSAGE), Change(before=Passage(text=""), after=_PASSAGE)),
    old=True,
    answers=Answers(acknowledge="https://v.example/a", mute="https://v.example/m", noise="https://v.example/n"),
)
#: All that may be absent.
_BARE = AlertItem(
    article_id=2,
    rules=(),
    severity=Severity.INFO,
    occasion="first",
    title=Passage(text=""),
    passages=(),
    source="",
    language="",
    published=_NOW,
    first_seen=_NOW,
    link="",
)
_WAVE = WaveReport(
    stories=7,
    per=timedelta(hours=6),
    top=(
        WaveStory(
            title="Hun Sen attendu à Hanoï",
            link="https://courrier.example/a",
            language="fr",
            published=_NOW,
            outlets=("Le Courrier du Mékong", "VNA"),
            articles=3,
        ),
        WaveStory(title="", link="", language="", published=_NOW, outlets=(), articles=1),
    ),
)
_SAMPLES = (
    Alert(items=(_ITEM, _BARE)),
    Alert(items=tuple(replace(_ITEM, occasion=one) for one in ("correction", "follow-up", "development"))),
    Alert(items=(_BARE,)),
    Alert(items=tuple(replace(_ITEM, occasion=one, wave=_WAVE) for one in ("wave", "wave-2", "escalation"))),
    Digest(items=(_BARE, replace(_ITEM, occasion="wave", wave=_WAVE))),
    Digest(
        items=tuple(replace(_ITEM, article_id=n, story_id=n // 2) for n in range(50)),
        held_back=tuple((reason, 2) for reason in Suppression),
    ),
    Notice(subject="Un flux est muet", body="Une ligne.\n\nUne autre."),
)


def check(templates: Templates) -> tuple[Problem, ...]:
    """All that is wrong with a folder of templates: names, syntax, and what fails with a sample of each message."""
    unknown = [name for name, _ in templates.sources if name not in NAMES]
    problems = [
        Problem(
            file=path(name, templates),
            line=0,
            message="no message has a template of this name",
            fix=_meant(name) or f"it may hold {', '.join(NAMES)}",
        )
        for name in unknown
    ]
    for name, source in templates.sources:
        if name not in unknown:
            problems += _read(name, source, templates)
    if problems or not templates.sources:
        return tuple(problems)
    return tuple(dict.fromkeys(_tried(templates)))


def _read(name: str, source: str, templates: Templates) -> Iterator[Problem]:
    """Yields what can be said of one template without rendering it."""
    from jinja2 import TemplateSyntaxError, meta, nodes

    made, file = environment(templates), path(name, templates)
    try:
        tree = made.parse(source, name, file)
        made.compile(source, name, file)
    except TemplateSyntaxError as e:
        yield _hinted(Problem(file=file, line=e.lineno, message=said(e)))
        return
    if (block := tree.find(nodes.EvalContextModifier)) is not None:
        yield Problem(
            file=file, line=block.lineno, message="escaping cannot be switched", fix="remove the `autoescape` block"
        )
    known = _ALWAYS | _GIVEN[name] | set(made.globals)
    for undeclared in sorted(meta.find_undeclared_variables(tree) - known):
        lines = [found.lineno for found in tree.find_all(nodes.Name) if found.name == undeclared]
        fix = suggestion(undeclared, known) or f"it has {', '.join(sorted(_ALWAYS | _GIVEN[name]))}"
        yield Problem(file=file, line=min(lines), message=f"'{undeclared}' is undefined", fix=fix)


def _tried(templates: Templates) -> Iterator[Problem]:
    """Yields what fails with the samples, in either language."""
    settings = EmailSettings(to=(), sender="veille@example.org", host="", port=25, tls="none")
    for language in ("fr", "en"):
        target = Target(id="t", channel=Channel.EMAIL, settings=settings, recipients=(), language=language)
        for sample in _SAMPLES:
            html, problem = page(sample, target=target, now=_NOW, templates=templates)
            if problem is not None:
                yield _hinted(problem)
            elif len(html) > LONGEST:
                words = f"a message of a few lines becomes one of more than {LONGEST} characters"
                yield Problem(file=templates.folder, line=0, message=words, fix="mail servers refuse such a message")


def _meant(name: str) -> str:
    # The endings, which are alike, would make any two names alike.
    stems = [one.removesuffix(".html") for one in NAMES]
    return suggestion(name.partition(".")[0], stems).replace("?", ".html?")


def _hinted(problem: Problem) -> Problem:
    named = _NAMED.search(problem.message)
    word = next(filter(None, named.groups()), "") if named else ""
    return replace(problem, fix=suggestion(word, _FIELDS | _ALWAYS) if word else problem.fix)
