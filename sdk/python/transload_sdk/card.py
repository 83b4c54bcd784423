"""The source card (rule M-2): one private text, of one format for all destinations and both SDKs, that holds what a record was in the
source and the destination has no field for.

A readable list first, then the same as one line of JSON, so that a person can read it and a program can. The marker stands in both, so
the platform's search finds a record by its source id. The order is the order given, and names of facts are stable: the same record
gives the same card. Where a card stands, and how it is cut, is the connector's.

    card = Facts(words)
    customer(entry, name, card)
    addresses(entry.data.value.addresses, card)
    notes = card.render(cx.platform, item, entry, losses)
"""

import json
from dataclasses import dataclass
from typing import Any, Iterable

from . import time
from .contract import types
from .people import channel, labelled
from .records import loss
from .text import escape_html, split_bytes
from .words import Words, author, moment_text

# Version of the JSON line's form.
_FORM = 1
_HOW = {types.Fidelity.EXACT: "exact", types.Fidelity.CONVERTED: "converted", types.Fidelity.LOST: "lost"}
_STATES = {
    types.ConversationStatus_Open: "open",
    types.ConversationStatus_Snoozed: "snoozed",
    types.ConversationStatus_Closed: "closed",
}
_WAYS = {types.Direction.INBOUND: "inbound", types.Direction.OUTBOUND: "outbound"}


@dataclass
class Card:
    """A card in two renderings."""

    # HTML without any style.
    html: str
    # Plain text.
    text: str


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def source_card(
    platform: str,
    marker: str,
    entry: Any,
    facts: Iterable[tuple[str, str]] = (),
    notes: Iterable[str] = (),
    losses: Iterable[Any] = (),
) -> Card:
    """Writes a card: id, address and original times; the facts given; custom fields without a target; attributes the contract has no
    slot for; notes; losses, the record's own first. Mostly by `Facts.render`."""
    head = entry.head
    at = {"created_at": head.created_at, "updated_at": head.updated_at}
    times = {name: time.utc(ms) for name, ms in at.items() if ms is not None}
    lists = {
        "facts": list(facts),
        "fields": [(field.name, _value(field.value)) for field in head.fields if field.target is None],
        "raw": [(raw.name, raw.json) for raw in head.raw],
        "notes": list(notes),
        "losses": [(loss.field, _HOW[loss.how], loss.note) for loss in [*head.losses, *losses]],
    }
    compact: dict[str, Any] = {"transload_card": _FORM, "source": marker, "id": head.id, "url": head.url, **times, **lists}
    compact = {name: value for name, value in compact.items() if value is not None and value != []}
    named = [("Link", head.url), ("Created", times.get("created_at")), ("Updated", times.get("updated_at"))]
    lines = [("Source", platform), ("Source id", head.id), ("Marker", marker)]
    lines += [(name, value) for name, value in named if value is not None]
    lines += lists["facts"] + lists["fields"] + lists["raw"]
    lines += [("Note", note) for note in lists["notes"]]
    lines += [(f"Not as it was ({how})", f"{field}: {note}") for field, how, note in lists["losses"]]
    program = _json(compact)
    items = "".join(f"<li>{escape_html(name)}: {escape_html(value)}</li>" for name, value in lines)
    text = "".join(f"{name}: {value}\n" for name, value in lines)
    return Card(f"<ul>{items}</ul><pre>{escape_html(program)}</pre>", f"{text}\n{program}\n")


def _value(value: Any) -> str:
    """A custom field's value for reading."""
    held = value.value
    match value:
        case types.Value_Boolean():
            return "true" if held else "false"
        case types.Value_Moment():
            return moment_text(held)
        case types.Value_Choices():
            return _json(held)
        case types.Value_Path():
            return " / ".join(held)
        case types.Value_Reference():
            return held.id
        case types.Value_References():
            return _json([reference.id for reference in held])
    return str(held)


def _iso(at: int) -> str:
    return time.utc(at) or str(at)


class Facts:
    """Facts in the making. What is empty, or not known, adds nothing."""

    def __init__(self, words: Words | None = None) -> None:
        # How references and values are said on it.
        self.words = words or Words()
        self._facts: list[tuple[str, str]] = []
        self._messages: list[str] = []

    def add(self, name: str, value: str | None) -> None:
        """A text, where there is one."""
        if value:
            self._facts.append((name, value))

    def time(self, name: str, at: int | None) -> None:
        """A time to the millisecond, where there is one."""
        self.add(name, None if at is None else _iso(at))

    def count(self, name: str, count: int | None) -> None:
        """A number, where there is one."""
        self.add(name, None if count is None else str(count))

    def flag(self, name: str, flag: bool) -> None:
        """`yes`, where it is so."""
        self.add(name, "yes" if flag else None)

    def reference(self, name: str, reference: Any) -> None:
        """What a record points to."""
        self.add(name, None if reference is None else self.words.reference(reference))

    def references(self, name: str, all: list[Any]) -> None:
        """All that a record points to."""
        self.add(name, self.words.references(all))

    def field(self, field: Any) -> None:
        """A custom field's value in words."""
        self.add(f"field {field.name}", self.words.value(field.value))

    def misfit(self, field: Any, why: str, losses: list[Any]) -> None:
        """A custom field whose value has no place of its own, and a sentence that says why."""
        self.field(field)
        losses.append(loss(f"fields.{field.name}", why, types.Fidelity.CONVERTED))

    def lists(self, fields: list[Any], losses: list[Any]) -> None:
        """The custom fields that hold several references: there is no lookup for them, so they stand here in words as well as in their
        text field (rule M-15)."""
        for field in fields:
            several = isinstance(field.value, types.Value_References) and field.value.value
            if several and all(name != f"field {field.name}" for name, _ in self._facts):
                self.misfit(field, "several references stand as text: in their field and on the source card", losses)

    def message(self, number: int, facts: list[str]) -> None:
        """Something said in a thread, by its place there."""
        self._messages.append(f"{number}: {'; '.join(facts)}")

    def skipped(self, id: str, why: str) -> None:
        """Something of a thread that was not loaded."""
        self._messages.append(f"not loaded: id {id}; {why}")

    def render(self, platform: str, item: Any, entry: Any, losses: list[Any] = []) -> str:  # noqa: B006
        """The card of an item, with its raw attributes, the host's notes and what does not travel as it was. Messages follow at the
        end, a line each, and are not in the line for programs: of a thread of thousands it would double the card."""
        # Custom fields are among the facts where they have no place: they need not be said again.
        head = types.Head(**{**vars(entry.head), "fields": []})
        distinct: list[Any] = []
        for one in losses:
            if one not in distinct:
                distinct.append(one)
        text = source_card(platform, item.marker, types.Entry(head, entry.data), self._facts, item.notes, distinct).text
        if self._messages:
            text += "\nmessages:\n" + "".join(f"{line}\n" for line in self._messages)
        return text


def fitted(card: str, most: int) -> tuple[str, bool]:
    """What of a card fits into so many bytes: all of it; else what is to be read without the line for programs; else as much of that
    as fits. Says whether anything that is to be read was cut."""
    if len(card.encode()) <= most:
        return card, False
    readable, found, _ = card.rpartition("\n\n{")
    readable = readable if found else card
    if len(readable.encode()) <= most:
        return readable, False
    return split_bytes(readable, most)[0], True


def head(head: Any, card: Facts) -> None:
    """Facts of any record's head beyond what every card says."""
    card.add("external id", head.external_id)
    card.time("imported", head.imported_at)
    card.reference("created by", head.created_by)
    card.reference("modified by", head.modified_by)


def conversation(entry: Any, card: Facts) -> None:
    """Facts of a conversation, those of its head among them; not its customer, subject and tags, for which destinations have places."""
    of = entry.data.value
    head(entry.head, card)
    card.add("status", _STATES.get(type(of.status)) or of.status.value)
    card.add("sub-status", of.sub_status)
    card.time("snoozed until", of.snooze_until)
    card.add("snooze status", of.snooze_status)
    if of.priority is not None:
        card.add("priority", f"{of.priority.value} on {of.priority.lowest}..{of.priority.highest}")
    card.references("assignees", of.assignees)
    card.references("teams", of.teams)
    card.reference("queue", of.queue)
    card.add("channels", ", ".join(of.channels))
    card.reference("brand", of.brand)
    card.add("direction", _WAYS.get(of.direction))
    card.add("language", of.language)
    if of.satisfaction is not None:
        satisfaction(of.satisfaction, card)
    if of.sla is not None:
        _sla(of.sla, card)
    card.flag("spam", of.spam)
    card.flag("locked", of.locked)
    card.time("ended", of.ended_at)
    card.add("ended because", of.ended_reason)
    card.reference("merged into", of.merged_into)
    card.references("linked", of.linked)
    card.time("closed", of.closed_at)
    card.time("first response", of.first_response_at)
    card.time("last activity", of.last_activity_at)
    card.count("messages in the source", of.message_count)
    card.count("notes in the source", of.note_count)


def _joined(*words: str | None) -> str:
    return ", ".join(word for word in words if word is not None)


def _at(name: str, at: int | None) -> str | None:
    return None if at is None else f"{name} {_iso(at)}"


def _after(name: str, value: str | None) -> str | None:
    return None if value is None else f"{name} {value}"


def _sla(sla: Any, card: Facts) -> None:
    breached = "breached" if sla.breached else None
    times = _at("breach", sla.breach_at), _at("satisfied", sla.satisfied_at)
    card.add("sla", _joined(sla.name, sla.metric, sla.status, breached, *times))


def satisfaction(judged: Any, card: Facts) -> None:
    """A customer's judgement."""
    survey = None if judged.survey is None else card.words.reference(judged.survey)
    times = _at("sent", judged.sent_at), _at("answered", judged.answered_at)
    marks = _after("score", judged.score), _after("scale", judged.scale)
    card.add("satisfaction", _joined(judged.rating, *marks, judged.status, judged.channel, survey, *times))
    for question, answer in judged.answers:
        card.add("satisfaction answer", f"{question}: {answer}")


def customer(entry: Any, name: str, card: Facts) -> None:
    """What a person was in the source and has no place in what is called `name` here; the head's facts are among it. Addresses
    (`addresses`), company, tags and merged records are not: most destinations have places for some of them, and what has none is the
    connector's to add."""
    of = entry.data.value
    head(entry.head, card)
    card.add("external ids", ", ".join(of.external_ids))
    card.add("display name", of.display_name if of.display_name != name else None)
    card.add("first name", of.first_name)
    card.add("last name", of.last_name)
    card.add("username", of.username)
    card.add("company name", of.company_name)
    card.add("locale", of.locale)
    card.add("language", of.language)
    card.add("time zone", of.time_zone)
    card.add("gender", of.gender)
    card.add("birthday", of.birthday)
    card.add("avatar", of.avatar_url)
    card.time("signed up", of.signed_up_at)
    card.time("last seen", of.last_seen_at)
    card.time("last activity", of.last_activity_at)
    card.references("watchers", of.watchers)
    card.count("conversations in the source", of.conversation_count)
    for place in of.locations:
        location(place, card)
    if of.satisfaction is not None:
        satisfaction(of.satisfaction, card)


def addresses(left: Iterable[Any], card: Facts) -> None:
    """Addresses that have no place at the destination, a fact each, by channel: `e-mail`, `phone`, the network's name."""
    for address in left:
        card.add(channel(address), labelled(address))


def location(place: Any, card: Facts) -> None:
    """A place."""
    of = place
    rest = (of.postal_code, of.city, of.region, of.country, of.latitude, of.longitude)
    card.add("location", _joined(of.label, of.name, *of.lines, *rest))


def object(blobs: Any, record: Any, card: Facts) -> None:  # noqa: A001: as the Rust SDK calls it
    """Facts of a record of an object type for which destinations have no places; not its tags, nor whose it is."""
    of = record
    if of.description is not None:
        card.add("description", blobs.text_of(of.description))
    card.add("status", of.status)
    card.add("icon", of.icon)
    card.add("images", ", ".join(of.images))
    card.reference("assignee", of.assignee)
    card.reference("queue", of.queue)
    card.time("closed", of.closed_at)
    for comment in of.comments:
        at = (comment.at is not None and time.utc(comment.at)) or ""
        card.add(f"comment {at} {author(comment.author)}", blobs.text_of(comment.text))
    if of.data is not None:
        card.add("data", blobs.text_of(of.data))


def whole_object(blobs: Any, of: Any, record: Any, card: Facts) -> None:
    """All of a record of an object type, for a destination that has none of these; `of` is its head. References go by their names:
    whether they are there already differs from run to run."""
    card.add("object type", record.object_type)
    card.add("title", record.title)
    head(of, card)
    card.reference("customer", _bare(record.customer))
    card.reference("company", _bare(record.company))
    card.reference("conversation", _bare(record.conversation))
    card.references("tags", [_bare(tag) for tag in record.tags])
    by_name = {"assignee": _bare(record.assignee), "queue": _bare(record.queue)}
    object(blobs, types.CustomObject(**{**vars(record), **by_name}), card)
    for field in of.fields:
        card.field(field)


def _bare(reference: Any) -> Any:
    return reference and types.Reference(reference.kind, reference.id, None, reference.name)
