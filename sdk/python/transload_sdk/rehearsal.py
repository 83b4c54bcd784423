"""What the platform would answer, for a dry run: there no mutating request leaves, and a connector goes on only when it has an answer.
The host asks `Destination.rehearse`, which nothing but what it is given decides.

Most platforms answer the creation of an object with the object, and its id: `Rehearsal.echo` does that, and is what a connector has
that says nothing else. What is otherwise (jobs, uploads, batches) is said by the connector, and answers are made of what its own code
reads of them, no more.
"""

import json
from typing import Any

from .contract import http

# How many numbers belong to one request.
NUMBERS = 10_000


class Asked:
    """A request, as a rehearsal looks at it."""

    def __init__(self, request: Any, answer: Any = None) -> None:
        self.request, self._answer = request, answer

    @property
    def method(self) -> str:
        """Upper case."""
        return self.request.method

    @property
    def path(self) -> str:
        """Its URL without the query."""
        return self.request.url.split("?")[0].split("#")[0]

    @property
    def segments(self) -> list[str]:
        """The path's segments."""
        return [segment for segment in self.path.split("/") if segment]

    @property
    def body(self) -> Any:
        """The body's JSON; `None` where it is none. Files in it are empty texts; of a form the fields, by name."""
        body = self.request.body
        match body:
            case http.Body_Bytes():
                return _json(body.value)
            case http.Body_Pieces():
                return _json(b"".join(piece.value for piece in body.value if isinstance(piece, http.Piece_Bytes)))
            case http.Body_Multipart():
                fields = [part for part in body.value if isinstance(part.body, http.PartBody_Bytes)]
                return {part.name: bytes(part.body.value).decode(errors="replace") for part in fields}
        return None

    @property
    def answer(self) -> Any:
        """The JSON that it was answered with before."""
        return None if self._answer is None else _json(self._answer.body)


class Rehearsal(Asked):
    """A request that nobody sends, or a read whose answer may lack what would have been made. `rehearsal.answer` of the contract says
    when the host asks, and what the rest is."""

    def __init__(self, request: Any, number: int, earlier: list[tuple[Any, Any]], real: Any) -> None:
        super().__init__(request)
        self.number, self._earlier, self._real = number, earlier, real

    def id(self, n: int) -> int:
        """The n-th id of this request, from 0; beyond its own it stays the last."""
        return self.number + min(n, NUMBERS - 1)

    @property
    def earlier(self) -> list[Asked]:
        """Requests that were answered before, in their order: definitions, makers of ids, and those of this call."""
        return [Asked(request, answer) for request, answer in self._earlier]

    @property
    def real(self) -> tuple[int, Any] | None:
        """Status and JSON of what the platform really answered to a read."""
        return None if self._real is None else (self._real.status, _json(self._real.body))

    @property
    def reads(self) -> bool:
        """Whether this only reads."""
        return self._real is not None or self.method in ("GET", "HEAD")

    def echo(self, texts: bool = False) -> Any:
        """The usual answer: what was sent, with an id where it had none (a number, or with `texts` a text); nothing to a deletion. A
        read by id is answered with what was answered when its object was made; every other read stands."""
        if self.reads:
            if self._real is not None or not self._earlier:
                return None
            made = self._earlier[0][1]
            return http.Response(200, made.headers, made.body, made.attempted_before)
        if self.method == "DELETE":
            return http.Response(204, [], b"", False)
        last = self.segments[-1] if self.segments else ""
        # A change names its object.
        named = self.method != "POST" and last.isascii() and last.isdigit()
        id = last if named else str(self.number)
        answer = given_id(self.body, id if texts else int(id))
        return response(201 if self.method == "POST" else 200, answer)

    def with_rows(self, pointer: str, rows: list[Any]) -> Any:
        """A list as the platform gave it, with what would have been made in it besides: `pointer` leads to its rows. Where the platform
        refused to give one, it is a list of those alone."""
        if self.real is None or not rows:
            return None
        status, value = self.real
        holder: dict[str, Any] = {"": value if 200 <= status < 300 else None}
        place, name = holder, ""
        for part in pointer.split("/")[1:]:
            if not isinstance(place.get(name), dict):
                place[name] = {}
            place, name = place[name], part
        there = place.get(name)
        place[name] = (there if isinstance(there, list) else []) + rows
        return response(200, holder[""])


def response(status: int, body: Any) -> Any:
    """An answer of JSON."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return http.Response(status, [http.Header("content-type", "application/json")], text.encode(), False)


def given_id(object: Any, id: Any) -> dict[str, Any]:
    """An object with its id; one that is wrapped in another has it inside."""
    if not isinstance(object, dict):
        return {"id": id}
    inner = list(object.values())
    if len(inner) == 1 and isinstance(inner[0], dict):
        return {name: {"id": id} | value for name, value in object.items()}
    return {"id": id} | object


def _json(data: Any) -> Any:
    try:
        return json.loads(bytes(data))
    except ValueError:
        return None
