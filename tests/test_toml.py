"""TOML with places."""

import tomllib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.config import toml
from worker.errors import UserError

SOURCE = """\
# a [comment]
[set.hun_sen]
kind = "person"
terms = ["Hun Sen", # not ] the end
  { term = "chef \\u00e9lu x", from = 2024-04-03 }, 'a''b'
]
[[rule]]
id = "a"
"od d".x = 1
when = '''
  (un OR deux)
  AND trois'''
[rule.alert]
to = [1, [2, 3]]
[[rule.test]]
title = "x"
[[rule.test]]
text = \"\"\"a\\
   b "" c\"\"\"
[[rule]]
id = "b"
""".replace(" 'a''b'", " 'ab'")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("set", "hun_sen"), (2, 1)),
        (("set", "hun_sen", "kind"), (3, 8)),
        (("set", "hun_sen", "terms", 0), (4, 10)),
        (("set", "hun_sen", "terms", 1), (5, 3)),
        (("set", "hun_sen", "terms", 1, "from"), (5, 38)),
        (("set", "hun_sen", "terms", 2), (5, 52)),
        (("rule", 0), (7, 1)),
        (("rule", 0, "od d", "x"), (9, 12)),
        (("rule", 0, "alert", "to", 1, 1), (14, 14)),
        (("rule", 0, "test", 1, "text"), (18, 8)),
        (("rule", 1, "id"), (21, 6)),
        (("rule", 1, "missing"), (20, 1)),
        (("nowhere",), (1, 1)),
    ],
)
def test_places(path, place):
    """Every value knows its line and column; what is missing, those of its table."""
    assert toml.parse("x.toml", SOURCE.encode()).place(path) == place


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (("rule", 0, "when"), "deux"),
        (("rule", 0, "when"), "trois"),
        (("set", "hun_sen", "terms", 1, "term"), "lu x"),
        (("set", "hun_sen", "terms", 0), "Sen"),
        (("rule", 0, "test", 1, "text"), "b "),
    ],
)
def test_places_within_strings(path, word):
    """A character of a string is found in the file, across escapes, line breaks and trimmed lines."""
    parsed = toml.parse("x.toml", SOURCE.encode())
    value = parsed.data
    for key in path:
        value = value[key]
    line, column = parsed.place_within(path, value.index(word))
    assert parsed.lines[line - 1][column - 1 :].startswith(word)


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"a = 1\na = 2\n", 2, "overwrite"),
        (b"a = \n", 1, "not valid TOML"),
        (b"a = '\xff'", 1, "not UTF-8"),
        (b"x=" + b"[" * 5_000, 0, "too deeply"),
        (b"#" * (toml.MAX_BYTES + 1), 0, "bytes"),
    ],
)
def test_unreadable_files(raw, line, words):
    """Each is one problem with its line, never another error."""
    with pytest.raises(UserError) as caught:
        toml.parse("x.toml", raw)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "place", "words", "fix"),
    [
        pytest.param('a = "x\nb = 1\n', (1, 7), "is not closed", "end it with the quote", id="double quote"),
        pytest.param("a = 'x\nb = 'y'\n", (1, 7), "is not closed", "end it with the quote", id="single quote"),
        pytest.param("a = 1\nb = 'x\n", (2, 5), "is not closed", "end it with the quote", id="last single quote"),
        pytest.param('b = """y"""\na = "x', (2, 5), "is not closed", "end it with the quote", id="end of file"),
        pytest.param('a = """x\ny"\n', (1, 5), "is not closed", "end it with the quote", id="three double"),
        pytest.param("a = '''x\ny\n", (1, 5), "is not closed", "end it with the quote", id="three single"),
        pytest.param('a = "\x01"\n', (1, 6), "character", "take it away", id="control character"),
        pytest.param('a = "\\d"\n', (1, 8), "Unescaped", "single quotes", id="backslash"),
        pytest.param('a = "\\u12"\n', (1, 8), "hex", "four hexadecimal digits", id="escape"),
        pytest.param("a = yes\n", (1, 5), "Invalid value", "put text in straight quotes", id="no quotes"),
        pytest.param("a = “x”\n", (1, 5), "Invalid value", "put text in straight quotes", id="curly quotes"),
        pytest.param("a = 2026-02-30\n", (1, 5), "Invalid date", "2026-01-31", id="no day"),
        pytest.param('a = ["x" "y"]\n', (1, 10), "Unclosed array", "comma", id="array"),
        pytest.param("a = { b = 1\n}\n", (1, 12), "Unclosed inline table", "on one line", id="inline table"),
        pytest.param("a: 1\n", (1, 2), "Expected '='", "key = value", id="colon"),
        pytest.param("a = 1 b = 2\n", (1, 7), "Expected newline", "one setting on a line", id="two on a line"),
        pytest.param("[a\nb = 1\n", (1, 3), "Expected ']'", "write [name]", id="header"),
        pytest.param("[[a]\nb = 1\n", (1, 4), "Expected ']]'", "write [[name]]", id="list header"),
        pytest.param("[a]\n[a]\n", (2, 3), "twice", "leave one out", id="table twice"),
        pytest.param("a = 1\na = 2\n", (2, 6), "overwrite", "leave one out", id="key twice"),
    ],
)
def test_each_mistake_of_syntax_has_its_place_and_a_fix(
    text: str, place: tuple[int, int], words: str, fix: str
) -> None:
    """The library's message, or a plainer one, and something to do about it."""
    with pytest.raises(UserError) as caught:
        toml.parse("x.toml", text.encode())
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert words in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("raw", "data", "left_out"),
    [
        pytest.param(b"a = 1\n[b]\nc = 2\n", {"a": 1, "b": {"c": 2}}, (), id="whole"),
        pytest.param(b"a = \n[b]\nc = 2\n", {"b": {"c": 2}}, ("a = ",), id="top"),
        pytest.param(b"[a]\nb = 1\n[c\nd = 2\n[e]\n", {"a": {"b": 1}, "e": {}}, ("[c", "d = 2"), id="header"),
        pytest.param(b"[a]\n[b]\nc = 1\n[b]\nc = 2\n", {"a": {}, "b": {"c": 1}}, ("[b]", "c = 2"), id="twice"),
        pytest.param(b'[a]\nb = 1\n[c]\nd = """e\n', {"a": {"b": 1}}, ("[c]", 'd = """e'), id="open string"),
        pytest.param(
            b'[[a]]\nb = [\n[1],\n["x"]]\n[[a]]\nb =\n', {"a": [{"b": [[1], ["x"]]}]}, ("[[a]]", "b ="), id="array"
        ),
        pytest.param(b"[a]\nb = '\xff'\n[c]\n", {"a": {"b": "\ufffd"}, "c": {}}, (), id="no UTF-8"),
        pytest.param(b"[a]\n[b]\nc = " + b"[" * 5_000, {"a": {}}, ("[b]", "c = " + "[" * 5_000), id="deep"),
        pytest.param(b"[", {}, ("[",), id="cut"),
        pytest.param(b"", {}, (), id="empty"),
    ],
)
def test_what_can_be_read_of_a_broken_file(raw: bytes, data: dict[str, object], left_out: tuple[str, ...]) -> None:
    """Whole tables, each in its place; the others are left out."""
    parsed, out = toml.parse_readable("x.toml", raw)
    assert (parsed.data, out) == (data, left_out)
    if "c" in data:
        assert parsed.place(("c",))[0] == 3


def test_byte_order_mark_and_windows_lines():
    """Files of editors on Windows are read."""
    parsed = toml.parse("x.toml", b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert (parsed.data, parsed.place(("b",))) == ({"a": 1, "b": 2}, (2, 5))


VALUES = st.recursive(
    st.one_of(st.integers(0, 99), st.booleans(), st.text(st.sampled_from("ab'é \\[]{},#=\n"), max_size=6)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return '"' + value.replace("\\", "\\\\").replace("\n", "\\n") + '"'
        case list():
            return "[ " + ", ".join(map(_written, value)) + " ]"
        case dict():
            return "{ " + ", ".join(f"{key} = {_written(inner)}" for key, inner in value.items()) + " }"
    raise AssertionError(value)


def _paths(path, value):
    yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from _paths((*path, key), inner)


@given(st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3))
def test_every_value_starts_at_its_place(data):
    """At a value's place stands what it was written as."""
    source = "\n".join(f"{key} = {_written(value)} # [" for key, value in data.items())
    parsed = toml.parse("x.toml", source.encode())
    assert parsed.data == tomllib.loads(source) == data
    for key, value in data.items():
        for path, inner in _paths((key,), value):
            line, column = parsed.places[path]
            assert parsed.lines[line - 1][column - 1 :].startswith(_written(inner))
    assert all(a < b for a, b in pairwise(sorted(parsed.places.values())))
