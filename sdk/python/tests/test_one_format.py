"""What both SDKs make of the same records, to the byte. `sdk/fixtures/format.json` has the records and what the Rust SDK makes of them
(`sdk/rust/tests/one_format.rs`)."""

import asyncio
import json
import unittest
from collections import defaultdict
from pathlib import Path

import wit_json
from transload_sdk import (
    card,
    destination_types,
    errors,
    fields,
    items,
    links,
    markup,
    people,
    policy,
    read_back,
    refusals,
    rehearsal,
    text,
    thread,
    time,
    types,
    word,
    words,
)
from transload_sdk.contract import http
from transload_sdk.effects import changed, print_now, print_of
from transload_sdk.testing import Harness, answer

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "format.json"


def an_item(of):
    return wit_json.read(destination_types.Item, of["item"])


def source_card(of):
    entry = wit_json.read(types.Entry, of["entry"])
    losses = wit_json.read(list[types.Loss], of["losses"])
    facts = [tuple(pair) for pair in of["facts"]]
    return vars(card.source_card(of["platform"], of["marker"], entry, facts, of["notes"], losses))


def customer_card(of):
    item = an_item(of)
    entry, losses = items.entry(item), []
    name = people.customer_name(entry)
    facts = card.Facts(words.Words(of["pages"]))
    card.customer(entry, name, facts)
    card.addresses(entry.data.value.addresses, facts)
    facts.reference("company", entry.data.value.company)
    for field in entry.head.fields:
        facts.misfit(field, "no field of its own", losses)
    whole = facts.render("old-desk", item, entry, losses)
    fitted = [card.fitted(whole, most) for most in (10, 200, len(whole.encode()))]
    return {"name": name, "card": whole, "fitted": fitted, "losses": wit_json.of(losses)}


def a_thread(of):
    item = an_item(of)
    says, whole = words.Words(of["pages"]), items.thread(item)
    conversation = whole.conversation.data.value
    facts, losses, said = card.Facts(says), [], []
    card.conversation(whole.conversation, facts)
    tags = thread.tag_targets(conversation, facts, losses)
    requester = thread.Requester(conversation, "7", facts, losses)
    began = thread.began(whole, 9)
    clock = thread.Clock(1_000)
    for number, (part, message, at) in enumerate(thread.spoken(whole, began)):
        head = part.message.head
        why = thread.skipped(head, message, False, number == 2)
        if why:
            thread.skip(head, why, facts, losses)
            continue
        above = []
        thread.message_facts(message, says, above)
        known = (head, message, conversation.subject)
        facts.message(number + 1, thread.message_card(*known, thread.Holds.TEXT, says, losses))
        plain = thread.with_lead(thread.lead(above), message.text.value if message.text else "")
        files = [
            {
                "none": thread.no_bytes(one.data.value),
                "names": thread.image_names(one.data.value, "https://new.example/1"),
                "called": thread.file_name(one.data.value),
            }
            for one in part.attachments
        ]
        said.append(
            {
                "email": thread.message_card(*known, thread.Holds.EMAIL, says, []),
                "plain": plain,
                "html": thread.html_with_lead(thread.lead(above), message.html.value if message.html else ""),
                "again": thread.without_lead(plain),
                "files": files,
                "at": clock.at(at),
                "is": [thread.is_email(message), thread.is_incoming(message)],
                "line": requester.line(message),
            }
        )
    return {
        "card": facts.render("old-desk", item, whole.conversation, losses),
        "losses": wit_json.of(losses),
        "tags": tags,
        "requester": int(requester.id),
        "said": said,
        "began": began,
        "end": [clock.end, int(clock.moved)],
    }


def object_card(of):
    record = wit_json.read(types.CustomObject, of["record"])
    facts = card.Facts(words.Words(of["pages"]))
    card.object(Harness(None).context().blobs, record, facts)
    bare = types.Entry(wit_json.read(types.Head, BARE), None)
    item = wit_json.read(destination_types.Item, {"key": "k", "marker": "m"} | ITEM)
    return facts.render("p", item, bare)


def whole_object(of):
    head, record = wit_json.read(types.Head, of["head"]), wit_json.read(types.CustomObject, of["record"])
    facts, other, losses = card.Facts(words.Words(of["pages"])), card.Facts(words.Words(of["pages"])), []
    card.whole_object(Harness(None).context().blobs, head, record, facts)
    # What is said already is said once; a list that is not is.
    facts.lists(head.fields, losses)
    other.lists(head.fields, losses)
    bare = types.Entry(wit_json.read(types.Head, BARE), None)
    item = wit_json.read(destination_types.Item, {"key": "k", "marker": "m"} | ITEM)
    return [*(one.render("p", item, bare, losses) for one in (facts, other)), wit_json.of(losses)]


def a_target(of):
    target = fields.Target.parse(of["text"])
    return target and [target.object, target.name, target.kind, target.choices, str(target)]


def option_labels(of):
    definition = wit_json.read(types.FieldDefinition, of["definition"])
    return [fields.option_label(definition, option, ".") for option in definition.options]


class No(refusals.Refusal):
    """How a made-up platform says no."""

    def __init__(self, said):
        self._said = said

    @classmethod
    def read(cls, reply):
        return cls(reply.json())

    def of_account(self):
        return errors.Auth(self.said()) if self._said.get("code") == "suspended" else None

    def rejection(self):
        return errors.Conflict(self.said())

    def said(self):
        return self._said.get("why", "no words")

    def passes(self):
        return self._said.get("code") == "later"


def an_answer(of):
    cx = Harness(lambda request: answer(of["status"], of["body"])).context()

    async def got():
        reply = await refusals.get(cx.http, "/things/1", No)
        return reply and reply.status

    async def wrote():
        request = cx.http.post("/things").key("*", "p", "s")
        match await refusals.write(request, No):
            case refusals.Done():
                return "done"
            case refusals.Refused(no):
                return wit_json.of(no.rejection().wit())
            case refusals.Doubt():
                return "doubt"

    def either(call):
        try:
            return asyncio.run(call)
        except errors.ConnectorError as error:
            return wit_json.of(error.wit())

    return [either(got()), either(wrote())]


def lone_note(of):
    try:
        return wit_json.of(items.body(thread.thread_of(an_item(of))))
    except errors.ConnectorError as error:
        return wit_json.of(error.wit())


def bodies(of):
    made = thread.bodies(of["facts"], of["text"], of["limit"])
    return {"bodies": made, "further": [thread.is_further_part(thread.without_lead(one)[0]) for one in made]}


def a_text(of):
    said, limit = of["text"], of["limit"]
    return {
        "escaped": text.escape_html(said),
        "html": text.plain_to_html(said),
        "searched": text.html_to_search_text(said),
        "split": text.split_bytes(said, limit),
        "pieces": text.pieces(said, limit),
        "numbered": text.split_numbered(said, limit, lambda n, of: f"({n}/{of})"),
        "units": text.utf16_units(said),
        "cut": [text.cut_utf16(said, limit), text.cut_chars(said, limit)],
        "markup": markup.html_of(said),
        "wrapped": markup.wrapped([said], said),
        "read": markup.text_of(said),
        "fitting": markup.pieces(said, limit),
        "letters": [text.letters(said), markup.letters(said)],
    }


def a_person(of):
    said = of["text"]
    return {"email": people.email(said), "mailbox": people.mailbox(said), "phone": people.e164(said)}


def a_time(of):
    moment = time.parsed(of["text"])
    return moment and [moment.at, moment.offset_minutes, time.text_of(moment), time.utc(moment.at)]


def a_print(of):
    printed, now = print_of(dict(of["facets"])), {"name": "Bo"}
    return [printed, print_now(printed, now), changed(printed, now)]


def an_echo(of):
    request = Harness(None).context().http.request(of["method"], of["url"])
    request = request if of["body"] is None else request.json(of["body"])
    answer = rehearsal.Rehearsal(request.wit, of["number"], [], None).echo(of["texts"])
    return answer and [answer.status, json.loads(answer.body or b"null")]


class Row(links.End):
    """A record of a platform whose text of links is short."""

    OF_STAFF = "a link to one of the staff"

    @classmethod
    def of(cls, reference):
        here = reference.target is not None and word(reference.kind) != "agent"
        return cls(word(reference.kind), reference.target) if here else None

    def fits(self, text):
        return len(text.encode()) <= 60

    def images(self, change):
        return tuple(json.dumps(of, sort_keys=True, separators=(",", ":")) for of in (change.was, change.becomes))


def some_links(of):
    harness = Harness(None)
    cx = harness.context()
    found = links.links(cx, wit_json.read(list[destination_types.Item], of["items"]))
    desk = links.Desk(Row, {Row(kind, id): row for kind, id, row in of["now"]})

    def lookup(link):
        end = Row.of(link.source)
        fits = link.name == "boss" and links.is_single(link) and end and link.target.target
        return links.Lookup(end, link.name, link.target.target) if fits else None

    placed = desk.place(found, lookup, words.Words(of["pages"]))
    fates = defaultdict(links.Unknown, refused=links.Refused(errors.NotFound("no row")))
    written = {}
    for kind, id, fate in of["written"]:
        written[Row(kind, id)] = links.Done(http.OperationKey("*", id, "link")) if fate == "done" else fates[fate]
    links.conclude(cx, found, placed, desk, written)
    asyncio.run(cx.reported())
    changes = sorted(desk.changes.items(), key=lambda one: (one[0].kind, one[0].id))
    return {
        "changes": [[end.kind, end.id, change.first, change.was, change.becomes] for end, change in changes],
        "outcomes": wit_json.of(harness.outcomes),
        "ends": [[end.kind, end.id] for end in links.ends(Row, found)],
    }


GIVES = {
    "source card": source_card,
    "customer card": customer_card,
    "thread": a_thread,
    "object card": object_card,
    "lone note": lone_note,
    "bodies": bodies,
    "text": a_text,
    "person": a_person,
    "canonical": lambda of: policy.canonical(of["value"]),
    "time": a_time,
    "print": a_print,
    "echo": an_echo,
    "links": some_links,
    "whole object": whole_object,
    "target": a_target,
    "option labels": option_labels,
    "value": lambda of: wit_json.of(read_back.value(of["value"])),
    "answer": an_answer,
}
BARE = {"kind": "Tag", "id": "t", "deleted": False, "fields": [], "raw": [], "losses": []}
ITEM = {"body": {"entries": [], "parts": []}, "values": [], "policy": "FillEmpty", "notes": [], "prior": []}


class OneFormat(unittest.TestCase):
    maxDiff = None

    def test_what_is_made_of_records_is_what_both_sdks_make(self):
        cases = json.loads(FIXTURE.read_text())["cases"]
        self.assertEqual({case["what"] for case in cases}, set(GIVES))
        for number, case in enumerate(cases):
            with self.subTest(number=number, what=case["what"]):
                made = json.loads(json.dumps(GIVES[case["what"]](case["of"])))
                self.assertEqual(made, case["gives"])


if __name__ == "__main__":
    unittest.main()
