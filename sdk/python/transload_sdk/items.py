"""What a destination is given, as a connector reads it: a record, or a thread in order.

In the contract a body is one list of entries and places in it; here it is a `Thread` of `Part`s.
"""

from dataclasses import dataclass, field
from typing import Any

from .contract import destination_types, ledger, types
from .effects import print_now
from .errors import Bug


@dataclass
class Part:
    """A message with its attachments, in their order."""

    message: Any
    attachments: list[Any] = field(default_factory=list)


@dataclass
class Thread:
    """A conversation, or any other record, with its messages in order."""

    conversation: Any
    parts: list[Part] = field(default_factory=list)


def entry(item: Any) -> Any:
    """An item's own record: a thread's conversation."""
    return _at(item.body, 0)


def thread(item: Any) -> Thread:
    """An item as a thread; any other record is one without parts. `Bug` for a body whose places lie beyond its entries, which no host
    makes."""
    body = item.body
    parts = [Part(_at(body, part.message), [_at(body, place) for place in part.attachments]) for part in body.parts]
    return Thread(_at(body, 0), parts)


def _at(body: Any, place: int) -> Any:
    if not 0 <= place < len(body.entries):
        raise Bug(f"the body has no entry {place}")
    return body.entries[place]


def body(of: Any) -> Any:
    """A body, for `read_back`: of a `Thread`, or of a record alone."""
    if not isinstance(of, Thread):
        return destination_types.Body([of], [])
    whole = destination_types.Body([of.conversation], [])
    for part in of.parts:
        message = len(whole.entries)
        whole.entries += [part.message, *part.attachments]
        whole.parts.append(destination_types.ThreadPart(message, list(range(message + 1, len(whole.entries)))))
    return whole


def refused(item: Any, head: Any, reason: str) -> Any:
    """Says that the destination does not take one of the item's entries, a file mostly, though it takes the record: for an outcome's
    `refused`. `None` for what is no entry of it."""
    for place, one in enumerate(item.body.entries):
        if place and (one.head.kind, one.head.id) == (head.kind, head.id):
            return ledger.RefusedEntry(place, reason)
    return None


def certain(item: Any) -> Any:
    """The object that the record is for sure, or `None`. A candidate that is doubtful comes in `existing`, too, and is somebody else
    until a person says otherwise (rule M-7)."""
    there = item.existing
    return None if there is None or there.doubtful is not None else there


def value(item: Any, slot: str) -> str | None:
    """What a slot is mapped to."""
    return next((one.value for one in item.values if one.slot == slot), None)


def main(written: Any) -> Any:
    """The effect of a written record's own object."""
    return next((effect for effect in written.effects if effect.part == "main"), None)


def observed(written: Any, body: Any, facets: dict[str, str] | None = None, values: dict[str, str] | None = None) -> Any:
    """What was found of what was written: `body` as `body` makes it, or `None` where it is not there any more; the facets as they are
    now, over those that were recorded; the slots that can be read back."""
    presence = destination_types.Presence.ABSENT if body is None else destination_types.Presence.PRESENT
    effect = main(written)
    known = facets is not None and effect is not None and effect.fingerprint is not None
    return destination_types.Observed(
        written.item,
        presence,
        body,
        [destination_types.SlotValue(slot, value) for slot, value in (values or {}).items()],
        print_now(effect.fingerprint, facets) if known else None,
    )


__all__ = ["Part", "Thread", "body", "certain", "entry", "main", "observed", "refused", "thread", "types", "value"]
