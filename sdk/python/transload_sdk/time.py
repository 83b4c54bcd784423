"""Times of the contract: milliseconds since 1970-01-01T00:00:00Z, and the offset they were written with."""

from datetime import datetime, timedelta, timezone

from .contract import types
from .errors import Bug

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _read(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Bug("a time that is not as ISO 8601 has it") from None
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def ms(text: str | None) -> int | None:
    """`2026-03-01T09:30:00Z` as ms; without an offset it counts as UTC. None stays None.

    >>> ms("1970-01-01T00:00:01.5+00:00")
    1500
    """
    if text is None:
        return None
    return (_read(text) - _EPOCH) // timedelta(milliseconds=1)


def moment(text: str) -> "types.Moment":
    """The same with the offset it was written with."""
    read = _read(text)
    offset = (read.utcoffset() or timedelta()) // timedelta(minutes=1)
    return types.Moment((read - _EPOCH) // timedelta(milliseconds=1), offset)


def iso(at: int) -> str:
    """Ms as `2026-03-01T09:30:00.000Z`."""
    when = _EPOCH + timedelta(milliseconds=at)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
