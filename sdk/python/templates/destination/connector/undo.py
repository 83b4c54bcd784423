"""Taking back what was made, and nothing else: what somebody changed since, or hung something of his own on, stays and is told of."""

from transload_sdk.effects import Action, changed_since
from transload_sdk.http import InDoubt
from transload_sdk.undo import Session, UndoStatus

from . import api, people, tickets


async def undo(cx, mode, all, ours):
    """Undoes effects in their order."""
    session = Session(cx, mode, ours, all)
    for one in all:
        session.say(one, await _one(cx, session, one))


async def _one(cx, session, one):
    effect = one.effect
    match (effect.target_kind, effect.action):
        case (_, Action.MATCHED):
            return UndoStatus.LEFT, None
        case (people.KIND, Action.CREATED):
            return await _person(cx, session, one)
        case (tickets.KIND, Action.CREATED):
            return await _ticket(cx, session, one)
    return UndoStatus.CANNOT, f"no way to undo a {effect.target_kind}"


async def _person(cx, session, one):
    id = one.effect.target_id
    now = await api.one(cx, api.person_path(id))
    if now is None:
        return UndoStatus.GONE, None
    foreign = [found for found in await api.tickets(cx, "person", id) if not session.is_ours(tickets.KIND, found["id"])]
    if foreign:
        # Not by force either: what others hung on a person is not ours to delete.
        return UndoStatus.CONFLICT, f"{len(foreign)} tickets that this run did not make"
    return await _delete(cx, session, one, changed_since(one.effect, people.facets(now)), api.person_path(id))


async def _ticket(cx, session, one):
    id = one.effect.target_id
    now = await api.one(cx, api.ticket_path(id))
    if now is None:
        return UndoStatus.GONE, None
    return await _delete(cx, session, one, changed_since(one.effect, tickets.facets(now)), api.ticket_path(id))


async def _delete(cx, session, one, conflict, path):
    decided = session.decided(conflict, UndoStatus.UNDONE)
    if decided:
        return decided
    key = session.key(one, "delete")
    # Deleting twice is deleting once: ids are not used again.
    request = cx.http.delete(path).idempotent().key(key.item, key.part, key.step)
    try:
        reply = await request.send()
    except InDoubt:
        gone = await api.one(cx, path) is None
        return (UndoStatus.UNDONE, None) if gone else (UndoStatus.FAILED, "the deletion was not answered")
    if reply.ok or reply.status == 404:
        return UndoStatus.UNDONE, None
    return UndoStatus.FAILED, str(api.refusal(reply))
