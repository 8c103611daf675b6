"""Several samples of one type, field by field."""

import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar, get_args

import msgspec
import numpy as np

from atdata._display import display_html
from atdata._errors import DecodeError, SampleValueError, SchemaError, listed, near_misses

from ._array import bytes_to_array, compact_header, empty_stack
from ._dict import DictSample
from ._payload_plan import PayloadPlan, plan_of
from ._record import ABSENT

__all__ = ["Gatherer", "SampleBatch", "gatherer_of"]

T = TypeVar("T")


class SampleBatch(Generic[T]):
    """A batch: ``batch.field`` is all samples' values of that field.

    Arrays of one shape and dtype are stacked along a new first axis, ``(samples, ...)``; every other field is a list,
    also one whose arrays differ, or where one is None. What was stacked is kept, so that asking twice copies once.

    In a batch that a dataset read, arrays were read straight into their stack: ``samples`` are made when they are first
    asked for, and their arrays are rows of it.

    Args:
        samples: The samples, in order.

    Examples:
        >>> import numpy as np
        >>> from atdata import DictSample
        >>> batch = SampleBatch([DictSample(x=np.ones(3), label="a"), DictSample(x=np.zeros(3), label="b")])
        >>> batch.x.shape, batch.label, len(batch)
        ((2, 3), ['a', 'b'], 2)
    """

    def __init__(self, samples: Sequence[T]) -> None:
        self._samples: list[T] | None = list(samples)
        self._count = len(self._samples)
        #: The fields' values, stacked or in a list, as long as no sample was made of them; and the samples' type.
        self._values: dict[str, Any] = {}
        self._type: type[T] | None = None
        #: The rows of stacks that samples were made of.
        self._rows: dict[str, list[Any]] = {}
        #: What was handed out.
        self._columns: dict[str, Any] = {}

    @classmethod
    def of_fields(cls, sample_type: type[T], count: int, values: dict[str, Any]) -> Self:
        """Make a batch of its fields' values.

        Args:
            sample_type: The samples' type, whose attributes are its fields and nothing else.
            count: How many samples there are.
            values: By field, in the type's order: an array whose first axis is the samples', or a list.
        """
        batch = cls(())
        batch._samples, batch._count, batch._values, batch._type = None, count, values, sample_type
        return batch

    @property
    def samples(self) -> list[T]:
        """The samples, in order."""
        if self._samples is None:
            self._samples = self._made(self.sample_type if self._type is None else self._type)
        return self._samples

    @property
    def sample_type(self) -> type[T]:
        """The type named in ``SampleBatch[T]``, or that of the first sample."""
        named = get_args(self.__dict__.get("__orig_class__"))
        if named and isinstance(named[0], type) and named[0] is not Any:  # a class since Python 3.11
            return named[0]
        if self._type is not None:
            return self._type
        if not self.samples:
            raise SchemaError("an empty batch has no sample type; name it: SampleBatch[T](samples)")
        return type(self.samples[0])

    def stacked(self, name: str) -> np.ndarray[Any, Any]:
        """Return a field's arrays as one array.

        Raises:
            SampleValueError: They differ in shape or dtype, or are no arrays; it names the first odd one.
            AttributeError: There is no such field.
        """
        column = getattr(self, name)
        if isinstance(column, np.ndarray):
            return column
        raise _ragged(name, column)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._columns:
            self._columns[name] = self._column(name)
        return self._columns[name]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> T:
        return self.samples[index]

    def __repr__(self) -> str:
        name = self.sample_type.__name__ if self._count else "nothing"
        return f"SampleBatch({self._count} x {name})"

    def _repr_html_(self) -> str:
        return display_html(self)

    def __getstate__(self) -> dict[str, Any]:
        # Once samples were made, they are what the batch holds; their arrays would cross twice.
        return vars(self) if self._samples is None else vars(self) | {"_values": {}, "_rows": {}}

    def _made(self, sample_type: type[T]) -> list[T]:
        stacks = {name: each for name, each in self._values.items() if isinstance(each, np.ndarray)}
        self._rows = {name: [stack[row, ...] for row in range(self._count)] for name, stack in stacks.items()}
        columns = self._values | self._rows
        rows = zip(*columns.values(), strict=True) if columns else itertools.repeat((), self._count)
        make = plan_of(sample_type).record.make
        return [make(dict(zip(columns, row, strict=True))) for row in rows]

    def _column(self, name: str) -> Any:
        stack = self._values.get(name)
        if self._samples is None and stack is not None:
            return stack if isinstance(stack, np.ndarray) else _column(list(stack))
        values = [self._value(sample, name) for sample in self.samples]
        if name in self._rows and all(map(operator.is_, values, self._rows[name])):
            return stack
        return _column(values)

    def _value(self, sample: T, name: str) -> Any:
        try:
            return getattr(sample, name)
        except AttributeError:
            names = (
                [field.name for field in dataclasses.fields(sample)]
                if dataclasses.is_dataclass(sample)
                else list(sample)  # type: ignore[call-overload]  # a DictSample
            )
            raise AttributeError(
                f"a batch of {type(sample).__name__} has no field {name!r}"
                f"{near_misses(name, names)}; the fields are {listed(names)}"
            ) from None


def _ragged(name: str, values: Sequence[Any]) -> SampleValueError:
    """Describe what keeps a field from being stacked."""
    if not values:
        return SampleValueError("a batch of no samples has nothing to stack", name)
    first = values[0]
    is_array = isinstance(first, np.ndarray)
    odd = next((at for at, each in enumerate(values) if not is_array or not _is_alike(each, first)), 0)
    expected = f"an array {_described(first)} like sample 0's" if is_array else "an array"
    return SampleValueError(
        f"expected {expected}, found {_described(values[odd])}: the field cannot be stacked, and "
        f"batch.{name} is a list. Pad, crop or fill in before batching (ds.map), or collate the list yourself",
        name,
        odd,
    )


def _is_alike(value: Any, first: np.ndarray[Any, Any]) -> bool:
    return isinstance(value, np.ndarray) and value.shape == first.shape and value.dtype == first.dtype


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape} and dtype {value.dtype}"
    return "None" if value is None else f"a {type(value).__name__}"


def _column(values: list[Any]) -> Any:
    if not values or not isinstance(values[0], np.ndarray):
        return values
    first = values[0]
    if not all(_is_alike(value, first) for value in values):
        return values
    stacked = np.empty((len(values), *first.shape), first.dtype)
    return np.stack(values, out=stacked)


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
        return _SampleMaker(sample_type.from_bytes)
    plan = plan_of(sample_type)
    # Where a class does more than hold its fields, only its samples know what an attribute is.
    return _ColumnMaker(sample_type, plan, batch_size) if plan.record.is_plain else _SampleMaker(plan.decode)


class _SampleMaker:
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


class _ColumnMaker:
    """Makes columns; the samples are made of them when somebody asks."""

    def __init__(self, sample_type: type, plan: PayloadPlan, batch_size: int) -> None:
        self._type = sample_type
        self._plan = plan
        self._names = list(plan.record.codecs)
        codecs = plan.record.codecs.values()
        places = list(zip(range(len(codecs)), self._names, codecs, strict=True))
        defaults = {self._names.index(field.name): field.make_default for field in plan.record.defaults}
        self._arrays = [
            (at, name, _StackedRows(batch_size, defaults.pop(at, None))) for at, name, codec in places if codec.is_array
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


class _StackedRows:
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
