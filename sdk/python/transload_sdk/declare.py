"""What a description is put together from, in short."""

from typing import Any

from .contract import description_types as d
from .contract import destination_types, types
from .records import KINDS, kind, new

_FIDELITY = {"exact": types.Fidelity.EXACT, "converted": types.Fidelity.CONVERTED, "lost": types.Fidelity.LOST}
_CATEGORIES = {
    "queue": types.InventoryCategory_Queue,
    "routing": types.InventoryCategory_Routing,
    "sla": types.InventoryCategory_Sla,
    "schedule": types.InventoryCategory_Schedule,
    "workflow": types.InventoryCategory_Workflow,
    "canned-reply": types.InventoryCategory_CannedReply,
    "survey": types.InventoryCategory_Survey,
    "snooze": types.InventoryCategory_Snooze,
    "role": types.InventoryCategory_Role,
    "sender": types.InventoryCategory_Sender,
    "webhook": types.InventoryCategory_Webhook,
    "block-list": types.InventoryCategory_BlockList,
    "view": types.InventoryCategory_View,
    "report": types.InventoryCategory_Report,
    "help-center": types.InventoryCategory_HelpCenter,
}


def requests(table: str) -> list[Any]:
    """Requests that are let out, a line each: `GET /people/*`. GET and HEAD only read; `POST /search reads` says it of another."""
    patterns = []
    for line in filter(None, map(str.strip, table.splitlines())):
        method, path, *word = line.split()
        patterns.append(d.RequestPattern(method, path, method in ("GET", "HEAD") or word == ["reads"]))
    return patterns


def refused(status: int, meaning: Any, contains: str | None = None) -> Any:
    """What an answer with this status means, if its body contains a text: `refused(429, d.RefusalMeaning.SLOW_DOWN)`."""
    return d.RefusedAnswer(status, contains, meaning)


def support(of: str, batch_items: int, calls: int, per_items: int, **known: Any) -> Any:
    """A kind that can be made and deleted: how many of its items a unit takes, and calls for so many items. It is not matched, keeps no
    time of its own, conflicts with nothing and settles as a unit does, unless said otherwise by name."""
    usual = {"batch_bytes": 4_000_000, "can_create": True, "can_delete": True}
    return new(d.KindSupport, kind=kind(of), batch_items=batch_items, calls=calls, per_items=per_items, **(usual | known))


def settles(ms: int, lookup: Any = d.Lookup.BY_KEY) -> list[Any]:
    """How long after a request a look-up that finds nothing may be believed."""
    return [d.Settle(lookup, ms)]


def frozen(note: str) -> list[Any]:
    """A kind of which nothing can be changed, in any state."""
    return [d.UpdateSupport("any", [d.UpdateMode.FROZEN], True, note or None)]


def side_effect(
    code: str, title: str, severity: Any, avoided_by: str | None = None, operator: str | None = None
) -> Any:
    """Something that the platform does besides: how the connector avoids it, and what a person can do."""
    return d.SideEffect(code, title, severity, avoided_by, operator)


def slot(of: str, name: str, values: dict[str, str], defaults: dict[str, str], fallback: str | None = None) -> Any:
    """A setting of the destination: its values with their labels, and which of them the source's words become."""
    options = [destination_types.SlotOption(value, label) for value, label in values.items()]
    return destination_types.Slot(kind(of), name, options, list(defaults.items()), fallback)


def fidelity_table(text: str) -> list[Any]:
    """How each field travels, as a table of text: one row a line, `kind | field | exact, converted or lost | note`. Empty lines and
    those that begin with `#` are passed over; so is a line that is no row, which a connector's test should catch by counting."""
    rows = []
    for line in text.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) >= 3 and columns[0] in KINDS and columns[2] in _FIDELITY:
            note = columns[3] if len(columns) > 3 and columns[3] else None
            rows.append(d.FieldFidelity(kind(columns[0]), columns[1], _FIDELITY[columns[2]], note))
    return rows


def rebuild_table(text: str) -> list[Any]:
    """With which feature each sort of a source's inventory is rebuilt: one row a line, `category | feature | where and how`. A row
    without a feature says that the platform has none, and what to do instead."""
    rows = []
    for line in text.splitlines():
        columns = [column.strip() or None for column in line.split("|", 2)] + [None, None]
        if columns[0] in _CATEGORIES and (columns[1] or columns[2]):
            rows.append(d.Rebuild(_CATEGORIES[columns[0]](), columns[1], columns[2]))
    return rows
