"""Why something could not be done: the contract's closed `error` as exceptions.

Raise one of these from any call of a connector. The host decides about retrying and pausing; a connector never loops on an
error. Texts name places, never content: no names, no addresses, no text of messages.
"""

from typing import Any

from .contract import types


class ConnectorError(Exception):
    """What all of them are."""

    def wit(self) -> Any:
        """The contract's own value."""
        raise NotImplementedError


class _Said(ConnectorError):
    _case: Any

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def wit(self) -> Any:
        return self._case(self.text)


class Auth(_Said):
    """The credential is refused. Pauses the connection; rejects nothing (rule M-10)."""

    _case = types.Error_Auth


class Permission(_Said):
    """The credential lacks a right; names it."""

    _case = types.Error_Permission


class NotFound(_Said):
    """It is not there."""

    _case = types.Error_NotFound


class Conflict(_Said):
    """Something is in the way: a duplicate, a lock, a changed record."""

    _case = types.Error_Conflict


class Transient(_Said):
    """Would work later: a timeout, a 5xx on a read, a busy job queue."""

    _case = types.Error_Transient


class Unsupported(_Said):
    """The platform cannot do this."""

    _case = types.Error_Unsupported


class Bug(_Said):
    """An answer the connector does not understand, or a mistake of its own."""

    _case = types.Error_Bug


class Invalid(ConnectorError):
    """A value was refused; `field` in the contract's words where possible."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field

    def wit(self) -> Any:
        return types.Error_Invalid(types.Invalid(self.field, self.reason))


class Quota(ConnectorError):
    """A quota is used up, until then (ms) if known. Pauses; rejects nothing."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__(f"a quota is used up until {until}")
        self.until = until

    def wit(self) -> Any:
        return types.Error_Quota(self.until)


class Cancelled(ConnectorError):
    """The unit is being stopped; nothing more should be sent."""

    def wit(self) -> Any:
        return types.Error_Cancelled()


def places(error: BaseException) -> str:
    """Where an exception was raised, without what it says: that may be a piece of somebody's record."""
    at = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        at.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} at " + " < ".join(reversed(at[-6:]))
