"""Integers and strings to bytes and back, with every read checked against the bytes there are.

Variable-length integers are unsigned LEB128: seven bits a byte, lowest first, the top bit set on all bytes
but the last; signed ones are mapped by zigzag first. Only the shortest form is accepted, so that a value has
one spelling.
"""

from nvrc_components.errors import BitstreamError

MAX_UNSIGNED = (1 << 64) - 1
MIN_SIGNED, MAX_SIGNED = -(1 << 63), (1 << 63) - 1
MAX_TEXT = 1024
_LONGEST = 10

# The classes below have a method called bytes, which hides the type inside them.
Raw = bytes
Buffer = bytes | bytearray | memoryview


def check_range(value: int, low: int, high: int, what: str) -> int:
    """Return `value` if it lies in `low..high`.

    Raises:
        BitstreamError: It does not; the message names `what`, the value and the range.
    """
    if not low <= value <= high:
        raise BitstreamError(f"{what} is {value}, outside {low}..{high}")
    return value


class ByteWriter:
    """Collects bytes. Every method raises `BitstreamError` for a value that its type cannot hold."""

    def __init__(self) -> None:
        self._data = bytearray()

    def to_bytes(self) -> Raw:
        """Return everything written so far."""
        return Raw(self._data)

    def bytes(self, data: Buffer) -> None:
        """Append raw bytes, without their count."""
        self._data += data

    def uvarint(self, value: int) -> None:
        """Append an unsigned variable-length integer below 2^64: one byte below 128, two below 16384, ..."""
        rest = check_range(value, 0, MAX_UNSIGNED, "unsigned integer")
        while rest > 0x7F:
            self._data.append(rest & 0x7F | 0x80)
            rest >>= 7
        self._data.append(rest)

    def svarint(self, value: int) -> None:
        """Append a signed variable-length integer of 64 bits by zigzag: 0, -1, 1, -2 become 0, 1, 2, 3."""
        check_range(value, MIN_SIGNED, MAX_SIGNED, "signed integer")
        self.uvarint(value << 1 if value >= 0 else ~value << 1 | 1)

    def u8(self, value: int) -> None:
        """Append one byte."""
        self._fixed(value, 1)

    def u32(self, value: int) -> None:
        """Append four bytes, lowest first."""
        self._fixed(value, 4)

    def text(self, value: str, limit: int = MAX_TEXT, what: str = "text") -> None:
        """Append a string: its UTF-8 length in bytes as a varint, at most `limit`, then the bytes."""
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise BitstreamError(f"{what} {value!r:.40} cannot be written as UTF-8") from error
        self.uvarint(check_range(len(data), 0, limit, f"length of {what}"))
        self._data += data

    def _fixed(self, value: int, size: int) -> None:
        self._data += check_range(value, 0, (1 << 8 * size) - 1, f"u{8 * size}").to_bytes(size, "little")


class ByteReader:
    """Reads what `ByteWriter` wrote.

    Every method takes what is being read, for the message, and raises `BitstreamError` if the bytes end
    early, are malformed, or hold a value outside the range asked for.

    Args:
        data: The bytes.
        source: Where they are from (a file, a section); starts every message.
    """

    def __init__(self, data: Buffer, source: str) -> None:
        self._data = memoryview(data)
        self._position = 0
        self.source = source

    @property
    def position(self) -> int:
        """Number of bytes read."""
        return self._position

    @property
    def remaining(self) -> int:
        """Number of bytes left."""
        return len(self._data) - self._position

    def bytes(self, count: int, what: str) -> Raw:
        """Read `count` raw bytes."""
        if count > self.remaining:
            raise BitstreamError(f"{self.source}: truncated: {what} needs {count} bytes, {self.remaining} are left")
        self._position += count
        return Raw(self._data[self._position - count : self._position])

    def rest(self) -> Raw:
        """Read all bytes that are left."""
        return self.bytes(self.remaining, "rest")

    def finish(self) -> None:
        """Require that nothing is left."""
        if self.remaining:
            raise BitstreamError(f"{self.source}: {self.remaining} bytes too many at the end")

    def uvarint(self, what: str, low: int = 0, high: int = MAX_UNSIGNED) -> int:
        """Read an unsigned variable-length integer in `low..high`."""
        value = 0
        for index in range(_LONGEST):
            byte = self.bytes(1, what)[0]
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if (byte == 0 and index > 0) or value > MAX_UNSIGNED:
                    break
                return self._check(value, low, high, what)
        raise BitstreamError(f"{self.source}: {what} is not a valid variable-length integer")

    def svarint(self, what: str, low: int = MIN_SIGNED, high: int = MAX_SIGNED) -> int:
        """Read a signed variable-length integer in `low..high`."""
        value = self.uvarint(what)
        return self._check(~(value >> 1) if value & 1 else value >> 1, low, high, what)

    def u8(self, what: str) -> int:
        """Read one byte."""
        return self._fixed(1, what)

    def u32(self, what: str) -> int:
        """Read four bytes, lowest first."""
        return self._fixed(4, what)

    def text(self, what: str, limit: int = MAX_TEXT) -> str:
        """Read a string of at most `limit` bytes."""
        data = self.bytes(self.uvarint(f"length of {what}", 0, limit), what)
        try:
            return data.decode("utf-8", errors="strict")
        except UnicodeDecodeError as error:
            raise BitstreamError(f"{self.source}: {what} is not valid UTF-8") from error

    def _fixed(self, size: int, what: str) -> int:
        return int.from_bytes(self.bytes(size, what), "little")

    def _check(self, value: int, low: int, high: int, what: str) -> int:
        return check_range(value, low, high, f"{self.source}: {what}")
