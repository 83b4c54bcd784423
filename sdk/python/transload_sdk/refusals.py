"""Answers sorted by what they mean to a unit.

A read gives its answer, nothing, or an error that ends the unit. A write gives `Done`, `Refused` or `Doubt`, because what a refusal or an
unseen answer means is known only to the caller. What a platform refuses to the account as a whole (no credential, no quota) ends the
unit and rejects no record (rule M-10). How a platform says no is its own: a connector reads it as its `Refusal`.

    match await write(request, No):
        case Done(reply): ...
        case Refused(no): reject(cx, item, no.rejection())
        case Doubt(sent_at): ...
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .errors import Bug, ConnectorError, NotFound, Permission, Transient
from .http import JSON, InDoubt, OperationKey, Reply, Request


class Refusal:
    """How a platform says no: what `read` makes of an answer that is no 2xx. A connector derives its own."""

    @classmethod
    def read(cls, reply: Reply) -> "Refusal":
        """Reads an answer that is no 2xx. What is not understood becomes words."""
        raise NotImplementedError

    def of_account(self) -> ConnectorError | None:
        """What ends the unit, where the account is refused and not the record: no credential, suspended, no quota left."""
        raise NotImplementedError

    def about_record(self) -> None:
        """Goes on where the record is refused; raises `of_account` else."""
        error = self.of_account()
        if error is not None:
            raise error

    def rejection(self) -> ConnectorError:
        """What a refused record is rejected with."""
        raise NotImplementedError

    def said(self) -> str:
        """The platform's words."""
        raise NotImplementedError

    def passes(self) -> bool:
        """Whether a read that was refused so may be answered later, though its status (408, 5xx) does not say so."""
        return False


R = TypeVar("R", bound=Refusal)


@dataclass
class Done:
    """Answered with 2xx."""

    reply: Reply


@dataclass
class Refused(Generic[R]):
    """Answered, and surely not applied."""

    refusal: R


@dataclass
class Doubt:
    """Not answered; it may have been applied."""

    # When its last byte left.
    sent_at: int


def key(item: str, part: str, step: str) -> OperationKey:
    """Names a write: the item's key (`*` for a request that serves several), which part of it, which step."""
    return OperationKey(item, part, step)


async def write(request: Request, refusal: type[R]) -> "Done | Refused[R] | Doubt":
    """Sends a write. Raises what ends the unit: the account is refused, the request cannot be sent, cancelled."""
    try:
        reply = await request.send()
    except InDoubt as doubt:
        return Doubt(doubt.sent_at)
    return Done(reply) if reply.ok else Refused(refused(reply, refusal))


def refused(reply: Reply, refusal: type[R]) -> R:
    """What an answer says that refuses a record; raises what it says where it refuses the account."""
    said = refusal.read(reply)
    said.about_record()
    return said


def found(reply: Reply, refusal: type[R]) -> Reply | None:
    """What a read gave; `None` for 404. Raises `unread` for anything else that is no 2xx."""
    if reply.status == 404:
        return None
    if reply.ok:
        return reply
    raise unread(reply, refusal)


async def get(http: Any, path: str, refusal: type[R]) -> Reply | None:
    """Reads JSON from a path; `None` for 404. Raises as `found`."""
    return found(await http.get(path).header("accept", JSON).send(), refusal)


def unread(reply: Reply, refusal: type[R]) -> ConnectorError:
    """The error of a read that was answered with anything but 2xx."""
    said = refusal.read(reply)
    error = said.of_account()
    if error is not None:
        return error
    text = f"{reply.what}: {reply.status} {said.said()}"
    match reply.status:
        case 403:
            return Permission(text)
        case 404:
            return NotFound(text)
        case status if status == 408 or 500 <= status < 600 or said.passes():
            return Transient(text)
    return Bug(text)
