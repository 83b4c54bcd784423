"""What every destination does with a thread (rule M-3): which parts are skipped, what stands in a line above a body because a reader
must know it, what of a message goes onto the source card, and how a note without a conversation becomes one. One format for all
destinations and both SDKs.

A body is never changed. What must be said about it (who wrote it, that its delivery failed) stands above it in one bracketed line,
`LEAD`, which `without_lead` takes off again, so that what is read back can be compared with its original.
"""

import re
from enum import Enum
from typing import Any, Iterator

from . import time, words
from .card import Facts
from .contract import types
from .errors import Bug, Invalid
from .items import Part, Thread, entry, thread
from .people import mailbox
from .records import loss, new
from .text import WHITE, escape_html, pieces

# How our line begins. Agents and programs can search for it.
LEAD = "[Migrated: "
# What our line says above a text that begins like one itself: else it would be taken for ours when it is read back.
_AS_WRITTEN = "as it was written"
_SHOWN = str.maketrans({"]": ")"} | {chr(c): " " for c in [*range(0x20), *range(0x7F, 0xA0)]})
_CONVERTED = types.Fidelity.CONVERTED


def lead(facts: list[str]) -> str | None:
    """The line above a body. `None` where there is nothing to say.

    >>> lead(["written by Ana", "not delivered"])
    '[Migrated: written by Ana; not delivered]'
    """
    return f"{LEAD}{'; '.join(facts).translate(_SHOWN)}]" if facts else None


def with_lead(lead: str | None, body: str) -> str:
    """Plain text under our line."""
    if lead is not None:
        return f"{lead}\n\n{body}" if body else lead
    return f"{LEAD}{_AS_WRITTEN}]\n\n{body}" if without_lead(body)[0] is not None else body


def html_with_lead(lead: str | None, html: str) -> str:
    """HTML under our line."""
    if lead is not None:
        return f"<p>{escape_html(lead)}</p>{html}"
    return f"<p>{LEAD}{_AS_WRITTEN}]</p>{html}" if without_lead(html)[0] is not None else html


def without_lead(body: str) -> tuple[str | None, str]:
    """The facts in our line, and the body without it. Works on plain text and on HTML."""
    if body.startswith(LEAD):
        facts, ended, rest = body[len(LEAD) :].partition("]")
        return (facts, rest.removeprefix("\n\n")) if ended else (None, body)
    if body.startswith("<p>" + LEAD):
        facts, ended, rest = body[len("<p>" + LEAD) :].partition("]</p>")
        return (facts, rest) if ended else (None, body)
    return None, body


def part_of(n: int, count: int) -> str:
    """What the line above the n-th piece of a long text says."""
    return f"part {n} of {count}"


def bodies(facts: list[str], body: str, limit: int) -> list[str]:
    """A body as bodies of at most `limit` bytes each, the first under a line with the facts; of several each says which it is."""
    whole = with_lead(lead(facts), body)
    if len(whole.encode()) <= limit:
        return [whole]
    # The longest line any piece can have; a piece has at least so many bytes as the line leaves.
    size = len(body.encode())
    widest = lead([*facts, part_of(size, size)]) or ""
    room = max(0, limit - len(widest.encode()) - 2)
    # Facts alone may be too long: then they are a text of their own, and the body follows.
    if room < limit // 4 and facts:
        return bodies(["the facts of this entry are in its text"], f"{'; '.join(facts)}\n\n{body}", limit)
    parts = pieces(body, max(room, 4))
    said = [([*facts] if n == 1 else []) + [part_of(n, len(parts))] for n in range(1, len(parts) + 1)]
    return [with_lead(lead(facts), part) for facts, part in zip(said, parts)]


def is_further_part(lead: str | None) -> bool:
    """Whether a body goes on with the text of the one before, by the facts of its line."""
    last = (lead or "").rsplit("; ", 1)[-1]
    return last.startswith("part ") and not last.startswith("part 1 of ")


def add_fact(facts: list[str], fact: str) -> None:
    """One more fact for a line, before the number of a piece, which ends it."""
    numbered = bool(facts) and facts[-1].startswith("part ")
    facts.insert(len(facts) - numbered, fact)


def tag_targets(conversation: Any, card: Facts, losses: list[Any]) -> list[str]:
    """The tags of a conversation by what they became, where they are words, sorted; one that became nothing stands on the card."""
    for tag in conversation.tags:
        if tag.target is None:
            card.add("tag", words.called(tag) or tag.id)
            losses.append(loss("conversation.tags", "a tag without a form here is on the source card", _CONVERTED))
    return sorted({tag.target for tag in conversation.tags if tag.target is not None})


def repoint(html: str, images: list[tuple[str, str]]) -> str:
    """HTML in which what an inline image was known by (`cid:…`, its old URL) is its new URL."""
    for old, now in images:
        if not old:
            continue
        escaped = old.replace("&", "&amp;")
        if escaped != old:
            html = html.replace(escaped, now)
        html = html.replace(old, now)
    return html


def image_names(attachment: Any, url: str) -> list[tuple[str, str]]:
    """What the HTML of a body may call a file, with where the file is now."""
    names = []
    if attachment.content_id is not None:
        bare = re.sub("^(?:cid:)*", "", attachment.content_id).strip("<>")
        names.append((f"cid:{bare}", url))
    return names + ([(attachment.body_url, url)] if attachment.body_url is not None else [])


def no_bytes(attachment: Any) -> tuple[str, str] | None:
    """Why a file has no bytes to be sent: the cause, for a report, and what the thread says of it."""
    if attachment.content is not None:
        return None
    match attachment.state:
        case types.AttachmentState_Available():
            return "its bytes could not be read: named in the thread", "its bytes could not be read"
        case types.AttachmentState_External(url):
            return "kept at a host that was not granted: its address is in the thread", f"kept elsewhere: {url}"
        case types.AttachmentState_Redacted():
            return "redacted in the source: named in the thread", "redacted in the source"
    return "the source could not give it: named in the thread", attachment.state.value


def continued_marker(marker: str, part: int) -> str:
    """The marker of the n-th object that holds a record too large for one (rule M-16)."""
    return marker if part <= 1 else f"{marker}#{part}"


def skipped(head: Any, message: Any, spam: bool = False, events: bool = False) -> str | None:
    """Why a part of a thread is not loaded: a draft, what was deleted; spam and events unless they are asked for."""
    if message.delivery.status == types.DeliveryStatus.DRAFT:
        return "a draft, never sent"
    if head.deleted:
        return "deleted in the source"
    if message.spam and not spam:
        return "spam"
    if message.visibility == types.Visibility.EVENT and not events:
        return "an event; carried with `events = true`"
    return None


def skip(head: Any, why: str, card: Facts, losses: list[Any]) -> None:
    """Puts what is skipped of a thread onto the card, and among the losses."""
    losses.append(loss("message", why))
    card.skipped(head.id, why)


def _iso(at: int) -> str:
    return time.utc(at) or str(at)


def message_facts(message: Any, says: words.Words, facts: list[str]) -> None:
    """What stands above a body because a reader must know it."""
    if message.visibility == types.Visibility.EVENT:
        facts.append("an event")
    if message.forwarded:
        facts.append(f"forwarded to {', '.join([*message.to, *message.cc])}")
    if message.delivery.status == types.DeliveryStatus.FAILED:
        error = message.delivery.error
        facts.append(f"not delivered: {'no reason known' if error is None else error}")
    if message.auto:
        facts.append("sent automatically")
    if message.body_source == types.BodySource.TRUNCATED:
        facts.append("the source gave this text cut")
    if message.body_source == types.BodySource.REDACTED:
        facts.append("redacted in the source")
    if message.call is not None:
        call = message.call
        times = [("placed", call.placed_at), ("answered", call.answered_at), ("ended", call.ended_at)]
        said = ["a call", *(f"{name} {_iso(at)}" for name, at in times if at is not None)]
        length = None if call.duration_ms is None else f"{call.duration_ms // 1000} s"
        said += [one for one in (call.status, length, call.recording_url) if one is not None]
        facts.append(", ".join(said))
    if message.reactions:
        by = [f"{one.name} by {says.reference(one.author)}" if one.author else one.name for one in message.reactions]
        facts.append(f"reactions: {', '.join(by)}")


class Holds(Enum):
    """What of a message the destination has fields of its own for, so that the source card need not say it."""

    # Text, time and author.
    TEXT = 0
    # What an e-mail has, too: id, direction, subject, addresses and Message-ID.
    EMAIL = 1


def message_card(
    head: Any, message: Any, subject: str | None, holds: Holds, says: words.Words, losses: list[Any]
) -> list[str]:
    """What the source knows of a message and the destination has no place for, as facts for the source card (`Facts.message`); none
    where all of it has one. `subject` is the thread's."""
    facts: list[str] = []

    def add(name: str, value: str | None) -> None:
        if value:
            facts.append(f"{name} {value}")

    def when(name: str, at: int | None) -> None:
        add(name, None if at is None else _iso(at))

    is_text = holds == Holds.TEXT
    if is_text:
        add("id", head.id)
    when("sent", message.sent_at if message.sent_at is not None and message.sent_at % 1000 else None)
    when("made", head.created_at if head.created_at != message.sent_at else None)
    if is_text:
        add("direction", {types.Direction.INBOUND: "inbound", types.Direction.OUTBOUND: "outbound"}.get(message.direction))
    add("channel", message.channel if is_text or message.channel != "email" else None)
    add("app", message.app)
    if is_text:
        add("subject", message.subject if message.subject != subject else None)
        add("from", message.sender)
        add("to", ", ".join(message.to))
        add("cc", ", ".join(message.cc))
        add("bcc", ", ".join(message.bcc))
        add("message-id", message.message_id)
    add("in-reply-to", message.in_reply_to)
    when("read", message.read_at)
    when("failed", message.delivery.failed_at)
    add("sent to many", "yes" if message.bulk else None)
    add("language", message.language)
    add("mentions", says.references(message.mentions))
    for link in message.links:
        add("link", f"{link.url} is {says.reference(link.to)}")
        here = "a link in the text leads to the source; the source card says where its record is now"
        gone = "a link in the text leads to a record of the source that is not here, or not here yet; the source card names it"
        losses.append(loss("message.links", here if says.link(link.to) else gone, _CONVERTED))
    for field in head.fields:
        add(f"field {field.name}", says.value(field.value))
    return facts


def thread_of(item: Any) -> Thread:
    """An item as a thread: a conversation, or a note on a customer as one of its own (`lone_note`)."""
    match entry(item).data:
        case types.Entity_Message():
            return lone_note(entry(item), thread(item))
        case types.Entity_Conversation():
            return thread(item)
    raise Bug("neither a thread nor a note")


class Requester:
    """Whose a thread is where it must be somebody's. A customer who was not migrated is named in the first line of the thread and on
    the card, and a stand-in has the thread."""

    def __init__(self, conversation: Any, stand_in: str, card: Facts, losses: list[Any]) -> None:
        customer = conversation.customer
        self._missing = None
        # The customer here, or the stand-in.
        self.id = stand_in
        if customer is not None and customer.target is not None:
            self.id = customer.target
            return
        card.reference("customer", customer)
        self._missing = customer
        none = "none in the source: a stand-in is the requester"
        gone = "not migrated: a stand-in is the requester, the customer is named in the first line and on the card"
        losses.append(loss("conversation.customer", none if customer is None else gone, _CONVERTED))

    def line(self, first: Any) -> str | None:
        """What the first part of the thread says about it, unless it names the customer as its author already."""
        if self._missing is None or self.stands_for(first.author):
            return None
        return f"a conversation with {words.person(self._missing)}"

    def stands_for(self, author: Any) -> bool:
        """Whether the stand-in stands for that author."""
        if self._missing is None or not isinstance(author, types.Author_Person):
            return False
        return (author.value.kind, author.value.id) == (self._missing.kind, self._missing.id)


def message_part(part: Part, n: int) -> str:
    """What the n-th object that holds a message is called among its thread's parts."""
    return continued_marker(f"message:{part.message.head.id}", n)


def file_name(attachment: Any) -> str:
    """What people read of a file; never empty."""
    return attachment.name if attachment.name.strip(WHITE) else "file"


def is_email(message: Any) -> bool:
    """Whether a message is an e-mail: by its channel; where that is not known, by addresses."""
    if message.channel is not None:
        return message.channel == "email"
    written = [*([message.sender] if message.sender is not None else []), *message.to]
    return any(mailbox(text)[1] for text in written)


def is_incoming(message: Any) -> bool:
    """Whether a message came from outside: by its direction; where it has none, by its author."""
    if message.direction != types.Direction.NONE:
        return message.direction == types.Direction.INBOUND
    return isinstance(message.author, types.Author_Person) and isinstance(message.author.value.kind, types.Kind_Customer)


class Clock:
    """The times of a thread's parts as a platform keeps them, in whole steps, each later than the one before, so that what was said
    within one step keeps its order (rule M-17)."""

    def __init__(self, step_ms: int) -> None:
        self._step, self._last = step_ms, None
        # Whether a part stands elsewhere than it was said.
        self.moved = False

    def at(self, ms: int) -> int:
        """Where a part of this time stands, ms."""
        step = ms // self._step
        if self._last is not None and step <= self._last:
            self.moved, step = True, self._last + 1
        self._last = step
        return step * self._step

    def follow(self) -> int:
        """Where what goes on with the part before stands, ms."""
        next = self.end
        self._last = next // self._step
        return next

    @property
    def end(self) -> int:
        """The step after the last part, ms."""
        return 0 if self._last is None else (self._last + 1) * self._step


def began(of: Thread, now: int) -> int:
    """When a thread began, ms: as its head says, else with its first part that has a time, else now."""
    said = of.conversation.head.created_at
    if said is None:
        said = next((at for at in map(_said_at, of.parts) if at is not None), None)
    return now if said is None else said


def spoken(of: Thread, began: int) -> Iterator[tuple[Part, Any, int]]:
    """What is said in a thread, each with its time, ms: of one that has none, that of the one before, of the first `began`."""
    last = began
    for part in of.parts:
        at = _said_at(part)
        last = last if at is None else at
        yield part, part.message.data.value, last


def _said_at(part: Part) -> int | None:
    sent = part.message.data.value.sent_at
    return part.message.head.created_at if sent is None else sent


def lone_note(note: Any, of: Thread) -> Thread:
    """A note on a customer that belongs to no conversation, as a conversation of its own: one finished, private one (rule M-3). `of` is
    the item's own thread: what hangs on the note. `Invalid` when it names a conversation, which is missing then, or is public."""
    message = note.data.value
    if message.conversation is not None:
        raise Invalid("the conversation that this message belongs to has not been migrated", "message.conversation")
    if message.visibility == types.Visibility.PUBLIC:
        raise Invalid("a public message without a conversation has no place", "message.conversation")
    head = types.Head(**{**vars(note.head), "kind": types.Kind_Conversation(), "fields": []})
    conversation = new(
        types.Conversation,
        customer=message.customer,
        subject="Note on the customer" if message.subject is None else message.subject,
        status=types.ConversationStatus_Closed(),
    )
    hanging = [file for part in of.parts for file in part.attachments]
    return Thread(types.Entry(head, types.Entity_Conversation(conversation)), [Part(note, hanging)])
