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


def message_of(item: Any, part: str) -> Any:
    """The head of the message that a part of it stands for: `message:<id>`, `message:<id>#2`, `message:<id>/note`; or `None`."""
    if not part.startswith("message:"):
        return None
    id = part.removeprefix("message:")
    heads = [one.head for one in item.body.entries if isinstance(one.head.kind, types.Kind_Message)]
    of = [head for head in heads if id.startswith(head.id) and id[len(head.id) :][:1] in ("", "#", "/")]
    return max(of, key=lambda head: len(head.id), default=None)


def refuse_message(item: Any, part: str, reason: str, refused_entries: list[Any]) -> bool:
    """Says that the destination does not take the message that a part stands for, once however many parts it has. Whether the part is a
    message's."""
    head = message_of(item, part)
    if head is None:
        return False
    entry = refused(item, head, reason)
    if entry is not None and all(one.place != entry.place for one in refused_entries):
        refused_entries.append(entry)
    return True


def has_prior(item: Any, effect: Any) -> bool:
    """Whether an earlier run has an effect on the same object."""
    return any((one.target_kind, one.target_id) == (effect.target_kind, effect.target_id) for one in item.prior)


def prior_part(item: Any, kind: str, part: str) -> Any:
    """What an earlier run did last to one of its objects; `None` where there is nothing."""
    return next((one for one in item.prior if (one.target_kind, one.part) == (kind, part)), None)


def value(item: Any, slot: str) -> str | None:
    """What a slot is mapped to."""
    return next((one.value for one in item.values if one.slot == slot), None)


def main(written: Any) -> Any:
    """The effect of a written record's own object."""
    return next((effect for effect in written.effects if effect.part == "main"), None)


def target(written: Any) -> str:
    """The id of the record's own object; nothing where there is none."""
    effect = main(written)
    return effect.target_id if effect is not None else ""


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


__all__ = [
    "Part",
    "Thread",
    "body",
    "certain",
    "entry",
    "has_prior",
    "main",
    "message_of",
    "observed",
    "prior_part",
    "refuse_message",
    "refused",
    "target",
    "thread",
    "types",
    "value",
]
