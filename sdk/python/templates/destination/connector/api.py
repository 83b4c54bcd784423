"""How to ask the platform. Nothing here knows the contract's records."""

from transload_sdk import errors, segment


async def people(cx, by, value):
    """People by `ref` or `email`."""
    return (await cx.http.get("/people").query(by, value).send()).or_error(words).json()["people"]


async def tickets(cx, by, value):
    """Tickets by `ref` or `person`."""
    return (await cx.http.get("/tickets").query(by, value).send()).or_error(words).json()["tickets"]


async def one(cx, path):
    """A person or a ticket, or None where it is gone."""
    reply = await cx.http.get(path).send()
    return None if reply.status == 404 else reply.or_error(words).json()


def person_path(id):
    """A person's address."""
    return f"/people/{segment(id)}"


def ticket_path(id):
    """A ticket's address."""
    return f"/tickets/{segment(id)}"


def words(reply):
    """What the platform says of a refusal, in its words."""
    try:
        said = reply.json()
    except errors.Bug:
        return None
    return (said["error"], said.get("field")) if isinstance(said, dict) and "error" in said else None


def refusal(reply):
    """A refusal of one item. What ends the unit instead is raised."""
    error = reply.error(words)
    if isinstance(error, (errors.Auth, errors.Permission, errors.Quota, errors.Transient)):
        raise error
    return error
