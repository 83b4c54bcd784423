"""Records in the contract's words. Pure: what the platform says goes in, records come out."""

from transload_sdk import email, entry, new, reference, time, types

STATES = {"open": types.ConversationStatus_Open, "done": types.ConversationStatus_Closed}


def person(row):
    address = row.get("email")
    data = new(types.Customer, name=row["name"], addresses=[email(address, primary=True)] if address else [])
    return entry(row["id"], data, **_times(row))


def ticket(cx, row):
    """A ticket, its messages, and their files."""
    said = row.get("messages", [])
    state = STATES.get(row["state"])
    private = sum(bool(one.get("private")) for one in said)
    data = new(
        types.Conversation,
        customer=_person(row.get("person")),
        subject=row.get("subject"),
        # A word that we do not know yet is not made one that we know.
        status=state() if state else types.ConversationStatus_Other(row["state"]),
        message_count=len(said) - private,
        note_count=private,
    )
    records = [entry(row["id"], data, **_times(row))]
    for one in said:
        records += message(cx, row, one)
    return records


def message(cx, ticket, row):
    by_person = row.get("person") is not None
    files = row.get("files", [])
    at = time.ms(row.get("at"))
    data = new(
        types.Message,
        conversation=reference("conversation", ticket["id"]),
        customer=_person(ticket.get("person")),
        visibility=types.Visibility.INTERNAL if row.get("private") else types.Visibility.PUBLIC,
        direction=types.Direction.INBOUND if by_person else types.Direction.OUTBOUND,
        author=_author(row),
        text=None if row.get("text") is None else cx.blobs.text(row["text"]),
        sent_at=at,
        attachment_count=len(files),
    )
    records = [entry(row["id"], data, created_at=at)]
    for one in files:
        file = new(
            types.Attachment,
            parent=reference("message", row["id"]),
            conversation=reference("conversation", ticket["id"]),
            name=one["name"],
            media_type=one.get("type"),
            size=one.get("size"),
        )
        records.append(entry(one["id"], file, created_at=at))
    return records


def _author(row):
    if row.get("person") is not None:
        return types.Author_Person(_person(row["person"]))
    return types.Author_Name(row["agent"]) if row.get("agent") else types.Author_System()


def _person(id):
    return None if id is None else reference("customer", id)


def _times(row):
    return {"created_at": time.ms(row.get("created_at")), "updated_at": time.ms(row.get("updated_at"))}
