"""The two roles that a connector can have, and how it becomes a component. `wit/0.1/exports.wit` is the specification; this is its
Python face."""

import sys
from typing import Any, Awaitable, Callable

from . import errors
from .context import Context
from .contract import Err, blobs, exports, http, ledger, rehearsal, runtime
from .rehearsal import Rehearsal


class Source:
    """A connector that reads a platform. Every function may be called again with the same input at any time.

    Each call runs in an instance of its own: nothing but the context outlives it.
    """

    @staticmethod
    def describe() -> Any:
        """Who the connector is, what it needs and what it can do. Pure, and the same for every connection."""
        raise NotImplementedError

    @staticmethod
    async def check(cx: Context) -> Any:
        """Tests the credential, finds the account, says what rights are missing or too many. A `session.Account`."""
        raise NotImplementedError

    @staticmethod
    async def discover(cx: Context) -> Any:
        """What is there. Cheap: tens of requests, not thousands. Its `state` comes back as `cx.state`."""
        raise NotImplementedError

    @staticmethod
    async def partitions(cx: Context, kind: Any, since: int | None, until: int) -> list[Any]:
        """The parts that together hold every record of a kind updated in `[since, until)` (ms)."""
        raise NotImplementedError

    @staticmethod
    async def read(cx: Context, part: Any, cursor: str | None) -> Any:
        """One page of a part; `cursor` is the `next` of the page before."""
        raise NotImplementedError

    @staticmethod
    async def fetch(cx: Context, refs: list[Any]) -> list[Any]:
        """Single records as they are now, with what comes along; those that are gone are left out."""
        raise NotImplementedError

    @staticmethod
    async def open_attachment(cx: Context, attachment: Any) -> Any:
        """The bytes of an attachment, as a blob; a link that expired is asked for again."""
        raise errors.Unsupported("there are no files here")

    @staticmethod
    async def inventory(cx: Context) -> list[Any]:
        """What cannot be migrated but must be rebuilt by a person."""
        return []


class Destination:
    """A connector that writes a platform.

    `prepare`, `write` and `undo` are durable units: they may be run again after a crash with the same input and get the answers
    they got before, so they must take the same way again.
    """

    @staticmethod
    def describe() -> Any:
        """Who the connector is, what it needs and what it can do. Pure, and the same for every connection."""
        raise NotImplementedError

    @staticmethod
    async def check(cx: Context) -> Any:
        """Tests the credential, finds the account, says what rights are missing or too many."""
        raise NotImplementedError

    @staticmethod
    async def survey(cx: Context) -> Any:
        """What there could be: slots, agents, fields, limits. Reads only."""
        raise NotImplementedError

    @staticmethod
    async def prepare(cx: Context) -> str:
        """Makes or finds what the connector itself needs before the first record, and reports each under an item key that begins
        with `own:`. What it returns is `cx.state` in all later calls: JSON."""
        return "null"

    @staticmethod
    async def match_items(cx: Context, kind: Any, items: list[Any]) -> list[Any]:
        """Finds out which items are already there. Reads only."""
        return []

    @staticmethod
    async def write(cx: Context, kind: Any, items: list[Any]) -> None:
        """Writes items of one kind and reports an outcome for each with `cx.report`. An error means that the unit could not go
        on; what was reported by then counts, items without an outcome stay open."""
        raise NotImplementedError

    @staticmethod
    async def read_back(cx: Context, written: list[Any]) -> list[Any]:
        """Reads back what was written. Reads only."""
        raise NotImplementedError

    @staticmethod
    async def undo(cx: Context, mode: Any, effects: list[Any], ours: list[tuple[str, str]]) -> None:
        """Undoes effects in the order given and reports each with `cx.report_undo`. `ours` are target kind and target id of what
        this run made and the effects may have as dependents: what is not among them is somebody else's (rule D-10)."""
        raise NotImplementedError

    @staticmethod
    def rehearse(asked: Rehearsal) -> Any:
        """What the platform would answer to a request that it takes, in a dry run (`rehearsal.response`); `None` where that cannot be
        said. Pure. By default what was sent comes back with a number for its id, as most platforms do it."""
        return asked.echo()

    @staticmethod
    def rehearse_instead(asked: Rehearsal) -> Any:
        """A read that is sent instead of one that names what would have been made, or before a request whose answer depends on it: an
        `http.Request` of the contract. What it gives comes to `rehearse` as `asked.real`. By default nothing."""
        return None


class _Imports:
    """The host's imports behind `Context`."""

    async def send(self, request: Any) -> Any:
        return await http.send(request)

    async def poll(self, request: Any, options: Any) -> Any:
        return await http.poll(request, options)

    async def download(self, request: Any) -> Any:
        return await http.download(request)

    def now(self) -> int:
        return runtime.now()

    async def sleep(self, ms: int) -> None:
        await runtime.sleep(ms)

    def log(self, level: Any, message: str) -> None:
        runtime.log(level, message)

    def progress(self, done: int, total: int | None) -> None:
        runtime.progress(done, total)

    def utc_offset(self, at: int, zone: str) -> int | None:
        return runtime.utc_offset(at, zone)

    def builder(self, media_type: str) -> Any:
        return blobs.Builder(media_type)

    def read(self, blob: Any, offset: int, length: int) -> bytes:
        return blobs.read(blob, offset, length)


_IMPORTS = _Imports()


def _wit(error: BaseException) -> Any:
    """What an exception is to the host. Of one that is none of ours the places are told, and not the text: that may hold a piece
    of a record."""
    known = isinstance(error, errors.ConnectorError)
    return error.wit() if known else errors.Bug(errors.places(error)).wit()


async def _answer(call: Callable[[Context], Awaitable[Any]], session: Any, reports: bool) -> Any:
    """Runs a call to its end: what is known is reported, whatever became of the call."""
    cx = Context(session, _IMPORTS, ledger if reports else None)
    try:
        try:
            answer = await call(cx)
        finally:
            await cx._hand_over()
        await cx.reported()
        return answer
    except Err:
        raise
    except BaseException as error:  # noqa: BLE001: a trap would say nothing
        raise Err(_wit(error)) from None


def _of(connector: type, name: str, reports: bool = False) -> Any:
    async def export(self: Any, ctx: Any, *arguments: Any) -> Any:
        return await _answer(lambda cx: getattr(connector, name)(cx, *arguments), ctx, reports)

    export.__name__ = name
    return export


def _rehearsed(connector: type[Destination], *asked: Any) -> Any:
    asking = Rehearsal(*asked)
    instead = connector.rehearse_instead(asking)
    if instead is not None:
        return rehearsal.Reply_Instead(instead)
    answer = connector.rehearse(asking)
    return None if answer is None else rehearsal.Reply_Answer(answer)


def _exports(connector: type, role: str, reads: list[str], writes: list[str]) -> None:
    scope = sys._getframe(2).f_globals
    if connector.__name__ in ("Connector", "Rehearsal", role):
        raise TypeError(f"{connector.__name__} is what the component calls its own: name the class otherwise")
    functions = {name: _of(connector, name) for name in reads}
    functions |= {name: _of(connector, name, True) for name in writes}
    described = {"describe": lambda self: connector.describe()}
    rehearsed = {"answer": lambda self, *asked: _rehearsed(connector, *asked)}
    parts = [("Connector", described), (role, functions)]
    # A world without it has none, and needs none.
    parts += [("Rehearsal", rehearsed)] if hasattr(exports, "Rehearsal") else []
    for name, functions in parts:
        # What starts an asynchronous call is in the class that componentize-py makes of the world.
        base = getattr(exports, name, object)
        scope[name] = type(name, (base,), functions)


def export_source(connector: type[Source]) -> None:
    """Makes a class the component's entry points. Once, at the end of the module that is given to the build."""
    calls = ["check", "discover", "partitions", "read", "fetch", "open_attachment", "inventory"]
    _exports(connector, "Source", calls, [])


def export_destination(connector: type[Destination]) -> None:
    """Makes a class the component's entry points. Once, at the end of the module that is given to the build."""
    reads = ["check", "survey", "match_items", "read_back"]
    _exports(connector, "Destination", reads, ["prepare", "write", "undo"])
