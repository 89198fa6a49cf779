"""Sentences of Veille in French: every one that the code makes has its French, and is known again when it is filled."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import Markup

import worker
from worker.notify.render.sentences import said, templates

ROOT = Path(worker.__file__).parent
#: Modules whose sentences are shown on pages, or are stored and then shown.
SAYING = [
    *sorted((ROOT / "rules").rglob("*.py")),
    *sorted(path for path in (ROOT / "config").glob("*.py") if path.name != "apprise.py"),
    ROOT / "notify" / "render" / "templates.py",
    ROOT / "console" / "views" / "explained.py",
    *(ROOT / "runtime" / f"{name}.py" for name in ("load", "reload")),
    *(ROOT / "analysis" / name / "decision.py" for name in ("copies", "stories")),
    *(ROOT / "alerts" / f"{name}.py" for name in ("decision", "plan", "retries", "volume")),
    *(
        ROOT / "pipeline" / f"{name}.py"
        for name in ("before_seal", "feed_assessment", "story_corrections", "story_merge")
    ),
    *(ROOT / "pipeline" / f"{name}.py" for name in ("deliver", "discover", "page", "poll")),
    *(ROOT / "feeds" / f"{name}.py" for name in ("fetch", "schedule")),
    *(ROOT / "feeds" / "parse" / f"{name}.py" for name in ("__init__", "document", "jsonfeed", "syndication")),
    *(ROOT / "feeds" / name for name in ("child/__init__.py", "normalise/pages.py")),
    *(ROOT / "net" / f"{name}.py" for name in ("client", "connection", "dial", "failure", "inflate")),
    *sorted((ROOT / "notify" / "senders").glob("*.py")),
    *(ROOT / "store" / name for name in ("ledger.py", "deliveries/__init__.py", "stories/membership.py")),
]
#: Texts with blanks that are no sentences for people, or parts of such that only whole are templates.
OTHERS = {
    # Raised for programmers, or said by the command line alone.
    "a pattern's parameter is not filled in: @{}",
    "delivery {} is {}: an open one is sealed, and only once",
    "`{}` sends no alert for a single article: it alerts {}{}",
    "; {} of its [rule.alert] do nothing",
    "`veille rules backtest {}` shows its waves",
    "an article that tells a story is there",
    # Reasons that have words of their own, by their names.
    "it is one story already",
    "the article belongs to no story",
    "the article is alone in its story, which points to no other and to which none points",
    "there is no such story",
    # Parts of sentences whose whole has its French.
    "did you mean @{}?",
    "not_modified: the server says so of what it never sent",
    "uncertain: tried {}, may have arrived: {}",
    "{} wants a login: write smtp://USER:${{}}@{}:{}",
    # By which the messages of others are known.
    "host bits set",
    "valid tuple",
    "(at end of document)",
    "(Illegal|Found invalid) character",
    "(Illegal|Found invalid) character '\\\\n'|Unterminated string|Expected \\\"'",
    "Expected '='|Invalid statement|Invalid initial",
    "Invalid hex|Escaped character",
    # Said where Apprise swallows it.
    "{} refused",
    # For machines, and in both languages beside each other.
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<opml version="2.0">',
    "<outline {}/>",
    "Basic {}",
    "Bearer {}",
    "application/json; charset=utf-8",
    "text/html, application/xhtml+xml, */*;q=0.5",
    " (news watch; feed reader)",
    "tuple[RuleSet | None, list[Problem]]",
    "import sys; from worker.feeds.child import serve; serve(*map(int, sys.argv[1:]))",
    "(may repeat)",
    "(peut-être déjà reçu)",
}
SLOT = re.compile(r"\{[^{}]*\}")


def phrases(source: str) -> Iterator[str]:
    """Texts of several words in code, with `{}` for what is filled in; no docstrings, patterns or lines of the log."""
    tree = ast.parse(source)
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        if isinstance(node, ast.Call) and re.match(
            r"_log\.|re\.compile|sa\.text|AssertionError", ast.unparse(node.func)
        ):
            left_out |= set(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            left_out |= {part for part in node.values if isinstance(part, ast.Constant)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = SLOT.sub("{}", node.value)
        else:
            continue
        if re.search(r"[a-z]{2,}[,;]? [a-zA-Z{`]", text) and "\n" not in text and ";q=" not in text:
            yield text


#: Of all templates the words between their slots.
KNOWN = "\n".join(SLOT.sub("\n", one.english) for one in templates())


def unknown(path: Path) -> set[str]:
    """Sentences of a module, or parts of them, that stand in no template."""
    said_there = {text for text in phrases(path.read_text(encoding="utf-8")) if text not in OTHERS}
    return {text for text in said_there if not _is_known(text)}


def _is_known(text: str) -> bool:
    filled = text.strip("; ").replace("{}", "7")
    return said(filled, "fr") != filled or all(part.strip() in KNOWN for part in text.split("{}"))


@pytest.mark.parametrize("path", SAYING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_of_the_code_has_its_french(path: Path) -> None:
    """A message that is added has its French in `french.toml`."""
    assert unknown(path) == set()


#: Texts for the slots of a template.
FILLED = {"n": "7", "m": "8", "k": "9"}


def _filling(name: str) -> str:
    return FILLED.get(name) or ("3 words" if name.startswith("some") else f"<{name}>")


def test_a_sentence_is_known_again() -> None:
    """Whatever stands in it; and in French the same stands there."""
    wrong = {}
    for one in templates():
        english, french = (
            re.sub(r"\{([a-z_]+)\}", lambda found: _filling(found[1]), text) for text in (one.english, one.french)
        )
        if (drawn := said(english, "fr")) != french.replace("3 words", "3 mots"):
            wrong[one.english] = drawn
    assert wrong == {}


COMPOSED = [
    pytest.param("a is absent; b is absent", "a est absent\u00a0; b est absent", id="one behind the other"),
    pytest.param(
        "status 410; asked again within the hour",
        "réponse 410\u00a0; sera redemandé dans l’heure",
        id="a remark behind what happened",
    ),
    pytest.param("what; ever", "what; ever", id="words of others with the same sign"),
    pytest.param("Their words.", "Their words.", id="words of others that end like ours"),
    pytest.param(
        "Its text is word for word that of article 4, under the same title. Left out: 1 word, addressed to the reader.",
        "Son texte est, mot pour mot, celui de l’article 4, sous le même titre."
        " Non compté\u00a0: 1 mot, du texte adressé au lecteur.",
        id="of parts",
    ),
    pytest.param(
        "not valid TOML: Unclosed array at the end of the file",
        "TOML non valable\u00a0: liste non fermée, à la fin du fichier",
        id="of tomllib",
    ),
]


@pytest.mark.parametrize(("english", "french"), COMPOSED)
def test_a_sentence_of_several(english: str, french: str) -> None:
    """Each part by its own template; English stays what it is."""
    assert said(english, "fr") == french
    assert said(english, "en") == english


def test_the_words_of_others_are_quoted_and_escaped() -> None:
    """On a page they are marked as English, and nothing in a sentence is markup."""
    quote = Markup("<q>{}</q>").format
    assert said("refused: <b> (fix: write <i>*)", "fr", quote) == Markup(
        "refusé\u00a0: <q>&lt;b&gt;</q> (remède\u00a0: écrivez &lt;i&gt;*)"
    )


HOSTILE = [
    "." * 500,
    "(fix: " * 80,
    "; " * 250,
    "refused: " * 50,
    "“”, " * 100,
    "a: " * 150 + "(b)",
    "by at until: " * 40,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:8])
def test_what_a_server_says_makes_no_depth(text: str) -> None:
    """A remark of a feed may be made to look like sentences inside sentences."""
    assert len(said(text, "fr")) <= len(text) + 20
