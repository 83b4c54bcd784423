"""The SDK in plain CPython: `python -m unittest discover sdk/python/tests`."""

import asyncio
import json
import unittest

from transload_sdk import (
    Destination,
    description,
    destination_types,
    email,
    entry,
    errors,
    fingerprint,
    kind,
    ledger,
    new,
    pages,
    reference,
    roles,
    sha256,
    time,
    types,
    word,
)
from transload_sdk import items, policy, read_back, refusals
from transload_sdk.contract import Err, http
from transload_sdk.create import Created, Found, Refused, Unsettled, create
from transload_sdk.effects import (
    Action,
    changed,
    changed_or_gone,
    changed_since,
    conclude,
    made,
    print_of,
    reject,
    short_hash,
)
from transload_sdk.http import Denied, InDoubt, Stopped
from transload_sdk.testing import Harness, Loss, Trial, answer, item
from transload_sdk.testing import items as made_up
from transload_sdk.undo import Session, UndoMode, UndoStatus


def run(call):
    return asyncio.run(call)


class Platform:
    """Makes one object a POST; look-ups find them by their reference."""

    def __init__(self):
        self.things = {}
        self.now = 0

    def answer(self, request):
        if request.method == "POST":
            body = json.loads(request.body.value)
            id = str(len(self.things) + 1)
            self.things[id] = body
            return answer(201, {"id": id, **body})
        if request.method == "DELETE":
            there = self.things.pop(request.url.rsplit("/", 1)[-1], None)
            return answer(204 if there else 404)
        ref = request.url.split("ref=")[-1].replace("%3A", ":")
        for id, thing in self.things.items():
            if thing["ref"] == ref:
                return answer(200, {"id": id, **thing})
        return answer(404, {})


SETTLE = 60_000


class Desk(Destination):
    """A destination with one kind."""

    @staticmethod
    def describe():
        support = new(
            description.KindSupport, kind=kind("tag"), batch_items=10, batch_bytes=1000, calls=1, per_items=1
        )
        return type("Description", (), {"kinds": [support]})

    @staticmethod
    async def write(cx, kind, items):
        for one in items:
            body = {"ref": one.marker, "name": one.body.entries[0].data.value.name}
            request = cx.http.post("/things").json(body).key(one.key, "main", "create")

            async def look_up():
                reply = await cx.http.get("/things").query("ref", one.marker).send()
                return reply.json()["id"] if reply.ok else None

            match await create(request).look_first().in_doubt_since(one.in_doubt_since).or_find(look_up, SETTLE):
                case Created(reply, proof, key):
                    conclude(cx, one, [made("main", "thing", reply.json()["id"], proof, key)])
                case Found(id, proof, key):
                    conclude(cx, one, [made("main", "thing", id, proof, key)])
                case Refused(reply):
                    reject(cx, one, reply.error())
                case Unsettled(why):
                    raise AssertionError(why)

    @staticmethod
    async def undo(cx, mode, effects, ours):
        session = Session(cx, mode, ours, effects)
        for one in effects:
            if one.effect.action != Action.CREATED:
                session.say(one, (UndoStatus.LEFT, None))
                continue
            request = cx.http.delete(f"/things/{one.effect.target_id}")
            verdict = await session.finish(one, None, request, UndoStatus.UNDONE)
            session.say(one, verdict)


def unit(harness, patience=SETTLE, look_first=False):
    cx = harness.context()
    making = create(cx.http.post("/things").json({"ref": "x"}).key("item", "main", "create"))
    making = making.wait_at_most(patience)
    making = making.look_first() if look_first else making

    async def look_up():
        reply = await cx.http.get("/things").query("ref", "x").send()
        return reply.status if reply.ok else None

    return run(making.or_find(look_up, SETTLE))


class Creating(unittest.TestCase):
    def setUp(self):
        self.platform = Platform()
        self.harness = Harness(self.platform.answer)

    def test_an_answer_that_comes_is_a_fresh_creation(self):
        result = unit(self.harness)
        self.assertEqual(result.proof, ledger.Proof_Fresh())
        self.assertEqual((len(self.platform.things), len(self.harness.exchanges)), (1, 1))

    def test_a_lost_answer_is_looked_up_and_never_repeated(self):
        result = unit(self.harness.lose_answer(1, Loss.AFTER_APPLYING))
        self.assertEqual((result.object, result.proof), (200, None))
        self.assertEqual(len(self.platform.things), 1)

    def test_absent_before_the_first_send_proves_what_is_found_after_it(self):
        result = unit(self.harness.lose_answer(1), look_first=True)
        self.assertEqual(result.proof, ledger.Proof_AbsentBefore())

    def test_a_miss_counts_only_after_the_settle_time_and_then_it_is_sent_again(self):
        result = unit(self.harness.lose_answer(1, Loss.BEFORE_ARRIVING))
        self.assertEqual((result.key.step, len(self.platform.things)), ("create~2", 1))
        steps = [what if step == "sleep" else step for step, what in self.harness.steps]
        self.assertEqual(steps, ["request", "request", SETTLE, "request", "request"])

    def test_a_wait_that_is_too_long_leaves_the_item_unsettled(self):
        result = unit(self.harness.lose_answer(1, Loss.BEFORE_ARRIVING), patience=SETTLE - 1)
        self.assertIsInstance(result, Unsettled)
        self.assertEqual(self.platform.things, {})

    def test_an_object_of_somebody_elses_is_found_and_not_claimed(self):
        self.platform.things["9"] = {"ref": "x"}
        result = unit(self.harness, look_first=True)
        self.assertEqual((type(result), result.proof, result.key), (Found, None, None))
        self.assertEqual(self.harness.writes, 0)


class Trials(unittest.TestCase):
    def test_each_record_is_made_once_and_taken_back_whatever_answer_is_lost(self):
        for lost in (None, 1, 2):
            for how in Loss:
                platform = Platform()
                trial = Trial(Desk, lambda **known: Harness(platform.answer, **known))
                harness = trial.harness()
                if lost:
                    harness.lose_answer(lost, how)
                tags = [item(entry(id, new(types.Tag, name=id))) for id in ("a", "b", "c")]
                run(trial.write(kind("tag"), tags, harness))
                names = sorted(thing["name"] for thing in platform.things.values())
                self.assertEqual(names, ["a", "b", "c"])
                self.assertEqual(len(trial.effects_of("tag:b")), 1)
                self.assertEqual(trial.known(reference("tag", "c")).target, trial.effects_of("tag:c")[0].target_id)
                before = dict(platform.things)
                run(trial.rollback(UndoMode.PREVIEW))
                self.assertEqual(platform.things, before)
                run(trial.rollback(UndoMode.CAREFUL))
                self.assertEqual(platform.things, {})

    def test_a_unit_that_takes_another_way_when_it_runs_again_is_found_out(self):
        class Forgetful(Desk):
            number = 0

            @staticmethod
            async def write(cx, kind, items):
                Forgetful.number += 1
                await cx.http.get(f"/pages/{Forgetful.number}").send()

        trial = Trial(Forgetful, lambda **known: Harness(Platform().answer, **known))
        with self.assertRaisesRegex(AssertionError, "took another way"):
            run(trial.write(kind("tag"), [item(entry("a", new(types.Tag, name="a")))]))

    def test_what_was_made_and_is_claimed_by_nobody_is_found_out(self):
        class Silent(Desk):
            @staticmethod
            async def write(cx, kind, items):
                await cx.http.post("/things").json({"ref": "x"}).key(items[0].key, "main", "create").send()

        trial = Trial(Silent, lambda **known: Harness(Platform().answer, **known))
        with self.assertRaisesRegex(AssertionError, "no effect has their key"):
            run(trial.write(kind("tag"), [item(entry("a", new(types.Tag, name="a")))]))


class Requests(unittest.TestCase):
    def context(self, *answers):
        left = list(answers)
        self.harness = Harness(lambda request: left.pop(0))
        return self.harness.context()

    def test_ids_and_parameters_are_encoded(self):
        cx = self.context()
        request = cx.http.get("/a").query("q", "ü&b c").query("all", True)
        self.assertEqual(request.wit.url, "/a?q=%C3%BC%26b%20c&all=true")
        self.assertEqual(request.what, "GET /a")

    def test_a_request_is_not_changed_by_what_is_made_of_it(self):
        cx = self.context()
        first = cx.http.post("/a")
        first.json({"a": 1}).key("i", "p", "s")
        self.assertEqual((first.wit.headers, first.wit.key), ([], None))

    def test_files_stand_in_json_as_base64(self):
        cx = self.context()
        blob = self.harness.put_blob("text/plain", b"abc")
        body = {"files": [{"name": "a", "data": None}], "more": {"a/b": 0}}
        request = cx.http.post("/a").json_with_files(body, {"/files/0/data": blob, "/more/a~1b": blob})
        sent = self.harness.json(request.wit)
        self.assertEqual(sent, {"files": [{"name": "a", "data": "YWJj"}], "more": {"a/b": "YWJj"}})
        with self.assertRaises(errors.Bug):
            cx.http.post("/a").json_with_files(body, {"/nowhere": blob})

    def test_pages_are_walked_to_the_end_and_no_circle(self):
        async def walk(cx, step):
            return [reply.json()["n"] async for reply in pages(cx.http.get("/l"), 5, step)]

        cx = self.context(answer(200, {"n": 1, "next": "b"}), answer(200, {"n": 2, "next": None}))
        step = lambda reply: {"page": reply.json()["next"]} if reply.json()["next"] else None  # noqa: E731
        self.assertEqual(run(walk(cx, step)), [1, 2])
        self.assertEqual(self.harness.exchanges[1].request.url, "/l?page=b")
        with self.assertRaisesRegex(errors.Bug, "names itself"):
            run(walk(self.context(*[answer(200, {"n": 1})] * 9), lambda reply: "/l"))
        with self.assertRaisesRegex(errors.Bug, "does not end"):
            number = iter(range(99))
            run(walk(self.context(*[answer(200, {"n": 1})] * 9), lambda reply: f"/l{next(number)}"))

    def test_a_status_means_the_same_as_in_the_other_sdk(self):
        meant = {401: "Auth", 403: "Permission", 404: "NotFound", 409: "Conflict", 422: "Invalid", 429: "Quota"}
        meant |= {500: "Transient", 501: "Unsupported", 408: "Transient", 418: "Bug"}
        for status, name in meant.items():
            reply = run(self.context(answer(status, "{}")).http.get("/x").send())
            self.assertEqual(type(reply.error()).__name__, name)
            self.assertTrue(type(reply.error().wit()).__name__.startswith("Error_"))

    def test_a_doubt_that_nobody_looks_at_is_transient_to_the_host(self):
        harness = Harness(Platform().answer).lose_answer(1)
        with self.assertRaises(InDoubt) as raised:
            run(harness.context().http.post("/things").json({"ref": 1}).key("i", "p", "s").send())
        self.assertIsInstance(raised.exception.wit(), types.Error_Transient)
        with self.assertRaises(Denied):
            cx, _ = harness.replay()
            run(cx.http.get("/other").send())

    def test_outcomes_are_handed_over_before_the_next_request(self):
        cx = self.context(answer(200))

        async def call():
            cx.report("one")
            cx.report("two")
            await cx.http.get("/x").send()

        run(call())
        self.assertEqual([step for step, _ in self.harness.steps], ["report", "report", "request"])


class Exports(unittest.TestCase):
    def test_an_exception_of_nobodys_is_a_bug_that_tells_places_and_no_content(self):
        async def check(cx):
            return int("somebody's name")

        with self.assertRaises(Err) as raised:
            run(roles._answer(check, None, False))
        text = raised.exception.value.value
        self.assertIn("ValueError at test_sdk.py:", text)
        self.assertNotIn("somebody", text)

    def test_an_error_of_the_connectors_is_what_the_contract_calls_it(self):
        async def check(cx):
            raise errors.Invalid("too long", "customer.name")

        with self.assertRaises(Err) as raised:
            run(roles._answer(check, None, False))
        self.assertEqual(raised.exception.value, types.Error_Invalid(types.Invalid("customer.name", "too long")))


    def test_a_class_does_not_hide_behind_the_components_own_names(self):
        for name in ("Connector", "Source"):
            with self.assertRaisesRegex(TypeError, "name the class otherwise"):
                roles.export_source(type(name, (roles.Source,), {}))


class Values(unittest.TestCase):
    def test_what_is_known_replaces_what_is_empty_and_nothing_else(self):
        message = new(types.Message, channel="email")
        self.assertEqual((message.channel, message.visibility, message.to), ("email", types.Visibility.PUBLIC, []))
        self.assertIsNot(new(types.Message).to, new(types.Message).to)
        with self.assertRaisesRegex(TypeError, "needs name"):
            new(types.Tag)
        with self.assertRaisesRegex(TypeError, "has no colour"):
            new(types.Tag, name="x", colour="red")
        self.assertEqual(email("a@b.c", primary=True).channel, types.AddressChannel_Email())

    def test_kinds_have_the_hosts_words(self):
        self.assertEqual(word(kind("custom-object")), "custom-object")
        self.assertEqual(kind("call-list"), types.Kind_Other("call-list"))
        self.assertEqual(word(kind("call-list")), "call-list")
        one = entry("7", new(types.FieldDefinition, **FIELD))
        self.assertEqual(one.head.kind, types.Kind_FieldDefinition())

    def test_hashes_are_those_of_the_other_sdk(self):
        self.assertEqual(fingerprint({"b": '"', "a": 1}), sha256(b'{"a":1,"b":"\\""}'))
        recorded = print_of({"name": "Ana", "a=b": "x"})
        # FNV-1a of nothing and of "a", folded.
        self.assertEqual([short_hash(""), short_hash("a")], ["4fd0bfc1", "296230c0"])
        self.assertEqual(recorded, f"name={short_hash('Ana')};a=b={short_hash('x')}")
        self.assertEqual(changed(recorded, {"name": "Bo"}), ["name"])
        self.assertEqual(changed(recorded, {}), [])

    def test_times_keep_their_offset_and_their_milliseconds(self):
        self.assertEqual(time.ms("2026-01-01T00:00:00Z"), 1_767_225_600_000)
        self.assertEqual(time.moment("2026-01-01T01:30:00.250+01:30"), types.Moment(1_767_225_600_250, 90))
        self.assertEqual(time.iso(-1), "1969-12-31T23:59:59.999Z")
        with self.assertRaises(errors.Bug):
            time.ms("yesterday")

    def test_a_long_text_is_a_blob_and_comes_back_whole(self):
        harness = Harness(None)
        blobs = harness.context().blobs
        self.assertIsInstance(blobs.text("kurz"), types.Text_Inline)
        stored = blobs.text("ü" * 40_000)
        self.assertIsInstance(stored, types.Text_Stored)
        self.assertEqual(blobs.text_of(stored), "ü" * 40_000)


FIELD = {
    "owner": types.Owner(types.Kind_Customer(), None),
    "name": "tier",
    "label": "Tier",
    "field_type": types.FieldType_Text(),
}

class ItemsOfTests(unittest.TestCase):
    """`testing.items`, and what reads and sorts what it makes."""

    def test_items_are_as_a_host_hands_them_over(self):
        person = made_up.customer("7", [made_up.field("tier", types.Value_Text("gold"), "tier")], name="Ana")
        self.assertEqual((person.key, person.marker), ("customer:7", "old-desk:org1:customer:7"))
        self.assertEqual(items.entry(person).data.value.name, "Ana")
        self.assertIsNone(items.certain(person))
        there = made_up.existing(person, "42")
        self.assertEqual(items.certain(there).target_id, "42")
        self.assertIsNone(items.certain(made_up.existing(person, "42", doubtful="several")))
        self.assertIsNone(person.existing, "the first is as it was")

        owner = types.Owner(kind("customer"), None)
        field = made_up.definition(owner, "tier", "Tier", types.FieldType_Choice(), [("au", "Gold")])
        self.assertEqual((field.key, items.entry(field).data.value.options[0].label), ("field-definition:customer/tier", "Gold"))
        of = types.Owner(kind("custom-object"), "order")
        self.assertEqual(made_up.definition(of, "n", "N", types.FieldType_Text()).key, "field-definition:custom-object:order/n")
        link = made_up.link("boss", reference("customer", "1"), reference("customer", "2"))
        self.assertEqual(link.key, "relationship:1/boss/2")
        for one in (
            made_up.team("1", "A"),
            made_up.agent("1", "A", "a@x.example"),
            made_up.company("1", name="A"),
            made_up.record("1", object_type="order", title="A"),
            made_up.object_type("1", "A"),
        ):
            self.assertTrue(one.key.endswith(":1"), one.key)

    def test_a_part_of_a_thread_is_its_message_s(self):
        parts = [made_up.said(id, types.Author_System(), "Hello", 5) for id in ("m", "m1")]
        parts[0].attachments.append(made_up.file("f", "a.txt", 3))
        whole = made_up.thread("v", parts, subject="Hi")
        self.assertEqual([one.message.head.id for one in items.thread(whole).parts], ["m", "m1"])
        self.assertEqual(items.thread(whole).parts[0].attachments[0].data.value.content.size, 3)
        for part, id in (("message:m1", "m1"), ("message:m#2", "m"), ("message:m1/note", "m1"), ("message:m2", None), ("main", None)):
            head = items.message_of(whole, part)
            self.assertEqual(head and head.id, id, part)
        refused = []
        self.assertTrue(items.refuse_message(whole, "message:m1", "too old", refused))
        self.assertTrue(items.refuse_message(whole, "message:m1#2", "too old", refused))
        self.assertFalse(items.refuse_message(whole, "main", "too old", refused))
        self.assertEqual([one.place for one in refused], [3])

    def test_what_an_earlier_run_did_is_found(self):
        effect = made("message:m", "comment", "9", None, None)
        later = made_up.item(made_up.entry("7", new(types.Tag, name="x")), prior=[effect])
        self.assertTrue(items.has_prior(later, effect))
        self.assertEqual(items.prior_part(later, "comment", "message:m"), effect)
        self.assertIsNone(items.prior_part(later, "comment", "main"))

    def test_a_second_candidate_is_doubtful_and_the_same_one_is_no_second(self):
        cx, person, found = Harness(None).context(), made_up.customer("c1", name="Ana"), {}
        for id in ("7", "7", "8"):
            policy.add_candidate(cx, found, person, id, "{}", policy.MatchKey.EMAIL, name="Ana")
        other = made_up.customer("c2", name="Bo")
        results = policy.match_results([person, other], found)
        self.assertEqual([(one.target_id, one.doubtful) for one in results[0].candidates], [("7", None), ("8", "several records may be it")])
        self.assertEqual((results[1].item, results[1].candidates), ("customer:c2", []))

    def test_a_facet_that_is_not_known_any_more_counts_as_gone(self):
        effect = made("main", "tag", "1", None, None, fingerprint=print_of({"name": "a", "color": "red"}))
        self.assertIsNone(changed_since(effect, {"name": "a"}))
        self.assertEqual(changed_or_gone(effect, {"name": "a"}), "changed since: color")

    def test_files_are_read_back_with_their_bytes_and_one_that_is_gone_is_not(self):
        def platform(request):
            if request.url == "/files/gone":
                return answer(404)
            return answer(200, request.url.encode(), {"content-type": "text/plain"})

        files = [made_up.file(id, f"{id}.txt", 1) for id in ("a", "gone", "elsewhere")]
        for one in files:
            one.data.value.content = None
        thread = items.Thread(made_up.entry("v", new(types.Conversation)), [items.Part(files[0], files[1:])])
        seen = [destination_types.Observed("k", destination_types.Presence.PRESENT, items.body(thread), [], None)]
        harness = Harness(platform)

        def place(entry):
            return None if entry.head.id == "elsewhere" else read_back.Place(f"/files/{entry.head.id}")

        run(read_back.with_bytes(harness.context(), seen, place))
        self.assertEqual([one.data.value.content is not None for one in files], [True, False, False])
        self.assertEqual(harness.blob(files[0].data.value.content), b"/files/a")
        self.assertEqual(files[0].data.value.size, 8)

        def out(request):
            return http.Error_Cancelled()

        with self.assertRaises(Stopped):
            run(read_back.with_bytes(Harness(out).context(), seen, place))

    def test_a_write_without_an_answer_is_in_doubt(self):
        harness = Harness(lambda request: answer(201, {}))
        harness.lose_answer(1, Loss.AFTER_APPLYING)
        request = harness.context().http.post("/things").key("*", "p", "s")
        self.assertEqual(run(refusals.write(request, refusals.Refusal)), refusals.Doubt(harness.now))


if __name__ == "__main__":
    unittest.main()
