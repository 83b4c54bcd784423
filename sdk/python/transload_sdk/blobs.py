"""Bytes that the host holds, on its disk, so that a file never passes through a connector whole."""

from typing import Any

from .contract import types

# A text beyond this many bytes travels as a blob.
INLINE = 64 * 1024
# Bytes that are read at once.
PIECE = 1 << 20


class Builder:
    """A blob in the making, piece by piece."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def append(self, data: bytes) -> "Builder":
        """Adds bytes at the end."""
        self._inner.append(data)
        return self

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._inner.size()

    def finish(self) -> Any:
        """Seals it; a `types.BlobRef`."""
        return self._inner.finish()


class Blobs:
    """From `Context.blobs`."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def builder(self, media_type: str) -> Builder:
        """Begins a blob."""
        return Builder(self._host.builder(media_type))

    def put(self, media_type: str, data: bytes) -> Any:
        """Bytes as a blob."""
        return self.builder(media_type).append(data).finish()

    def read(self, blob: Any, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer at the end, none past it."""
        return self._host.read(blob, offset, length)

    def read_all(self, blob: Any) -> bytes:
        """All of a blob. For texts: a file stays where it is."""
        whole = bytearray()
        while len(whole) < blob.size:
            piece = self.read(blob, len(whole), PIECE)
            if not piece:
                break
            whole += piece
        return bytes(whole)

    def text(self, text: str, media_type: str = "text/plain; charset=utf-8") -> Any:
        """A `types.Text`: as it is, or beyond 64 KiB as a blob."""
        data = text.encode()
        if len(data) <= INLINE:
            return types.Text_Inline(text)
        return types.Text_Stored(self.put(media_type, data))

    def text_of(self, text: Any) -> str:
        """The string of a `types.Text`."""
        if isinstance(text, types.Text_Inline):
            return text.value
        return self.read_all(text.value).decode()
