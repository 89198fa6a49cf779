"""Everything that may be wrong, looked at from outside the worker: what `veille doctor` says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.alerts import self_watch
from worker.config import Config
from worker.errors import StoreError, StoreMissingError, UserError
from worker.model import times
from worker.model.times import counted
from worker.notify.render import conditions
from worker.notify.senders import check
from worker.pipeline.context import ActiveConfig
from worker.rules import compile_rules
from worker.runtime.clock import LATE_AFTER, SET_BACK, age_of, clock
from worker.runtime.load import load, load_readable, open_for
from worker.runtime.self_watch import gathered
from worker.store import Store, feeds, quarantine, upkeep
from worker.store.files import open_to_others

#: More are counted, not listed.
_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    #: `configuration`, `rules`, `store`, `worker`, `clock`, `disk`, `targets`, `sending`, `feeds`,
    #: `quarantine`, `conditions` ...
    what: str
    ok: bool
    #: What was found, free of secrets.
    words: str


def examine(path: Path) -> tuple[Finding, ...]:
    """Look at the configuration, its rules, store, disk, clock, targets and feeds; a mistake is a finding."""
    return tuple(_all(path))


def _all(path: Path) -> Iterator[Finding]:
    live: ActiveConfig | None = None
    try:
        live = load(path)
        conf = live.config
    except UserError as e:
        yield Finding(what="configuration", ok=False, words=str(e))
        try:
            conf = load_readable(path).config
        except UserError:
            return
    else:
        counts = {"feed": len(conf.feeds), "rule": len(live.ruleset.rules), "target": len(conf.alerts.targets)}
        words = ", ".join(counted(number, what) for what, number in counts.items())
        yield Finding(what="configuration", ok=True, words=words)
    yield from _targets(conf)
    try:
        store = open_for(conf, create=False)
    except StoreMissingError as e:
        yield Finding(what="store", ok=True, words=str(e))
        return
    except StoreError as e:
        yield Finding(what="store", ok=False, words=str(e))
        return
    try:
        # What the store says of feeds and disk stands whatever the rules are.
        yield from _of_store(store, live or ActiveConfig(config=conf, ruleset=compile_rules({})))
    finally:
        store.close()


def _targets(conf: Config) -> Iterator[Finding]:
    wrong = [f"{target.id}: {problem}" for target in conf.alerts.targets for problem in check(target)]
    count = counted(len(conf.alerts.targets), "target")
    words = "\n".join(wrong) or f"{count}, right as far as can be seen without sending anything"
    yield Finding(what="targets", ok=not wrong, words=words)
    if not conf.operators:
        yield Finding(
            what="operators", ok=True, words="[operators] names no target: no notice is sent of what is wrong"
        )


def _of_store(store: Store, live: ActiveConfig) -> Iterator[Finding]:
    now = clock()
    try:
        store.check_integrity()
        with store.read() as tx:
            beat, in_force = upkeep.heartbeat(tx), upkeep.in_force(tx)
            facts = gathered(tx, store, live, now, everything=True)
            on = upkeep.on(tx)
            failing = [f"{s.name}: {s.last_result}: {s.last_detail}" for s in feeds.statuses(tx) if s.failures]
            aside = len(quarantine.put_aside(tx, limit=1_000)) + len(quarantine.unread(tx, limit=1_000))
    except StoreError as e:
        yield Finding(what="store", ok=False, words=str(e))
        return
    words = "it can be read to its end, and its schema is this Veille's"
    if store.only_reads:
        words += f"; {store.path} cannot be written to by this user, as which no worker can run"
    yield Finding(what="store", ok=not store.only_reads, words=words)
    if store.path is not None:
        loose = " ".join(str(one) for one in open_to_others(store.path))
        words = (
            f"every user of this machine can read them: chmod o= {loose}" if loose else "no other user can read them"
        )
        yield Finding(what="files", ok=not loose, words=words)
    yield from _worker(beat)
    if in_force is not None:
        count = counted(in_force.rules, "rule")
        words = "\n".join(str(problem) for problem in in_force.problems) or f"{count} in force"
        yield Finding(what="rules", ok=not in_force.problems, words=words)
    free = "it is elsewhere" if facts.free is None else f"{facts.free // 1_000_000} MB are left"
    found = {one.key: one for one in self_watch.conditions(facts, now, frozenset(one.key for one in on))}
    yield Finding(what="disk", ok=f"{self_watch.Kind.DISK_LOW}:" not in found, words=free)
    parked = [f"{target}: {reason}" for target, reason in facts.parked]
    yield Finding(what="sending", ok=not parked, words=_listed(parked) or "every target takes what it is sent")
    yield Finding(what="feeds", ok=not failing, words=_listed(failing) or "none fails")
    yield Finding(what="quarantine", ok=not aside, words=f"{aside} put aside" + ": `veille quarantine`" * bool(aside))
    wrong = {one.key: f"{one.words} (since {times.say(one.since)})" for one in on}
    wrong |= {key: conditions.subject(one, "en") for key, one in found.items() if key not in wrong}
    yield Finding(what="conditions", ok=not wrong, words=_listed(list(wrong.values())) or "none is on")


def _worker(beat: upkeep.Heartbeat | None) -> Iterator[Finding]:
    now = clock()
    if beat is None:
        yield Finding(what="worker", ok=True, words="none runs on this store; the last one ended in order")
        return
    is_late = age_of(beat, now) >= LATE_AFTER
    words = f"process {beat.pid} on {beat.host}, last tick {times.say(beat.tick)}"
    yield Finding(what="worker", ok=not is_late, words=words + (": it hangs, or died" * is_late))
    right = now - beat.tick > -SET_BACK
    said = times.say(now)
    yield Finding(what="clock", ok=right, words=said if right else f"{said}: the worker ticked later, it was set back")


def _listed(lines: list[str]) -> str:
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return "\n".join([*lines[:_MOST], *more])
