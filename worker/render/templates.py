"""The HTML of mail, from templates: the shipped ones, or those of the user's own that bear their names."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worker.model import Templates
from worker.render.passages import pieces

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

#: What a folder may hold, and what each is: `layout.html` is the page round the others, `item.html` an article in it.
NAMES = ("alert.html", "digest.html", "item.html", "layout.html", "notice.html")
SHIPPED = Templates()


def html(name: str, context: Mapping[str, Any], templates: Templates) -> tuple[str, str]:
    """The page, and what is wrong with the user's template: then it is the shipped one's page. Empty: nothing is."""
    if not templates.sources:
        return _rendered(name, context, SHIPPED), ""
    try:
        return _rendered(name, context, templates), ""
    except Exception as e:  # noqa: BLE001 - whatever a template does, the message goes out
        return _rendered(name, context, SHIPPED), f"{name}: {type(e).__name__}: {e}"[:500]


@functools.lru_cache(maxsize=4)
def environment(templates: Templates) -> "SandboxedEnvironment":
    """Jinja2 as these templates see it: sandboxed, escaping, and strict about names that it does not know."""
    from jinja2 import ChoiceLoader, DictLoader, PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(dict(templates.sources)), PackageLoader("worker.render")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["pieces"] = pieces
    # Article text is never markup; a template that says so would let any feed write into the mail.
    del made.filters["safe"]
    return made


def _rendered(name: str, context: Mapping[str, Any], templates: Templates) -> str:
    return environment(templates).get_template(name).render(context)
