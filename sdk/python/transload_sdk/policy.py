"""What may be changed in a record that was there before (rule M-7), and how values are compared across a platform's ways of writing
them."""

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from . import time
from .contract import destination_types, types
from .people import customer_name
from .text import WHITE

MatchKey = destination_types.MatchKey if destination_types else None
MatchPolicy = destination_types.MatchPolicy if destination_types else None

_NUMBER = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def doubt(cx: Any, item: Any, by: Any, *, marker: str = "", name: str = "", staff: bool = False, several: bool = False) -> str | None:
    """Why a record that was found may be somebody else; nobody is fused with such a one (rule M-7).

    `by` says by what it was found; `marker` is the marker that it carries, or another external id; `staff` whether it is, or shares
    its address with, one of the staff; `several` whether another candidate of the item was found before.
    """
    entry = item.body.entries[0]
    other = marker.lower()
    named = customer_name(entry) if isinstance(entry.data, types.Entity_Customer) else ""
    if staff:
        return "a customer with what belongs to one of the staff"
    if other.startswith(cx.marker_prefix.lower()) and other != item.marker.lower():
        return "it is another record of the source"
    if several:
        return "several records may be it"
    if by == MatchKey.PHONE and name.strip(WHITE).lower() != named.strip(WHITE).lower():
        return "the same number, and another name"
    return None


# Candidates by the key of their item.
Candidates = dict[str, list[Any]]


def add_candidate(
    cx: Any,
    found: Candidates,
    item: Any,
    id: str,
    before: str,
    by: Any,
    *,
    marker: str = "",
    name: str = "",
    staff: bool = False,
) -> None:
    """Adds a record that was found to an item's candidates, with what is doubtful of it (`doubt`, which the rest is for); one that is
    among them is left as it was found first. `before` is the record as it was found."""
    known = found.setdefault(item.key, [])
    if any(one.target_id == id for one in known):
        return
    doubtful = doubt(cx, item, by, marker=marker, name=name, staff=staff, several=bool(known))
    known.append(destination_types.Candidate(id, by, before, doubtful))


def match_results(items: list[Any], found: Candidates) -> list[Any]:
    """What was found for each item, by its key: an item without candidates has none."""
    return [destination_types.MatchResult(item.key, found.get(item.key, [])) for item in items]


@dataclass
class Change:
    """A change to a record that was there."""

    # What becomes of it, by attribute.
    wanted: dict[str, Any] = field(default_factory=dict)
    # What was there, by the same attributes: the before-image. What was empty is None.
    before: dict[str, Any] = field(default_factory=dict)


def changes(policy: Any, wanted: dict[str, Any], there: dict[str, Any]) -> Change:
    """What of the wanted attributes is to be changed in a record: nothing where it is to be left; what is empty there; or all that
    differs."""
    change = Change()
    for name, value in wanted.items():
        was = there.get(name)
        allowed = policy == MatchPolicy.SOURCE_WINS or (policy == MatchPolicy.FILL_EMPTY and is_empty(was))
        if allowed and canonical(was) != canonical(value):
            change.wanted[name] = value
            change.before[name] = was
    return change


def is_empty(value: Any) -> bool:
    """Whether a value says nothing."""
    return value is None or value == "" or value == []


def holds(object: Any, wanted: dict[str, Any]) -> bool:
    """Whether an object has these values, those of objects in it included."""
    for name, value in wanted.items():
        there = object.get(name) if isinstance(object, dict) else None
        same = holds(there, value) if isinstance(value, dict) else canonical(there) == canonical(value)
        if not same:
            return False
    return True


def canonical(value: Any) -> str:
    """A value without the differences between what is sent and what comes back: digits behind a point, the offset of a time, a day
    written as its midnight, the order of a list.

    >>> canonical("64.670"), canonical("2024-01-01T14:00:00+02:00")
    ('64.67', '2024-01-01T12:00:00Z')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, float):
        return _digits(value)
    if isinstance(value, list):
        return ",".join(sorted(canonical(one) for one in value))
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digits(number: float) -> str:
    """As few digits as tell it from others, without an exponent."""
    text = f"{Decimal(repr(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _canonical_text(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return _digits(float(text))
    if text[10:11] == "T" and text[:10].isascii():
        # Some write an offset without its colon: `+0000`.
        written = re.sub(r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2", text)
        at = time.parsed(written)
        utc = at and time.utc(at.at)
        if utc:
            return utc.removesuffix("T00:00:00Z")
    return text.removesuffix("T00:00:00Z")
