"""What the host is told: all it will ever know of {{title}}. Nothing that is not here leaves the host."""

import json

from transload_sdk import declare, new
from transload_sdk import description as d

# How long after a request a look-up that finds nothing may be believed, ms: more than the platform's index lags.
SETTLE_MS = 10_000

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["subdomain", "token"],
    "properties": {
        "subdomain": {"type": "string", "pattern": "^[a-z0-9-]+$", "description": "The first word of the account's address"},
        "token": {"type": "string", "writeOnly": True, "description": "An API token of an administrator"},
        "base_url": {"type": "string", "description": "For tests: where the platform is instead"},
    },
}

REQUESTS = """
GET /me
GET /people
POST /people
GET /people/*
DELETE /people/*
GET /tickets
POST /tickets
GET /tickets/*
DELETE /tickets/*
"""

# How each field travels: kind, field, how, and in what way. `*` is for the rest of a kind.
FIDELITY = """
customer | customer.name | exact |
customer | addresses.email | converted | the first that is valid and free; the others stand on the source card
customer | addresses.phone | converted | the first; the others stand on the source card
customer | * | converted | on the source card
conversation | conversation.subject | exact |
conversation | conversation.customer | exact |
conversation | conversation.status | converted | open or done
conversation | head.created-at | exact |
conversation | * | converted | on the source card
message | message.text | exact |
message | message.html | converted | as text where there is only HTML
message | message.author | converted | by name
message | message.sent-at | exact |
message | message.visibility | converted | public or private
message | * | lost | no place for it
attachment | * | lost | the platform has no files: they are exported, and named in the message
"""


def describe():
    unique_email = d.ConflictKey(d.ConflictScope.UNIQUE, "addresses.email", d.Normalisation.EMAIL)
    # What the platform takes in a minute, and where it says how long to wait; the host keeps to it.
    retry_after = d.LimitHeader("retry-after", None, [d.LimitMeaning.RETRY_AFTER])
    return new(
        d.Description,
        name="{{name}}",
        version="0.1.0",
        title="{{title}}",
        role=d.Role.DESTINATION,
        config_schema=json.dumps(SCHEMA),
        auth=[new(d.AuthScheme, name="token", title="API token", auth=d.Auth_Bearer("{secret:token}"))],
        base_url="https://{subdomain}.desk.example/api",
        requests=declare.requests(REQUESTS),
        refusals=[declare.refused(429, d.RefusalMeaning.SLOW_DOWN)],
        rate_rules=[d.RateRule("requests", "*", "/**", [], 300, 60_000, [retry_after], True)],
        # In the order in which they can be written: what is referred to comes first.
        kinds=[
            declare.support(
                "customer",
                10,
                calls=20,
                per_items=10,
                conflicts=[unique_email],
                settle=declare.settles(SETTLE_MS),
                updates=declare.frozen("a person who is there is left as he is"),
                matches=True,
            ),
            declare.support(
                "conversation",
                10,
                calls=20,
                per_items=10,
                settle=declare.settles(SETTLE_MS),
                updates=declare.frozen("a ticket that is there is left as it is"),
                keeps_created_at=True,
                matches=True,
            ),
        ],
        fidelity=declare.fidelity_table(FIDELITY),
        side_effects=[
            declare.side_effect("mails", "Tickets that are made by the API send no mail", d.SideEffectSeverity.INFO)
        ],
    )
