"""Records in the contract's words. Pure: what Postbox says goes in, records come out."""

import json

from transload_sdk import email, entry, kind, new, phone, reference, source_types, time, types

STATUS = {
    "active": types.ConversationStatus_Open(),
    "pending": types.ConversationStatus_Other("pending"),
    "closed": types.ConversationStatus_Closed(),
    "spam": types.ConversationStatus_Closed(),
}
FIELD_TYPES = {
    "text": types.FieldType_Text,
    "number": types.FieldType_Decimal,
    "date": types.FieldType_Date,
    "dropdown": types.FieldType_Choice,
}
VISIBILITY = {"note": types.Visibility.INTERNAL, "event": types.Visibility.EVENT}
DIRECTION = {"customer": types.Direction.INBOUND, "reply": types.Direction.OUTBOUND}


def agent(row):
    name = " ".join(filter(None, (row.get("first_name"), row.get("last_name"))))
    data = new(
        types.Agent,
        name=name,
        email=row.get("email"),
        state=types.AgentState.ACTIVE if row["active"] else types.AgentState.DEACTIVATED,
        roles=[row["role"]],
        time_zone=row.get("time_zone"),
    )
    return entry(str(row["id"]), data)


def tag(row):
    return entry(str(row["id"]), new(types.Tag, name=row["name"], color=row.get("color")))


def field_definition(row):
    owner = row["of"]
    data = new(
        types.FieldDefinition,
        owner=types.Owner(kind(owner), None),
        name=row["name"],
        label=row["label"],
        field_type=FIELD_TYPES.get(row["type"], lambda: types.FieldType_Other(row["type"]))(),
        options=[types.ChoiceOption(option, option, True) for option in row.get("options", [])],
    )
    return entry(f"{owner}/{row['name']}", data)


def fields(row):
    """Custom fields with their values, by their types."""
    return [types.Field(one["name"], _value(one), None) for one in row.get("fields", []) if one["value"] is not None]


def _value(one):
    value = one["value"]
    match one["type"]:
        case "text" if isinstance(value, str):
            return types.Value_Text(value)
        case "number" if isinstance(value, str):
            # Numbers come as text, so that no digit is lost.
            return types.Value_Decimal(value)
        case "date" if isinstance(value, str):
            return types.Value_Date(value)
        case "dropdown" if isinstance(value, str):
            return types.Value_Choice(value)
    return types.Value_Json(json.dumps(value, ensure_ascii=False))


def _head(row, **more):
    return {
        "created_at": time.ms(row.get("created_at")),
        "updated_at": time.ms(row.get("modified_at")),
        "url": row.get("web_url"),
        "fields": fields(row),
        "raw": _raw(row),
    } | more


# What has a place in the contract, or says nothing about the record itself.
PLACED = {
    "id", "created_at", "modified_at", "web_url", "fields", "first_name", "last_name", "organization", "emails", "phones",
    "language", "subject", "status", "customer", "assignee", "tags", "closed_at", "threads", "state", "number",
}  # fmt: skip


def _raw(row):
    """Attributes without a place are kept as they are, and counted (rule M-1)."""
    return [
        types.RawAttribute(name, json.dumps(value, ensure_ascii=False))
        for name, value in row.items()
        if name not in PLACED and value is not None
    ]


def customer(row):
    first, last = row.get("first_name"), row.get("last_name")
    data = new(
        types.Customer,
        name=" ".join(filter(None, (first, last))) or None,
        first_name=first,
        last_name=last,
        company_name=row.get("organization"),
        language=row.get("language"),
        addresses=[
            *(email(one["value"], label=one.get("type"), primary=place == 0) for place, one in enumerate(row["emails"])),
            *(phone(one["value"], label=one.get("type")) for one in row["phones"]),
        ],
    )
    return entry(str(row["id"]), data, **_head(row))


def _person(by):
    if by is None:
        return types.Author_System()
    return types.Author_Person(reference("agent" if by["type"] == "user" else "customer", str(by["id"])))


def thread(cx, row):
    """A conversation with its messages and their files, in order."""
    id = str(row["id"])
    assignee = row.get("assignee")
    threads = row["threads"]
    said = [one for one in threads if one["type"] != "note"]
    data = new(
        types.Conversation,
        customer=reference("customer", str(row["customer"]["id"])),
        subject=row.get("subject"),
        status=STATUS.get(row["status"]) or types.ConversationStatus_Other(row["status"]),
        assignees=[reference("agent", str(assignee["id"]))] if assignee else [],
        channels=["email"],
        tags=[reference("tag", str(one["id"])) for one in row["tags"]],
        spam=row["status"] == "spam",
        closed_at=time.ms(row.get("closed_at")),
        message_count=len(said),
        note_count=len(threads) - len(said),
    )
    records = [entry(id, data, **_head(row))]
    for one in threads:
        records += message(cx, id, str(row["customer"]["id"]), one)
    return records


def message(cx, conversation, customer, row):
    """A message and its files."""
    id = str(row["id"])
    files = row.get("attachments", [])
    author = _person(row.get("by"))
    data = new(
        types.Message,
        conversation=reference("conversation", conversation),
        customer=reference("customer", customer),
        visibility=VISIBILITY.get(row["type"], types.Visibility.PUBLIC),
        direction=DIRECTION.get(row["type"], types.Direction.NONE),
        channel="email",
        author=author,
        to=row.get("to", []),
        cc=row.get("cc", []),
        html=cx.blobs.text(row["body"], "text/html; charset=utf-8"),
        sent_at=time.ms(row["created_at"]),
        attachment_count=len(files),
    )
    head = {"created_at": time.ms(row["created_at"])}
    records = [entry(id, data, **head)]
    for one in files:
        file = new(
            types.Attachment,
            parent=reference("message", id),
            conversation=reference("conversation", conversation),
            name=one["filename"],
            media_type=one.get("mime_type"),
            size=one.get("size"),
            locator=f"/attachments/{one['id']}/data",
        )
        records.append(entry(str(one["id"]), file, **head))
    return records


def _line(part, words, depth=0):
    return source_types.InventoryLine(part, depth, words, None)


def workflow(row):
    part = source_types.LinePart
    lines = [_line(part.CONDITION, words) for words in row["conditions"]]
    lines += [_line(part.ACTION, words) for words in row["actions"]]
    return new(
        source_types.InventoryItem,
        category=types.InventoryCategory_Workflow(),
        section="workflow",
        id=str(row["id"]),
        name=row["name"],
        summary=f"{len(row['conditions'])} conditions, {len(row['actions'])} actions",
        enabled=row["active"],
        lines=lines,
        detail=json.dumps(row, ensure_ascii=False),
    )


def saved_reply(row):
    return new(
        source_types.InventoryItem,
        category=types.InventoryCategory_CannedReply(),
        section="saved-reply",
        id=str(row["id"]),
        name=row["name"],
        summary="a ready-made reply",
        lines=[_line(source_types.LinePart.TEXT, row["text"])],
        detail=json.dumps(row, ensure_ascii=False),
    )


RECORDS = {"agent": agent, "tag": tag, "field-definition": field_definition, "customer": customer}
