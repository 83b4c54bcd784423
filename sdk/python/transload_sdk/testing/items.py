"""Records and items as a host hands them over, for the tests of destinations: of the organisation `org1` of a source called `old-desk`,
made on one day of November 2023."""

from typing import Any

from .. import records
from ..contract import destination_types, ledger, types
from ..items import Part, Thread, body
from ..records import new, word
from . import item as _item

# When every record was made.
CREATED_AT = 1_700_000_000_250


def key(kind: Any, id: str) -> str:
    """The key of a record's item."""
    return f"{word(kind)}:{id}"


def item(entry: Any, **known: Any) -> Any:
    """An item with its key and marker as a host makes them."""
    return _item(entry, platform="old-desk", organisation="org1", **known)


def existing(item: Any, id: str, *, before: str = "{}", by: Any = None, doubtful: str | None = None) -> Any:
    """An item that is there already: found by its marker, unless said otherwise."""
    by = destination_types.MatchKey.EXTERNAL_ID if by is None else by
    candidate = destination_types.Candidate(id, by, before, doubtful)
    return destination_types.Item(**{**vars(item), "existing": candidate})


def entry(id: str, data: Any, fields: list[Any] = [], **head: Any) -> Any:  # noqa: B006
    """A record with custom fields."""
    return records.entry(id, data, **{"created_at": CREATED_AT, "fields": list(fields), **head})


def customer(id: str, fields: list[Any] = [], **known: Any) -> Any:  # noqa: B006
    """A customer."""
    return item(entry(id, new(types.Customer, **known), fields))


def record(id: str, fields: list[Any] = [], **known: Any) -> Any:  # noqa: B006
    """A record of an object type."""
    return item(entry(id, new(types.CustomObject, **known), fields))


def said(id: str, author: Any, text: str, at: int) -> Part:
    """A public message."""
    message = new(types.Message, author=author, text=types.Text_Inline(text), sent_at=at)
    return Part(entry(id, message))


def thread(id: str, parts: list[Part] = [], fields: list[Any] = [], **known: Any) -> Any:  # noqa: B006
    """A conversation with its messages."""
    conversation = entry(id, new(types.Conversation, **known), fields)
    return item(conversation, body=body(Thread(conversation, list(parts))))


def link(field: str, source: Any, target: Any, position: int | None = None) -> Any:
    """A link that a custom field of the source holds."""
    data = new(types.Relationship, name=field, source=source, target=target, field=field, position=position)
    return item(entry(f"{source.id}/{field}/{target.id}", data))


def definition(owner: Any, name: str, label: str, field_type: Any, options: list[tuple[str, str]] = []) -> Any:  # noqa: B006
    """A custom field; its options by value and label."""
    of = word(owner.kind) if owner.object_type is None else f"custom-object:{owner.object_type}"
    choices = [types.ChoiceOption(value, label, True) for value, label in options]
    data = new(types.FieldDefinition, owner=owner, name=name, label=label, field_type=field_type, options=choices)
    return item(entry(f"{of}/{name}", data))


def object_type(id: str, label: str) -> Any:
    """An object type."""
    return item(entry(id, new(types.ObjectType, name=id, label=label, status="enabled")))


def team(id: str, name: str) -> Any:
    """A team without members."""
    return item(entry(id, new(types.Team, name=name)))


def agent(id: str, name: str, email: str, fields: list[Any] = [], teams: list[Any] = []) -> Any:  # noqa: B006
    """An agent who can sign in."""
    return item(entry(id, new(types.Agent, name=name, email=email, teams=list(teams)), fields))


def company(id: str, fields: list[Any] = [], **known: Any) -> Any:  # noqa: B006
    """A company."""
    return item(entry(id, new(types.Company, **known), fields))


def file(id: str, name: str, size: int) -> Any:
    """A file of so many bytes that the host holds."""
    content = types.BlobRef(f"sha-of-{id}", size, "text/plain")
    data = new(types.Attachment, parent=records.reference("message", "m"), name=name, size=size, content=content)
    return entry(id, data)


def field(name: str, value: Any, target: str | None = None) -> Any:
    """A custom field's value, and where the field is."""
    return types.Field(name, value, target)


def is_created(outcome: Any) -> bool:
    """Whether an item was made."""
    return isinstance(outcome.status, ledger.Status_Created)
