"""Links between records, readable from both ends (rule M-15).

A link that one lookup field can hold stands in that field. Any other (one of several, one whose field is no lookup, one of a record
that must not be changed any more) is said in words: on the record that points, where its own fields and its card have said it since it
was written, and on the one pointed to, in a text field of the connector's that is filled here. Those are exported as well: the link
table. Staff are named.

A connector says what its records are (a class from `End`), reads them into a `Desk`, has each link placed, writes the changes that came
of it, one write a record, and lets `conclude` report. The first item that asked for a change has its effect; so units of links must not
run at once.
"""

from dataclasses import dataclass, field
from typing import Any, Callable

from .contract import ledger, types
from .effects import Action, effect, exported_as, reject, report
from .errors import Bug, Conflict, ConnectorError
from .items import entry
from .policy import canonical
from .records import loss
from .words import Words

_IN_WORDS = "no lookup field can hold it: both records name it, and it is in the link table"
_NOT_HERE = "one of its records was not migrated: the other names it, and it is in the link table"
_NO_ROOM = "more links than the text of a record holds: this one is in the link table"
_REFUSED = "the record it points to could not take its name: in the link table"
_CONVERTED = types.Fidelity.CONVERTED


@dataclass(frozen=True)
class End:
    """A record of the destination that links are written to. A connector's own class derives from it."""

    # As effects name it.
    kind: str
    id: str

    # The field of ours whose text names links.
    TEXT = "links"
    # What is said of a link to one of the staff, who are named and not written to.
    OF_STAFF = "a link to one of the staff is said in words, and in the link table"

    @classmethod
    def of(cls, reference: Any) -> "End | None":
        """What stands for a record of the source; `None` where nothing does that could hold a link."""
        raise NotImplementedError

    def fits(self, text: str) -> bool:
        """Whether its text of links may be as long as that."""
        return True

    @staticmethod
    def is_same(held: Any, id: str) -> bool:
        """Whether a lookup holds this id."""
        return canonical(held) == id

    @staticmethod
    def note(link: Any) -> str | None:
        """What is said of a link whose two records are here, if it is not that no lookup can hold it."""
        return None

    def images(self, change: "Change") -> tuple[str, str]:
        """Before-image and print of a change, as an effect has them."""
        raise NotImplementedError


@dataclass
class Change:
    """What is to be changed on a record, by field."""

    # Which link asked for it first.
    first: int
    was: dict[str, Any] = field(default_factory=dict)
    becomes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """A record's change was written, by a request with this key."""

    key: Any


@dataclass(frozen=True)
class Unknown:
    """The answer to it is not known."""


@dataclass(frozen=True)
class Refused:
    """It was refused."""

    error: ConnectorError


Written = Done | Unknown | Refused


@dataclass(frozen=True)
class Looked:
    """A link stands in a lookup field of this record."""

    end: End


@dataclass(frozen=True)
class Said:
    """It stands in words on these records, with what is to be said of it."""

    ends: list[End]
    note: str


@dataclass(frozen=True)
class Gone:
    """The record that should hold it is gone."""


Fate = Looked | Said | Gone


@dataclass(frozen=True)
class Lookup:
    """A lookup field that can hold a link: the record that has it, its name, the id it would hold."""

    end: End
    field: str
    id: str


# The links among a unit's items, each with its item.
Links = list[tuple[Any, Any]]


def links(cx: Any, items: list[Any]) -> Links:
    """The links among a unit's items; any other item is rejected."""
    found = []
    for item in items:
        data = entry(item).data
        if isinstance(data, types.Entity_Relationship):
            found.append((item, data.value))
        else:
            reject(cx, item, Bug("no relationship"))
    return found


def ends(of: type[End], links: Links) -> list[End]:
    """The records that links are about, each once."""
    found = [of.of(reference) for _, link in links for reference in (link.source, link.target)]
    return sorted({end for end in found if end is not None}, key=lambda end: (end.kind, end.id))


def is_single(link: Any) -> bool:
    """Whether a link is the only one of its field, so that a lookup can hold it."""
    return not link.position


class Desk:
    """The records that a unit's links are about, and what is to be changed on them."""

    def __init__(self, of: type[End], now: dict[End, dict[str, Any]]) -> None:
        self._of = of
        # The records that are there, with their fields.
        self.now = now
        # Those of them that have no field for words.
        self.mute: set[End] = set()
        # What is to be changed.
        self.changes: dict[End, Change] = {}

    def _value(self, end: End, name: str) -> Any:
        change = self.changes.get(end)
        if change is not None and name in change.becomes:
            return change.becomes[name]
        return self.now.get(end, {}).get(name)

    def _change(self, at: int, end: End, name: str, was: Any, becomes: Any) -> None:
        change = self.changes.setdefault(end, Change(at))
        change.was.setdefault(name, was)
        change.becomes[name] = becomes

    def place(self, links: Links, lookup: Callable[[Any], Lookup | None], words: Words) -> list[Fate]:
        """Decides where each link is to stand and notes the changes that it takes. `lookup` gives the field that can hold one, where
        there is such a field."""
        return [self._place(at, item, link, lookup(link), words) for at, (item, link) in enumerate(links)]

    def _place(self, at: int, item: Any, link: Any, lookup: Lookup | None, words: Words) -> Fate:
        if lookup is not None:
            if lookup.end not in self.now:
                return Gone()
            was = self._value(lookup.end, lookup.field)
            if was is None:
                self._change(at, lookup.end, lookup.field, None, lookup.id)
                return Looked(lookup.end)
            if self._of.is_same(was, lookup.id):
                if _lost(item):
                    # Only an empty lookup is ever set: so that is what it was.
                    self._change(at, lookup.end, lookup.field, None, was)
                return Looked(lookup.end)
        return self._say(at, item, link, words)

    def _say(self, at: int, item: Any, link: Any, words: Words) -> Said:
        """In words: where it points to, and, where no field of the source says it already, where it comes from."""
        name = f"{link.label} ({link.name})" if link.label is not None and link.label != link.name else link.name
        lines = []
        target, source = self._here(link.target), self._here(link.source)
        if target is not None:
            lines.append((target, f"{name} of {words.reference(link.source)}"))
        if source is not None and link.field is None:
            lines.append((source, f"{name}: {words.reference(link.target)}"))
        note, said = self._note(link), []
        for end, line in lines:
            if self._add_line(at, item, end, line):
                said.append(end)
            else:
                note = _NO_ROOM
        return Said(said, note)

    def _here(self, reference: Any) -> End | None:
        end = self._of.of(reference)
        return end if end is not None and end in self.now and end not in self.mute else None

    def _add_line(self, at: int, item: Any, end: End, line: str) -> bool:
        """Adds a line to the text that names links; false when there is no room for it."""
        was = self._value(end, self._of.TEXT)
        known = was.split("\n") if isinstance(was, str) and was else []
        if line in known:
            if _lost(item):
                before = "\n".join(one for one in known if one != line)
                self._change(at, end, self._of.TEXT, before or None, was)
            return True
        longer = "\n".join([*known, line])
        if not end.fits(longer):
            return False
        self._change(at, end, self._of.TEXT, was, longer)
        return True

    def _note(self, link: Any) -> str:
        """What is to be said of a link in words."""
        if isinstance(link.target.kind, types.Kind_Agent):
            return self._of.OF_STAFF
        if link.source.target is None or link.target.target is None:
            return _NOT_HERE
        return self._of.note(link) or _IN_WORDS

    def _effect(self, at: int, end: End, written: Written | None) -> Any:
        """The effect that an item has on a record: that of the whole change for the first item that asked for it."""
        change = self.changes.get(end)
        if change is None or change.first != at or not isinstance(written, Done):
            return effect("links", end.kind, end.id, Action.MATCHED)
        before, fingerprint = end.images(change)
        known = {"key": written.key, "before": before, "fingerprint": fingerprint}
        return effect("links", end.kind, end.id, Action.UPDATED, **known)


def _lost(item: Any) -> bool:
    """An earlier attempt in this run may have done it, and its answer is lost: what is found as wanted counts as done by it."""
    return item.in_doubt_since is not None and not item.prior


def conclude(cx: Any, links: Links, fates: list[Fate], desk: Desk, written: dict[End, Written]) -> None:
    """Reports what became of each link: `fates` are those of `links`, in their order."""
    for at, ((item, _), fate) in enumerate(zip(links, fates)):
        _conclude(cx, at, item, fate, desk, written)


def _conclude(cx: Any, at: int, item: Any, fate: Fate, desk: Desk, written: dict[End, Written]) -> None:
    if isinstance(fate, Gone):
        return reject(cx, item, Conflict("the record that holds the link is gone"))
    held = [fate.end] if isinstance(fate, Looked) else fate.ends
    if any(isinstance(written.get(end), Unknown) for end in held):
        return report(cx, item, ledger.Status_Unsettled("a link that was not answered"))
    if isinstance(fate, Looked):
        done = written.get(fate.end)
        if isinstance(done, Refused):
            return reject(cx, item, done.error)
        found = desk._effect(at, fate.end, done)
        status = ledger.Status_Updated if found.action == Action.UPDATED else ledger.Status_Matched
        return report(cx, item, status(), [found])
    losses, effects = [loss("relationship", fate.note, _CONVERTED)], []
    for end in held:
        if isinstance(written.get(end), Refused):
            losses.append(loss("relationship", _REFUSED, _CONVERTED))
        else:
            effects.append(desk._effect(at, end, written.get(end)))
    report(cx, item, ledger.Status_Exported(exported_as(item)), effects, losses)
