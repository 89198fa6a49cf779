# ruff: noqa: INP001 - a script beside the manual, no package
"""Make docs/alert.png: the HTML of a real alert, as Chromium shows it by day and by night.

    .venv/bin/python docs/screenshot.py

Needs `chromium` on PATH; the article is ours.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from worker.analysis import text
from worker.model import (
    Alert,
    AlertItem,
    Channel,
    EmailSettings,
    Part,
    Severity,
    Span,
    Target,
)
from worker.notify.render import passages, seal

PUBLISHED = datetime(2026, 3, 12, 2, 40, tzinfo=UTC)
TITLE = "Hun Sen attendu à Hanoï pour une visite officielle"
BODY = """\
Le président du Sénat cambodgien Hun Sen effectuera une visite à Hanoï du 18 au 20 mars, à la tête d'une \
délégation de parlementaires et de gouverneurs de province.

Les deux parties feront le point sur l'accord frontalier et sur les six postes-frontières dont l'ouverture est prévue \
avant la fin de l'année. Le commerce bilatéral a progressé d'un dixième en un an.

Selon le programme, la visite de Hun Sen s'achèvera par une étape à Haiphong, où sont installées plusieurs \
entreprises cambodgiennes."""
MARKED = ("visite", "Hun Sen", "Hanoï", "Haiphong")
#: Chromium alone on its own profile, quiet on the network.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=2",
    "--window-size=680,600",
)


def html() -> str:
    """The HTML part of the mail, after its whole way through MIME."""
    document = text.analyse(TITLE, BODY, "fr")
    title, found = passages(document, [*_spans(Part.TITLE, TITLE), *_spans(Part.BODY, BODY)])
    item = AlertItem(
        article_id=1,
        rules=(("Visite de Hun Sen", "hun-sen-visit"),),
        severity=Severity.HIGH,
        occasion="first",
        title=title,
        passages=found,
        source="Le Courrier du Mékong",
        language="fr",
        published=PUBLISHED,
        first_seen=PUBLISHED + timedelta(minutes=4),
        outlets=("La Dépêche de Vientiane", "Phnom Penh Matin"),
        link="https://courrier.example/monde/hun-sen-hanoi",
    )
    settings = EmailSettings(to=(), sender="veille@example.org", host="", port=25, tls="none")
    target = Target(id="desk", channel=Channel.EMAIL, settings=settings, recipients=())
    message = seal(
        Alert(items=(item,)),
        target=target,
        recipient="mailto:desk@example.org",
        key="1",
        host="example.org",
        now=PUBLISHED,
    )
    mail = message_from_bytes(message.content, _class=EmailMessage, policy=policy.default)
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def _spans(part: Part, content: str) -> list[Span]:
    return [Span(part=part, words=(found.span(),)) for found in re.finditer("|".join(MARKED), content)]


def shoot(page: Path, picture: Path, *flags: str) -> None:
    """Let Chromium draw `page`."""
    browser = shutil.which("chromium") or sys.exit("chromium is not on PATH")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, *flags, f"--user-data-dir={profile}", f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own words


def main() -> None:
    """Draw the picture of the manual; with an argument, both variants into that folder."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "alert.html"
        page.write_text(html(), encoding="utf-8")
        shoot(page, Path(__file__).parent / "alert.png")
        if len(sys.argv) > 1:
            shoot(page, Path(sys.argv[1]) / "dark.png", "--blink-settings=preferredColorScheme=0")


if __name__ == "__main__":
    main()
