"""What a Transload connector in Python is written with.

A connector translates between a platform's API and the records of the contract (`wit/`); everything else is the host's: it adds
credentials, paces, retries, journals, and replays a unit of work after a crash. So a connector has no clock, no chance that lasts
and no state between calls, and must take the same way whenever it gets the same answers.

- Derive from `Source` or `Destination`, and name the class in `export_source` or `export_destination`.
- Everything a call may do goes through its `Context`.
- The contract's records are in modules named as in `wit/`: `types`, `session`, `description`, `source_types`,
  `destination_types`, `ledger`; `new` makes one of what is known.
- `transload_sdk.testing` runs a whole connector natively, against a function that plays the platform.

Import everything at the top of a module: in a component nothing can be imported later, there are no files.
"""

from . import errors, http, time
from .blobs import Blobs, Builder
from .context import Context, Level, Refused
from .contract import description_types as description
from .contract import destination_types, ledger, session, source_types, types
from .fingerprint import fingerprint, sha256
from .http import pages, part_file, part_text, segment
from .records import KINDS, email, entry, kind, loss, new, phone, reference, word
from .roles import Destination, Source, export_destination, export_source

__all__ = [
    "KINDS",
    "Blobs",
    "Builder",
    "Context",
    "Destination",
    "Level",
    "Refused",
    "Source",
    "description",
    "destination_types",
    "email",
    "entry",
    "errors",
    "export_destination",
    "export_source",
    "fingerprint",
    "http",
    "kind",
    "ledger",
    "loss",
    "new",
    "pages",
    "part_file",
    "part_text",
    "phone",
    "reference",
    "segment",
    "session",
    "sha256",
    "source_types",
    "time",
    "types",
    "word",
]
