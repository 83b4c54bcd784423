"""What the host is told: all it will ever know of {{title}}."""

import json

from transload_sdk import description as d
from transload_sdk import kind, new, types

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["subdomain", "token"],
    "properties": {
        "subdomain": {"type": "string", "description": "What stands before .example.com"},
        "base_url": {"type": "string", "format": "uri", "description": "Instead of https://<subdomain>.example.com/api"},
        "token": {"type": "string", "writeOnly": True, "description": "A token that may read"},
    },
}


def describe():
    kinds = ["customer", "conversation", "message", "attachment"]
    return new(
        d.Description,
        name="{{name}}",
        version="0.1.0",
        title="{{title}}",
        role=d.Role.SOURCE,
        config_schema=json.dumps(SCHEMA),
        auth=[new(d.AuthScheme, name="token", title="Access token", auth=d.Auth_Bearer("{secret:token}"))],
        base_url="https://{subdomain}.example.com/api",
        requests=[d.RequestPattern("GET", "/**", True)],
        # What the platform takes in a minute; the host keeps to it.
        rate_rules=[new(d.RateRule, name="minute", method="*", path="/**", limit=300, per_ms=60_000, shared=True)],
        kinds=[
            new(d.KindSupport, kind=kind(of), batch_items=50, batch_bytes=4 << 20, calls=1, per_items=50) for of in kinds
        ],
        fidelity=[d.FieldFidelity(kind(of), "*", types.Fidelity.EXACT, None) for of in kinds],
    )
