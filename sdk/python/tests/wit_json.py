"""Values of the contract as the JSON in which hosts keep them, which is the Rust SDK's: for fixtures that both SDKs read."""

import dataclasses
import enum
import typing

from transload_sdk import types


def of(value):
    """A value as JSON."""
    if isinstance(value, enum.Enum):
        return "".join(part.capitalize() for part in value.name.split("_"))
    if isinstance(value, (list, tuple)):
        return [of(one) for one in value]
    if isinstance(value, bytes):
        return list(value)
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    _, is_case, case = type(value).__name__.partition("_")
    if not is_case:
        return fields
    return {case.rstrip("_"): fields["value"]} if fields else case.rstrip("_")


def read(cls, json):
    """JSON as a value of a type."""
    origin, arguments = typing.get_origin(cls), typing.get_args(cls)
    if cls is bytes:
        return bytes(json)
    if origin is list:
        return [read(arguments[0], one) for one in json]
    if origin is tuple:
        return tuple(read(one, value) for one, value in zip(arguments, json))
    if origin is typing.Union and type(None) in arguments:
        rest = [one for one in arguments if one is not type(None)]
        return None if json is None else read(rest[0] if len(rest) == 1 else typing.Union[tuple(rest)], json)
    if origin is typing.Union:
        word, value = next(iter(json.items())) if isinstance(json, dict) else (json, None)
        case = next(one for one in arguments if one.__name__.partition("_")[2].rstrip("_") == word)
        return case(*[read(field.type, value) for field in dataclasses.fields(case)])
    if isinstance(cls, type) and issubclass(cls, enum.Enum):
        return next(one for one in cls if of(one) == json)
    if dataclasses.is_dataclass(cls):
        return cls(**{field.name: read(field.type, json.get(field.name)) for field in dataclasses.fields(cls)})
    return json


__all__ = ["of", "read", "types"]
