"""The HTML of mail, from templates: the shipped ones, or those of the user's own that bear their names.

    layout.html    the page round the others
    item.html      an article, as macros
    alert.html, digest.html, notice.html    what is sent

A template of the user's is known as `alert.html`, the shipped one beside it as `shipped/alert.html`, to be extended.
"""

import functools
import re
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worker.errors import Problem
from worker.model import Templates
from worker.notify.render.passages import pieces

if TYPE_CHECKING:
    from jinja2 import BaseLoader
    from jinja2.sandbox import SandboxedEnvironment

#: What a folder may hold.
NAMES = ("alert.html", "digest.html", "item.html", "layout.html", "notice.html")
SHIPPED = Templates()

_CLASS = re.compile(r"'worker\.[\w.]*?(\w+) object'")


def html(name: str, context: Mapping[str, Any], templates: Templates) -> tuple[str, Problem | None]:
    """The page; where the user's template fails, the shipped one's page, and what is wrong."""
    if not templates.sources:
        return _rendered(name, context, SHIPPED), None
    try:
        return _rendered(name, context, templates), None
    except Exception as e:  # noqa: BLE001 - whatever a template does, the message goes out
        return _rendered(name, context, SHIPPED), _problem(name, e, templates)


@functools.lru_cache(maxsize=4)
def environment(templates: Templates) -> "SandboxedEnvironment":
    """Jinja2 as these templates see it: sandboxed, escaping, and strict about names that it does not know."""
    from jinja2 import ChoiceLoader, FunctionLoader, PackageLoader, PrefixLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    shipped = PackageLoader("worker.notify.render")
    sources = dict(templates.sources)

    def own(name: str) -> tuple[str, str, None] | None:
        return (sources[name], path(name, templates), None) if name in sources else None

    loaders: list[BaseLoader] = [FunctionLoader(own), shipped, PrefixLoader({"shipped": shipped})]
    made = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader(loaders),
        auto_reload=False,  # a folder that changes is read into other `Templates`
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["pieces"] = pieces
    # Article text is never markup: a template that says it is would let any feed write into the mail.
    del made.filters["safe"]
    return made


def path(name: str, templates: Templates) -> str:
    """The file that a template of the user's stands in."""
    return f"{templates.folder}/{name}"


def said(error: Exception) -> str:
    """The problem in words, without the names of our own modules."""
    from jinja2 import TemplateNotFound

    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    if isinstance(error, MemoryError):
        return "it takes too much memory"
    words = _CLASS.sub(r"\1", str(error)) or type(error).__name__
    return " ".join(words.split())[:300]


def _rendered(name: str, context: Mapping[str, Any], templates: Templates) -> str:
    return environment(templates).get_template(name).render(context)


def _problem(name: str, error: Exception, templates: Templates) -> Problem:
    """The failure, at the innermost line of the user's own."""
    from jinja2 import TemplateSyntaxError

    files = {path(one, templates) for one, _ in templates.sources}
    file, line = (path(name, templates) if name in dict(templates.sources) else templates.folder), 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in files:
            file, line = frame.filename, frame.lineno or 0
    if isinstance(error, TemplateSyntaxError):
        file, line = error.filename or file, error.lineno
    fix = "look for a text that grows" if isinstance(error, MemoryError) else ""
    return Problem(file=file, line=line, message=f"the template fails: {said(error)}", fix=fix)
