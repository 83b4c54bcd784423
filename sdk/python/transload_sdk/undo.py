"""What the undoing of effects has in common at all platforms: what is ours, what a mode allows, how a deletion ends."""

from typing import Any, Callable

from .contract import destination_types, ledger
from .http import InDoubt, OperationKey, Reply, Request

UndoMode = destination_types.UndoMode if destination_types else None
UndoStatus = ledger.UndoStatus if ledger else None

# What becomes of an effect, and why.
Verdict = tuple[Any, str | None]


class Session:
    """One call of `undo`."""

    def __init__(self, cx: Any, mode: Any, ours: list[tuple[str, str]], effects: list[Any] = []) -> None:  # noqa: B006
        self.cx, self.mode = cx, mode
        self._ours = set(ours)
        # What these effects created is ours, too, until it is gone. What was only changed may be somebody else's.
        for one in effects:
            if one.effect.action == ledger.Action.CREATED:
                self._ours.add((one.effect.target_kind, one.effect.target_id))

    @property
    def previews(self) -> bool:
        """It is only asked what would become of the effects."""
        return self.mode == UndoMode.PREVIEW

    def is_ours(self, kind: str, id: str) -> bool:
        """Whether an object is this run's and is, or was before this call, still there."""
        return (kind, id) in self._ours

    def will_go(self, kind: str, id: str) -> bool:
        """It is only asked, and the object will be gone by then: a preview has met it."""
        return self.previews and self.is_ours(kind, id)

    def say(self, one: Any, verdict: Verdict) -> None:
        """Says what became of an effect."""
        status, reason = verdict
        self.cx.report_undo(ledger.UndoOutcome(one.effect_id, status, reason))

    def key(self, one: Any, step: str) -> OperationKey:
        """The key of a request that undoes an effect."""
        return OperationKey(one.item, f"undo:{one.effect_id}", step)

    def decided(self, conflict: str | None, done: Any) -> Verdict | None:
        """What becomes of an effect without a request: a conflict, or, where it is only asked, `done`."""
        if conflict is not None and self.mode != UndoMode.FORCE:
            return UndoStatus.CONFLICT, conflict
        return (done, None) if self.previews else None

    async def finish(
        self,
        one: Any,
        conflict: str | None,
        request: Request,
        done: Any,
        refused: Callable[[Reply], Verdict | None] = lambda reply: None,
    ) -> Verdict:
        """Sends what undoes an effect, unless it is decided without. `refused` says which refusals mean something else than a
        failure: mostly that what was there right before is gone now."""
        decided = self.decided(conflict, done)
        if decided is not None:
            return decided
        key = self.key(one, "undo")
        try:
            reply = await request.key(key.item, key.part, key.step).send()
        except InDoubt:
            return unanswered("request")
        if reply.ok:
            return done, None
        if reply.status in (401, 429):
            raise reply.error()
        return refused(reply) or (UndoStatus.FAILED, f"{reply.what} answered {reply.status}")


def unanswered(what: str) -> Verdict:
    """A request that undoes was not answered: what became of it is not known."""
    return UndoStatus.FAILED, f"the {what} was not answered"


def nothing_recorded() -> Verdict:
    """An update whose effect has no before-image."""
    return UndoStatus.CANNOT, "nothing is recorded of what was there"


def no_way(kind: str) -> Verdict:
    """An effect on an object of a kind that the connector does not know: of another version of it."""
    return UndoStatus.CANNOT, f"no way to undo a {kind}"


def as_before() -> Verdict:
    """An update whose before-image is what is there already (`policy.holds`), asked before a conflict is judged: so a rollback that is
    made again, and a host that asks after it, is told that all is as it was."""
    return UndoStatus.LEFT, "it is as it was before"
