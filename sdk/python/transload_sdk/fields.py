"""Where a custom field of the source is, as effects name it and as items bring it back."""

from dataclasses import dataclass, field
from typing import Any, Callable

from .contract import types
from .http import segment, unsegment


@dataclass
class Target:
    """A field of an object: `Case.loyaltyTier:Picklist`; behind another colon choices of the source whose stored value here is another,
    `:au=gold,ag=silver`.

    >>> target = Target.parse("tickets.tier:choice:au=gold%3B")
    >>> target.object, target.name, target.kind, target.choices
    ('tickets', 'tier', 'choice', [('au', 'gold;')])
    >>> str(target)
    'tickets.tier:choice:au=gold%3B'
    """

    # The object.
    object: str
    # The field's name.
    name: str
    # Its type, in the connector's words, which are written without a colon.
    kind: Any
    # Choices of the source by their stored value, and the stored value here, where it is another.
    choices: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str, kind: Callable[[str], Any] = str) -> "Target | None":
        """Reads what `str` wrote; `None` for what is no place of a field. `kind` reads a type's word, and raises `ValueError` for
        one that it does not know, as an enum of Python does."""
        place, *rest = text.split(":", 2)
        object, dot, name = place.partition(".")
        if not (object and dot and name and rest):
            return None
        try:
            of = kind(rest[0])
        except ValueError:
            return None
        pairs = (pair.split("=", 1) for pair in rest[1].split(",") if "=" in pair) if len(rest) > 1 else ()
        read = [(unsegment(was), unsegment(becomes)) for was, becomes in pairs]
        return cls(object, name, of, [(was, becomes) for was, becomes in read if was is not None and becomes is not None])

    def __str__(self) -> str:
        place = f"{self.object}.{self.name}:{getattr(self.kind, 'value', self.kind)}"
        pairs = ",".join(f"{segment(was)}={segment(becomes)}" for was, becomes in self.choices)
        return f"{place}:{pairs}" if pairs else place


def option_label(definition: Any, option: Any, separator: str) -> str:
    """What people read of an option: of a tree, whose options are paths with `separator` between their parts, the labels from the root
    down."""
    if not isinstance(definition.field_type, types.FieldType_Tree):
        return _own(option)
    above = []
    for end, c in enumerate(option.value):
        if c == separator:
            path = option.value[:end]
            node = next((one for one in definition.options if one.value == path), None)
            above.append(_own(node) if node else path.rsplit(separator, 1)[-1])
    return " > ".join([*above, _own(option)])


def _own(option: Any) -> str:
    return option.label or option.value
