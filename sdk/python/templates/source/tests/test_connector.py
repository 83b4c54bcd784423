"""Natively: a function plays the platform."""

import asyncio
import unittest

from connector import Desk, map
from transload_sdk import kind, types, word
from transload_sdk.testing import Harness, answer

TICKET = {
    "id": "t1", "subject": "Hello", "person": "p1", "state": "parked",
    "messages": [
        {"id": "m1", "person": "p1", "at": "2024-02-01T10:00:00Z", "text": "1 < 2", "files": [{"id": "f1", "name": "a.txt"}]},
        {"id": "m2", "agent": "Dana", "private": True, "text": "Ask first."},
    ],
}  # fmt: skip


def platform(request):
    return answer(200, {"tickets": [TICKET], "next": None, "total": 1})


class Reading(unittest.TestCase):
    def test_a_page_has_the_ticket_with_all_that_was_said(self):
        harness = Harness(platform)
        part = asyncio.run(Desk.partitions(harness.context(), kind("conversation"), None, 1))[0]
        page = asyncio.run(Desk.read(harness.context(), part, None))
        found = [(word(one.head.kind), one.head.id) for one in page.records]
        wanted = [("conversation", "t1"), ("message", "m1"), ("attachment", "f1"), ("message", "m2")]
        self.assertEqual((found, page.total), (wanted, 1))

    def test_an_unknown_state_is_not_made_a_known_one(self):
        cx = Harness(platform).context()
        self.assertEqual(map.ticket(cx, TICKET)[0].data.value.status, types.ConversationStatus_Other("parked"))


if __name__ == "__main__":
    unittest.main()
