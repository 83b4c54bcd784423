"""Stable hashes: the same for the same value, on every machine, in every run, and in the Rust SDK."""

import hashlib
import json
from typing import Any


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(value: Any) -> str:
    """SHA-256, in hexadecimal, of a value as canonical JSON: members sorted by name, no white space.

    For `effect.fingerprint`, which is compared with what is read back (rule D-11), so give it what the platform stores, not
    what was sent. Put decimals in as strings where their digits matter.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode())
