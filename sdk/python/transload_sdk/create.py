"""Making one object exactly once, though its answer may get lost. For destinations.

- **D-2** Only a complete answer settles a request; one that is in doubt is looked up, never repeated.
- **D-3** A look-up that finds the object counts at once. One that finds nothing counts only a settle time after the last byte
  left; until then this waits (in the host, so that a replay does not wait again), or says `Unsettled` where the wait would be
  long. Only after a miss that counts is the request sent again.
- **D-4** `Created` and `Found` say what may be claimed.
"""

import copy
from dataclasses import dataclass
from typing import Any, Awaitable, Callable

from .contract import ledger
from .http import InDoubt, OperationKey, Reply, Request

# A wait up to this long is waited for; beyond it the item is `Unsettled`.
PATIENCE_MS = 5 * 60 * 1000
# Sends of one request, each after a miss that counts.
MOST_SENDS = 3


@dataclass
class Created:
    """The platform said so."""

    reply: Reply
    # `fresh` where the endpoint only ever creates and no earlier attempt can have been applied; `absent-before` where a look-up of
    # this call found nothing before the first send. `None`: report `matched`, or `created` with a marker read back.
    proof: Any
    # The request that did it, for the effect.
    key: OperationKey | None


@dataclass
class Found:
    """It was there."""

    # What the look-up gave.
    object: Any
    # `absent-before` where a look-up of this call found nothing before the first send: then it is our own work.
    proof: Any
    # The request that may have made it; `None` where nothing was sent in this call.
    key: OperationKey | None


@dataclass
class Refused:
    """The platform refused: an answer that is no 2xx, and nothing to be found of an earlier attempt."""

    reply: Reply


@dataclass
class Unsettled:
    """A request's fate is not known and the wait for it would be long: why, for `status.unsettled`."""

    why: str


Made = Created | Found | Refused | Unsettled
LookUp = Callable[[], Awaitable[Any]]


def create(request: Request) -> "Create":
    """Begins a creation: a `once` request with a key. `or_find` sends it."""
    return Create(request)


class Create:
    """A creation in the making; each method gives a new one."""

    def __init__(self, request: Request) -> None:
        self._request, self._cx = request, request.cx
        self._since: int | None = None
        self._look_first = self._upserts = False
        self._patience = PATIENCE_MS

    def _with(self, **changes: Any) -> "Create":
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed

    def in_doubt_since(self, since: int | None) -> "Create":
        """What `item.in_doubt_since` says: an earlier attempt, whose answer is lost, may have been applied. Then the look-up comes
        first."""
        return self._with(_since=since)

    def look_first(self) -> "Create":
        """Looks up before the first send, so that an object of somebody else's is found, and ours proven by `absent-before`."""
        return self._with(_look_first=True)

    def upserts(self) -> "Create":
        """The endpoint changes an object that is already there: its success alone proves nothing."""
        return self._with(_upserts=True)

    def wait_at_most(self, ms: int) -> "Create":
        """How long a wait is waited for (five minutes unless said otherwise); beyond it the result is `Unsettled`."""
        return self._with(_patience=ms)

    async def or_find(self, look_up: LookUp, settle_ms: int) -> Made:
        """Sends, and looks up where an answer is missing. `look_up` finds the object by something only it has (its external id,
        its marker), or gives `None`; `settle_ms` is what `describe` says for that look-up.

        A second send, after a miss that counts, has the same key with the step `<step>~2`: keys name one request.
        """
        absent = None
        if self._since is not None:
            settled = await self._settle(look_up, self._since, settle_ms)
            if isinstance(settled, Unsettled):
                return settled
            if settled is not None:
                return Found(settled, None, None)
        elif self._look_first:
            there = await look_up()
            if there is not None:
                return Found(there, None, None)
            absent = ledger.Proof_AbsentBefore()
        for attempt in range(1, MOST_SENDS + 1):
            request = self._request._attempt(attempt)
            key = request.wit.key
            try:
                reply = await request.send()
            except InDoubt as doubt:
                settled = await self._settle(look_up, doubt.sent_at, settle_ms)
                if isinstance(settled, Unsettled):
                    return settled
                if settled is not None:
                    return Found(settled, absent, key)
                continue
            if reply.ok:
                fresh = not reply.attempted_before and not self._upserts
                return Created(reply, ledger.Proof_Fresh() if fresh else absent, key)
            if reply.attempted_before:
                # "Already there" may be the echo of our own earlier attempt.
                there = await look_up()
                if there is not None:
                    return Found(there, absent, key)
            return Refused(reply)
        return Unsettled(f"sent {MOST_SENDS} times, and no answer was seen")

    async def _settle(self, look_up: LookUp, sent_at: int, settle_ms: int) -> Any:
        """Looks up until a miss counts: the object, `None` for a miss that counts, or `Unsettled`."""
        there = await look_up()
        if there is not None:
            return there
        # `now` is when the unit began: the time since the send is at least this, and waiting too long does no harm.
        rest = settle_ms - max(0, self._cx.now - sent_at)
        if rest <= 0:
            return None
        if rest > self._patience:
            return Unsettled(
                f"the answer to a request of {sent_at} was lost, and a look-up that finds nothing counts only {settle_ms} ms later"
            )
        await self._cx.sleep(rest)
        return await look_up()
