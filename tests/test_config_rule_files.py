"""Rules in the files of their owners: changed and added, while all else stays."""

import os
import tomllib
from pathlib import Path

import pytest

from worker.config import rule_files
from worker.config.rule_files import added, changed, digest, find, rewritten, write
from worker.errors import UserError

FILE = """\
# The desk's own rules.

[set.places]   # where
terms = ["Hanoï"]

# Visits, as the desk likes them.
[[rule]]
id       = "visit"      # stable
name     = "Une visite"
severity = "high"       # loud
# What it looks for.
when     = '''
  @places NEAR/5 visite
  AND NOT title:football
'''
[rule.alert]
to = ["desk"]           # nobody else
# The first test.
[[rule.test]]
title = "Visite à Hanoï"
published = 2026-01-02
match = true

[[rule.test]]
title = "Hanoï"         # no visit
match = false

# Something else.
[set.other]
terms = ["pont"]

[[rule]]
id = "pont"
any = ["pont"]
"""


def rule(raw: bytes, number: int = 0) -> dict:
    return tomllib.loads(raw.decode("utf-8-sig"))["rule"][number]


@pytest.mark.parametrize(
    ("values", "gone", "come"),
    [
        pytest.param({"name": "Visites"}, ['name     = "Une visite"'], ['name     = "Visites"'], id="a text"),
        pytest.param(
            {"severity": "low"}, ['severity = "high"       # loud'], ['severity = "low"       # loud'], id="its remark"
        ),
        pytest.param({"when": "pont"}, 5, ['when     = "pont"'], id="a query of one line"),
        pytest.param(
            {"when": "a\n  OR b\n"},
            ["  @places NEAR/5 visite", "  AND NOT title:football"],
            ["a", "  OR b"],
            id="a query of several",
        ),
        pytest.param({"when": '"a b" NEAR/3 c'}, 5, ["when     = '\"a b\" NEAR/3 c'"], id="quotes"),
        pytest.param({"languages": ["fr"]}, [], ['languages = ["fr"]'], id="another key"),
        pytest.param({"name": None}, ['name     = "Une visite"'], [], id="a key less"),
        pytest.param({"name": "Une visite"}, [], [], id="the same"),
    ],
)
def test_only_what_is_changed_changes(values: dict, gone: list[str] | int, come: list[str]) -> None:
    """Every other line stays, with its remarks, its blanks and its place."""
    raw = changed("a.toml", FILE.encode(), 0, values)
    text = raw.decode()
    lost = [line for line in FILE.splitlines() if line not in text.splitlines()]
    new = [line for line in text.splitlines() if line not in FILE.splitlines()]
    assert new == come
    assert lost == gone if isinstance(gone, list) else len(lost) <= gone
    for key, value in values.items():
        assert rule(raw).get(key) == value
    assert text.count("#") == FILE.count("#")


def test_tests_are_changed_added_and_taken_away() -> None:
    """A test keeps what it says besides."""
    tests = [{"at": 0, "title": "Visite officielle à Hanoï", "match": True}, {"title": "Le pont", "match": False}]
    raw = changed("a.toml", FILE.encode(), 0, {"test": tests})
    kept, new = rule(raw)["test"]
    assert (kept["title"], str(kept["published"])) == ("Visite officielle à Hanoï", "2026-01-02")
    assert new == {"title": "Le pont", "match": False}
    assert rule(raw, 1) == {"id": "pont", "any": ["pont"]}
    assert "# The first test.\n[[rule.test]]" in raw.decode()
    assert raw.decode().index("Le pont") < raw.decode().index("# Something else.\n[set.other]")
    assert "test" not in rule(changed("a.toml", FILE.encode(), 0, {"test": []}))


def test_a_rule_without_tests_gets_one() -> None:
    raw = changed("a.toml", FILE.encode(), 1, {"test": [{"title": "Le pont", "match": True}], "severity": "low"})
    assert rule(raw, 1) == {
        "id": "pont",
        "any": ["pont"],
        "severity": "low",
        "test": [{"title": "Le pont", "match": True}],
    }
    assert raw.decode().startswith(FILE[: FILE.index('id = "pont"')])


@pytest.mark.parametrize(
    "value",
    ["a'b", "a\\b", 'a"b', "a'''b\nc", "a\n'", "\n\na", "a\tb", "a\x07b\nc", "é\U0001f600\n", "\\", '"""\n', "# no"],
    ids=repr,
)
def test_any_text_is_written_so_that_it_reads_the_same(value: str) -> None:
    for raw in (changed("a.toml", FILE.encode(), 0, {"when": value}), added("a.toml", b"", {"id": "x", "when": value})):
        assert rule(raw)["when"] == value


def test_line_ends_and_byte_order_mark_stay() -> None:
    raw = b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()
    done = changed("a.toml", raw, 0, {"when": "a\nOR b\n", "test": [{"title": "t", "match": True}]})
    assert done.startswith(b"\xef\xbb\xbf# The desk")
    assert b"\n" not in done.replace(b"\r\n", b"")


@pytest.mark.parametrize("odd", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_each_line_keeps_its_own_end(odd: str) -> None:
    """One line that ends otherwise changes no other; new lines end as a file of mixed ends is to: with LF."""
    lines = FILE.splitlines(keepends=True)
    other = "\r\n" if odd == "\n" else "\n"
    written = [line.replace("\n", odd if at in (4, 20) else other) for at, line in enumerate(lines)]
    raw = "".join(written).encode()
    new = changed("a.toml", raw, 0, {"severity": "low"}).decode().splitlines(keepends=True)
    assert [line for line in new if line not in written] == ['severity = "low"       # loud\n']
    assert [line for line in written if line not in new] == [f'severity = "high"       # loud{other}']
    found = find({"a.toml": raw}, "visit")
    assert found is not None
    assert rewritten("a.toml", raw, 0, found.text) == raw
    assert added("a.toml", raw, {"id": "new"}).startswith(raw)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('rule = [{ id = "a", when = "b", test = [{ title = "t" }] }]\n', id="inline"),
        pytest.param('[[rule]]\nid = "a"\nwhen = "b"\ntest = [{ title = "t" }]\n', id="tests inline"),
    ],
)
def test_a_rule_that_is_written_otherwise_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UserError, match="cannot be changed here"):
        changed("a.toml", text.encode(), 0, {"when": "c", "test": [{"at": 0}, {"title": "n", "match": True}]})


def test_every_shipped_rule_can_be_changed() -> None:
    """Whatever stands around it; all else stays byte for byte."""
    folder = Path(__file__).parents[1] / "rules"
    count = 0
    for path in sorted(folder.glob("*.toml")):
        raw = path.read_bytes()
        for number, table in enumerate(tomllib.loads(raw.decode()).get("rule", [])):
            count += 1
            new = {"name": "Autre nom", "severity": "info", "when": "pont\n", "max_age": "3d"}
            more = [{"at": at} for at in range(len(table.get("test", [])))] + [{"title": "Un pont", "match": True}]
            done = changed(path.name, raw, number, new | {"test": more})
            assert rule(done, number)["test"][-1]["title"] == "Un pont"
            kept = iter(done.decode().splitlines())
            remarks = [line for line in raw.decode().splitlines() if line.startswith("#")]
            assert all(line in kept for line in remarks)
    assert count > 10


def test_a_rule_is_found_by_its_id() -> None:
    found = find({"a.toml": b"not = [toml", "b.toml": FILE.encode()}, "pont")
    assert found is not None
    assert (found.file, found.number, found.table["any"]) == ("b.toml", 1, ["pont"])
    assert find({"b.toml": FILE.encode()}, "nosuch") is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "a.toml").write_bytes(FILE.encode())
    (made / "a.toml").chmod(0o640)
    return made


def test_a_file_is_replaced_with_its_permissions(folder: Path) -> None:
    assert write(folder, "a.toml", b"x", digest(FILE.encode()))
    assert (folder / "a.toml").read_bytes() == b"x"
    assert (folder / "a.toml").stat().st_mode & 0o777 == 0o640
    assert write(folder, "new.toml", b"y", "")
    assert (folder / "new.toml").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["a.toml", "new.toml"]


def test_a_file_that_is_another_by_now_stays(folder: Path) -> None:
    assert not write(folder, "a.toml", b"x", digest(b"older"))
    assert not write(folder, "a.toml", b"x", "")
    assert not write(folder, "gone.toml", b"x", digest(b"older"))
    assert (folder / "a.toml").read_bytes() == FILE.encode()


@pytest.mark.parametrize("name", ["../a.toml", "a/b.toml", ".hidden.toml", "a.txt", "", "A b.toml", "..", "x\0.toml"])
def test_a_name_that_leads_elsewhere_is_refused(folder: Path, name: str) -> None:
    with pytest.raises((UserError, ValueError)):
        write(folder, name, b"x", "")
    assert [path.name for path in folder.iterdir()] == ["a.toml"]


def test_a_link_is_followed_inside_the_folder_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out.toml").write_bytes(b"out")
    (folder / "link.toml").symlink_to(tmp_path / "out.toml")
    (folder / "near.toml").symlink_to("a.toml")
    with pytest.raises(UserError, match="leaves the folder"):
        write(folder, "link.toml", b"x", digest(b"out"))
    assert write(folder, "near.toml", b"x", digest(FILE.encode()))
    assert (folder / "near.toml").is_symlink()
    assert ((folder / "a.toml").read_bytes(), (tmp_path / "out.toml").read_bytes()) == (b"x", b"out")


def test_a_folder_that_cannot_be_written_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    with pytest.raises(UserError, match="Read-only file system"):
        write(folder, "a.toml", b"x", digest(FILE.encode()))
    assert rule_files.find({"a.toml": (folder / "a.toml").read_bytes()}, "visit")


def test_a_rule_s_own_lines_are_found_and_put_back() -> None:
    """With the remarks right above them; every other line is as it was."""
    found = find({"rules.toml": FILE.encode()}, "visit")
    assert found is not None
    assert FILE.split("\n")[found.line - 1] == "# Visits, as the desk likes them."
    assert found.text.endswith("match = false")
    assert rewritten("rules.toml", FILE.encode(), found.number, found.text) == FILE.encode()
    text = found.text.replace("NEAR/5", "NEAR/9").replace("# loud", "# very loud")
    new = rewritten("rules.toml", FILE.encode(), found.number, text).decode()
    assert new == FILE.replace("NEAR/5", "NEAR/9").replace("# loud", "# very loud")


def test_a_rule_is_taken_away_with_its_remarks() -> None:
    new = rewritten("rules.toml", FILE.encode(), 0, "").decode()
    assert tomllib.loads(new)["rule"] == [{"id": "pont", "any": ["pont"]}]
    assert "Visits" not in new
    assert FILE.split("# Visits", maxsplit=1)[0].rstrip() + "\n\n# Something else.\n" in new
    assert rewritten("rules.toml", b'[[rule]]\nid = "a"\nall = ["b"]\n', 0, "") == b""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_new_rule_is_written_as_text(ends: str) -> None:
    before = FILE.replace("\n", ends).encode()
    new = rewritten("rules.toml", before, None, '# Mine.\n[[rule]]\nid = "new"\nall = ["x"]\n')
    assert new == before + f'{ends}# Mine.{ends}[[rule]]{ends}id = "new"{ends}all = ["x"]{ends}'.encode()
    assert rewritten("new.toml", b"", None, '[[rule]]\nid = "new"\n') == b'[[rule]]\nid = "new"\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[set.x]\nterms = ["y"]', id="a set"),
        pytest.param('[[rule]]\nid = "a"\n[[rule]]\nid = "b"', id="two rules"),
        pytest.param('[[rule]]\nid = "a"\n[set.other2]\nterms = ["y"]', id="a set behind it"),
        pytest.param("# nothing", id="a remark alone"),
        pytest.param('[[rule]]\nid = "a', id="no TOML"),
    ],
)
@pytest.mark.parametrize("number", [None, 0, 1])
def test_lines_that_are_not_one_rule_are_refused(text: str, number: int | None) -> None:
    with pytest.raises(UserError):
        rewritten("rules.toml", FILE.encode(), number, text)


def test_a_rule_whose_tables_stand_apart_has_no_lines_of_its_own() -> None:
    """It is taken away by hand."""
    apart = b'[[rule]]\nid = "a"\nall = ["b"]\n[set.x]\nterms = ["y"]\n[[rule.test]]\ntitle = "b"\n'
    found = find({"a.toml": apart}, "a")
    assert found is not None
    assert found.text == ""
    with pytest.raises(UserError, match="not one rule"):
        rewritten("a.toml", apart, 0, "")


def test_a_file_of_which_nothing_is_left_goes(folder: Path) -> None:
    (folder / "rules.toml").write_bytes(b"x")
    assert not write(folder, "rules.toml", b"", digest(b"y"))
    assert write(folder, "rules.toml", b"", digest(b"x"))
    assert not (folder / "rules.toml").exists()
