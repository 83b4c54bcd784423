"""What a destination says of its items, in short; and the prints of facets by which a later undo knows what was changed since.

A *facet* is one thing of an object that we wrote, by name, as the platform holds it. `print_of` makes one line of many, `changed`
says which of them differ now (rule D-11).
"""

import json
from typing import Any

from .contract import ledger
from .records import new, word
from .errors import ConnectorError

Action = ledger.Action if ledger else None
UndoStatus = ledger.UndoStatus if ledger else None

Facets = dict[str, str]


def effect(part: str, kind: str, id: str, action: Any, **known: Any) -> Any:
    """One object of the destination that an item touched; `part` is `main` for the item's own."""
    return new(ledger.Effect, part=part, target_kind=kind, target_id=id, action=action, **known)


def matched(cx: Any, item: Any, kind: str, id: str) -> None:
    """Says that an item is there already, and was left as it is."""
    report(cx, item, ledger.Status_Matched(), [effect("main", kind, id, Action.MATCHED)])


def made(part: str, kind: str, id: str, proof: Any, key: Any, **known: Any) -> Any:
    """An effect of something that is there by our request. Without proof it may be somebody else's: then it is matched, and
    rollback leaves it (rule D-4)."""
    action = Action.MATCHED if proof is None else Action.CREATED
    return effect(part, kind, id, action, proof=proof, key=key, **known)


def report(cx: Any, item: Any, status: Any, effects: Any = (), losses: Any = (), refused: Any = ()) -> None:
    """Says what became of an item; durable before the next request leaves."""
    cx.report(ledger.Outcome(item.key, status, list(effects), list(losses), list(refused)))


def conclude(cx: Any, item: Any, effects: list[Any], losses: Any = (), refused: Any = ()) -> None:
    """Says what became of an item by its effects, the first of which is on its own: what was made, or what of it was changed.
    `refused` are entries that the destination did not take (`items.refused`)."""
    first = effects[0].action if effects else Action.MATCHED
    if first == Action.MATCHED and any(effect.action == Action.CREATED for effect in effects):
        first = Action.UPDATED
    status = {
        Action.CREATED: ledger.Status_Created,
        Action.UPDATED: ledger.Status_Updated,
        Action.MATCHED: ledger.Status_Matched,
    }[first]
    report(cx, item, status(), effects, losses, refused)


def reject(cx: Any, item: Any, error: ConnectorError) -> None:
    """Says that an item was refused."""
    report(cx, item, ledger.Status_Rejected(error.wit()))


def unsettled(cx: Any, item: Any, why: str) -> None:
    """Says that an item's fate is not known: it is never made again until it is."""
    report(cx, item, ledger.Status_Unsettled(why))


def export(cx: Any, item: Any) -> None:
    """Says that the destination has no place for an item: the host writes it to the export folder, to the kind's file there."""
    report(cx, item, ledger.Status_Exported(exported_as(item)))


def exported_as(item: Any) -> str:
    """The file of the export folder that holds records of an item's kind."""
    return f"{word(item.body.entries[0].head.kind)}.jsonl"


def own(cx: Any, item: str, effects: list[Any]) -> None:
    """Reports something of the connector's own, under an item key that begins with `own:`."""
    created = any(effect.action == Action.CREATED for effect in effects)
    status = ledger.Status_Created() if created else ledger.Status_Matched()
    cx.report(ledger.Outcome(item, status, effects, [], []))


# ---- prints


def short_hash(text: str) -> str:
    """A short digest of text, of eight hexadecimal digits: the Rust SDK's, so that prints compare. FNV-1a; no secret hangs on it."""
    value = 0xCBF2_9CE4_8422_2325
    for byte in text.encode():
        value = (value ^ byte) * 0x0000_0100_0000_01B3 % (1 << 64)
    return f"{(value >> 32) ^ (value & 0xFFFF_FFFF):08x}"


def print_of(facets: Facets) -> str:
    """Facets of an object as one line of digests, `subject=1f…;status=…`: so a later comparison can say what differs."""
    return ";".join(f"{name}={short_hash(value)}" for name, value in facets.items())


def changed(recorded: str, now: Facets) -> list[str]:
    """The names of the facets that a recorded print has and that differ now; what is not known now is not compared."""
    differing = []
    for facet in filter(None, recorded.split(";")):
        name, digest = facet.rsplit("=", 1)
        if name in now and short_hash(now[name]) != digest:
            differing.append(name)
    return differing


def print_now(recorded: str, now: Facets) -> str:
    """The facets that were recorded, as they are now: equal to the recorded print when nothing differs. One that is not known now
    counts as empty."""
    return print_of({name: now.get(name, "") for name in facet_names(recorded)})


def changed_since(effect: Any, now: Facets) -> str | None:
    """Which of the facets that an effect recorded are otherwise now, in words; `None` where it is as it was written."""
    differing = changed(effect.fingerprint or "", now)
    return f"changed since: {', '.join(differing)}" if differing else None


def facet_names(recorded: str) -> list[str]:
    """The names of the facets that a print has."""
    return [facet.rsplit("=", 1)[0] for facet in recorded.split(";") if "=" in facet]


def changed_or_gone(effect: Any, now: Facets) -> str | None:
    """As `changed_since`; a facet that was recorded and is not known now counts as gone."""
    gone = {name: "" for name in facet_names(effect.fingerprint or "") if name not in now}
    return changed_since(effect, now | gone)


def before(effect: Any) -> Any:
    """What was there before an update, as it was recorded."""
    return None if effect.before is None else json.loads(effect.before)
