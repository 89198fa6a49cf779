"""`veille stories`: lists them, shows one, and lets people correct them: split, move, merge."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from worker.cli.options import (
    HERE,
    ArticleName,
    ConfigFile,
    Json,
    fail,
    loaded,
    one_article,
    opened,
    print_json,
    row_number,
    say,
    user_name,
)

if TYPE_CHECKING:
    from worker.pipeline.story_corrections import By, Done, Refused


_DEFAULT = "list"


class _Group(TyperGroup):
    """Takes what is no command for what `list` is asked: `veille stories 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    help="List stories, show one (`veille stories 12`), and correct them. Without a command, it takes the options of "
    "`list`: --several, --limit, --json, --config.",
)

StoryNumber = Annotated[int, typer.Argument(parser=row_number, metavar="STORY", help="A story's number.")]
Author = Annotated[str, typer.Option("--by", help="Who says so; the name of the system's user, if left out.")]
Note = Annotated[str, typer.Option("--note", help="What for; `why` repeats it.")]


@app.command(name=_DEFAULT)
def list_(
    number: Annotated[
        int | None,
        typer.Argument(parser=row_number, metavar="STORY", help="A story's number; the newest stories, if left out."),
    ] = None,
    config: ConfigFile = HERE,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 20,
    several: Annotated[bool, typer.Option("--several", help="Only stories of more than one article.")] = False,
    as_json: Json = False,
) -> None:
    """List the newest stories, or show one with its time line and outlets."""
    from worker.cli import show
    from worker.console.views.stories import story, timeline
    from worker.store import stories as stored

    with opened(config) as (_, store), store.read() as tx:
        if number is None:
            rows = [story(one) for one in stored.newest(tx, limit=limit, several=several)]
            print_json(rows) if as_json else show.stories(rows)
            return
        one = stored.get(tx, number)
        found = None if one is None else timeline(tx, one)
    if found is None:
        fail(f"no story has the number {number}: `veille stories` lists them", 1)
    print_json(found) if as_json else show.story(found)


@app.command()
def split(
    article: ArticleName, config: ConfigFile = HERE, *, by: Author = "", note: Note = "", as_json: Json = False
) -> None:
    """Take an article, and its copies, out of its story into one of its own; the two are never joined again.

    Of an article that is alone, take back what its story perhaps is the same as.
    """
    from worker.pipeline import story_corrections

    live = loaded(config)
    with opened(config) as (_, store):
        article_id = one_article(store, article)
        with store.ingest() as tx:
            done = story_corrections.split(tx, live, article_id, _by(by, note))
    _show_done(done, as_json=as_json)


@app.command()
def move(
    article: ArticleName,
    story: StoryNumber,
    config: ConfigFile = HERE,
    *,
    by: Author = "",
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Move an article and its copies to another story, and keep the two stories apart."""
    from worker.pipeline import story_corrections

    live = loaded(config)
    with opened(config) as (_, store):
        article_id = one_article(store, article)
        with store.ingest() as tx:
            done = story_corrections.move(tx, live, article_id, story, _by(by, note))
    _show_done(done, as_json=as_json)


@app.command()
def merge(
    story: StoryNumber,
    other: Annotated[int, typer.Argument(parser=row_number, metavar="OTHER", help="Another one's.")],
    config: ConfigFile = HERE,
    *,
    by: Author = "",
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Let two stories be one, under the number of the older."""
    from worker.pipeline import story_corrections

    live = loaded(config)
    with opened(config) as (_, store), store.ingest() as tx:
        done = story_corrections.merge(tx, live, story, other, _by(by, note))
    _show_done(done, as_json=as_json)


def _by(author: str, note: str) -> "By":
    from worker.pipeline.story_corrections import By
    from worker.runtime.clock import clock

    return By(author=author or user_name(), note=note, now=clock())


def _show_done(done: "Done | Refused", *, as_json: bool) -> None:
    if isinstance(done, str):
        fail(f"nothing is changed: {done}", 1)
    if as_json:
        print_json({"done": str(done.kind), "from": done.from_id, "to": done.to_id, "articles": list(done.moved)})
        return
    if done.kind == "merge":
        say(f"story {done.from_id} is story {done.to_id} from now on")
    elif not done.moved:
        say(f"story {done.to_id} is not the same as story {done.from_id}, nor as what that is grouped with")
    else:
        moved = ", ".join(map(str, done.moved))
        is_one = len(done.moved) == 1
        said = f"{'article' if is_one else 'articles'} {moved}: now of story {done.to_id}, no longer of {done.from_id}"
        say(f"{said}; `veille stories {done.to_id}` shows it")
