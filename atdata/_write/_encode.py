"""From samples to payloads and column values: here, or by a caller's executor, with the same result."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any, NamedTuple, Protocol

import msgspec

from atdata._errors import AtdataError, SampleValueError, first_line
from atdata._manifest import value_reader
from atdata._sample import EncodedMembers, layout_of, snapshot

__all__ = ["Encoded", "Encoder", "ExecutorEncoder", "InlineEncoder"]

#: How many samples an executor encodes at once.
_CHUNK = 16


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A sample as it is written."""

    position: int
    #: The caller's key, or ``NUMBERED``.
    key: Any
    members: EncodedMembers
    #: The values of its manifest columns, as what gathers them takes them; None without a manifest.
    values: Any


class Encoder(Protocol):
    """Turns samples into payloads, in order."""

    def put(self, position: int, key: Any, sample: Any) -> Iterable[Encoded]:
        """Take a sample; give those that are ready, in the order given.

        Raises:
            SampleValueError: A sample cannot be written; the error names its position.
            AtdataError: One before could not be written, and others were lost with it.
        """

    def finish(self) -> Iterable[Encoded]:
        """Give the rest.

        Raises:
            SampleValueError: As for :meth:`put`.
            AtdataError: As for :meth:`put`.
        """


class InlineEncoder(Encoder):
    """Encodes each sample when it comes.

    Args:
        sample_type: The samples' type.
        manifest: Whether the values of manifest columns are wanted.
    """

    def __init__(self, sample_type: type, *, manifest: bool) -> None:
        self._encode = layout_of(sample_type).encode
        self._read = value_reader(sample_type) if manifest else None

    def put(self, position: int, key: Any, sample: Any) -> tuple[Encoded]:
        """Return the sample that was given."""
        try:
            return (Encoded(position, key, self._encode(sample), self._read(sample) if self._read else None),)
        except SampleValueError as error:
            raise error.at(position) from error.__cause__

    def finish(self) -> tuple[()]:
        """Return nothing: all were ready at once."""
        return ()


class _Chunk(NamedTuple):
    #: What an executor made of the samples, up to the first that cannot be written, and why it cannot.
    encoded: "Future[tuple[list[tuple[EncodedMembers, list[Any] | None]], SampleValueError | None]]"
    #: Position and key of each sample.
    places: list[tuple[int, Any]]


class ExecutorEncoder(Encoder):
    """Has samples encoded by an executor, a few at a time; the order, and so every byte, stays that of the input.

    Args:
        executor: Any executor of ``concurrent.futures``. Processes get the samples' type by name.
        manifest: Whether the values of manifest columns are wanted.
    """

    def __init__(self, executor: Executor, *, manifest: bool) -> None:
        self._executor = executor
        self._manifest = manifest
        self._places: list[tuple[int, Any]] = []
        self._samples: list[Any] = []
        self._chunks: deque[_Chunk] = deque()
        self._in_flight = (os.cpu_count() or 1) + 2
        #: Whether samples that were taken are lost, because one that was encoded along with them ended the write.
        self._cut = False

    def put(self, position: int, key: Any, sample: Any) -> Iterator[Encoded]:
        """Yield what is ready once so much is in flight that no worker waits."""
        self._check_whole()
        self._cut = True  # an interrupt here would give keys to other samples
        self._places.append((position, key))
        self._samples.append(snapshot(sample))  # it is encoded later, and its arrays may be used again by then
        self._cut = False
        if len(self._samples) == _CHUNK:
            self._submit()
            if len(self._chunks) > self._in_flight:
                yield from self._next()

    def finish(self) -> Iterator[Encoded]:
        """Yield the rest."""
        self._check_whole()
        if self._samples:
            self._submit()
        while self._chunks:
            yield from self._next()

    def _check_whole(self) -> None:
        if self._cut:
            raise AtdataError(
                "a sample before was refused, or the write interrupted, and with executor= those that were encoded "
                "along with it are lost: nothing more can be written. To pass over samples that are "
                "refused, write without executor="
            )

    def _submit(self) -> None:
        self._cut = True
        try:
            future = self._executor.submit(_encode_chunk, self._samples, manifest=self._manifest)
        except RuntimeError as error:  # it was shut down, or broke
            first = self._chunks[0].places if self._chunks else self._places
            raise self._died(error, first[0][0]) from error
        self._chunks.append(_Chunk(future, self._places))
        self._places, self._samples = [], []
        self._cut = False

    def _next(self) -> Iterator[Encoded]:
        chunk = self._chunks.popleft()
        self._cut = True  # until its last sample is taken
        try:
            encoded, problem = chunk.encoded.result()
        except (BrokenExecutor, CancelledError) as error:
            raise self._died(error, chunk.places[0][0]) from error
        for (position, key), (members, values) in zip(chunk.places, encoded, strict=False):
            yield Encoded(position, key, members, values)
        if problem is not None:
            raise problem.at(chunk.places[len(encoded)][0])
        self._cut = False

    def _died(self, error: BaseException, position: int) -> AtdataError:
        return AtdataError(
            f"the executor {type(self._executor).__name__} stopped before it had encoded sample {position} "
            f"({type(error).__name__}: {first_line(error) or 'no reason given'}). Write again with one that lives as "
            "long as the write, or without executor="
        )


def _encode_chunk(
    samples: Sequence[Any], *, manifest: bool
) -> tuple[list[tuple[EncodedMembers, list[Any] | None]], SampleValueError | None]:
    """Return members and column values, up to the first sample that cannot be written, and why it cannot."""
    encoded: list[tuple[EncodedMembers, list[Any] | None]] = []
    try:
        for sample in samples:
            members = [(extension, [b"".join(parts)]) for extension, parts in layout_of(type(sample)).encode(sample)]
            encoded.append((members, value_reader(type(sample))(sample) if manifest else None))
    except SampleValueError as error:
        return encoded, error
    return encoded, None
