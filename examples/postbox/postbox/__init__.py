"""The Postbox source connector: reads a shared mailbox whole, and nothing but reads.

Postbox does not exist; it has the traits of many mailbox APIs: lists in numbered pages with an `_embedded` part, threads that come
with their conversation, a listing that ends after a hundred pages, files behind a path of their own.

| module | what it knows |
| --- | --- |
| `describe` | what the host is told |
| `api` | how to ask: lists, pages, windows |
| `map` | records in the contract's words, pure |
"""

from transload_sdk import Source, errors, export_source, new, session, source_types, word

from . import api, map
from .describe import describe

KINDS = ["agent", "tag", "field-definition", "customer", "conversation"]
# Kinds that are read by when they were changed; the others are short lists.
MOVING = {"customer": api.CUSTOMERS, "conversation": api.CONVERSATIONS}
LISTS = {"agent": api.USERS, "tag": api.TAGS, "field-definition": api.FIELDS}
# What a conversation brings along.
ALONG = ["message", "attachment"]


class Postbox(Source):
    @staticmethod
    def describe():
        return describe()

    @staticmethod
    async def check(cx):
        account = (await cx.http.get("/account").send()).or_error(api.words).json()
        scopes = account["token"]["scopes"]
        return new(
            session.Account,
            id=str(account["id"]),
            name=account["name"],
            url=account.get("url"),
            time_zone=account.get("time_zone"),
            user=account["token"].get("user"),
            roles=scopes,
            missing=[] if "read" in scopes else ["read"],
            excess=[scope for scope in scopes if scope != "read"],
        )

    @staticmethod
    async def discover(cx):
        counts = []
        for of in KINDS:
            rows = MOVING.get(of) or LISTS[of]
            page = await api.page(cx, rows, 1, size=1)
            counts.append(_count(of, page.total, source_types.Certainty.EXACT))
        counts += [_count(of, None, source_types.Certainty.UNKNOWN) for of in ALONG]
        account = (await cx.http.get("/account").send()).or_error(api.words).json()
        return source_types.Discovery(counts, [], [], api.state(account))

    @staticmethod
    async def partitions(cx, kind, since, until):
        of = word(kind)
        if of in LISTS:
            # Short lists are read whole, whatever changed.
            return [_part(of, of, "{}", None, None)]
        if of in MOVING:
            begin = api.begin(cx) if since is None else since
            return [_window(of, begin, until)] if begin < until else []
        return []

    @staticmethod
    async def read(cx, part, cursor):
        of = word(part.kind)
        number = int(cursor or "1")
        window = (part.window_start, part.window_end) if of in MOVING else None
        page = await api.page(cx, MOVING.get(of) or LISTS[of], number, window=window)
        if page.total > api.MOST_ROWS:
            return _answer(split=[_window(of, *half) for half in api.halves(*window)])
        if of == "conversation":
            records = [record for row in page.rows for record in map.thread(cx, row)]
        else:
            records = [map.RECORDS[of](row) for row in page.rows]
        return _answer(
            records=records,
            next=str(number + 1) if number < page.pages else None,
            total=page.total,
            explained=page.explained,
        )

    @staticmethod
    async def fetch(cx, refs):
        found = []
        for ref in refs:
            of = word(ref.kind)
            rows = MOVING.get(of)
            if rows is None:
                raise errors.Unsupported(f"a single {of} cannot be asked for")
            row = await api.one(cx, rows, ref.id)
            if row is None:
                continue
            found += map.thread(cx, row) if of == "conversation" else [map.RECORDS[of](row)]
        return found

    @staticmethod
    async def open_attachment(cx, attachment):
        reply, blob = await cx.http.get(attachment.data.value.locator).download()
        reply.or_error(api.words)
        return blob

    @staticmethod
    async def inventory(cx):
        items = []
        async for row in api.rows(cx, api.WORKFLOWS):
            items.append(map.workflow(row))
        async for row in api.rows(cx, api.REPLIES):
            items.append(map.saved_reply(row))
        return items


def _count(of, count, certainty):
    return new(source_types.KindCount, kind=map.kind(of), count=count, certainty=certainty)


def _part(of, id, spec, start, end):
    return new(source_types.Partition, kind=map.kind(of), id=id, spec=spec, window_start=start, window_end=end)


def _window(of, start, end):
    return _part(of, f"{of}:{start}-{end}", "{}", start, end)


def _answer(**known):
    return new(source_types.Page, **known)




export_source(Postbox)
