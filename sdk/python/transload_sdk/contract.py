"""The contract's own types, as componentize-py makes them of `wit/`.

In a component they are there; natively they come from `bindings/`, which are the same types with functions that do nothing
(`tools/bindings.py` makes them anew). Nothing is declared a second time here.
"""

import importlib
import os.path
import sys
from types import ModuleType

try:
    import wit_world  # noqa: F401
except ModuleNotFoundError:
    sys.path.append(os.path.join(os.path.dirname(__file__), "bindings"))

from componentize_py_types import Err, Ok  # noqa: E402
from wit_world.imports import blobs, description_types, http, runtime, session, types  # noqa: E402


def _of_role(name: str) -> ModuleType | None:
    """A component has its own role's interfaces only."""
    try:
        return importlib.import_module(f"wit_world.{name}")
    except ModuleNotFoundError:
        return None


source_types = _of_role("imports.source_types")
destination_types = _of_role("imports.destination_types")
ledger = _of_role("imports.ledger")
# What a component's entry points derive from; natively there are none.
exports = _of_role("exports")
rehearsal = _of_role("exports.rehearsal")

__all__ = [
    "Err",
    "Ok",
    "blobs",
    "description_types",
    "destination_types",
    "exports",
    "http",
    "ledger",
    "rehearsal",
    "runtime",
    "session",
    "source_types",
    "types",
]
