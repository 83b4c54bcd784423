"""A destination of the desk (see `tests/e2e/tests/hostile/desk.rs`) that asks its system for what no connector gets.

Settings as those of the hostile connectors in Rust: `misdeed`, `at`, `only`, `address`. Without a misdeed it is honest, but puts
chance and time into what it writes: a unit that runs again must draw the same.
"""

import encodings.idna  # noqa: F401: what looks a name up imports it late
import json
import os
import random
import socket
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

from transload_sdk import (
    Destination,
    description,
    destination_types,
    errors,
    export_destination,
    kind,
    new,
    session,
)
from transload_sdk.create import Created, Found, Refused, Unsettled, create
from transload_sdk.effects import Action, conclude, made, reject, unsettled
from transload_sdk.undo import Session, UndoStatus

VERSION = "7.1.0"
SETTLE_MS = 1_000
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["token"],
    "properties": {
        "base_url": {"type": "string"},
        "token": {"type": "string", "writeOnly": True},
        **{name: {"type": "string"} for name in ("misdeed", "at", "only", "address")},
    },
}


def open_file(cx):
    open("/etc/passwd").read()


def write_file(cx):
    open("/tmp/left-behind", "w").write("x")


def list_folder(cx):
    raise errors.Bug(f"lists {len(os.listdir('/'))} files")


def environment(cx):
    raise errors.Bug(f"{len(os.environ)} variables, {len(sys.argv[1:])} arguments")


def connect(cx):
    url = urlsplit(cx.config["address"])
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect((url.hostname, url.port))


def listen(cx):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0))


def datagram(cx):
    url = urlsplit(cx.config["address"])
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (url.hostname, url.port))


def look_up_name(cx):
    socket.getaddrinfo("metadata.example.com".encode(), 80)


def wait_by_itself(cx):
    time.sleep(0.01)


def leave(cx):
    os._exit(0)


def leave_politely(cx):
    sys.exit(3)


def thread(cx):
    threading.Thread(target=print).start()


def program(cx):
    os.system("true")


def late_import(cx):
    import wave  # noqa: F401


def loop(cx):
    while True:
        pass


def recurse(cx):
    recurse(cx)


def allocate(cx):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def print_for_ever(cx):
    for _ in range(3_000):
        print("\x1b[31mERROR\x1b[0m forged " + "x" * 200, file=sys.stderr)


def much_chance(cx):
    os.urandom(1 << 30)


def broken_value(cx):
    cx._host.log(None, 7)


def own_credential(cx):
    raise errors.Bug(json.dumps(cx.config))


def quote_a_record(cx):
    raise ValueError("the secret plans of Customer 3")


MISDEEDS = {
    name.replace("_", "-"): call
    for name, call in globals().items()
    if callable(call) and getattr(call, "__module__", None) == __name__
}


def wanted(cx, call, ids=()):
    """Commits what is to be committed in this call, for these records."""
    settings = cx.config
    if settings.get("at") == call and ("only" not in settings or settings["only"] in ids):
        MISDEEDS[settings["misdeed"]](cx)


class HostilePython(Destination):
    @staticmethod
    def describe():
        pattern = description.RequestPattern
        support = new(
            description.KindSupport,
            kind=kind("customer"),
            batch_items=6,
            batch_bytes=1 << 20,
            settle=[description.Settle(description.Lookup.BY_KEY, SETTLE_MS)],
            can_create=True,
            can_delete=True,
            calls=1,
            per_items=1,
        )
        return new(
            description.Description,
            name="hostile-python",
            version=VERSION,
            title="Hostile desk",
            role=description.Role.DESTINATION,
            config_schema=json.dumps(SCHEMA),
            auth=[new(description.AuthScheme, name="token", title="Token", auth=description.Auth_Bearer("{secret:token}"))],
            base_url="https://desk.example.com",
            requests=[
                pattern("GET", "/**", True),
                pattern("POST", "/customers", False),
                pattern("DELETE", "/customers/*", False),
            ],
            kinds=[support],
        )

    @staticmethod
    async def check(cx):
        wanted(cx, "check")
        desk = (await signed(cx.http.get("/account")).send()).or_error().json()
        return new(session.Account, id=desk["id"], name=desk["name"])

    @staticmethod
    async def survey(cx):
        return new(destination_types.SurveyReport)

    @staticmethod
    async def write(cx, kind, items):
        wanted(cx, "write", [one.body.entries[0].head.id for one in items])
        for one in items:
            # What a system would give: of the unit here, so that it is the same when the unit runs again.
            drawn = [str(uuid.uuid4()), f"{random.SystemRandom().random():.12f}", os.urandom(4).hex(), f"{time.time():.3f}"]
            name = " ".join([one.body.entries[0].data.value.name, *drawn])
            row = {"name": name, "marker": one.marker}
            request = signed(cx.http.post("/customers")).json(row).key(one.key, "main", "create")

            async def look_up():
                reply = await signed(cx.http.get("/customers")).query("marker", one.marker).send()
                rows = reply.or_error().json()["rows"]
                return rows[0]["id"] if rows else None

            match await create(request).in_doubt_since(one.in_doubt_since).or_find(look_up, SETTLE_MS):
                case Created(reply, proof, key):
                    conclude(cx, one, [made("main", "customer", reply.json()["id"], proof, key)])
                case Found(id, proof, key):
                    conclude(cx, one, [made("main", "customer", id, proof, key)])
                case Refused(reply):
                    reject(cx, one, reply.error())
                case Unsettled(why):
                    unsettled(cx, one, why)

    @staticmethod
    async def read_back(cx, written):
        return []

    @staticmethod
    async def undo(cx, mode, effects, ours):
        undoing = Session(cx, mode, ours, effects)
        for one in effects:
            if one.effect.action != Action.CREATED:
                undoing.say(one, (UndoStatus.LEFT, None))
                continue
            request = signed(cx.http.delete(f"/customers/{one.effect.target_id}"))
            gone = lambda reply: (UndoStatus.GONE, None) if reply.status == 404 else None  # noqa: E731
            undoing.say(one, await undoing.finish(one, None, request, UndoStatus.UNDONE, gone))


def signed(request):
    return request.header("x-connector", VERSION)


export_destination(HostilePython)
