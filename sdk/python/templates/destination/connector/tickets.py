"""Conversations, as tickets: head and messages in one request."""

from transload_sdk import card, destination_types, entry, errors, items, loss, new, reference, text, thread, time, types, words
from transload_sdk.create import Created, Found, Refused, Unsettled, create
from transload_sdk.effects import conclude, made, matched, print_of, reject, unsettled

from . import api
from .describe import SETTLE_MS
from .people import RUN, of_this_run

# What a ticket's effect says it is.
KIND = "ticket"


async def candidates(cx, item):
    """Ours, by marker."""
    found = await api.tickets(cx, "ref", item.marker)
    return [destination_types.Candidate(one["id"], destination_types.MatchKey.MARKER, "{}", None) for one in found]


async def write(cx, item):
    """Writes a conversation."""
    there = items.certain(item)
    if there:
        return matched(cx, item, KIND, there.target_id)
    ticket, losses, refused = draft(cx, item)

    async def look_up():
        return next(iter(await api.tickets(cx, "ref", item.marker)), None)

    request = cx.http.post("/tickets").json(ticket).key(item.key, "main", "create")
    match await create(request).in_doubt_since(item.in_doubt_since).or_find(look_up, SETTLE_MS):
        case Created(reply, proof, key):
            ticket = reply.json()
        case Found(ticket, proof, key):
            proof = proof or of_this_run(cx, ticket["notes"])
        case Refused(reply):
            return reject(cx, item, api.refusal(reply))
        case Unsettled(why):
            return unsettled(cx, item, why)
    effect = made("main", KIND, ticket["id"], proof, key, fingerprint=print_of(facets(ticket)))
    conclude(cx, item, [effect], losses, refused)


def facets(ticket):
    """All that we write of a ticket. A message that somebody added is a change."""
    said = [f"{one['by']}|{one['at']}|{one['private']}|{one['text']}" for one in ticket["messages"]]
    known = {name: ticket.get(name) or "" for name in ("subject", "person", "state", "notes")}
    return known | {"messages": "\n".join(said)}


def draft(cx, item):
    """What a thread becomes: the ticket, what does not travel as it was, and which entries do not arrive."""
    whole = items.thread(item)
    record, conversation = whole.conversation, whole.conversation.data.value
    losses, refused = [], []
    facts = card.Facts()
    card.conversation(record, facts)
    facts.references("tags", conversation.tags)
    for field in record.head.fields:
        facts.field(field)
    facts.add(RUN, cx.run)
    person = conversation.customer and conversation.customer.target
    if conversation.customer and not person:
        losses.append(loss("conversation.customer", "not migrated"))
    opened = thread.began(whole, cx.now)
    messages = [said(cx, item, part, at, losses, refused) for part, _, at in thread.spoken(whole, opened)]
    state = "done" if isinstance(conversation.status, types.ConversationStatus_Closed) else "open"
    ticket = {
        "ref": item.marker,
        "subject": conversation.subject or "",
        "person": person,
        "state": items.value(item, "status") or state,
        "opened_at": stamp(opened),
        "notes": facts.render(cx.platform, item, record, losses),
        "messages": messages,
    }
    return {name: value for name, value in ticket.items() if value is not None}, losses, refused


def said(cx, item, part, at, losses, refused):
    """A message. Files have no place here, so the host exports them, and the message names them in a line above its text."""
    message = part.message.data.value
    body = ""
    if message.text is not None:
        body = cx.blobs.text_of(message.text)
    elif message.html is not None:
        losses.append(loss("message.html", "as text", types.Fidelity.CONVERTED))
        body = text.html_to_search_text(cx.blobs.text_of(message.html))
    facts = []
    for file in part.attachments:
        facts.append(f"file {file.data.value.name} is not here")
        refused.append(items.refused(item, file.head, "the platform has no files"))
    return {
        "by": words.author(message.author),
        "at": stamp(at),
        "private": message.visibility != types.Visibility.PUBLIC,
        "text": thread.with_lead(thread.lead(facts), body),
    }


def stamp(at):
    written = time.utc(at)
    if written is None:
        raise errors.Bug("a time beyond the calendar")
    return written


def when(written):
    moment = time.parsed(written or "")
    return moment and moment.at


async def read_back(cx, written, id):
    """What became of a ticket; None where it is gone."""
    ticket = await api.one(cx, api.ticket_path(id))
    if ticket is None:
        return None
    done = types.ConversationStatus_Closed if ticket["state"] == "done" else types.ConversationStatus_Open
    person = ticket.get("person")
    conversation = new(
        types.Conversation,
        subject=ticket["subject"],
        status=done(),
        customer=reference("customer", "", target=person) if person else None,
    )
    head = entry(ticket["id"], conversation, created_at=when(ticket["opened_at"]))
    parts = [items.Part(shown(ticket["id"], n, one)) for n, one in enumerate(ticket["messages"])]
    body = items.body(items.Thread(head, parts))
    return items.observed(written, body, facets(ticket), {"status": ticket["state"]})


def shown(ticket, n, said):
    """A message as it is there. A line of ours above the text is not part of it."""
    message = new(
        types.Message,
        author=types.Author_Name(said["by"]),
        visibility=types.Visibility.INTERNAL if said["private"] else types.Visibility.PUBLIC,
        text=types.Text_Inline(thread.without_lead(said["text"])[1]),
        sent_at=when(said["at"]),
    )
    return entry(f"{ticket}/{n}", message)
