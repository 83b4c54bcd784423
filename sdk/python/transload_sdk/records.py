"""Records to start from: what a record says when nothing is known of it, so that a connector names only what it knows.

"Nothing known" is `None`, an empty list, `False`, and of the closed choices the one that claims least: an open conversation, a
public message by the system that came whole, a file that is there.
"""

import dataclasses
import typing
from typing import Any, TypeVar

from .contract import types

T = TypeVar("T")

_MISSING = object()

# Of the closed choices the one that claims least.
_LEAST: dict[Any, Any] = {
    types.AgentState: lambda: types.AgentState.ACTIVE,
    types.AttachmentState: lambda: types.AttachmentState_Available(),
    types.Author: lambda: types.Author_System(),
    types.BodySource: lambda: types.BodySource.FULL,
    types.ConversationStatus: lambda: types.ConversationStatus_Open(),
    types.Delivery: lambda: types.Delivery(types.DeliveryStatus.UNKNOWN, None, None),
    types.Direction: lambda: types.Direction.NONE,
    types.Visibility: lambda: types.Visibility.PUBLIC,
}


def _neutral(annotation: Any) -> Any:
    for choice, least in _LEAST.items():
        if annotation == choice:
            return least
    if annotation is bool:
        return bool
    origin = typing.get_origin(annotation)
    if origin is list:
        return list
    if origin is typing.Union and type(None) in typing.get_args(annotation):
        return lambda: None
    return _MISSING


_FIELDS: dict[type, list[tuple[str, Any]]] = {}


def _fields(cls: type) -> list[tuple[str, Any]]:
    known = _FIELDS.get(cls)
    if known is None:
        known = [(field.name, _neutral(field.type)) for field in dataclasses.fields(cls)]
        _FIELDS[cls] = known
    return known


def new(cls: type[T], **known: Any) -> T:
    """A record of the contract with what is known of it; the rest says that nothing is.

    >>> new(types.Customer, name="Ana").addresses
    []
    """
    values = []
    for name, neutral in _fields(cls):
        if name in known:
            values.append(known.pop(name))
        elif neutral is _MISSING:
            raise TypeError(f"{cls.__name__} needs {name}")
        else:
            values.append(neutral())
    if known:
        raise TypeError(f"{cls.__name__} has no {', '.join(known)}")
    return cls(*values)


# Looked at once, while a component is built: its instances find it done.
for _record in list(vars(types).values()):
    if dataclasses.is_dataclass(_record) and isinstance(_record, type):
        _fields(_record)

# Kinds by the host's word for them.
KINDS: dict[str, Any] = {
    "team": types.Kind_Team,
    "agent": types.Kind_Agent,
    "tag": types.Kind_Tag,
    "brand": types.Kind_Brand,
    "company": types.Kind_Company,
    "customer": types.Kind_Customer,
    "conversation": types.Kind_Conversation,
    "message": types.Kind_Message,
    "attachment": types.Kind_Attachment,
    "field-definition": types.Kind_FieldDefinition,
    "object-type": types.Kind_ObjectType,
    "custom-object": types.Kind_CustomObject,
    "relationship": types.Kind_Relationship,
    "category": types.Kind_Category,
    "article": types.Kind_Article,
}
_WORDS = {case: word for word, case in KINDS.items()}

_ENTITIES: dict[type, Any] = {
    getattr(types, name): getattr(types, f"Entity_{name}")
    for name in (
        "Team Agent Tag Brand Company Customer Conversation Message Attachment FieldDefinition ObjectType CustomObject "
        "Relationship Category Article"
    ).split()
}
_KIND_OF: dict[type, str] = {
    getattr(types, "".join(part.capitalize() for part in word.split("-"))): word for word in KINDS
}


def kind(word: str) -> Any:
    """A kind by its word: `kind("custom-object")`; a word that is none of the contract's is `other`."""
    case = KINDS.get(word)
    return case() if case else types.Kind_Other(word)


def word(of: Any) -> str:
    """What the host calls a kind, in markers and keys; of a further kind its own word."""
    known = _WORDS.get(type(of))
    return known if known is not None else of.value


def entry(id: str, data: Any, **head: Any) -> Any:
    """A record: its id, what it is (`new(types.Customer, …)`), and what else is known of its head.

    >>> entry("7", new(types.Tag, name="vip"), created_at=0).head.kind
    Kind_Tag()
    """
    of = kind(_KIND_OF[type(data)])
    return types.Entry(new(types.Head, kind=of, id=id, **head), _ENTITIES[type(data)](data))


def reference(to: str, id: str, target: str | None = None, name: str | None = None) -> Any:
    """Points at a record of the source, as a source writes it: `reference("customer", "7")`."""
    return types.Reference(kind(to), id, target, name)


def email(value: str, **known: Any) -> Any:
    """An e-mail address, as the source wrote it."""
    return new(types.Address, value=value, channel=types.AddressChannel_Email(), **known)


def phone(value: str, **known: Any) -> Any:
    """A telephone number, as the source wrote it."""
    return new(types.Address, value=value, channel=types.AddressChannel_Phone(), **known)


def loss(field: str, note: str, how: Any = types.Fidelity.LOST) -> Any:
    """One thing that did not travel as it was."""
    return types.Loss(field, how, note)
