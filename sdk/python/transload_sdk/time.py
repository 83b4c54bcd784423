"""Times of the contract: milliseconds since 1970-01-01T00:00:00Z, and the offset they were written with."""

import re
from datetime import datetime, timedelta, timezone

from .contract import types
from .errors import Bug

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RFC3339 = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


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


def parsed(text: str) -> "types.Moment | None":
    """Reads RFC 3339 and cuts what is finer than a millisecond; `None` for what is no full date with time and offset. A `Z` or an
    unknown offset (`-00:00`) gives no offset. For what comes back from a platform, where `moment` is for what must be right.

    >>> parsed("2024-01-31T23:59:59.2509+02:00")
    Moment(at=1706738399250, offset_minutes=120)
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    *date, fraction, sign, hours, minutes = found.groups()
    offset = None if sign is None else (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    if offset is not None and int(minutes) > 59:
        return None
    try:
        when = datetime(*map(int, date), tzinfo=timezone.utc) - timedelta(minutes=offset or 0)
    except (ValueError, OverflowError):
        return None
    at = (when - _EPOCH) // timedelta(seconds=1) * 1000 + int((fraction or "")[:3].ljust(3, "0"))
    return types.Moment(at, None if sign == "-" and offset == 0 else offset)


def _text(at: int, offset: int) -> str | None:
    try:
        when = _EPOCH + timedelta(milliseconds=at) + timedelta(minutes=offset)
    except OverflowError:
        return None
    return when.isoformat(timespec="milliseconds" if at % 1000 else "seconds")[:-6]


def utc(at: int) -> str | None:
    """Milliseconds as RFC 3339 in UTC, with milliseconds only where there are any; `None` beyond the calendar.

    >>> utc(0), utc(250)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:00.250Z')
    """
    text = _text(at, 0)
    return text and text + "Z"


def text_of(moment: "types.Moment") -> str | None:
    """As `utc`, with the offset that the moment has."""
    if moment.offset_minutes is None:
        return utc(moment.at)
    text = _text(moment.at, moment.offset_minutes)
    sign, minutes = "-" if moment.offset_minutes < 0 else "+", abs(moment.offset_minutes)
    return text and f"{text}{sign}{minutes // 60:02}:{minutes % 60:02}"
