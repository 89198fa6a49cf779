"""Waves as a user meets them: the real command, a feed and a mail server on loopback, kills in between."""

import email
import email.policy
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from feedserver import FeedServer
from rig import Site, rss
from sinks import SmtpSink
from test_crash import due_now
from test_waves import RULES, dispatch

from worker.store import ledger, open_store


@dataclass
class Street:
    """A site with one feed whose items come one by one, and one mailbox."""

    site: Site
    server: FeedServer
    smtp: SmtpSink
    shown: int = 0

    def show(self, more: int = 1) -> None:
        """Let the feed hold more items."""
        self.shown += more
        items = [dispatch(n) for n in range(self.shown)]
        self.server.serve("/feed", rss(items), etag=f'"{self.shown}"')
        if (self.site.folder / "veille.db").exists():
            due_now(self.site)

    @property
    def subjects(self) -> list[str]:
        return [
            str(email.message_from_bytes(mail.content, policy=email.policy.default)["subject"])
            for mail in self.smtp.received
        ]

    def why(self, number: int) -> dict:
        """The one line that the ledger has of the feed's item."""
        (line,) = self.site.json("why", f"https://a.example/{number}")["ledger"]
        return line


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    with FeedServer() as server, SmtpSink() as smtp:
        url = server.serve("/feed", rss([]))
        mailbox = f'email = {{ to = ["a@example.org"], from = "v@example.org", smtp = "smtp://127.0.0.1:{smtp.port}" }}'
        site = Site(
            tmp_path,
            feeds=[url],
            allow=[server.place],
            targets=f'[[target]]\nid = "desk"\nlanguage = "en"\n{mailbox}\n',
            rules=RULES,
            alerts="",
        )
        yield Street(site, server, smtp)


def test_from_silence_to_an_alert_and_again(street: Street) -> None:
    """Four are silent, the fifth tells, the tenth tells again, and `why` names the wave."""
    site = street.site
    for more, mails in ((4, 0), (1, 1), (4, 1), (1, 2)):
        street.show(more)
        site.poll()
        assert len(street.subjects) == mails
    first = "[high] Crues: Wave of 5 stories in 6 hours"
    assert street.subjects == [first, f"Re: {first}"]

    below, told, within, again = (street.why(number) for number in (2, 4, 5, 9))
    wave = told["wave"]["article"]
    assert [line["wave"]["article"] for line in (below, told, within, again)] == [wave] * 4
    assert [line["reason"] for line in (below, within)] == ["below-volume", "in-wave"]
    assert "below-volume, too few stories for a wave of its rule (3 of 5 stories in 6 h); wave of" in below["sentence"]
    assert f"UTC+07, article {wave}" in within["sentence"]
    assert [line["occasion"] for line in (told, again)] == ["wave", "wave-2"]
    assert "below-volume" in site.veille("why", "https://a.example/2").stdout


def test_every_command_knows_waves(street: Street) -> None:
    """Before the rule goes live and after."""
    site = street.site
    assert (
        "`flood` sends no alert for a single article: it alerts when 5 stories come in 6 h"
        in site.veille("rules", "check").stdout
    )
    street.show(10)
    site.poll()
    wave = street.why(4)["wave"]["article"]
    sums = {row["why"]: row["obligations"] for row in site.json("ledger", "--since", "1d")["lines"]}
    assert sums == {"below-volume": 4, "in-wave": 4, "": 2}
    found = site.json("rules", "backtest", "flood", "--since", "5000d")
    assert (found["matched"], found["alerts"], found["suppressed"]) == (10, 2, {"below-volume": 4, "in-wave": 4})
    assert [(one["article"], one["most"], one["alerts"]) for one in found["waves"]] == [(wave, 10, 2)]
    shown = site.veille("preview", "https://a.example/5", "--target", "desk").stdout
    assert shown.startswith("[high] Crues: Wave of 6 stories in 6 hours")
    assert site.json("replay", "--since", "1d")["same"]


def test_a_draft_is_compared_by_its_waves(street: Street) -> None:
    """Another volume, before it goes live."""
    street.show(6)
    street.site.poll()
    draft = street.site.folder / "draft"
    draft.mkdir()
    (draft / "rules.toml").write_text(RULES.replace("= 5", "= 2"))
    found = street.site.json("rules", "diff", str(draft), "--since", "5000d")
    assert found["rules"]["flood"]["waves"] == {"old": 1, "new": 1}
    days = found["alerts"]["desk"]
    assert (sum(days["old"].values()), sum(days["new"].values())) == (1, 3)


@pytest.mark.parametrize(
    ("point", "mails"),
    [("before_ingest_commit", 1), ("after_ingest_commit", 1), ("before_send", 1), ("after_send_before_mark", 2)],
)
def test_a_kill_loses_no_wave(street: Street, point: str, mails: int) -> None:
    """A kill at a named point as the fifth story comes; it is told twice only where the send had begun."""
    site = street.site
    street.show(4)
    site.poll()
    street.show()
    site.environ = {"FAULT_POINT": point}
    assert site.veille("poll", code=None).returncode == -signal.SIGKILL
    site.environ = {}
    site.poll()
    street.show()
    site.poll()
    assert len(street.subjects) == mails
    assert len({mail.content.partition(b"Message-ID")[2][:80] for mail in street.smtp.received}) == 1
    assert [street.why(number)["reason"] for number in (3, 4, 5)] == ["below-volume", "", "in-wave"]
    store = open_store(f"sqlite:///{site.folder / 'veille.db'}", create=False)
    with store.read() as tx:
        assert ledger.audit(tx) == ()
    store.close()
