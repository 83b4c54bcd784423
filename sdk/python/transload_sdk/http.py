"""Requests to the platform.

A request says what sending it twice would mean (`safe`, `idempotent`, `once`), because the host retries and replays by that.
Anything mutating has a key, unique in its unit and the same in every run of it (rule D-1). Credentials, pacing and retries are
the host's: do not retry, do not sleep on 429.
"""

import copy
import json
import re
from typing import Any, Awaitable, Callable, Iterable

from . import errors
from .contract import Err, http, types

Replay = http.Replay
OperationKey = http.OperationKey
Response = http.Response

JSON = "application/json"

# What does not stand for itself in a URL. What urllib imports besides its `quote` is a megabyte of every component.
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.~-]")


# ---- what sending can end with


class HttpError(errors.ConnectorError):
    """A request without an answer. Not caught, it ends the call with what it means to the host."""

    def __init__(self, value: Any) -> None:
        super().__init__(type(value).__name__.removeprefix("Error_"))
        self.value = value

    def meaning(self) -> errors.ConnectorError:
        """The error that it is to the call as a whole."""
        return errors.Bug(str(self))

    def wit(self) -> Any:
        return self.meaning().wit()


class Denied(HttpError):
    """Not granted, or malformed. Says what."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Bug(f"the request was not let out: {self.value.value}")


class QuotaUsed(HttpError):
    """The budget is used up, until then if known."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Quota(self.value.value)


class Timeout(HttpError):
    """Only for safe requests, after retries."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Transient("no answer in time")


class NoConnection(HttpError):
    """Only for safe requests, after retries."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Transient(f"no connection: {self.value.value}")


class TooLarge(HttpError):
    """The answer is longer than a guest may hold; use `download`."""

    def meaning(self) -> errors.ConnectorError:
        size = self.value.value
        which = "a long answer" if size is None else f"an answer of {size} bytes"
        return errors.Bug(f"{which} wants a download")


class InDoubt(HttpError):
    """A mutating request whose answer was not seen. Look it up (`create(…).or_find(…)` does); never repeat it before a miss
    counts."""

    @property
    def sent_at(self) -> int:
        """When the last byte of the last attempt left, ms."""
        return self.value.value.sent_at

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        return self.value.value.attempts

    def meaning(self) -> errors.ConnectorError:
        return errors.Transient(
            f"the fate of a request is not known (attempts: {self.attempts}, the last one at {self.sent_at})"
        )


class Unauthorized(HttpError):
    """The credential was refused, and renewing it did not help."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Auth(self.value.value)


class Stopped(HttpError):
    """The unit is being stopped."""

    def meaning(self) -> errors.ConnectorError:
        return errors.Cancelled()


_ERRORS: dict[str, type[HttpError]] = {
    "Error_Denied": Denied,
    "Error_Quota": QuotaUsed,
    "Error_Timeout": Timeout,
    "Error_Connection": NoConnection,
    "Error_TooLarge": TooLarge,
    "Error_InDoubt": InDoubt,
    "Error_Unauthorized": Unauthorized,
    "Error_Cancelled": Stopped,
}


async def _answered(call: Awaitable[Any]) -> Any:
    """What the host answers, or its error as an exception of ours. Raised outside of the handler: the contract's own exception is
    frozen, which tools that walk chains of exceptions do not expect."""
    try:
        return await call
    except Err as error:
        value = error.value
    raise _ERRORS[type(value).__name__](value)


# ---- an answer


class Reply:
    """A complete answer of the platform, whatever its status."""

    def __init__(self, what: str, response: Any) -> None:
        self.what = what
        self._response = response

    def __repr__(self) -> str:
        return f"<{self.what}: {self.status}>"

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def attempted_before(self) -> bool:
        """An earlier attempt of this request may have been applied (rule D-4): an "already there" may be our own work."""
        return self._response.attempted_before

    @property
    def bytes(self) -> bytes:
        """The body."""
        return bytes(self._response.body)

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        name = name.lower()
        for header in self._response.headers:
            if header.name.lower() == name:
                return header.value
        return None

    def text(self) -> str:
        """The body as text."""
        try:
            return self.bytes.decode()
        except UnicodeDecodeError:
            raise errors.Bug(f"{self.what}: the answer is not UTF-8") from None

    def json(self) -> Any:
        """The body as JSON. What is no JSON is a bug that names the request's path and the place, never the content."""
        try:
            return json.loads(self.text())
        except json.JSONDecodeError as e:
            place = f"line {e.lineno} column {e.colno}"
            raise errors.Bug(f"{self.what} answered {self.status}: no JSON at {place}") from None

    def or_error(self, envelope: "Callable[[Reply], str | tuple[str, str | None] | None] | None" = None) -> "Reply":
        """The reply itself when it is a 2xx; else raises `error`."""
        if self.ok:
            return self
        raise self.error(envelope)

    def error(
        self, envelope: "Callable[[Reply], str | tuple[str, str | None] | None] | None" = None
    ) -> errors.ConnectorError:
        """What a status that is no success means. `envelope` reads the vendor's own words, or those and the field they are about.

        401 auth · 403 permission · 404, 410 not-found · 409, 412, 423 conflict · 400, 413, 415, 422 invalid · 429 quota ·
        408, 425, 5xx transient · 501 unsupported · the rest bug.
        """
        said = envelope(self) if envelope else None
        words, field = said if isinstance(said, tuple) else (said, None)
        text = f"{self.what} answered {self.status}" + (f": {words}" if words else "")
        match self.status:
            case 401:
                return errors.Auth(text)
            case 403:
                return errors.Permission(text)
            case 404 | 410:
                return errors.NotFound(text)
            case 409 | 412 | 423:
                return errors.Conflict(text)
            case 400 | 413 | 415 | 422:
                return errors.Invalid(text, field)
            case 429:
                return errors.Quota(None)
            case 501:
                return errors.Unsupported(text)
            case status if status in (408, 425) or status >= 500:
                return errors.Transient(text)
        return errors.Bug(text)


# ---- a request


class Request:
    """A request in the making; each method gives a new one. It is sent by `send`, `poll`, `download` or `create`."""

    def __init__(self, cx: Any, wit: Any) -> None:
        self._cx = cx
        self.wit = wit

    def _with(self, **changes: Any) -> "Request":
        wit = copy.copy(self.wit)
        for name, value in changes.items():
            setattr(wit, name, value)
        return Request(self._cx, wit)

    @property
    def cx(self) -> Any:
        """The call it belongs to."""
        return self._cx

    @property
    def what(self) -> str:
        """What it is called in errors: method and path, without the query, which may hold what a person typed."""
        return f"{self.wit.method} {self.wit.url.split('?')[0].split('#')[0]}"

    def query(self, name: str, value: Any) -> "Request":
        """Adds a query parameter, percent-encoded."""
        separator = "&" if "?" in self.wit.url else "?"
        if isinstance(value, bool):
            value = "true" if value else "false"
        return self._with(url=f"{self.wit.url}{separator}{segment(name)}={segment(value)}")

    def header(self, name: str, value: Any) -> "Request":
        """Adds a header. The host refuses those that are its own business (`Authorization`, `Host`, …)."""
        return self._with(headers=[*self.wit.headers, http.Header(name, str(value))])

    def json(self, value: Any) -> "Request":
        """A JSON body, and its content type."""
        data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return self._with(body=http.Body_Bytes(data)).header("content-type", JSON)

    def json_with_files(self, value: Any, files: dict[str, Any]) -> "Request":
        """A JSON body with files in it as base64: each stands where its JSON pointer leads, in the place of whatever `value` has
        there. The host encodes them as they leave; they never pass through here."""
        body = copy.deepcopy(value)
        holes = {}
        for number, (pointer, blob) in enumerate(files.items()):
            hole = f"\u0000file {number}\u0000"
            _put(body, pointer, hole)
            holes[json.dumps(hole)] = blob
        rest = json.dumps(body, separators=(",", ":"))
        pieces: list[Any] = []
        for hole in sorted(holes, key=rest.index):
            before, rest = rest.split(hole, 1)
            pieces += [http.Piece_Bytes((before + '"').encode()), http.Piece_Base64(holes[hole])]
            rest = '"' + rest
        pieces.append(http.Piece_Bytes(rest.encode()))
        return self._with(body=http.Body_Pieces(pieces)).header("content-type", JSON)

    def body(self, media_type: str, data: bytes) -> "Request":
        """A body of bytes."""
        return self._with(body=http.Body_Bytes(data)).header("content-type", media_type)

    def body_blob(self, blob: Any) -> "Request":
        """A body that the host streams from its disk, and its content type."""
        return self._with(body=http.Body_Blob(blob)).header("content-type", blob.media_type)

    def multipart(self, parts: Iterable[Any]) -> "Request":
        """A `multipart/form-data` body; the host writes the content type with its boundary. See `part_text`, `part_file`."""
        return self._with(body=http.Body_Multipart(list(parts)))

    def safe(self) -> "Request":
        """Changes nothing, although the method could (a search by POST that `describe` declares as reading)."""
        return self._with(replay=Replay.SAFE)

    def idempotent(self, window_ms: int | None = None) -> "Request":
        """Sent twice equals sent once: for ever, or within a window."""
        return self._with(replay=Replay.IDEMPOTENT, window_ms=window_ms)

    def once(self) -> "Request":
        """Must not be sent twice. What anything but GET and HEAD is until said otherwise."""
        return self._with(replay=Replay.ONCE, window_ms=None)

    def key(self, item: str, part: str, step: str) -> "Request":
        """Names a mutating request: the item's key (`*` for a request that serves several), which part of it, which step."""
        return self._with(key=OperationKey(item, part, step))

    def passing(self) -> "Request":
        """Leaves nothing behind by itself (an upload that expires unused), so no outcome has to claim it."""
        return self._with(passing=True)

    def lifetime(self, ms: int) -> "Request":
        """How long the answer stays usable; a replay past it sends the request again."""
        return self._with(lifetime_ms=ms)

    def perishable(self, token: str) -> "Request":
        """A string in URL, headers or body that may differ between runs of the unit (a token)."""
        return self._with(perishable=[*self.wit.perishable, token])

    def anonymous(self) -> "Request":
        """Sent without the connection's credential: signed links, other people's hosts."""
        return self._with(anonymous=True)

    async def send(self) -> Reply:
        """Sends it. Any complete answer is a `Reply`, whatever its status; what has none raises an `HttpError`."""
        host = await self._cx._asking()
        return Reply(self.what, await _answered(host.send(self.wit)))

    async def poll(self, every_ms: int, give_up_after_ms: int, pointer: str, until: list[str]) -> Reply:
        """Repeats a safe request in the host until the JSON value at `pointer` is one of `until`, an answer is no 2xx, or the
        time has passed; only the last answer is seen."""
        host = await self._cx._asking()
        options = http.PollOptions(every_ms, give_up_after_ms, pointer, until)
        return Reply(self.what, await _answered(host.poll(self.wit, options)))

    async def download(self) -> tuple[Reply, Any]:
        """Sends a safe request and keeps the body as a blob; the reply's own body is empty."""
        host = await self._cx._asking()
        response, blob = await _answered(host.download(self.wit))
        return Reply(self.what, response), blob

    def _attempt(self, n: int) -> "Request":
        """The same request as the n-th send of it: keys name one request."""
        key = self.wit.key
        return self if n == 1 or key is None else self.key(key.item, key.part, f"{key.step}~{n}")


def _put(body: Any, pointer: str, value: Any) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    try:
        for part in way:
            body = body[int(part)] if isinstance(body, list) else body[part]
        if isinstance(body, list):
            body[int(last)] = value
        else:
            body[last]  # noqa: B018: it must be there
            body[last] = value
    except (KeyError, IndexError, ValueError, TypeError):
        raise errors.Bug(f"{pointer} leads nowhere in the body") from None


class Http:
    """Begins requests. From `Context.http`. `url` is a path relative to the connection's base URL, or an absolute URL on a granted
    host."""

    def __init__(self, cx: Any) -> None:
        self._cx = cx

    def get(self, url: str) -> Request:
        """Reads."""
        return self.request("GET", url)

    def post(self, url: str) -> Request:
        """Creates, mostly. Counts as `once` until said otherwise."""
        return self.request("POST", url)

    def put(self, url: str) -> Request:
        """Replaces. Counts as `once` until said otherwise."""
        return self.request("PUT", url)

    def patch(self, url: str) -> Request:
        """Changes. Counts as `once` until said otherwise."""
        return self.request("PATCH", url)

    def delete(self, url: str) -> Request:
        """Deletes. Counts as `once` until said otherwise."""
        return self.request("DELETE", url)

    def request(self, method: str, url: str) -> Request:
        """Any method, upper case."""
        replay = Replay.SAFE if method in ("GET", "HEAD") else Replay.ONCE
        return Request(
            self._cx,
            http.Request(method, url, [], http.Body_None_(), replay, None, None, None, [], False, False),
        )


async def pages(first: Request, most: int, step: Callable[[Reply], Any]) -> Any:
    """Walks a list to its end: `async for reply in pages(cx.http.get("/tags"), 100, step)`.

    `step` reads from each 2xx where the next page is: `None` at the end, a URL, or a dict of parameters beside the first
    request's. `most` bounds the pages, so that a platform that pages in circles costs an error and not a night. An answer that is
    no 2xx is handed over too, and ends the walk.
    """
    request: Request | None = first
    for _ in range(most):
        reply = await request.send()
        yield reply
        if not reply.ok:
            return
        following = step(reply)
        if following is None:
            return
        before = request.wit.url
        if isinstance(following, str):
            request = first._with(url=following)
        else:
            request = first
            for name, value in following.items():
                request = request.query(name, value)
        if request.wit.url == before:
            raise errors.Bug(f"{reply.what} names itself as the next page")
    raise errors.Bug(f"{first.what} does not end")


def part_text(name: str, value: str) -> Any:
    """A text field of a form."""
    return http.Part(name, None, None, http.PartBody_Bytes(value.encode()))


def part_file(name: str, filename: str, blob: Any) -> Any:
    """A file of a form, streamed by the host."""
    return http.Part(name, filename, blob.media_type, http.PartBody_Blob(blob))


def segment(text: Any) -> str:
    """Percent-encodes one segment of a path: an id with a slash or a blank in it stays one segment."""
    return _UNSAFE.sub(lambda found: b"%%%02X" % found.group()[0], str(text).encode()).decode()


def unsegment(text: str) -> str | None:
    """What `segment` encoded; `None` for what it did not.

    >>> unsegment(segment("a/ü")), unsegment("%zz")
    ('a/ü', None)
    """
    data = text.encode()
    if re.search(rb"%(?![0-9A-Fa-f]{2})", data):
        return None
    try:
        return re.sub(rb"%(..)", lambda found: bytes([int(found.group(1), 16)]), data, flags=re.S).decode()
    except UnicodeDecodeError:
        return None


__all__ = [
    "Denied",
    "Http",
    "HttpError",
    "InDoubt",
    "NoConnection",
    "OperationKey",
    "QuotaUsed",
    "Replay",
    "Reply",
    "Request",
    "Response",
    "Stopped",
    "Timeout",
    "TooLarge",
    "Unauthorized",
    "pages",
    "part_file",
    "part_text",
    "segment",
    "types",
    "unsegment",
]
