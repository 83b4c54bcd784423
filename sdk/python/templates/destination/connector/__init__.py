"""The {{title}} destination connector. Read `people` first."""

from transload_sdk import Destination, declare, destination_types, effects, export_destination, items, new, session, word

from . import api, people, tickets, undo
from .describe import describe

# What writes, matches and reads back each kind.
KINDS = {"customer": people, "conversation": tickets}


class Desk(Destination):
    @staticmethod
    def describe():
        return describe()

    @staticmethod
    async def check(cx):
        me = (await cx.http.get("/me").send()).or_error(api.words).json()
        return new(session.Account, id=me["account"]["id"], name=me["account"]["name"], user=me["name"])

    @staticmethod
    async def survey(cx):
        states = {"open": "open", "snoozed": "open", "closed": "done"}
        status = declare.slot("conversation", "status", {"open": "Open", "done": "Done"}, states, "open")
        return new(destination_types.SurveyReport, slots=[status])

    @staticmethod
    async def match_items(cx, kind, all):
        of = KINDS.get(word(kind))
        return [destination_types.MatchResult(item.key, await of.candidates(cx, item) if of else []) for item in all]

    @staticmethod
    async def write(cx, kind, all):
        of = KINDS.get(word(kind))
        for item in all:
            await of.write(cx, item) if of else effects.export(cx, item)

    @staticmethod
    async def read_back(cx, written):
        found = []
        for one in written:
            of, main = KINDS.get(word(one.kind)), items.main(one)
            there = await of.read_back(cx, one, main.target_id) if of and main else None
            found.append(there or items.observed(one, None))
        return found

    @staticmethod
    async def undo(cx, mode, all, ours):
        await undo.undo(cx, mode, all, ours)

    @staticmethod
    def rehearse(asked):
        # In a dry run nothing is sent: this is what the platform would answer. Its ids are texts.
        return asked.echo(texts=True)


export_destination(Desk)
