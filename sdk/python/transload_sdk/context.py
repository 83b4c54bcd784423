"""What a call may know and do. The `Context` is the only way out of a connector, and behind it is either the host's imports (in a
component) or the test harness (natively): a connector cannot tell which."""

import json
from typing import Any, Protocol

from .blobs import Blobs
from .contract import Err, runtime
from .errors import Bug, ConnectorError
from .http import Http

Level = runtime.Level


class Host(Protocol):
    """What a host does for any connector. Not for connectors: they have `Context`. Errors are raised as `Err(http.Error)`."""

    async def send(self, request: Any) -> Any: ...
    async def poll(self, request: Any, options: Any) -> Any: ...
    async def download(self, request: Any) -> Any: ...
    def now(self) -> int: ...
    async def sleep(self, ms: int) -> None: ...
    def log(self, level: Any, message: str) -> None: ...
    def progress(self, done: int, total: int | None) -> None: ...
    def utc_offset(self, at: int, zone: str) -> int | None: ...
    def builder(self, media_type: str) -> Any: ...
    def read(self, blob: Any, offset: int, length: int) -> bytes: ...


class Ledger(Protocol):
    """What a host does for a destination besides: an `Ok` or `Err(refusal)` for each outcome, in their order."""

    async def report(self, outcomes: list[Any]) -> list[Any]: ...
    async def report_undo(self, outcomes: list[Any]) -> list[Any]: ...


class Refused(ConnectorError):
    """An outcome that the host did not take; its item stays open. `refusal` is the contract's own value."""

    def __init__(self, refusal: Any) -> None:
        super().__init__(_refusal_words(refusal))
        self.refusal = refusal

    def wit(self) -> Any:
        return Bug(str(self)).wit()


def _refusal_words(refusal: Any) -> str:
    case = type(refusal).__name__.removeprefix("Refusal_")
    if case == "UnknownEntry":
        return f"an outcome for entry {refusal.value} of a body that has none there"
    if case == "Unclaimed":
        key = refusal.value
        return f"no effect names the request {key.item}/{key.part}/{key.step}, which was answered as done"
    if case == "InDoubt":
        key = refusal.value
        return f"the item is given up while the request {key.item}/{key.part}/{key.step} is in doubt"
    if case == "Unproven":
        return f"`created` is not believed: {refusal.value}"
    return "an outcome for an item that the unit does not have"


class Context:
    """What a call is made for, and all it can do."""

    def __init__(self, session: Any, host: Host, ledger: Ledger | None) -> None:
        self._session, self._host, self._ledger = session, host, ledger
        self._outcomes: list[Any] = []
        self._undone: list[Any] = []
        self._refused: Any = None

    # ---- what it is for

    @property
    def config(self) -> dict[str, Any]:
        """The connection's settings, checked against `describe`'s schema, without secrets."""
        return json.loads(self._session.config)

    @property
    def state(self) -> Any:
        """What `prepare` returned (destinations) or `discover` gave as its state (sources), read as JSON; `None` before."""
        return None if self._session.state is None else json.loads(self._session.state)

    @property
    def run(self) -> str:
        """The run's id; in markers, so that two runs can be told apart."""
        return self._session.run

    @property
    def platform(self) -> str:
        """Name of the source platform."""
        return self._session.platform

    @property
    def organisation(self) -> str:
        """Stable id of the source organisation."""
        return self._session.organisation

    @property
    def time_zone(self) -> str:
        """IANA name of the time zone for platforms that know dates only (rule M-17)."""
        return self._session.time_zone

    @property
    def marker_prefix(self) -> str:
        """The beginning of the marker of everything this source organisation gives: `platform:organisation:`."""
        return f"{self.platform}:{self.organisation}:"

    # ---- what it can do

    @property
    def now(self) -> int:
        """Milliseconds since 1970: constant within a unit, and the same when the unit runs again. No clock."""
        return self._host.now()

    @property
    def http(self) -> Http:
        """Requests to the platform."""
        return Http(self)

    @property
    def blobs(self) -> Blobs:
        """Bytes that the host holds."""
        return Blobs(self._host)

    async def sleep(self, ms: int) -> None:
        """Waits in the host; recorded, so that a replay does not wait again."""
        if ms > 0:
            await self._hand_over()
            await self._host.sleep(ms)

    def log(self, message: str, level: Any = Level.INFO) -> None:
        """A line for the connector's author: ids and counts, never message text, names or addresses."""
        self._host.log(level, message)

    def progress(self, done: int, total: int | None = None) -> None:
        """How far this unit is."""
        self._host.progress(done, total)

    def utc_offset(self, at: int, zone: str) -> int | None:
        """Minutes by which the clocks of a time zone are ahead of UTC at a moment; `None` for what names no zone."""
        return self._host.utc_offset(at, zone)

    # ---- what became of items

    def report(self, outcome: Any) -> None:
        """Says what became of an item. It is durable before the connector's next request leaves: outcomes that become known
        without a request between them are handed over together. For destinations; a source's are refused."""
        self._outcomes.append(outcome)

    def report_undo(self, outcome: Any) -> None:
        """Says what became of an effect that was to be undone; as `report`."""
        self._undone.append(outcome)

    async def reported(self) -> None:
        """Hands over what was reported since the last request, and waits until it is durable. What is left when a call ends is
        handed over then; call this where you want to know what the host makes of your outcomes.

        Raises `Refused` for the first that the host did not take since this was called last.
        """
        await self._hand_over()
        refused, self._refused = self._refused, None
        if refused is not None:
            raise Refused(refused)

    async def _hand_over(self) -> None:
        if not self._outcomes and not self._undone:
            return
        outcomes, self._outcomes = self._outcomes, []
        undone, self._undone = self._undone, []
        if self._ledger is None:
            raise Bug("a source has nothing to report")
        said = []
        if outcomes:
            said += await self._ledger.report(outcomes)
        if undone:
            said += await self._ledger.report_undo(undone)
        for one in said:
            if isinstance(one, Err) and self._refused is None:
                self._refused = one.value

    async def _asking(self) -> Host:
        """For what can ask somebody: whatever is known by now is reported first."""
        await self._hand_over()
        return self._host
