"""Runs a connector natively, without a host: a function plays the platform.

`Harness` stands for the host as far as a connector can tell: it answers requests, holds blobs, has a fixed clock, records outcomes,
and can lose the answer to a chosen request. After a unit, `replay` gives a context that answers from the record, so that a test can
run the unit again and see that it takes the same way. `Trial` is a destination over several units, with a rollback at the end.

It is no host: it checks no grants, keeps no budget, retries nothing and adds no credentials.
"""

import base64
import copy
import inspect
import json
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Callable

from ..context import Context
from ..contract import Err, Ok, http, ledger, session, types
from ..errors import Transient
from ..fingerprint import sha256
from ..http import HttpError
from ..records import kind, word

# 2026-01-01T00:00:00Z: a round number that no seeded data is younger than.
NOW = 1_767_225_600_000


def answer(status: int, body: Any = "", headers: dict[str, str] | None = None) -> Any:
    """An answer: JSON of what is no text or bytes."""
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    named = {"content-type": "application/json"} | (headers or {})
    return http.Response(status, [http.Header(name, value) for name, value in named.items()], data, False)


class Loss(Enum):
    """How an answer is lost."""

    # The platform did it; the answer did not come back.
    AFTER_APPLYING = 1
    # The request never arrived; the connector cannot know.
    BEFORE_ARRIVING = 2


@dataclass
class Exchange:
    """A request as the connector made it, and what it got: a response, or the contract's http error."""

    request: Any
    answer: Any
    blob: Any = None

    @property
    def done(self) -> bool:
        """Answered with a 2xx."""
        return isinstance(self.answer, http.Response) and 200 <= self.answer.status < 300


class Harness:
    """Plays the host for one connection. Blobs and the platform outlive a unit; the record is of all units so far."""

    def __init__(
        self,
        platform: Callable[[Any], Any],
        *,
        config: dict[str, Any] | None = None,
        state: str | None = None,
        run: str = "run-1",
        source: str = "source",
        organisation: str = "org-1",
        time_zone: str = "UTC",
        now: int = NOW,
        sleeping: Callable[[int], None] = lambda ms: None,
        blobs: dict[str, bytes] | None = None,
    ) -> None:
        self._platform = platform
        self._session = session.Context(json.dumps(config or {}), run, source, organisation, time_zone, state)
        self._sleeping = sleeping
        self._blobs = {} if blobs is None else blobs
        self._lost: dict[int, Loss] = {}
        self._record: list[Exchange] | None = None
        self.now = now
        # All requests so far, with their answers.
        self.exchanges: list[Exchange] = []
        # Everything in order: ("request", n), ("sleep", ms), ("report", outcome), ("undo", outcome).
        self.steps: list[tuple[str, Any]] = []
        # What the connector logged.
        self.lines: list[tuple[Any, str]] = []

    def lose_answer(self, nth: int, how: Loss = Loss.AFTER_APPLYING) -> "Harness":
        """Makes the answer to the n-th mutating request of a unit (from 1) in-doubt."""
        self._lost[nth] = how
        return self

    def context(self) -> Context:
        """The context of a unit."""
        host = _Played(self)
        return Context(self._session, host, host)

    def replay(self) -> tuple[Context, "Harness"]:
        """A context that answers from the record instead of asking the platform, and the harness that records what the second run
        does. A request that the first run did not make is denied."""
        again = copy.copy(self)
        again._record = list(self.exchanges)
        again.exchanges, again.steps, again.lines = [], [], []
        return again.context(), again

    def same_way(self, other: "Harness") -> str | None:
        """`None` when two runs took the same way, else the first difference."""
        mine, theirs = [[one.request for one in harness.exchanges] for harness in (self, other)]
        for number, (one, another) in enumerate(zip(mine, theirs)):
            if one != another:
                return f"request {number}: {another.method} {another.url} instead of {one.method} {one.url}"
        if len(mine) != len(theirs):
            return f"{len(theirs)} requests instead of {len(mine)}"
        for number, (step, another) in enumerate(zip(self.steps, other.steps)):
            if step != another:
                return f"step {number} differs"
        return None if len(self.steps) == len(other.steps) else "one run did more"

    @property
    def outcomes(self) -> list[Any]:
        """All outcomes reported so far."""
        return [what for step, what in self.steps if step == "report"]

    @property
    def undo_outcomes(self) -> list[Any]:
        """All undo outcomes reported so far."""
        return [what for step, what in self.steps if step == "undo"]

    @property
    def unclaimed(self) -> list[str]:
        """Requests that were answered as done and that no effect of an outcome names: a host refuses such an outcome."""
        claimed = [effect.key for outcome in self.outcomes for effect in outcome.effects]
        left = (one.request for one in self.exchanges if one.done and not one.request.passing)
        named = (one for one in left if one.key is not None and one.key.item != "*")
        return [f"{one.method} {one.url}" for one in named if one.key not in claimed]

    @property
    def writes(self) -> int:
        """How many mutating requests were made."""
        return sum(one.request.key is not None for one in self.exchanges)

    def put_blob(self, media_type: str, data: bytes) -> Any:
        """Keeps bytes, as a host that fetched a file."""
        digest = sha256(data)
        self._blobs[digest] = data
        return types.BlobRef(digest, len(data), media_type)

    def blob(self, blob: Any) -> bytes:
        """The bytes of a blob."""
        return self._blobs[blob.sha256]

    def body(self, request: Any) -> bytes:
        """A request's body as bytes, blobs included and encoded where they are to be; of a form, its parts one after another."""
        body = request.body
        match type(body).__name__:
            case "Body_Bytes":
                return bytes(body.value)
            case "Body_Blob":
                return self.blob(body.value)
            case "Body_Multipart":
                return b"".join(self._piece(part.body) for part in body.value)
            case "Body_Pieces":
                return b"".join(self._piece(piece) for piece in body.value)
        return b""

    def json(self, request: Any) -> Any:
        """The same, read as JSON."""
        return json.loads(self.body(request))

    def _piece(self, piece: Any) -> bytes:
        case = type(piece).__name__
        if case.endswith("_Bytes"):
            return bytes(piece.value)
        data = self.blob(piece.value)
        return base64.b64encode(data) if case.endswith("_Base64") else data


class _Builder:
    def __init__(self, harness: Harness, media_type: str) -> None:
        self._harness, self._media_type, self._data = harness, media_type, bytearray()

    def append(self, data: bytes) -> None:
        self._data += data

    def size(self) -> int:
        return len(self._data)

    def finish(self) -> Any:
        data, self._data = bytes(self._data), bytearray()
        return self._harness.put_blob(self._media_type, data)


class _Played:
    """Host and ledger of one unit."""

    def __init__(self, harness: Harness) -> None:
        self._of = harness
        self._left = None if harness._record is None else list(harness._record)
        self._mutating = 0

    async def _exchange(self, request: Any, keep: bool) -> tuple[Any, Any]:
        of = self._of
        exchange = Exchange(copy.deepcopy(request), http.Error_Cancelled())
        of.exchanges.append(exchange)
        of.steps.append(("request", len(of.exchanges) - 1))
        if self._left is not None:
            found = next((one for one in self._left if one.request == request), None)
            if found is None:
                exchange.answer = http.Error_Denied("the first run did not send this")
            else:
                self._left.remove(found)
                exchange.answer, exchange.blob = found.answer, found.blob
        else:
            how = None
            if request.key is not None:
                self._mutating += 1
                how = of._lost.get(self._mutating)
            if how is not Loss.BEFORE_ARRIVING:
                answered = of._platform(request)
                exchange.answer = await answered if inspect.isawaitable(answered) else answered
            if how is not None:
                exchange.answer = http.Error_InDoubt(http.Doubt(of.now, 1))
            elif keep and isinstance(exchange.answer, http.Response):
                kinds = [one.value for one in exchange.answer.headers if one.name == "content-type"]
                media_type = kinds[0] if kinds else "application/octet-stream"
                exchange.blob = of.put_blob(media_type, bytes(exchange.answer.body))
                exchange.answer = http.Response(exchange.answer.status, exchange.answer.headers, b"", False)
        if not isinstance(exchange.answer, http.Response):
            raise Err(exchange.answer)
        return exchange.answer, exchange.blob

    async def send(self, request: Any) -> Any:
        return (await self._exchange(request, False))[0]

    async def poll(self, request: Any, options: Any) -> Any:
        """Asks up to `give-up-after-ms / every-ms` times, without waiting."""
        response = None
        for _ in range(options.give_up_after_ms // max(1, options.every_ms) + 1):
            response = await self.send(request)
            value = json.loads(bytes(response.body) or b"null")
            for part in options.pointer.split("/")[1:]:
                value = value[int(part)] if isinstance(value, list) else (value or {}).get(part)
            said = value if isinstance(value, str) else json.dumps(value)
            if said in options.until or not 200 <= response.status < 300:
                break
        return response

    async def download(self, request: Any) -> tuple[Any, Any]:
        return await self._exchange(request, True)

    def now(self) -> int:
        return self._of.now

    async def sleep(self, ms: int) -> None:
        self._of.steps.append(("sleep", ms))
        self._of._sleeping(ms)

    def log(self, level: Any, message: str) -> None:
        self._of.lines.append((level, message))

    def progress(self, done: int, total: int | None) -> None:
        pass

    def utc_offset(self, at: int, zone: str) -> int | None:
        try:
            when = datetime.fromtimestamp(at / 1000, timezone.utc).astimezone(zoneinfo.ZoneInfo(zone))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return None
        offset = when.utcoffset()
        return None if offset is None else int(offset.total_seconds() // 60)

    def builder(self, media_type: str) -> Any:
        return _Builder(self._of, media_type)

    def read(self, blob: Any, offset: int, length: int) -> bytes:
        return self._of.blob(blob)[offset : offset + length]

    async def report(self, outcomes: list[Any]) -> list[Any]:
        self._of.steps += [("report", outcome) for outcome in outcomes]
        return [Ok(None) for _ in outcomes]

    async def report_undo(self, outcomes: list[Any]) -> list[Any]:
        self._of.steps += [("undo", outcome) for outcome in outcomes]
        return [Ok(None) for _ in outcomes]


# ---- items, and a destination over several units


def item(entry: Any, *, platform: str = "source", organisation: str = "org-1", **known: Any) -> Any:
    """A record as a host hands it to `write`, for the first time, by the default policy."""
    from ..contract import destination_types

    of = word(entry.head.kind)
    values = {
        "key": f"{of}:{entry.head.id}",
        "body": destination_types.Body([entry], []),
        "values": [],
        "policy": destination_types.MatchPolicy.FILL_EMPTY,
        "existing": None,
        "marker": f"{platform}:{organisation}:{of}:{entry.head.id}",
        "in_doubt_since": None,
        "notes": [],
        "prior": [],
    }
    return destination_types.Item(**(values | known))


class Trial:
    """One connection of a destination over many units: keeps effects, gives references their targets, refuses what a host refuses,
    and undoes last things first. A rule that is broken is an `AssertionError` that says which."""

    def __init__(self, connector: Any, plays: Callable[..., Harness]) -> None:
        """`plays(state=…)` gives a harness for each unit, whose platform answers."""
        self._connector, self._plays = connector, plays
        # What `prepare` returned.
        self.state: str | None = None
        self._effects: list[Any] = []

    def harness(self) -> Harness:
        """A host for one unit."""
        return self._plays(state=self.state)

    async def prepare(self) -> None:
        """Prepares."""
        harness = self.harness()
        cx = harness.context()
        self.state = await self._connector.prepare(cx)
        await cx.reported()
        self._check(harness)
        for outcome in harness.outcomes:
            self._keep(kind("own"), "", outcome)

    async def write(self, of: Any, items: list[Any], harness: Harness | None = None) -> list[Any]:
        """One unit; its outcomes, which a host would have taken. Items that it leaves open run singly, in doubt since before it."""
        harness = harness or self.harness()
        since, outcomes = harness.now, []
        try:
            outcomes += await self._unit(harness, of, items)
        except (Transient, HttpError):
            outcomes += harness.outcomes
            for one in items:
                if all(outcome.item != one.key for outcome in outcomes):
                    again = copy.copy(one)
                    again.in_doubt_since = since
                    outcomes += await self._unit(self.harness(), of, [again])
        assert sorted(one.item for one in outcomes) == sorted(one.key for one in items), "one outcome an item"
        markers = {one.key: one.marker for one in items}
        for outcome in outcomes:
            for effect in outcome.effects:
                proven = effect.action != ledger.Action.CREATED or effect.proof is not None
                assert proven, f"created without proof: {effect}"
            self._keep(of, markers[outcome.item], outcome)
        return outcomes

    async def _unit(self, harness: Harness, of: Any, items: list[Any]) -> list[Any]:
        cx = harness.context()
        try:
            await self._connector.write(cx, of, items)
        finally:
            await cx.reported()
        self._check(harness)
        # The host may run the same call again after a crash: it must take the same way.
        again, second = harness.replay()
        try:
            await self._connector.write(again, of, items)
            await again.reported()
        except (Transient, HttpError):
            pass  # which way it took is what counts
        way = harness.same_way(second)
        assert way is None, f"run again, the unit took another way: {way}"
        return harness.outcomes

    def _check(self, harness: Harness) -> None:
        assert not harness.unclaimed, f"answered as done, and no effect has their key: {harness.unclaimed}"

    def _keep(self, of: Any, marker: str, outcome: Any) -> None:
        from ..contract import destination_types

        for effect in outcome.effects:
            number = len(self._effects)
            self._effects.append(destination_types.Undoing(number, of, outcome.item, marker, effect))

    def effects_of(self, key: str) -> list[Any]:
        """The effects that an item had so far."""
        return [one.effect for one in self._effects if one.item == key]

    def known(self, reference: Any) -> Any:
        """A reference as a host gives it for what was written before: with its target."""
        key = f"{word(reference.kind)}:{reference.id}"
        main = [one.effect for one in self._effects if one.item == key and one.effect.part == "main"]
        return types.Reference(reference.kind, reference.id, main[-1].target_id if main else None, reference.name)

    async def rollback(self, mode: Any) -> list[Any]:
        """Undoes everything, last things first, as a host does: kinds in reverse order of loading, own things at the end."""
        order = [word(support.kind) for support in self._connector.describe().kinds]

        def place(one: Any) -> tuple[int, int]:
            of = word(one.kind)
            return (order.index(of) + 1 if of in order else 0, one.effect_id)

        ours: list[tuple[str, str]] = []
        ended: list[Any] = []
        statuses = ledger.UndoStatus
        for one in sorted(self._effects, key=place, reverse=True):
            harness = self.harness()
            cx = harness.context()
            await self._connector.undo(cx, mode, [one], list(ours))
            await cx.reported()
            stays = any(
                outcome.status in (statuses.CONFLICT, statuses.CANNOT, statuses.FAILED)
                for outcome in harness.undo_outcomes
            )
            if stays or mode.name == "PREVIEW":
                ours.append((one.effect.target_kind, one.effect.target_id))
            ended += harness.undo_outcomes
        return ended
