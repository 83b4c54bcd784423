"""Natively: a few lines play the platform, and the SDK the host."""

import asyncio
import json
import unittest

from connector import Desk
from transload_sdk import email, entry, kind, new, types
from transload_sdk.testing import Harness, Loss, Trial, answer, item
from transload_sdk.undo import UndoMode, UndoStatus


class Platform:
    """Remembers whom it made."""

    def __init__(self):
        self.people = {}

    def answer(self, request):
        path, _, query = request.url.partition("?")
        if path == "/tickets":
            return answer(200, {"tickets": []})
        if request.method == "POST":
            id = f"p{len(self.people) + 1}"
            self.people[id] = json.loads(request.body.value) | {"id": id}
            return answer(201, self.people[id])
        if path == "/people":
            return answer(200, {"people": list(self.people.values())})
        id = path.rsplit("/", 1)[-1]
        if id not in self.people:
            return answer(404, {"error": "nobody"})
        return answer(204, self.people.pop(id) and {}) if request.method == "DELETE" else answer(200, self.people[id])


def cleo():
    customer = new(types.Customer, name="Cleo", addresses=[email("cleo@acme.example", primary=True)])
    return item(entry("c1", customer))


class Writing(unittest.TestCase):
    def setUp(self):
        self.platform = Platform()
        self.trial = Trial(Desk, lambda **known: Harness(self.platform.answer, **known))

    def test_a_person_whose_answer_was_lost_is_made_once_and_taken_back(self):
        for how in Loss:
            self.setUp()
            harness = self.trial.harness().lose_answer(1, how)
            asyncio.run(self.trial.write(kind("customer"), [cleo()], harness))
            self.assertEqual([one["name"] for one in self.platform.people.values()], ["Cleo"])
            undone = asyncio.run(self.trial.rollback(UndoMode.CAREFUL))
            self.assertEqual([one.status for one in undone], [UndoStatus.UNDONE])
            self.assertEqual(self.platform.people, {})

    def test_what_somebody_changed_since_stays(self):
        asyncio.run(self.trial.write(kind("customer"), [cleo()]))
        self.platform.people["p1"]["name"] = "Cleopatra"
        undone = asyncio.run(self.trial.rollback(UndoMode.CAREFUL))
        self.assertEqual((undone[0].status, undone[0].reason), (UndoStatus.CONFLICT, "changed since: name"))


if __name__ == "__main__":
    unittest.main()
