"""How to ask the platform. Nothing here knows the contract's records."""

from transload_sdk import segment, time


async def page(cx, path, since=None, cursor=None):
    """A page of a list; of what was updated since, from a cursor on."""
    request = cx.http.get(f"/{path}")
    if since is not None:
        request = request.query("updated_since", time.iso(since))
    if cursor is not None:
        request = request.query("after", cursor)
    return (await request.send()).or_error().json()


async def one(cx, path, id):
    """One row, or None where it is gone."""
    reply = await cx.http.get(f"/{path}/{segment(id)}").send()
    return None if reply.status == 404 else reply.or_error().json()


async def file(cx, id):
    """A file's bytes, which the host keeps; they never enter the connector."""
    reply, blob = await cx.http.get(f"/files/{segment(id)}").download()
    reply.or_error()
    return blob
