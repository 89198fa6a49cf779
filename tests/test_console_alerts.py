"""The pages of alerts: what waits and why, the ledger, silences, and hand-overs, each change with its author."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from consoles import Pages, sampled, text

from worker.store import deliveries, people, silences
from worker.store.tables import DELIVERY

HEAVY = '<img src=x onerror=alert(1)>"&'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A site whose alerts went out, but for the newest, which wait for quiet hours to end and for a digest."""
    target = '[[target]]\nid = "log"\nlog = { folder = "alerts" }\n[[target]]\nid = "late"\nlog = { folder = "late" }\n'
    target += 'digest = { at = "17:00" }\n'
    routes = '[[route]]\ntargets = ["log"]\n[[route]]\ntargets = ["late"]\n'
    with sampled(tmp_path_factory.mktemp("alerts"), targets=target, more=routes) as found:
        yield found


def _changes(pages: Pages) -> list[tuple[str, str, str]]:
    with pages.store.read() as tx:
        return [(one.author, one.action, one.subject) for one in people.changes(tx, limit=10)]


def test_what_waits_says_why_and_how_it_would_look(pages: Pages) -> None:
    (link, *_) = pages.get("/alerts").find_class("title")
    page = pages.get(link.get("href"))
    assert "Goes with the digest of" in text(page)
    assert "Hun Sen" in text(page.find_class("message")[0])


def test_a_page_in_french_has_no_english_of_ours(pages: Pages) -> None:
    shown = text(pages.get("/alerts", **{"Accept-Language": "fr"}))
    assert "Part avec le condensé de" in shown
    assert "Goes with" not in shown


def test_the_ledger_is_filtered_by_its_address(pages: Pages) -> None:
    def outcomes(query: str) -> set[str]:
        rows = pages.get(f"/alerts/ledger?{query}").xpath("//tbody/tr/td[5]")
        return {text(row).split()[0] for row in rows}

    assert outcomes("target=log&outcome=sent") == {"sent"}
    assert outcomes("target=late") == {"waits", "not"}
    assert outcomes("rule=nothing") == set()


def test_the_ledger_goes_on_where_its_page_ends(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.pages.alerts._SHOWN", 1)
    seen, path = [], "/alerts/ledger"
    while path:
        page = pages.get(path)
        seen += [text(cell) for cell in page.xpath("//tbody/tr")]
        path = next(iter(page.xpath("//a[text()='Earlier']/@href")), "")
    assert len(seen) == len(set(seen)) == len(pages.get("/alerts/ledger?").xpath("//tbody/tr")) + len(seen) - 1 >= 2


def test_a_failed_delivery_is_tried_again_by_whom(pages: Pages) -> None:
    with pages.store.write() as tx:
        (one, *_) = deliveries.unsent(tx, limit=1)
        before = tx.execute(DELIVERY.select().where(DELIVERY.c.id == one.id)).one()._asdict()
        tx.execute(DELIVERY.update().where(DELIVERY.c.id == one.id).values(state="failed", reason=HEAVY))
    page = pages.get("/alerts")
    assert "1 message needs you" in text(page)
    assert HEAVY in text(page)
    assert page.xpath("//img") == []
    assert pages.post("/alerts/retry", {"delivery": str(one.id)}) == "/alerts?said=retried"
    with pages.store.read() as tx:
        assert deliveries.lines(tx, [one.id])[0].state != "failed"
    assert _changes(pages)[0] == ("desk", "retry", f"delivery {one.id}")
    with pages.store.write() as tx:
        tx.execute(DELIVERY.update().where(DELIVERY.c.id == one.id).values(before))


def test_a_silence_is_made_and_ended(pages: Pages) -> None:
    made = {"rule": "visit", "for": "6h", "reason": HEAVY}
    assert pages.post("/alerts/silences/make", made) == "/alerts/silences?said=silenced"
    page = pages.get("/alerts/silences?said=silenced")
    assert HEAVY in text(page)
    with pages.store.read() as tx:
        (one,) = silences.active(tx, pages.desk.clock())
    assert one.author == "desk"
    assert one.until is not None
    assert timedelta(hours=5) < one.until - pages.desk.clock() <= timedelta(hours=6)
    assert pages.post("/alerts/silences/end", {"silence": str(one.id)}) == "/alerts/silences?said=silence_ended"
    assert "Nothing is silenced" in text(pages.get("/alerts/silences"))
    assert [action for _, action, _ in _changes(pages)[:2]] == ["silence ended", "silence"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        pytest.param({"for": "1d"}, "Choose one thing", id="nothing"),
        pytest.param({"rule": "visit", "feed": "Fil 1", "for": "1d"}, "Choose one thing", id="two things"),
        pytest.param({"rule": "visit", "for": "soon"}, "Say how long", id="no time"),
        pytest.param({"rule": "visit", "for": "900w"}, "Say how long", id="for ever"),
        pytest.param({"rule": "../../x", "for": "1d"}, "There is no such", id="no rule"),
        pytest.param({"story": "999999", "for": "1d"}, "There is no such", id="no story"),
    ],
)
def test_a_silence_of_nothing_is_refused(pages: Pages, form: dict[str, str], said: str) -> None:
    assert said in pages.post("/alerts/silences/make", form, 400)
    with pages.store.read() as tx:
        assert silences.active(tx, pages.desk.clock()) == ()


def test_a_story_is_handed_over_and_the_others_are_told(pages: Pages) -> None:
    number = pages.get("/alerts/ledger?target=log&outcome=sent").xpath("//tbody//a/@href")[0].rpartition("/")[2]
    given = {"article": number, "person": "Linh", "note": "appeler le ministère"}
    assert pages.post("/alerts/hand-over", given) == f"/articles/{number}?said=handed_over"
    with pages.store.read() as tx:
        (one,) = people.hand_overs(tx, int(number))
        assert (one.author, one.person, one.note) == ("desk", "Linh", "appeler le ministère")
        assert silences.acknowledged(tx, int(number)) is not None
        subjects = [line.subject for line in deliveries.unsent(tx)]
    assert any("desk" in subject and "Linh" in subject and "ministère" in subject for subject in subjects)


def test_a_hand_over_of_nothing_is_not_there(pages: Pages) -> None:
    pages.post("/alerts/hand-over", {"article": "999999", "person": "Linh"}, 404)
