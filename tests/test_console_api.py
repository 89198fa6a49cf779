"""The API: what it gives is as described, whoever calls it; what it takes is checked, and written down."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import schemathesis
from consoles import Pages, sampled
from desk import examples
from rig import LOG_TARGET
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from worker.console.access import digest
from worker.console.api import OPERATIONS, ROOT
from worker.console.api.calls import Operation, cursor
from worker.console.api.description import description
from worker.model import Notice
from worker.store import open_deliveries, people, silences
from worker.store.people import Scope
from worker.store.silences import Silence

#: Nobody sits at the machine: who calls must say who they are.
ELSEWHERE = 'public_url = "https://veille.example.org"\n'
TOKENS = {"read": [Scope.READ], "all": list(Scope), "over": list(Scope)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The console of a desk that signs in, with a token for each name of `TOKENS`."""
    with sampled(tmp_path_factory.mktemp("api"), more=ELSEWHERE, targets=LOG_TARGET) as found:
        now = found.desk.clock()
        with found.store.write() as tx:
            for name, scopes in TOKENS.items():
                until = now + timedelta(days=-1 if name == "over" else 1)
                people.add_token(tx, name, digest(name), scopes, author="ana", now=now, until=until)
        found.keep()
        yield found


def call(
    pages: Pages, path: str, method: str = "GET", body: object = None, token: str = "all", **headers: str
) -> tuple[int, Any]:
    """The status and the value of an answer."""
    given = {"Authorization": f"Bearer {token}"} if token else {}
    content = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if body is not None else {}
    answer = pages.ask(method, ROOT + path, content, **given, **kind, **headers)
    return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def described(filled: Pages) -> Any:
    return schemathesis.openapi.from_asgi(f"{ROOT}/openapi.json", filled.app)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_w03_every_answer_is_as_described(described: Any, operation: Operation, mode: GenerationMode) -> None:
    """Whatever is asked: no failure of ours, no answer that the description does not have, and none without a token."""

    @examples(6)
    @hypothesis.given(described[operation.path][operation.method].as_strategy(generation_mode=mode))
    def checked(case: Any) -> None:
        # What is wrong may be lost on its way into an address: it is refused by cases of our own.
        case.call_and_validate(headers={"Authorization": "Bearer all"}, excluded_checks=[negative_data_rejection])

    checked()


PATHS = [one.path.replace("{id}", "6") for one in OPERATIONS if one.method == "GET"]


@pytest.mark.parametrize("path", PATHS)
def test_answers_have_the_shapes_that_they_are_described_by(pages: Pages, path: str) -> None:
    """And times have their zone, which is UTC."""
    status, found = call(pages, path)
    assert status == 200
    operation = next(one for one in OPERATIONS if one.path.replace("{id}", "6") == path)
    operation.answer.model_validate(found)
    times = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(\S{0,6}?)\"", json.dumps(found))
    assert set(times) <= {"+00:00"}


#: Operations whose answer is a list.
LISTS = [one.path for one in OPERATIONS if "items" in one.answer.model_fields]


@pytest.fixture
def many(pages: Pages) -> Pages:
    """Two things at least in each list."""
    now, live = pages.desk.clock(), pages.live
    feeds = [replace(live.config.feeds[0], id=f"https://{name}.example/feed", name=name) for name in "cab"]
    rules = [replace(live.ruleset.rules[0], id=name) for name in "yxz"]
    ruleset = replace(live.ruleset, rules=(*live.ruleset.rules, *rules))
    pages.live = replace(live, config=replace(live.config, feeds=tuple(feeds)), ruleset=ruleset)
    with pages.store.write() as tx:
        open_deliveries.notify(tx, "log", ["log:a", "log:b"], Notice(subject="a", body="b"), now)
        for number in range(3):
            silences.add(tx, Silence(rule_id="visit", author=f"ana {number}", created=now))
    return pages


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_read_part_by_part(many: Pages, path: str) -> None:
    """The parts together are the whole, each thing once."""
    pages = many
    _, whole = call(pages, f"{path}?limit=200")
    parts, end = [], ""
    while end is not None:
        _, part = call(pages, f"{path}?limit=1&cursor={end}")
        parts += part["items"]
        end = part["next"]
    assert parts == whole["items"]
    assert len(parts) > 1
    assert whole["next"] is None


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("feed=Fil+1", lambda one: one["source"] == "Fil 1"),
        ("feed=veille:sample&language=fr", lambda one: one["language"] == "fr"),
        ("feed=nosuch", None),
        ("tag=nosuch", None),
        ("language=km", None),
        ("words=hun%20SEN", lambda one: "Hun Sen" in one["title"]),
        ("words=%22visite+de+travail%22", lambda one: one["source"] == "Fil 1"),
        ("words=!", None),
        ("until=1999-01-01T00:00:00Z", None),
        ("since=1999-01-01T00:00:00%2B07:00&rule=visit", lambda one: "Hun Sen" in one["title"]),
        ("outlet=Fil+1", lambda one: one["source"] == "Fil 1"),
        ("outlet=Fil+2", None),
        ("story=999", None),
    ],
)
def test_articles_by_their_properties(pages: Pages, query: str, fits: Callable[[Any], bool] | None) -> None:
    """All that are given must hold."""
    _, found = call(pages, f"/articles?{query}")
    assert bool(found["items"]) is (fits is not None)
    assert all(fits(one) for one in found["items"] if fits)


def test_a_story_s_articles(pages: Pages) -> None:
    _, found = call(pages, "/stories?several=true&limit=1")
    (story,) = found["items"]
    _, listed = call(pages, f"/articles?story={story['id']}")
    assert len(listed["items"]) == story["articles"] > 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/articles/999999999", None, 404, "not-found"),
        ("GET", "/articles/9999999999", None, 404, "not-found"),
        ("GET", "/articles/x", None, 404, "not-found"),
        ("GET", "/articles/-1", None, 404, "not-found"),
        ("GET", "/articles/6/why?rule=nosuch", None, 404, "not-found"),
        ("GET", "/nothing", None, 404, "not-found"),
        ("GET", "/articles?limit=0", None, 422, "invalid"),
        ("GET", "/articles?limit=1_0", None, 422, "invalid"),
        ("GET", "/articles?limit=1&limit=2", None, 422, "invalid"),
        ("GET", "/articles?since=yesterday", None, 422, "invalid"),
        ("GET", "/articles?since=2026-01-31", None, 422, "invalid"),
        ("GET", "/articles?wrods=x", None, 422, "invalid"),
        ("GET", "/articles?words=%00", None, 422, "invalid"),
        ("GET", "/stories?several=yes", None, 422, "invalid"),
        ("GET", "/articles?cursor=x", None, 404, "not-found"),
        ("GET", f"/articles?cursor={cursor('2026-01-31T08:00:00', 1)}", None, 404, "not-found"),
        ("GET", f"/articles?cursor={cursor('noon', 1)}", None, 404, "not-found"),
        ("GET", f"/alerts?cursor={cursor('noon', 1)}", None, 404, "not-found"),
        ("GET", f"/alerts?cursor={cursor(2**40)}", None, 404, "not-found"),
        ("PUT", "/articles", None, 405, "method-not-allowed"),
        ("POST", "/silences", {}, 422, "invalid"),
        ("POST", "/silences", {"seconds": 60}, 422, "invalid"),
        ("POST", "/silences", {"rule": "", "seconds": 60}, 422, "invalid"),
        ("POST", "/silences", {"story": None, "seconds": 60}, 422, "invalid"),
        ("POST", "/silences", {"rule": "visit", "seconds": "60"}, 422, "invalid"),
        ("POST", "/silences", {"rule": "visit", "seconds": 10**9}, 422, "invalid"),
        ("POST", "/silences", {"rule": "vist", "seconds": 60}, 404, "not-found"),
        ("POST", "/silences", {"story": 999, "seconds": 60}, 404, "not-found"),
        ("DELETE", "/silences/999", None, 404, "not-found"),
        ("POST", "/articles/999/acknowledgement", None, 404, "not-found"),
        ("POST", "/articles/6/labels", {"rule": "visit", "judgement": "maybe"}, 422, "invalid"),
        ("POST", "/articles/6/labels", {"rule": "vist", "judgement": "noise"}, 404, "not-found"),
        ("POST", "/articles/6/notes", {"text": "\0"}, 422, "invalid"),
        ("POST", "/articles/6/notes", {"text": "x" * 100_000}, 413, "too-long"),
    ],
)
def test_problems_have_a_reason(pages: Pages, method: str, path: str, body: object, status: int, reason: str) -> None:
    """RFC 9457, with a word of a closed list; nothing is written down."""
    before = changes(pages)
    code, found = call(pages, path, method, body)
    assert (code, found["status"], found["reason"]) == (status, status, reason), found
    assert changes(pages) == before


def changes(pages: Pages) -> list[tuple[str, str, str]]:
    """The audit, the oldest first."""
    with pages.store.read() as tx:
        return [(one.author, one.action, one.subject) for one in reversed(people.changes(tx, limit=1_000))]


def test_answers_are_written_down_with_their_author(pages: Pages) -> None:
    """A silence made and ended, an acknowledgement, a label and a note: each stands in the audit once."""
    before = len(changes(pages))
    status, made = call(pages, "/silences", "POST", {"rule": "visit", "seconds": 60, "reason": "connu"})
    assert (status, made["author"], made["reason"]) == (201, "token:all", "connu")
    assert made["id"] in [one["id"] for one in call(pages, "/silences")[1]["items"]]
    assert call(pages, f"/silences/{made['id']}", "DELETE") == (200, {"ended": made["id"]})
    assert made["id"] not in [one["id"] for one in call(pages, "/silences")[1]["items"]]
    for said in (None, "token:all"):
        _, found = call(pages, "/articles/7/acknowledgement", "POST")
        assert found == {"article": 7, "by": "token:all", "before": said}
    call(pages, "/articles/7/labels", "POST", {"rule": "visit", "judgement": "noise"})
    call(pages, "/articles/7/notes", "POST", {"text": "À suivre"})
    assert call(pages, "/articles/7")[1]["notes"][-1]["text"] == "À suivre"
    assert call(pages, "/articles/7/why?rule=visit")[1]["labels"][0]["judgement"] == "noise"
    assert changes(pages)[before:] == [
        ("token:all", "silence", f"silence {made['id']}"),
        ("token:all", "silence ended", f"silence {made['id']}"),
        ("token:all", "acknowledged", "article 7"),
        ("token:all", "label", "article 7"),
        ("token:all", "note", "article 7"),
    ]


def test_the_description_is_whole(pages: Pages) -> None:
    """Every reference leads somewhere, and it is what is served, to everybody."""
    made = description(OPERATIONS)
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(made)))
    assert names == set(made["components"]["schemas"])
    assert call(pages, "/openapi.json", token="") == (200, made)


@pytest.mark.parametrize(
    ("token", "method", "status"),
    [
        ("", "GET", 401),
        ("wrong", "GET", 401),
        ("over", "GET", 401),
        ("read", "GET", 200),
        ("read", "POST", 403),
        ("all", "POST", 201),
    ],
)
def test_w02_a_token_and_what_it_may(pages: Pages, token: str, method: str, status: int) -> None:
    """None, one that nobody gave, one that is over, and one that may only read."""
    path = "/silences" if method == "GET" else "/articles/8/acknowledgement"
    code, found = call(pages, path, method, token=token)
    assert code == status
    assert code != 403 or "the scope `answer`" in found["detail"]


def test_a_label_is_taken_back(pages: Pages) -> None:
    """Once; and who did it is written down."""
    assert call(pages, "/articles/6/labels", "POST", {"rule": "visit", "judgement": "noise"})[0] == 201
    assert call(pages, "/articles/6/labels?rule=visit", "DELETE") == (200, {"article": 6, "rule": "visit"})
    assert call(pages, "/articles/6/why")[1]["labels"] == []
    with pages.store.read() as tx:
        (change, *_) = people.changes(tx, limit=1)
    assert (change.author, change.action, change.subject) == ("token:all", "label taken back", "article 6")
    assert call(pages, "/articles/6/labels?rule=visit", "DELETE")[0] == 404
    assert call(pages, "/articles/6/labels", "DELETE")[0] == 422
