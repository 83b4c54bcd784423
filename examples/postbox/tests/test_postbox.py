"""Postbox natively: `PYTHONPATH=sdk/python:examples/postbox python -m unittest discover examples/postbox/tests`."""

import asyncio
import unittest
from urllib.parse import parse_qsl, urlsplit

from postbox import Postbox, api, map
from transload_sdk import errors, kind, reference, time, types, word
from transload_sdk.testing import Harness, answer

STATE = '{"since": 0}'
LONG = "<p>" + "ü" * 40_000 + "</p>"


def conversation(id, **more):
    threads = [
        {"id": id * 10 + 1, "type": "customer", "by": {"type": "customer", "id": 7}, "body": "<p>Hallo</p>",
         "created_at": "2026-01-02T10:00:00Z", "to": ["help@a.example"],
         "attachments": [{"id": id * 100, "filename": "a.txt", "mime_type": "text/plain", "size": 3}]},
        {"id": id * 10 + 2, "type": "note", "by": {"type": "user", "id": 1}, "body": LONG, "created_at": "2026-01-02T11:00:00Z"},
        {"id": id * 10 + 3, "type": "event", "by": None, "body": "closed", "created_at": "2026-01-02T12:00:00Z"},
    ]  # fmt: skip
    return {
        "id": id, "number": id, "subject": "Hallo", "status": "closed", "customer": {"id": 7}, "assignee": {"id": 1},
        "tags": [{"id": 3, "name": "vip"}], "created_at": "2026-01-02T10:00:00Z", "modified_at": "2026-01-02T12:00:00Z",
        "mailbox": {"id": 2, "name": "Help"}, "threads": threads,
        "fields": [{"name": "price", "type": "number", "value": "12.50"}, {"name": "odd", "type": "number", "value": [1]}],
    } | more  # fmt: skip


class Mailbox:
    """A mailbox of so many conversations."""

    def __init__(self, count=0, total=None):
        self.count, self.total, self.asked = count, total, []

    def answer(self, request):
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        self.asked.append((url.path, query))
        if url.path == "/conversations":
            number, size = int(query["page"]), int(query["size"])
            rows = [conversation(id) for id in range(1, self.count + 1)][(number - 1) * size : number * size]
            total = self.total or self.count
            return answer(200, {
                "_embedded": {"conversations": rows},
                "page": {"number": number, "total_elements": total, "total_pages": -(-total // size)},
            })  # fmt: skip
        if url.path.startswith("/attachments/"):
            return answer(200, b"abc", {"content-type": "text/plain"})
        if url.path == "/conversations/1":
            return answer(200, conversation(1))
        return answer(404, {"message": "no such thing"})


def run(call):
    return asyncio.run(call)


class Reading(unittest.TestCase):
    def setUp(self):
        self.mailbox = Mailbox(120)
        self.harness = Harness(lambda request: self.mailbox.answer(request), state=STATE)
        self.cx = self.harness.context()
        self.part = run(Postbox.partitions(self.cx, kind("conversation"), None, 1_000))[0]

    def test_a_window_is_read_to_its_end_and_every_record_comes_once(self):
        cursor, ids, pages = None, [], 0
        while pages == 0 or cursor is not None:
            page = run(Postbox.read(self.cx, self.part, cursor))
            ids += [(word(one.head.kind), one.head.id) for one in page.records]
            cursor, pages = page.next, pages + 1
        self.assertEqual((pages, page.total), (3, 120))
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(sum(of == "conversation" for of, _ in ids), 120)
        self.assertEqual(sum(of == "message" for of, _ in ids), 360)
        window = {query["modified_from"] + " " + query["modified_before"] for _, query in self.mailbox.asked}
        self.assertEqual(window, {"1970-01-01T00:00:00.000Z 1970-01-01T00:00:01.000Z"})

    def test_a_window_that_the_api_does_not_list_whole_is_divided(self):
        self.mailbox.total = api.MOST_ROWS + 1
        page = run(Postbox.read(self.cx, self.part, None))
        windows = [(part.window_start, part.window_end) for part in page.split]
        self.assertEqual((windows, page.records), ([(0, 500), (500, 1_000)], []))
        self.part.window_end = 1
        with self.assertRaises(errors.Unsupported):
            run(Postbox.read(self.cx, self.part, None))

    def test_the_same_page_read_again_is_the_same(self):
        first = run(Postbox.read(self.cx, self.part, "2"))
        again, harness = self.harness.replay()
        self.assertEqual(run(Postbox.read(again, self.part, "2")), first)
        self.assertIsNone(self.harness.same_way(harness))

    def test_what_is_gone_is_left_out(self):
        refs = [reference("conversation", "1"), reference("conversation", "99")]
        found = run(Postbox.fetch(self.cx, refs))
        self.assertEqual([one.head.id for one in found], ["1", "11", "100", "12", "13"])

    def test_a_file_is_kept_by_the_host(self):
        files = [one for one in map.thread(self.cx, conversation(1)) if word(one.head.kind) == "attachment"]
        blob = run(Postbox.open_attachment(self.cx, files[0]))
        self.assertEqual((blob.size, self.harness.blob(blob)), (3, b"abc"))


class Mapping(unittest.TestCase):
    def setUp(self):
        self.cx = Harness(None).context()

    def test_a_thread_has_its_messages_and_files_in_order(self):
        head, first, file, note, event = map.thread(self.cx, conversation(1))
        said = head.data.value
        self.assertEqual((said.message_count, said.note_count), (2, 1))
        self.assertEqual(said.status, types.ConversationStatus_Closed())
        self.assertEqual(said.tags, [reference("tag", "3")])
        self.assertEqual(first.data.value.author, types.Author_Person(reference("customer", "7")))
        self.assertEqual(first.data.value.sent_at, time.ms("2026-01-02T10:00:00Z"))
        self.assertEqual(file.data.value.parent, reference("message", "11"))
        self.assertEqual(note.data.value.visibility, types.Visibility.INTERNAL)
        self.assertEqual(self.cx.blobs.text_of(note.data.value.html), LONG)
        self.assertEqual(event.data.value.author, types.Author_System())

    def test_what_has_no_place_is_kept_and_what_does_not_fit_its_type_too(self):
        head = map.thread(self.cx, conversation(1))[0].head
        self.assertEqual(head.raw, [types.RawAttribute("mailbox", '{"id": 2, "name": "Help"}')])
        values = [field.value for field in head.fields]
        self.assertEqual(values, [types.Value_Decimal("12.50"), types.Value_Json("[1]")])

    def test_an_unknown_status_is_not_made_a_known_one(self):
        head = map.thread(self.cx, conversation(1, status="parked"))[0]
        self.assertEqual(head.data.value.status, types.ConversationStatus_Other("parked"))


if __name__ == "__main__":
    unittest.main()
