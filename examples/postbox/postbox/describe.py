"""What the host is told: all it will ever know of Postbox."""

import json

from transload_sdk import description as d
from transload_sdk import kind, new, types

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mailbox", "token"],
    "properties": {
        "mailbox": {"type": "string", "description": "What stands before .postbox.example.com"},
        "base_url": {"type": "string", "format": "uri", "description": "Instead of https://<mailbox>.postbox.example.com/v1"},
        "token": {"type": "string", "writeOnly": True, "description": "A token with the scope `read`"},
    },
}

EXACT, CONVERTED, LOST = types.Fidelity.EXACT, types.Fidelity.CONVERTED, types.Fidelity.LOST

# How fields travel, as far as it depends on what the API gives.
FIDELITY = {
    "agent": {"*": EXACT},
    "tag": {"*": EXACT},
    "field-definition": {"*": EXACT},
    "customer": {"*": EXACT, "company-name": (CONVERTED, "a name, without a record of the company")},
    "conversation": {"*": EXACT, "queue": (LOST, "the mailbox stays on the source card")},
    "message": {"*": EXACT, "message-id": (LOST, "the API does not give it")},
    "attachment": {"*": EXACT},
}


def describe():
    return new(
        d.Description,
        name="postbox",
        version="0.1.0",
        title="Postbox",
        role=d.Role.SOURCE,
        config_schema=json.dumps(SCHEMA),
        auth=[new(d.AuthScheme, name="token", title="Access token", auth=d.Auth_Bearer("{secret:token}"))],
        base_url="https://{mailbox}.postbox.example.com/v1",
        requests=[d.RequestPattern("GET", "/**", True)],
        rate_rules=[
            new(
                d.RateRule,
                name="minute",
                method="*",
                path="/**",
                limit=400,
                per_ms=60_000,
                headers=[
                    d.LimitHeader("x-ratelimit-limit-minute", None, [d.LimitMeaning.LIMIT]),
                    d.LimitHeader("x-ratelimit-remaining-minute", None, [d.LimitMeaning.REMAINING]),
                ],
                shared=True,
            )
        ],
        kinds=[_support(of) for of in FIDELITY],
        fidelity=[_fidelity(of, field, how) for of, fields in FIDELITY.items() for field, how in fields.items()],
        notes=["Drafts are not in the API and stay behind."],
    )


def _support(of):
    return new(d.KindSupport, kind=kind(of), batch_items=50, batch_bytes=4 << 20, calls=1, per_items=50)


def _fidelity(of, field, how):
    how, note = how if isinstance(how, tuple) else (how, None)
    return d.FieldFidelity(kind(of), field, how, note)
