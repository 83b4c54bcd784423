"""The {{title}} source connector."""

from transload_sdk import Source, errors, export_source, kind, new, session, source_types, word

from . import api, map
from .describe import describe

LISTS = {"customer": "people", "conversation": "tickets"}
RECORDS = {"customer": lambda cx, row: [map.person(row)], "conversation": map.ticket}


class Desk(Source):
    @staticmethod
    def describe():
        return describe()

    @staticmethod
    async def check(cx):
        me = (await cx.http.get("/me").send()).or_error().json()
        return new(session.Account, id=me["account"]["id"], name=me["account"]["name"], user=me["name"])

    @staticmethod
    async def discover(cx):
        counts = [
            new(
                source_types.KindCount,
                kind=kind(of),
                count=(await api.page(cx, path))["total"],
                certainty=source_types.Certainty.EXACT,
            )
            for of, path in LISTS.items()
        ]
        counts += [
            new(source_types.KindCount, kind=kind(of), certainty=source_types.Certainty.UNKNOWN)
            for of in ("message", "attachment")
        ]
        return source_types.Discovery(counts, [], [], "null")

    @staticmethod
    async def partitions(cx, of, since, until):
        if word(of) not in LISTS:
            return []
        return [new(source_types.Partition, kind=of, id=word(of), spec="{}", window_start=since, window_end=until)]

    @staticmethod
    async def read(cx, part, cursor):
        of = word(part.kind)
        page = await api.page(cx, LISTS[of], since=part.window_start, cursor=cursor)
        records = [record for row in page[LISTS[of]] for record in RECORDS[of](cx, row)]
        # The platform's total is of everything; of what was changed since, it says nothing.
        total = None if part.window_start is not None else page["total"]
        return new(source_types.Page, records=records, next=page.get("next"), total=total)

    @staticmethod
    async def fetch(cx, refs):
        records = []
        for ref in refs:
            of = word(ref.kind)
            if of not in LISTS:
                raise errors.Unsupported(f"a single {of} cannot be asked for")
            row = await api.one(cx, LISTS[of], ref.id)
            records += RECORDS[of](cx, row) if row is not None else []
        return records

    @staticmethod
    async def open_attachment(cx, attachment):
        return await api.file(cx, attachment.head.id)


export_source(Desk)
