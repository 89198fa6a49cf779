"""`veille preview` and `veille show`: a message without sending it, an article as the rules read it."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import HERE, ArticleName, ConfigFile, Json, fail, loaded, opened, print_json, say, warn


def preview(
    article: Annotated[
        str,
        typer.Argument(help="An article's number, name, address, or words of its title or text.", show_default=False),
    ] = "",
    config: ConfigFile = HERE,
    *,
    target: Annotated[str, typer.Option("--target", help="The id of the target that would get it.")],
    digest: Annotated[bool, typer.Option("--digest", help="A digest of the newest alerts instead.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the page of the mail into this file.")] = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Let a Chromium found on the PATH draw the page into this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the message that a target would get of a stored article; nothing is sent."""
    from worker.console.views.articles import find
    from worker.runtime.preview import NoBrowserError, of_article, of_digest, picture

    if bool(article) is digest:
        fail("name an article, or ask for a --digest", 2)
    live = loaded(config)
    with opened(config) as (_, store), store.read() as tx:
        if digest:
            found = of_digest(tx, live, target)
        else:
            fitting = find(tx, article)
            if not fitting:
                fail(f"no article is {article!r}: `veille articles` lists them", 1)
            found = of_article(tx, live, fitting[0], target)
    if found is None:
        fail("no article matched a rule" if digest else "no rule matches the article: `veille why` says why not", 1)
    if found.problem:
        warn(found.problem)
    if as_json:
        print_json({"subject": found.subject, "text": found.text, "html": found.html, "problem": found.problem})
    else:
        say(f"{found.subject}\n\n{found.text}")
    report = (lambda _: None) if as_json else say
    if html is not None:
        try:
            html.write_text(found.html, encoding="utf-8")
        except OSError as e:
            fail(f"{html} cannot be written: {e.strerror}", 1)
        report(f"the page: {html}")
    if png is not None:
        try:
            picture(found, png)
        except NoBrowserError as e:
            fail(str(e), 1)
        report(f"the picture: {png}")


def show(
    article: ArticleName,
    config: ConfigFile = HERE,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Also what was cut from it, and as what.")] = False,
    as_json: Json = False,
) -> None:
    """Print an article as the rules read it; with --raw also what was cut from it."""
    from worker.cli import show as screen
    from worker.console.views.articles import shown

    with opened(config) as (_, store):
        found = shown(store, article, raw=raw)
    if found is None:
        fail(f"no article is {article!r}: `veille articles` lists them", 1)
    print_json(found) if as_json else screen.text_of(found)
