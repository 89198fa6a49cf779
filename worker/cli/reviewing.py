"""`veille review`: alerts that were kept back and would not be now, and those of them that are sent after all."""

from typing import Annotated

import typer

from worker.cli.options import EX_USAGE, HERE, ConfigFile, Json, fail, loaded, opened, print_json, say
from worker.model.times import counted


def review(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="[NUMBER]...", help="With --send: of alerts in the list, or `all`.")
    ] = None,
    config: ConfigFile = HERE,
    *,
    send: Annotated[bool, typer.Option("--send", help="Send these.")] = False,
    as_json: Json = False,
) -> None:
    """List alerts of the last 30 days that were kept back as copy or by a story, and would not be now; or send some."""
    from worker.pipeline import reviewing
    from worker.runtime.clock import clock

    if not send:
        with opened(config) as (_, store), store.read() as tx:
            found = reviewing.reviewed(tx, clock())
        if as_json:
            keys = ("id", "rule_id", "article_id", "recipient", "occasion", "suppression", "created", "title", "source")
            print_json([{key: getattr(one, key) for key in keys} for one in found])
            return
        for one in found:
            say(reviewing.line(one))
        say("`veille review --send NUMBER...` sends those you choose" if found else "there is nothing to review")
        return
    ids = _numbers(numbers or [])
    live = loaded(config)
    with opened(config) as (_, store), store.ingest() as tx:
        done = reviewing.send(tx, live, ids, clock())
    if done.unknown:
        fail(f"not in the list: {', '.join(map(str, done.unknown))}; `veille review` shows it", EX_USAGE)
    if as_json:
        print_json({"sent": [one.id for one in done.sent]})
    else:
        say(f"{counted(len(done.sent), 'alert')} on the way; `veille deliveries` shows what is not sent yet")


def _numbers(said: list[str]) -> list[int] | None:
    """None: all."""
    if said == ["all"]:
        return None
    if not said or not all(one.isdecimal() and len(one) < 10 for one in said):
        fail("say which: numbers of `veille review`, or `all`", EX_USAGE)
    return [int(one) for one in said]
