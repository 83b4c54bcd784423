"""Customers, as people.

Each request that changes something has a key that is the same in every run. Only a complete answer settles it; one that is missing is
looked up by our marker, and a miss counts only after the settle time. What we claim to have made is proven, and what the platform then
holds of it is printed, so that an undo can see what was changed since.
"""

import json

from transload_sdk import card, destination_types, email, entry, items, ledger, loss, new, people, phone, policy, types
from transload_sdk.create import Created, Found, Refused, Unsettled, create
from transload_sdk.effects import conclude, made, matched, print_of, reject, unsettled

from . import api
from .describe import SETTLE_MS

# What a person's effect says it is.
KIND = "person"
# How a card says in which run it was written: the marker is the same in every run.
RUN = "Transload run"


async def candidates(cx, item):
    """Who may be there already: ours by marker, others by address."""
    by = destination_types.MatchKey
    found = [(by.MARKER, one) for one in await api.people(cx, "ref", item.marker)]
    address = people.email(people.first(items.entry(item).data.value, types.AddressChannel_Email))
    if address:
        known = [one["id"] for _, one in found]
        found += [(by.EMAIL, one) for one in await api.people(cx, "email", address) if one["id"] not in known]
    all = []
    for key, one in found:
        doubt = policy.doubt(cx, item, key, marker=one.get("ref") or "", name=one["name"], several=bool(all))
        all.append(destination_types.Candidate(one["id"], key, json.dumps(one), doubt))
    return all


async def write(cx, item):
    """Writes a customer."""
    there = items.certain(item)
    if there:
        return matched(cx, item, KIND, there.target_id)
    person, losses = draft(cx, item), []

    async def look_up():
        return next(iter(await api.people(cx, "ref", item.marker)), None)

    # A second body only where the address is somebody else's: the first was surely refused.
    for step in ("create", "create-without-email"):
        request = cx.http.post("/people").json(person).key(item.key, "main", step)
        match await create(request).in_doubt_since(item.in_doubt_since).or_find(look_up, SETTLE_MS):
            case Created(reply, proof, key):
                return conclude(cx, item, [_made(reply.json(), proof, key)], losses)
            case Found(there, proof, key):
                return conclude(cx, item, [_made(there, proof or of_this_run(cx, there["notes"]), key)], losses)
            case Refused(reply) if reply.status == 409 and "email" in person:
                del person["email"]
                losses.append(loss("addresses.email", "another person's here"))
            case Refused(reply):
                return reject(cx, item, api.refusal(reply))
            case Unsettled(why):
                return unsettled(cx, item, why)


def _made(person, proof, key):
    """Without a proof it is there, and perhaps somebody else's: a rollback leaves it."""
    return made("main", KIND, person["id"], proof, key, fingerprint=print_of(facets(person)))


def facets(person):
    """All that we write of a person."""
    return {name: person.get(name) or "" for name in ("name", "email", "phone", "ref", "notes")}


def of_this_run(cx, notes):
    """What proves that something that was there is this run's: the card names the run."""
    named = any(line.endswith(f"{RUN}: {cx.run}") for line in notes.split("\n"))
    return ledger.Proof_Marker(cx.run) if named else None


def draft(cx, item):
    """What a customer becomes."""
    record = items.entry(item)
    customer = record.data.value
    name = people.customer_name(record)
    facts = card.Facts()
    card.customer(record, name, facts)
    card.addresses(customer.addresses, facts)
    facts.reference("company", customer.company)
    facts.references("tags", customer.tags)
    for field in record.head.fields:
        facts.field(field)
    facts.add(RUN, cx.run)
    person = {
        "name": name,
        "email": people.email(people.first(customer, types.AddressChannel_Email)),
        "phone": people.first(customer, types.AddressChannel_Phone),
        "ref": item.marker,
        "notes": facts.render(cx.platform, item, record),
    }
    return {name: value for name, value in person.items() if value is not None}


async def read_back(cx, written, id):
    """What became of a person; None where he is gone."""
    person = await api.one(cx, api.person_path(id))
    if person is None:
        return None
    addresses = [email(person["email"])] if person.get("email") else []
    addresses += [phone(person["phone"])] if person.get("phone") else []
    customer = new(types.Customer, name=person["name"], addresses=addresses)
    record = entry(person["id"], customer, external_id=person.get("ref"))
    return items.observed(written, items.body(record), facets(person))
