"""Plain text as HTML from which it comes back byte for byte, for platforms that keep a text as HTML only and wrap and sanitise it. The
Rust SDK's, to the byte."""

import re

from . import text as texts
from .text import WHITE
from .thread import html_with_lead, lead, without_lead

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\xa0"}
_FLOWING = {**_ESCAPED, "\r\n": "<br>\n", "\r": "<br>", "\n": "<br>", "\t": "&nbsp;&nbsp;&nbsp;\t", "\xa0": "&nbsp;"}
_CHARACTER = re.compile("&([^;]{0,8});|.", re.S)


def html_of(text: str) -> str:
    """Plain text as HTML that looks the same and from which `text_of` gives it back.

    >>> html_of("a  b")
    'a&nbsp; b'
    """
    flowing = _flowing(text)
    if _flowing_text(flowing) == text:
        return flowing
    # A rare mixture of blanks: shown as it was typed, which HTML does in one way only. The first line end is not part of it.
    escaped = "".join("&#13;" if c == "\r" else _ESCAPED.get(c, c) for c in text)
    return f"<pre>\n{escaped}</pre>"


def _flowing(text: str) -> str:
    """Line ends as `<br>` (`\\r\\n` with a line end behind it, that is not shown), blanks that HTML would fold as `&nbsp;`, a tab behind
    three of them."""
    out, before, at = [], "\n", 0
    while at < len(text):
        c = "\r\n" if text.startswith("\r\n", at) else text[at]
        at += len(c)
        folds = c == " " and (before in ("\n", "\r") or at == len(text) or text[at] in " \t\n\r")
        out.append("&nbsp;" if folds else _FLOWING.get(c, c))
        # Of a line end of two characters the first is the one that is looked at.
        before = c[0]
    return "".join(out)


def text_of(html: str) -> str:
    """The text of HTML: exactly what it was made from where `html_of` made it, else what is readable in it."""
    text = _flowing_text(html)
    if text is None:
        text = _preformatted_text(html)
    return texts.html_to_search_text(html) if text is None else text


# Something in HTML that is shown as a character: a blank that does not fold, and a break.
_FIRM, _BREAK = object(), object()


def _flowing_text(html: str) -> str | None:
    """The text of HTML that has no other tags than `<br>`."""
    shown: list[object] = []
    at = 0
    while at < len(html):
        if html[at] == "<":
            end = html.find(">", at)
            if end < 0 or not html.startswith("<br", at) or html[at + 3 : end].strip(" /"):
                return None
            shown.append(_BREAK)
            at = end + 1
            continue
        c, at = _character(html, at)
        if c == "\t":
            width = 0
            while width < 3 and width < len(shown) and shown[-1 - width] is _FIRM:
                width += 1
            del shown[len(shown) - width :]
            shown.append("\t")
        elif c == "\n" and shown and shown[-1] is _BREAK:
            # Behind a break it says that the line ended in two characters.
            shown[-1:] = ["\r", "\n"]
        else:
            shown.append(_FIRM if c == "\xa0" else c)
    folding = (_FIRM, _BREAK, " ", "\t", "\n", "\r")
    out = []
    for at, one in enumerate(shown):
        if one is _BREAK:
            out.append("\n")
        elif one is _FIRM:
            # Alone between two letters a plain blank would have done.
            folds = at == 0 or shown[at - 1] in folding or at + 1 == len(shown) or shown[at + 1] in folding
            out.append(" " if folds else "\xa0")
        else:
            out.append(one)
    return "".join(out)  # type: ignore[arg-type]


def _preformatted_text(html: str) -> str | None:
    """The text of HTML that is one `pre` element."""
    if not html.startswith("<pre>") or not html.endswith("</pre>") or len(html) < len("<pre></pre>"):
        return None
    inside = html[len("<pre>") : -len("</pre>")].removeprefix("\n")
    out, at = [], 0
    while at < len(inside):
        if inside[at] == "<":
            return None
        c, at = _character(inside, at)
        out.append(c)
    return "".join(out)


def _character(html: str, at: int) -> tuple[str, int]:
    """The character that stands here, and where the next begins."""
    found = _CHARACTER.match(html, at)
    name = found.group(1)  # type: ignore[union-attr]
    if name is not None and len(name.encode()) <= 8:
        known = _NAMED.get(name) or texts.numbered(name)
        if known is not None:
            return known, found.end()  # type: ignore[union-attr]
    return html[at], at + 1


def wrapped(facts: list[str], html: str) -> str:
    """A body under its line, as it is sent. It has a wrapping of its own, so that there is one whatever the platform does, and nothing
    at its ends is trimmed."""
    return f"<div>{html_with_lead(lead(facts), html)}</div>"


def opened(html: str) -> tuple[str | None, str]:
    """The facts above a body and the body, of what came back."""
    return without_lead(unwrapped(html))


def unwrapped(html: str) -> str:
    """The inside of the one `div` that is all of a text."""
    html = html.strip(WHITE)
    opening = html.find(">")
    if not html.startswith("<div") or opening < 0 or not html[opening + 1 :].endswith("</div>"):
        return html
    inside = html[opening + 1 : -len("</div>")]
    depth = 0
    for tag in re.findall("<div|</div", inside):
        depth += 1 if tag == "<div" else -1
        # Another one ends, and a third begins: they stand side by side.
        if depth < 0:
            return html
    return inside


def pieces(text: str, limit: int) -> list[str]:
    """Cuts plain text into pieces whose HTML has at most `limit` bytes; joined again they are the text."""
    fitting: list[str] = []
    for piece in texts.pieces(text, limit):
        _fit(piece, limit, fitting)
    return fitting


def _fit(piece: str, limit: int, fitting: list[str]) -> None:
    if len(piece) < 2 or len(html_of(piece).encode()) <= limit:
        fitting.append(piece)
        return
    for part in texts.pieces(piece, max(1, len(piece.encode()) // 2)):
        _fit(part, limit, fitting)


def letters(html: str) -> str:
    """The letters and digits of HTML, which survive sanitising and wrapping. What is compared before an undo."""
    return texts.letters(texts.html_to_search_text(html))
