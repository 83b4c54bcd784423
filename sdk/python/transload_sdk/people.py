"""Names and addresses of people, in the forms by which platforms know one again."""

import re
from typing import Any

from .contract import types
from .text import WHITE, blank

_CHANNELS: dict[Any, str] = {
    types.AddressChannel_Email: "e-mail",
    types.AddressChannel_Phone: "phone",
    types.AddressChannel_Whatsapp: "whatsapp",
    types.AddressChannel_Url: "url",
}
_NO_ADDRESS = re.compile(f'[{WHITE}",]')
_E164 = re.compile(r"\+[0-9]{7,15}")


def customer_name(entry: Any) -> str:
    """A customer's name that is never empty, out of whatever the record has."""
    customer = entry.data.value
    parts = [part.strip(WHITE) for part in (customer.first_name, customer.last_name) if part]
    both = " ".join(part for part in parts if part)
    address = customer.addresses[0].value if customer.addresses else None
    for name in (customer.name, customer.display_name, both, customer.username, address):
        if name is not None and not blank(name):
            return name
    return f"Customer {entry.head.id}"


def email(text: str | None) -> str | None:
    """An e-mail address in the form in which platforms compare them, lower case; `None` for what most would refuse.

    >>> email(" Ana@Example.com ")
    'ana@example.com'
    """
    if text is None:
        return None
    text = text.strip(WHITE).lower()
    local, at, domain = text.partition("@")
    proper = at and local and "." in domain and "@" not in domain
    proper = proper and not domain.startswith(".") and not domain.endswith(".") and not _NO_ADDRESS.search(text)
    return text if proper else None


def mailbox(text: str) -> tuple[str | None, str | None]:
    """Name and address out of `Ana Ruiz <ana@example.com>`, or of an address alone. An address is what most platforms take for one,
    as it was written."""

    def address(text: str) -> str | None:
        text = text.strip(WHITE)
        return text if email(text) else None

    name, opened, rest = text.rpartition("<")
    if not opened:
        return None, address(text)
    return name.strip(WHITE).strip('"') or None, address(rest.removesuffix(">"))


def e164(text: str) -> str | None:
    """A phone number as E.164; `None` for what is not certainly one.

    >>> e164("+1 (555) 555-0123")
    '+15555550123'
    """
    kept = re.sub(r"[ \-.()/]", "", text)
    return kept if _E164.fullmatch(kept) else None


def first(customer: Any, channel: Any) -> str | None:
    """The primary address of a channel (`types.AddressChannel_Email`), else its first. What several people share tells nobody
    apart."""
    own = [one for one in customer.addresses if isinstance(one.channel, channel) and not one.shared]
    primary = [one for one in own if one.primary] or own
    return primary[0].value if primary else None


def channel(address: Any) -> str:
    """What an address is called by its channel: `e-mail`, `phone`, the network's name."""
    known = _CHANNELS.get(type(address.channel))
    return address.channel.value if known is None else known


def labelled(address: Any) -> str:
    """An address with its label."""
    return address.value if address.label is None else f"{address.value} ({address.label})"


def address_line(address: Any) -> str:
    """An address as a line of a text field: `e-mail: ana@example.com (home), shared`."""
    return f"{channel(address)}: {labelled(address)}{', shared' if address.shared else ''}"
