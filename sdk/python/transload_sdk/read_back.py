"""What destinations have in common when they read back what they wrote."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Callable

from .contract import types
from .http import HttpError, QuotaUsed, Stopped, Unauthorized

# Files that are read at once.
AT_ONCE = 6


@dataclass
class Place:
    """Where a file's bytes are."""

    # A path at the connection's base URL, or an absolute URL.
    url: str
    # Without the connection's credential: signed links, other people's hosts.
    anonymous: bool = False


def value(of: Any) -> Any:
    """A value of a field as a platform's JSON has it: a list is one of choices.

    >>> value(7), value(["a", 2])
    (Value_Integer(value=7), Value_Choices(value=['a', '2']))
    """
    match of:
        case str():
            return types.Value_Text(of)
        case bool():
            return types.Value_Boolean(of)
        case int() if -(1 << 63) <= of < 1 << 63:
            return types.Value_Integer(of)
        case int() | float():
            return types.Value_Decimal(str(of))
        case list():
            return types.Value_Choices([one if isinstance(one, str) else _json(one) for one in of])
    return types.Value_Json(_json(of))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def field(address: str, of: Any) -> Any:
    """A field by the address that it has at the platform, which is all that is known of its name."""
    return types.Field(address, value(of), address)


async def with_bytes(cx: Any, observed: list[Any], place: Callable[[Any], Place | None]) -> None:
    """Reads the bytes of the files that were read back, so that the host can compare them by their hash. `place` says where an
    attachment's are. A file that cannot be had, since its host is not granted or it is gone, keeps no content, and is compared by
    name and size. What ends a unit is raised."""
    entries = [entry for one in observed if one.body is not None for entry in one.body.entries]
    files = [entry for entry in entries if isinstance(entry.head.kind, types.Kind_Attachment)]
    wanted = [(entry, at) for entry in files if (at := place(entry)) is not None]
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        ends = await asyncio.gather(*(_read(cx, entry, at) for entry, at in some), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end


async def _read(cx: Any, entry: Any, place: Place) -> None:
    request = cx.http.get(place.url)
    try:
        reply, blob = await (request.anonymous() if place.anonymous else request).download()
    except (Stopped, QuotaUsed, Unauthorized):
        raise
    except HttpError:
        return
    if reply.ok and isinstance(entry.data, types.Entity_Attachment):
        entry.data.value.size = blob.size
        entry.data.value.content = blob
