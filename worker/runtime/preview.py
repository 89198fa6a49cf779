"""A message as its reader would get it: nothing is sent, nothing is stored."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from worker.analysis import text
from worker.errors import VeilleError
from worker.model import Alert, AlertItem, Digest, Match, Message, Occasion, Suppression, Target, Verdict
from worker.notify.render import page, seal
from worker.pipeline.content import item, wave_item
from worker.pipeline.context import ActiveConfig
from worker.rules.match import Source, match
from worker.runtime.clock import clock
from worker.runtime.load import target_named
from worker.store import Tx, articles, entries, ledger, ledger_lines, notification_history, waves
from worker.store.articles import StoredArticle

#: Articles of a digest, and how far back they are looked for.
_DIGEST = 12
_LOOKED_AT = 1_000

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60
#: Alone on its own profile, quiet on the network.
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=2",
)


class NoBrowserError(VeilleError):
    """No Chromium is on the PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A message and its page."""

    subject: str
    #: As the channel has it: a mail's plain part, the texts of Slack's blocks, Apprise's body.
    text: str
    #: Of a mail, whatever the channel.
    html: str
    #: What is wrong with the user's template; then the page is a shipped one's.
    problem: str


def of_article(tx: Tx, live: ActiveConfig, article: StoredArticle, target_id: str) -> Preview | None:
    """The first alert on an article, whatever the routes say; None where no rule matches it, then or now.

    For a rule with a volume, the alert of the wave that the article belongs to, or of one that it would complete.
    """
    target = target_named(live, target_id)
    found: Sequence[ledger.StoredMatch] = ledger.matches(tx, article.id)
    if not found:
        found = [_as_stored(one, article, clock()) for one in _matches(tx, live, article)]
    items = _items(tx, live, article, found)
    return _preview(Alert(items=items), target, live) if items else None


def of_digest(tx: Tx, live: ActiveConfig, target_id: str) -> Preview | None:
    """A digest of the newest matched articles, without copies that nobody is alerted of; None if there are none."""
    target = target_named(live, target_id)
    items: list[AlertItem] = []
    for article in articles.newest(tx, limit=_LOOKED_AT):
        if len(items) < _DIGEST and not _is_kept_back(tx, article):
            items += _items(tx, live, article, ledger.matches(tx, article.id), only_waves_that_begin=True)
    held_back = notification_history.held_back(tx, target.recipients[0])
    reasons = tuple((Suppression(why), count) for why, count in held_back.items())
    return _preview(Digest(items=tuple(items), held_back=reasons), target, live) if items else None


def _is_kept_back(tx: Tx, article: StoredArticle) -> bool:
    """Tells whether it is a copy of which nobody is alerted."""
    return article.of_id is not None and all(
        line.verdict == Verdict.SUPPRESSED for line in ledger_lines.lines(tx, article.id)
    )


def picture(preview: Preview, file: Path) -> None:
    """Let a Chromium draw the page into `file`; raises NoBrowserError, or VeilleError where it does not."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoBrowserError(f"no Chromium is on the PATH ({', '.join(BROWSERS)}): --html FILE writes the page instead")
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "message.html"
        shown.write_text(preview.html, encoding="utf-8")
        drawn = Path(folder) / "message.png"
        command = [
            browser,
            *_FLAGS,
            # Root has no sandbox to run it in; the page has neither scripts nor anything to fetch.
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            f"--window-size=680,{_height(preview.text)}",
            f"--user-data-dir={folder}/profile",
            f"--screenshot={drawn}",
            shown.as_uri(),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603 - our own words
            shutil.copyfile(drawn, file)
        except (OSError, subprocess.SubprocessError) as e:
            raise VeilleError(f"{browser} could not draw the page: {e}") from e


def _height(shown: str) -> int:
    """Pixels that the page takes, about: Chromium draws its window, not the page."""
    lines = sum(1 + len(line) // 60 for line in shown.splitlines() if line.strip())
    return min(max(200 + 30 * lines, 480), 12_000)


def _items(
    tx: Tx,
    live: ActiveConfig,
    article: StoredArticle,
    found: Sequence[ledger.StoredMatch],
    *,
    only_waves_that_begin: bool = False,
) -> tuple[AlertItem, ...]:
    """The article with its rules, and a wave for each rule with a volume."""
    volumes = {rule.id: rule.volume for rule in live.ruleset.rules if rule.volume is not None}
    single = [("first", one) for one in found if one.rule_id not in volumes]
    items = [item(tx, article.id, single)] if single else []
    belongs = waves.of_article(tx, article.id)
    # Of a rule's texts the newest is shown, as in a message.
    for rule_id, one in {one.rule_id: one for one in found if one.rule_id in volumes}.items():
        mine = belongs.get((rule_id, article.id))
        if only_waves_that_begin and (mine is None or mine.article_id != article.id):
            continue
        report = waves.report(tx, rule_id, article.id, mine.per if mine else volumes[rule_id].per)
        items.append(wave_item(tx, article.id, (Occasion.WAVE, one), report))
    return tuple(items)


def _matches(tx: Tx, live: ActiveConfig, article: StoredArticle) -> Sequence[Match]:
    """The matches of the live rules in the article's newest text."""
    entry = entries.of_article(tx, article.id)
    feed = live.feed(entry) if entry else None
    one = article.article
    source = Source(
        feed=feed.name if feed else "",
        tags=feed.tags if feed else (),
        published=one.published,
        first_seen=one.first_seen,
    )
    return tuple(match(text.analyse(one.title, one.body, one.language), live.ruleset, source))


def _as_stored(one: Match, article: StoredArticle, now: datetime) -> ledger.StoredMatch:
    return ledger.StoredMatch(
        article_id=article.id,
        rule_id=one.rule_id,
        rule_name=one.rule_name,
        rule_hash=one.rule_hash,
        ruleset_hash=one.ruleset_hash,
        severity=one.severity,
        spans=one.spans,
        revision=article.revision,
        title=article.article.title,
        body=article.article.body,
        created=now,
    )


def _preview(content: Alert | Digest, target: Target, live: ActiveConfig) -> Preview:
    now, templates = clock(), live.config.templates
    message = seal(
        content,
        target=target,
        recipient=target.recipients[0],
        key="preview",
        host="veille",
        now=now,
        templates=templates,
    )
    html, problem = page(content, target=target, now=now, templates=templates)
    return Preview(subject=message.subject, text=_readable(message), html=html, problem=str(problem or ""))


def _readable(message: Message) -> str:
    if not message.content.startswith(b"{"):
        mail = message_from_bytes(message.content, _class=EmailMessage, policy=policy.default)
        part = mail.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
    said = json.loads(message.content)
    return str(said["body"]) if "body" in said else "\n\n".join(_texts(said["blocks"])) + "\n"


def _texts(blocks: object) -> list[str]:
    """Every text of Slack's blocks, in order."""
    if isinstance(blocks, list):
        return [found for one in blocks for found in _texts(one)]
    if not isinstance(blocks, dict):
        return []
    found = blocks.get("text")
    return [found] if isinstance(found, str) else [text for one in blocks.values() for text in _texts(one)]
