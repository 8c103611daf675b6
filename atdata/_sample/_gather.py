"""Batches from payloads: arrays go straight into one array a field, everything else into one list a field."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import msgspec
import numpy as np

from atdata._errors import DecodeError

from ._array import bytes_to_array, compact_header, empty_stack
from ._batch import SampleBatch
from ._dict import DictSample
from ._plan import Plan, plan_of
from ._record import ABSENT

__all__ = ["Gatherer", "gatherer_of"]

#: How many bytes of rows are made room for at first, of which the system gives what is filled; then twice as many.
_FIRST_ROOM = 1 << 28

Array: TypeAlias = np.ndarray[Any, Any]


class Gatherer(Protocol):
    """Takes payloads one by one and makes a batch of them. What it took is its own; it keeps no payload's memory."""

    #: How many it has taken for the next batch.
    count: int

    def add(self, payload: bytes | memoryview) -> None:
        """Decode a payload.

        Raises:
            DecodeError: It is no sample of the type.
        """

    def take(self) -> SampleBatch[Any]:
        """Return the batch of what was taken, and begin another one."""


def gatherer_of(sample_type: type, batch_size: int) -> Gatherer:
    """Return what makes batches of at most so many samples of a type.

    Raises:
        SchemaError: The type has a field that cannot be stored.
    """
    if issubclass(sample_type, DictSample):
        return _Samples(sample_type.from_bytes)
    plan = plan_of(sample_type)
    # Where a class does more than hold its fields, only its samples know what an attribute is.
    return _Fields(sample_type, plan, batch_size) if plan.record.is_plain else _Samples(plan.decode)


class _Samples:
    """Makes each sample at once."""

    def __init__(self, decode: Callable[[bytes | memoryview], Any]) -> None:
        self._decode = decode
        self._samples: list[Any] = []
        self.count = 0

    def add(self, payload: bytes | memoryview) -> None:
        self._samples.append(self._decode(payload))
        self.count += 1

    def take(self) -> SampleBatch[Any]:
        batch: SampleBatch[Any] = SampleBatch(self._samples)
        self._samples, self.count = [], 0
        return batch


class _Fields:
    """Makes columns; the samples are made of them when somebody asks."""

    def __init__(self, sample_type: type, plan: Plan, batch_size: int) -> None:
        self._type = sample_type
        self._plan = plan
        self._names = list(plan.record.codecs)
        codecs = plan.record.codecs.values()
        places = list(zip(range(len(codecs)), self._names, codecs, strict=True))
        defaults = {self._names.index(field.name): field.make_default for field in plan.record.defaults}
        self._arrays = [
            (at, name, _Rows(batch_size, defaults.pop(at, None))) for at, name, codec in places if codec.is_array
        ]
        self._reads = [(at, name, codec.read) for at, name, codec in places if codec.read and not codec.is_array]
        self._defaults = list(defaults.items())
        self._rows: list[list[Any]] = []
        self.count = 0

    def add(self, payload: bytes | memoryview) -> None:
        values: list[Any] = list(msgspec.structs.astuple(self._plan.struct(payload)))
        name = ""
        try:
            for at, name, rows in self._arrays:  # noqa: B007 -- the error below names the last one
                rows.add(values[at])
                values[at] = None
            for at, name, read in self._reads:  # noqa: B007 -- as above
                if (value := values[at]) is not ABSENT:
                    values[at] = read(value)
        except DecodeError as error:
            raise self._plan.no_sample(error.within(name)) from error
        for at, default in self._defaults:
            if values[at] is ABSENT:
                values[at] = default()
        self._rows.append(values)
        self.count += 1

    def take(self) -> SampleBatch[Any]:
        columns = dict(zip(self._names, map(list, zip(*self._rows, strict=True)), strict=True))
        arrays = {name: rows.take() for _, name, rows in self._arrays}
        batch: SampleBatch[Any] = SampleBatch.of_fields(self._type, self.count, columns | arrays)
        self._rows, self.count = [], 0
        return batch


class _Rows:
    """One field's arrays: rows of one array as long as they are alike, else a list."""

    def __init__(self, most: int, default: Callable[[], Any] | None) -> None:
        self._most = most
        self._default = default
        self._begin()

    def _begin(self) -> None:
        self._list: list[Any] | None = None
        self._stack: Array | None = None
        #: The stack's bytes; a row's length, and that of an array's bytes; what each of these begins with.
        self._view, self._size, self._length, self._header = memoryview(b""), 0, 0, b""
        #: How many rows are taken, of how many there is room for.
        self._count = self._room = 0

    def add(self, data: Any) -> None:
        """Take the bytes of an array, None, or the mark of a field that the payload lacks.

        Raises:
            DecodeError: The bytes are no array.
        """
        header = self._header
        if (
            self._count == self._room
            or type(data) is not memoryview
            or len(data) != self._length
            or bytes(data[: len(header)]) != header
        ):
            self._add_slowly(data)
        else:
            at = self._count * self._size
            self._view[at : at + self._size] = data[len(header) :]
            self._count += 1

    def take(self) -> Any:
        """Return the arrays as one array, or as a list, and begin anew."""
        taken = self._list if self._stack is None else self._stack[: self._count]
        self._begin()
        return taken

    def _add_slowly(self, data: Any) -> None:
        if self._list is None and self._makes_room(data):
            self.add(data)
            return
        if self._list is None:  # they were alike so far
            alike: list[Any] = (
                [] if self._stack is None else [self._stack[row, ...].copy() for row in range(self._count)]
            )
            self._begin()
            self._list = alike
        if data is ABSENT and self._default is not None:
            self._list.append(self._default())
        else:
            self._list.append(None if data is None else bytes_to_array(data))

    def _makes_room(self, data: Any) -> bool:
        """Make room for more arrays like the one at hand, unless it cannot be a row like those before it."""
        header = compact_header(data) if type(data) is memoryview else None
        if header is None or (self._count and (header, len(data)) != (self._header, self._length)):
            return False
        size = len(data) - len(header)
        rows = min(self._most, 2 * self._room or max(_FIRST_ROOM // max(size, 1), 1))
        stack = empty_stack(rows, header, size) if rows > self._room else None
        if stack is None:
            return False
        if self._stack is not None:
            stack[: self._count] = self._stack
        self._stack, self._header, self._length = stack, header, len(data)
        self._view, self._size, self._room = stack.reshape(-1).view(np.uint8).data, size, rows
        return True
