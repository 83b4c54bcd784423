"""References and values in words, for text fields, for the source card and for the line above a body.

One form everywhere: `customer c9 (Bo Ng, https://acme.example/users/42)`. Kind and source id come first, since they are always known
and can be searched; then what a person calls it; then where it is in the destination, when it is there already. What was not migrated
is named all the same.

Who has no account of his own at the destination is reported by the connector with a *placeholder* as his target: the account that
stands in, and his name, so that texts can name him.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from . import time
from .contract import types
from .records import word
from .text import blank

_PLACEHOLDER = "placeholder:"


class Words:
    """Says references and values. Knows where records of the destination can be seen, so that what is there is linked.

    `pages` has, by the word of a kind, the address at which its records are seen, up to the record's id. A kind that is not among them
    is not linked: records that name each other while they are made must not be, since a link that is there or not would make one text
    differ from run to run.
    """

    def __init__(self, pages: dict[str, str] | None = None) -> None:
        self._pages = pages or {}

    def reference(self, reference: Any) -> str:
        """A reference."""
        about = [part for part in (called(reference), self.link(reference)) if part]
        bare = _bare(reference)
        return f"{bare} ({', '.join(about)})" if about else bare

    def references(self, all: list[Any]) -> str:
        """Several references."""
        return ", ".join(self.reference(one) for one in all)

    def link(self, reference: Any) -> str | None:
        """Where a person finds what a reference has become. A stand-in's page is not the person's."""
        page = self._pages.get(word(reference.kind))
        if page is None or reference.target is None or placeholder_parts(reference.target):
            return None
        return page + reference.target

    def value(self, value: Any) -> str:
        """A value of a custom field."""
        held = value.value
        match value:
            case types.Value_Boolean():
                return "true" if held else "false"
            case types.Value_Moment():
                return moment_text(held)
            case types.Value_Choices():
                return ", ".join(held)
            case types.Value_Path():
                return " > ".join(held)
            case types.Value_Reference():
                return self.reference(held)
            case types.Value_References():
                return self.references(held)
        return str(held)


def called(reference: Any) -> str | None:
    """What a person calls it, as far as it is known."""
    name = reference.name
    if name is None and reference.target is not None:
        behind = placeholder_parts(reference.target)
        name = behind[1] if behind else None
    return None if name is None or blank(name) else name


def _bare(reference: Any) -> str:
    return f"{word(reference.kind)} {reference.id}"


def person(reference: Any) -> str:
    """Somebody who is not here: name first, then who that is in the source."""
    name = called(reference)
    return f"{name} ({_bare(reference)})" if name else _bare(reference)


def author(author: Any) -> str:
    """Who wrote something, for a text that somebody else's name stands on."""
    match author:
        case types.Author_Person():
            return person(author.value)
        case types.Author_Name():
            return author.value
    return "the system"


def moment_text(moment: Any) -> str:
    """A moment with the offset it was written with."""
    return time.text_of(moment) or str(moment.at)


def day(cx: Any, at: int) -> str:
    """The day of a moment at the place whose days are meant where a platform knows days only (rule M-17); in UTC where there is none."""
    offset = cx.utc_offset(at, cx.time_zone) or 0
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=at, minutes=offset)).strftime("%Y-%m-%d")


def placeholder(stand_in: Any, name: str) -> str:
    """How an agent who has no account of his own is reported: the account that stands in, and his name."""
    return f"{_PLACEHOLDER}{stand_in}:{name}"


def placeholder_parts(target: str) -> tuple[str, str] | None:
    """Who stands in behind a placeholder's target, and for whom."""
    if not target.startswith(_PLACEHOLDER):
        return None
    stand_in, colon, name = target[len(_PLACEHOLDER) :].partition(":")
    return (stand_in, name) if colon else None


def own_target(reference: Any) -> str | None:
    """The id of what a reference points to, when that is here as itself: no stand-in."""
    target = reference.target
    if target is None or placeholder_parts(target):
        return None
    return target.rsplit("/", 1)[-1]
