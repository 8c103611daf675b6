"""Writing a set of shards: each published whole with its manifest, in order, or not at all."""

import functools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Self

import msgspec

from atdata._errors import AtdataError, SampleValueError
from atdata._manifest import HEADER_SUFFIX, TABLE_SUFFIX, Listing, ManifestBuilder, Sidecars
from atdata._sample import LONGEST_EXTENSION, is_sample_type
from atdata._storage import Store
from atdata._tar import Buffers, check_key

from ._encode import Encoded, Encoder, ExecutorEncoder, InlineEncoder
from ._metadata import Progress
from ._open_shard import HeaderFacts, Lane, OpenShard, RowGatherer
from ._set_names import NUMBERED, Existing, KeySource, ShardNames, begin_set, numbered_key

__all__ = ["SetOptions", "SetWriter"]

#: How many shards may be in flight: one that samples are added to, and one that is being finished.
_IN_FLIGHT = 2
#: After how many samples the progress is told.
_SHOWN_EVERY = 256


class SetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every shard of a set."""

    names: ShardNames
    existing: Existing
    facts: HeaderFacts
    #: Samples a shard, at most.
    maxcount: int | None = None
    #: Bytes a tar, at most, where one sample is not more.
    maxsize: int | None = None
    manifest: bool = True
    #: Where keys come from; None numbers the samples.
    keys: KeySource | None = None
    #: What encodes samples; None does it in the caller's thread.
    executor: Executor | None = None
    #: Makes what gathers a shard's manifest; None makes it by the samples' type.
    gatherer: Callable[[str], RowGatherer] | None = None
    #: What is being done, for messages.
    called: str = "write_samples"
    #: What to do after an error, for messages.
    advice: str = "Write the rest under another name or with append=True, or write all again with overwrite=True"


class SetWriter:
    """Writes samples to shard after shard.

    As a context manager it drops what :meth:`finish` did not publish, and an error that leaves the block carries a note
    that says how far the write came.

    Args:
        store: Where the shards go.
        options: What holds for every shard.
        progress: What is told how far it is.
        sample_type: The samples' type; None takes that of the first.
    """

    def __init__(self, store: Store, options: SetOptions, progress: Progress, sample_type: type | None = None) -> None:
        self._store = store
        self._options = options
        self._progress = progress
        #: The type of the samples, once it is known.
        self.sample_type = sample_type
        self._encoder: Encoder | None = None
        self._before: tuple[Sidecars, ...] = ()
        self._next_index = 0
        self._lanes: list[Lane] = []
        self._buffers = Buffers()
        self._in_flight: deque[OpenShard] = deque()
        self._open: OpenShard | None = None
        #: Whether a sample is being added; it stays so where an interrupt cuts that short.
        self._adding = False
        self._taken = 0
        self._finished_samples = self._finished_size = 0
        self._shard_ids: list[str] = []

    def write(self, sample: Any, key: Any = None) -> None:
        """Append a sample.

        Args:
            sample: The sample.
            key: Its key; None takes it where the options say.

        Raises:
            SampleValueError: A sample or its key cannot be written; the error names its position. Or a shard before it
                cannot be published; the error names shard and row.
            ShardExistsError: A shard would overwrite a file.
            AtdataError: An interrupt, caught inside the block, has cut a sample short.
        """
        self._check_whole()
        position = self._taken
        if type(sample) is not self.sample_type or self._encoder is None:
            self._begin(sample, position)
        if key is None:
            keys = self._options.keys
            key = NUMBERED if keys is None else keys.key_of(position, sample)
        for encoded in self._encoder.put(position, key, sample):  # type: ignore[union-attr]  # begun above
            self._add(encoded)
        self._taken += 1
        if not self._taken % _SHOWN_EVERY:
            self._show_progress()

    def write_encoded(self, sample: Encoded) -> None:
        """Append a sample that is encoded already, under its own key.

        Raises:
            SampleValueError: Its key cannot be written; or a shard before it cannot be published.
            ShardExistsError: A shard would overwrite a file.
            AtdataError: As for :meth:`write`.
        """
        self._check_whole()
        self._add(sample)
        self._taken += 1
        if not self._taken % _SHOWN_EVERY:
            self._show_progress()

    def finish(self) -> None:
        """Publish what is open, and return once every shard is published.

        Raises:
            SampleValueError: As for :meth:`write`; or more keys were given than samples.
            ShardExistsError: A shard would overwrite a file.
            AtdataError: As for :meth:`write`.
        """
        self._check_whole()
        if self._encoder is not None:
            for encoded in self._encoder.finish():
                self._add(encoded)
        self._show_progress()
        if self._options.keys is not None:
            self._options.keys.check_used(self._taken)
        if self._options.existing == "append" and self.sample_type is not None and not self._lanes:
            # Without a sample, what is there is the whole set.
            self._before, _ = begin_set(self._store, self._options.names, "append", self.sample_type)
        self._close_open()
        while self._in_flight:
            self._settle()
        self._show_progress()

    @property
    def listing(self) -> Listing:
        """The set as it is now, the shards that were continued among it."""
        if not self._options.manifest:
            return Listing((), tuple(self._shard_ids))
        written = (Sidecars(each, each + HEADER_SUFFIX, (each + TABLE_SUFFIX,)) for each in self._shard_ids)
        return Listing((*self._before, *written), ())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end(error)
        finally:
            for lane in self._lanes:
                lane.close()
        if error is not None:
            error.add_note(self._how_far())

    def _begin(self, sample: Any, position: int) -> None:
        found = type(sample)
        if self.sample_type is not None and found is not self.sample_type:
            expected = f"a {self.sample_type.__qualname__}" + (", as the first sample" if position else "")
            raise SampleValueError.wrong_type(sample, expected).at(position)
        if not is_sample_type(found):
            hint = "wrap it in atdata.DictSample" if isinstance(sample, dict) else "decorate it with @atdata.packable"
            raise SampleValueError.wrong_type(sample, "a sample", f"for {found.__qualname__}: {hint}").at(position)
        self.sample_type = found
        options = self._options
        self._encoder = (
            InlineEncoder(found, manifest=options.manifest)
            if options.executor is None
            else ExecutorEncoder(options.executor, manifest=options.manifest)
        )

    def _check_whole(self) -> None:
        if self._adding:
            raise AtdataError(
                "the write was interrupted while a sample was written, so that the open shard cannot be published. Let "
                "the interrupt leave the writer's block, or catch it where no sample is being written"
            )

    def _add(self, sample: Encoded) -> None:
        self._adding = True
        try:
            self._lay_out(sample)
        except (AtdataError, OSError):  # the sample was refused, or whatever failed will fail again
            self._adding = False
            raise
        self._adding = False

    def _lay_out(self, sample: Encoded) -> None:
        shard, numbered = self._open, sample.key is NUMBERED
        try:
            if not numbered:
                check_key(sample.key, LONGEST_EXTENSION)  # before anything is replaced
        except SampleValueError as error:
            raise error.at(sample.position) from error.__cause__
        if shard is None or self._is_full(shard, sample):
            self._close_open()
            shard = self._begin_shard()
        try:
            shard.add(numbered_key(self._next_index - 1, shard.count) if numbered else sample.key, sample)
        except SampleValueError as error:
            raise error.at(sample.position) from error.__cause__

    def _is_full(self, shard: OpenShard, sample: Encoded) -> bool:
        maxcount, maxsize = self._options.maxcount, self._options.maxsize
        return (maxcount is not None and shard.count >= maxcount) or (
            maxsize is not None and shard.size_with(sample) > maxsize
        )

    def _begin_shard(self) -> OpenShard:
        sample_type: Any = self.sample_type
        if not self._lanes:  # the first: from here on files are touched
            options = self._options
            self._before, self._next_index = begin_set(self._store, options.names, options.existing, sample_type)
            self._lanes = [Lane() for _ in range(_IN_FLIGHT)]
        if len(self._in_flight) == _IN_FLIGHT:
            self._settle()
        shard_id = self._options.names.shard_id(self._next_index)
        make = self._options.gatherer or functools.partial(ManifestBuilder, sample_type)
        builder = make(shard_id) if self._options.manifest else None
        lane = self._lanes[self._next_index % _IN_FLIGHT]
        shard = OpenShard(self._store, shard_id, builder, lane, self._buffers)
        self._in_flight.append(shard)  # before there is a file, so that an interrupt leaves none behind
        shard.begin()
        self._open = shard
        self._next_index += 1
        return self._open

    def _close_open(self) -> None:
        if self._open is not None:
            before = self._in_flight[-2] if len(self._in_flight) > 1 else None
            self._open.finish(self._options.facts, before)
            self._open = None

    def _settle(self) -> None:
        """Wait for the oldest shard in flight."""
        shard = self._in_flight[0]
        shard.wait()  # where this fails or is interrupted, the shard stays in flight until the block's end
        self._in_flight.popleft()
        self._count(shard)

    def _count(self, shard: OpenShard) -> None:
        if shard.committed:  # perhaps although the last step failed
            self._shard_ids.append(shard.shard_id)
            self._finished_samples += shard.count
            self._finished_size += shard.size
        else:
            shard.abort()

    def _show_progress(self) -> None:
        size = self._finished_size + sum(shard.size for shard in self._in_flight)
        self._progress.show(samples=self._taken, shards=len(self._shard_ids), size=size)

    def _end(self, error: BaseException | None) -> None:
        while self._in_flight:  # whole shards stay, whatever happened after them; the open one goes
            shard = self._in_flight.popleft()
            problem = shard.outcome()
            self._count(shard)
            if error is not None and problem not in (None, error):
                error.add_note(f"shard {shard.shard_id!r}, written before, could not be published: {problem!r}")

    def _how_far(self) -> str:
        if not self._shard_ids:
            return f"{self._options.called} stopped at sample {self._taken}: no shard was finished, and nothing is left"
        return (
            f"{self._options.called} stopped at sample {self._taken}: {self._finished_samples} samples in "
            f"{len(self._shard_ids)} finished shards stay in {self._store.url()} "
            f"({self._shard_ids[0]} to {self._shard_ids[-1]}); {self._taken - self._finished_samples} samples after "
            f"them were dropped with the open shard. {self._options.advice}"
        )
