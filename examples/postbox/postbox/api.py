"""How to ask Postbox: lists in numbered pages, by when rows were changed."""

import json
from dataclasses import dataclass, field
from typing import Any

from transload_sdk import errors, segment, time

# Rows of a page, and where a listing ends: it answers a hundred pages and no more.
SIZE = 50
MOST_PAGES = 100
MOST_ROWS = SIZE * MOST_PAGES


@dataclass(frozen=True)
class Rows:
    """A list of the API: its path, and the word in `_embedded`."""

    path: str
    word: str
    query: tuple[tuple[str, str], ...] = ()


USERS = Rows("/users", "users")
TAGS = Rows("/tags", "tags")
FIELDS = Rows("/fields", "fields")
CUSTOMERS = Rows("/customers", "customers")
CONVERSATIONS = Rows("/conversations", "conversations", (("embed", "threads"),))
WORKFLOWS = Rows("/workflows", "workflows")
REPLIES = Rows("/saved-replies", "saved_replies")


@dataclass
class Page:
    """A page of a list."""

    rows: list[dict[str, Any]]
    total: int
    pages: int
    # Rows that are no record of ours, with the reason and how many.
    explained: list[tuple[str, int]] = field(default_factory=list)


def words(reply):
    """What Postbox says when it says no."""
    try:
        said = reply.json()
        return said["message"], said.get("field")
    except (errors.Bug, KeyError, TypeError):
        return None


async def page(cx, rows: Rows, number: int, *, window=None, size=SIZE) -> Page:
    """One page; of what was changed in the window `[start, end)`, ms, oldest first."""
    request = cx.http.get(rows.path).query("page", number).query("size", size)
    for name, value in rows.query:
        request = request.query(name, value)
    if window:
        start, end = window
        request = request.query("modified_from", time.iso(start)).query("modified_before", time.iso(end))
    answer = (await request.send()).or_error(words).json()
    found = answer["_embedded"][rows.word]
    kept = [row for row in found if row.get("state") != "draft"]
    drafts = len(found) - len(kept)
    explained = [("draft", drafts)] if drafts else []
    return Page(kept, answer["page"]["total_elements"], answer["page"]["total_pages"], explained)


async def rows(cx, of: Rows):
    """All rows of a short list."""
    for number in range(1, MOST_PAGES + 1):
        found = await page(cx, of, number)
        for row in found.rows:
            yield row
        if number >= found.pages:
            return


async def one(cx, of: Rows, id: str):
    """One row, or None where it is gone."""
    request = cx.http.get(f"{of.path}/{segment(id)}")
    for name, value in of.query:
        request = request.query(name, value)
    reply = await request.send()
    return None if reply.status in (404, 410) else reply.or_error(words).json()


def halves(start: int, end: int) -> list[tuple[int, int]]:
    """A window as two; one of a millisecond cannot be divided."""
    if end - start <= 1:
        raise errors.Unsupported(f"more than {MOST_ROWS} rows were changed in one millisecond; the API lists no more")
    middle = (start + end) // 2
    return [(start, middle), (middle, end)]


def state(account: dict[str, Any]) -> str:
    """What later calls need to know."""
    return json.dumps({"since": time.ms(account["created_at"])})


def begin(cx) -> int:
    """When the account began."""
    return cx.state["since"]
