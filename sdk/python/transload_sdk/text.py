"""Text between platforms: escaping, plain text as HTML and back, and parts of a long text. The Rust SDK's, to the byte.

Nothing here trims or re-wraps: what a person wrote stays as it was, or its loss is declared by the caller. Lengths of parts are
bytes of UTF-8.
"""

import re
from typing import Callable

# What Unicode calls white space; `str.strip` and `str.split` take four control characters for it besides.
WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_WORDS = re.compile(f"[^{WHITE}]+")

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_PLAIN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "<br>", "\t": "&nbsp;&nbsp;&nbsp;&nbsp;"}

_BLOCKS = "p div tr li ul ol table blockquote h1 h2 h3 h4 h5 h6 pre".split()
_LINES = {"br", "br/", "hr", "hr/", *_BLOCKS, *("/" + block for block in _BLOCKS)}
_CELLS = {"td", "/td", "th", "/th"}
_NAME = re.compile(r"[a-zA-Z0-9/]*")
_ENTITY = re.compile(r"&([^;]{0,10});")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_NUMBER = re.compile(r"#(?:[xX]\+?([0-9a-fA-F]+)|\+?([0-9]+))")

# What Unicode calls alphabetic beyond letters: vowel signs and other marks that are part of a word, and letters in circles. Python's
# `isalnum` leaves them out, Rust's does not. Places, hexadecimal, of Unicode 14.
_SIGNS = """
345 363-36f 5b0-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-657 659-65f 670 6d6-6dc 6e1-6e4 6e7-6e8 6ed 711 730-73f 7a6-7b0
816-817 81b-823 825-827 829-82c 8d4-8df 8e3-8e9 8f0-903 93a-93b 93e-94c 94e-94f 955-957 962-963 981-983 9be-9c4 9c7-9c8
9cb-9cc 9d7 9e2-9e3 a01-a03 a3e-a42 a47-a48 a4b-a4c a51 a70-a71 a75 a81-a83 abe-ac5 ac7-ac9 acb-acc ae2-ae3 afa-afc
b01-b03 b3e-b44 b47-b48 b4b-b4c b56-b57 b62-b63 b82 bbe-bc2 bc6-bc8 bca-bcc bd7 c00-c04 c3e-c44 c46-c48 c4a-c4c c55-c56
c62-c63 c81-c83 cbe-cc4 cc6-cc8 cca-ccc cd5-cd6 ce2-ce3 d00-d03 d3e-d44 d46-d48 d4a-d4c d57 d62-d63 d81-d83 dcf-dd4 dd6
dd8-ddf df2-df3 e31 e34-e3a e4d eb1 eb4-eb9 ebb-ebc ecd f71-f83 f8d-f97 f99-fbc 102b-1036 1038 103b-103e 1056-1059
105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f 109a-109d 1712-1713 1732-1733 1752-1753 1772-1773 17b6-17c8
1885-1886 18a9 1920-192b 1930-1938 1a17-1a1b 1a55-1a5e 1a61-1a74 1abf-1ac0 1acc-1ace 1b00-1b04 1b35-1b43 1b80-1b82
1ba1-1ba9 1bac-1bad 1be7-1bf1 1c24-1c36 1dd3-1df4 24b6-24e9 2de0-2dff a674-a67b a69e-a69f a802 a80b a823-a827 a880-a881
a8b4-a8c3 a8c5 a8ff a926-a92a a947-a952 a980-a983 a9b4-a9bf a9e5 aa29-aa36 aa43 aa4c-aa4d aa7b-aa7d aab0 aab2-aab4
aab7-aab8 aabe aaeb-aaef aaf5 abe3-abea fb1e 10376-1037a 10a01-10a03 10a05-10a06 10a0c-10a0f 10d24-10d27 10eab-10eac
11000-11002 11038-11045 11073-11074 11080-11082 110b0-110b8 110c2 11100-11102 11127-11132 11145-11146 11180-11182
111b3-111bf 111ce-111cf 1122c-11234 11237 1123e 112df-112e8 11300-11303 1133e-11344 11347-11348 1134b-1134c 11357
11362-11363 11435-11441 11443-11445 114b0-114c1 115af-115b5 115b8-115be 115dc-115dd 11630-1163e 11640 116ab-116b5
1171d-1172a 1182c-11838 11930-11935 11937-11938 1193b-1193c 11940 11942 119d1-119d7 119da-119df 119e4 11a01-11a0a
11a35-11a39 11a3b-11a3e 11a51-11a5b 11a8a-11a97 11c2f-11c36 11c38-11c3e 11c92-11ca7 11ca9-11cb6 11d31-11d36 11d3a
11d3c-11d3d 11d3f-11d41 11d43 11d47 11d8a-11d8e 11d90-11d91 11d93-11d96 11ef3-11ef6 16f4f 16f51-16f87 16f8f-16f92
16ff0-16ff1 1bc9e 1e000-1e006 1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e947 1f130-1f149 1f150-1f169 1f170-1f189
"""
_SIGN = re.compile("[" + "".join("-".join(chr(int(at, 16)) for at in one.split("-")) for one in _SIGNS.split()) + "]")


def blank(text: str) -> bool:
    """Whether a text has nothing but white space."""
    return not text.strip(WHITE)


def escape_html(text: str) -> str:
    """Text for an HTML element or a quoted attribute.

    >>> escape_html("a < 'b'")
    'a &lt; &#39;b&#39;'
    """
    return text.translate(_ESCAPES)


def plain_to_html(text: str) -> str:
    """Plain text as HTML that looks the same: line ends become `<br>`, and of several blanks, and of one at the beginning of a line,
    all but the last become `&nbsp;`; a tab becomes four. Nothing is wrapped around it.

    >>> plain_to_html("a  b")
    'a&nbsp; b'
    """
    out = []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    before = "\n"
    for at, c in enumerate(text):
        if c == " " and (before == "\n" or text[at + 1 : at + 2] in ("", " ", "\t", "\n")):
            out.append("&nbsp;")
        else:
            out.append(_PLAIN.get(c, c))
        before = c
    return "".join(out)


def html_to_search_text(html: str) -> str:
    """The readable text of HTML, **for searching and comparing only**: tags dropped, blocks and `<br>` as line ends, white space
    collapsed, the common entities and numeric ones decoded. It is no rendering, and must not be shown as what a person wrote: a
    platform of plain text shows the source's own plain text, or this under a line that says what it is.

    >>> html_to_search_text("<p>1 &lt; 2</p>and <b>3</b>")
    '1 < 2\\nand 3'
    """
    raw: list[str] = []
    at = 0
    while (opening := html.find("<", at)) >= 0:
        raw.append(_decoded(html[at:opening]))
        at = _skipped_tag(html, opening, raw)
    raw.append(_decoded(html[at:]))
    lines = (" ".join(_WORDS.findall(line)) for line in "".join(raw).split("\n"))
    return "\n".join(line for line in lines if line)


def _after(html: str, what: str, at: int) -> int:
    """Behind the next of something; the end where there is none."""
    found = html.find(what, at)
    return len(html) if found < 0 else found + len(what)


def _skipped_tag(html: str, at: int, raw: list[str]) -> int:
    """Steps over what begins with `<`; gives where it goes on."""
    if html.startswith("<!--", at):
        return _after(html, "-->", at + 4)
    name = _NAME.match(html, at + 1).group().lower()  # type: ignore[union-attr]
    if not name and not html.startswith("<!", at):
        # A lone less-than sign.
        raw.append("<")
        return at + 1
    closed = html.find(">", at)
    if closed < 0:
        return len(html)
    after = closed + 1
    if name in ("script", "style"):
        end = re.compile(f"</{name}", re.I | re.A).search(html, after)
        return _after(html, ">", end.start()) if end else len(html)
    if name in _LINES:
        raw.append("\n")
    elif name in _CELLS:
        raw.append(" ")
    return after


def _decoded(text: str) -> str:
    # A line end in HTML is white space. It is none in what an entity stands for.
    out = []
    at = 0
    while (entity := text.find("&", at)) >= 0:
        out.append(text[at:entity].replace("\n", " ").replace("\r", " "))
        found = _ENTITY.match(text, entity)
        decoded = found and len(found.group(1).encode()) <= 10 and _entity(found.group(1))
        out.append(decoded or "&")
        at = found.end() if decoded else entity + 1
    out.append(text[at:].replace("\n", " ").replace("\r", " "))
    return "".join(out)


def _entity(name: str) -> str | None:
    return _NAMED.get(name) or numbered(name)


def numbered(name: str) -> str | None:
    """The character of a numeric entity, by what stands between `&` and `;`."""
    number = _NUMBER.fullmatch(name)
    if number is None:
        return None
    code = int(number.group(1), 16) if number.group(1) else int(number.group(2))
    return chr(code) if code < 0xD800 or 0xE000 <= code < 0x11_0000 else None


def _window(data: bytes, at: int, most: int) -> int:
    """Where a part that begins here must end: at most so many bytes on, between characters, and not before one."""
    end = at + most
    while end > at and data[end] & 0xC0 == 0x80:
        end -= 1
    if end == at:
        end += 1
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1
    return end


def split_bytes(text: str, most: int) -> list[str]:
    """Splits a text into parts of at most `most` bytes of UTF-8, between characters; all parts together are the text. It splits after
    a line end, else after a blank, where one lies in the last quarter of a part. A character longer than `most` is a part of its own.

    >>> split_bytes("aaaaaa\\nbb cc", 8)
    ['aaaaaa\\n', 'bb cc']
    """
    data = text.encode()
    parts, at = [], 0
    while len(data) - at > most:
        end = _window(data, at, most)
        size = end - at
        cuts = (data.rfind(byte, at, end) - at for byte in (b"\n", b" "))
        late = [cut + 1 for cut in cuts if cut >= 0 and cut + 1 > size - size // 4]
        cut = at + late[0] if late else end
        parts.append(data[at:cut].decode())
        at = cut
    if at < len(data) or not parts:
        parts.append(data[at:].decode())
    return parts


def pieces(text: str, limit: int) -> list[str]:
    """Cuts text into pieces of at most `limit` bytes: before a line end, else before a blank, where one lies in the last quarter of a
    piece; never inside a character. No piece but the last ends in white space, which platforms like to trim. Joined again, the pieces
    are the text."""
    data = text.encode()
    found, at = [], 0
    while len(data) - at > limit:
        end = _window(data, at, limit)
        size = end - at
        cut = None
        for byte in (b"\n", b" "):
            place = data.rfind(byte, at, end)
            if place >= 0:
                seen = len(data[at:place].decode().rstrip(WHITE).encode())
                if seen > size - size // 4:
                    cut = seen
                    break
        if cut is None:
            cut = len(data[at:end].decode().rstrip(WHITE).encode()) or size
        found.append(data[at : at + cut].decode())
        at += cut
    if at < len(data) or not found:
        found.append(data[at:].decode())
    return found


def split_numbered(text: str, most: int, label: Callable[[int, int], str]) -> list[str]:
    """As `split_bytes`, each part of several headed by `label(n, of)` and a line end, within the limit. One part has no heading."""
    size = len(text.encode())
    if size <= most:
        return [text]
    # The heading is longest for the largest numbers; their digits are bounded by the number of bytes.
    heading = len(label(size, size).encode()) + 1
    parts = split_bytes(text, max(1, most - heading))
    return [f"{label(n, len(parts))}\n{part}" for n, part in enumerate(parts, 1)]


def utf16_units(text: str) -> int:
    """How many characters a text has where they are counted as UTF-16 units."""
    return len(text) + sum(c > "\uffff" for c in text)


def cut_utf16(text: str, most: int) -> tuple[str, bool]:
    """As much of a text as so many UTF-16 units hold, which is how many platforms count characters; and whether anything was cut."""
    units = 0
    for at, c in enumerate(text):
        units += 2 if c > "\uffff" else 1
        if units > most:
            return text[:at], True
    return text, False


def cut_chars(text: str, most: int) -> tuple[str, bool]:
    """As many characters of a text as a field takes; and whether anything was cut."""
    return text[:most], len(text) > most


def letters(text: str) -> str:
    """The letters and digits of a text, which survive trimming, sanitising and other line ends. What is compared before an undo.

    Rust's, but for characters that are younger than the Unicode of this Python.

    >>> letters("Grüße, *Ana* \u2460!")
    'GrüßeAna\u2460'
    """
    return "".join(c for c in text if c.isalnum() or _SIGN.match(c))
