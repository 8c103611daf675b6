"""One shard while it is written: its worker thread, its bytes, its manifest, and publishing both or neither."""

import hashlib
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from atdata._errors import SampleValueError, ShardExistsError, UnknownOutcomeError
from atdata._manifest import HEADER_SUFFIX, FileFacts, ShardManifest, publish_manifest
from atdata._storage import Outcome, Store, Upload
from atdata._tar import Buffers, TarWriter, member_name, tar_name

from ._encode import Encoded

__all__ = ["HeaderFacts", "Lane", "OpenShard", "RowGatherer"]

#: How many tasks may wait; each holds about a megabyte of a tar.
_DEPTH = 4


class Lane:
    """Does one task after the other on a thread of its own.

    After a task that fails, none is done any more: each fails with the same error.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="atdata-write")
        self._waiting: deque[Future[None]] = deque()
        self._failure: BaseException | None = None

    def put(self, task: Callable[..., None], *arguments: Any) -> Future[None]:
        """Do a task after those before it; wait while too many are waiting.

        Raises:
            BaseException: What a task before it failed with.
        """
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= _DEPTH):
            self._waiting[0].result()  # it stays where an interrupt ends the wait, because it runs on
            self._waiting.popleft()
        future = self._thread.submit(self._run, task, *arguments)
        self._waiting.append(future)
        return future

    def do(self, task: Callable[[], None]) -> None:
        """Do a task after those before it, whatever became of them, and return once it is done.

        No signal interrupts the task itself.

        Raises:
            BaseException: What the task failed with.
        """
        self._thread.submit(task).result()

    def clear(self) -> None:
        """Drop the tasks that wait, and return once none is running."""
        while self._waiting:
            self._waiting.pop().cancel()
        self.do(_nothing)  # behind whatever runs, also what an interrupt kept off the list

    def close(self) -> None:
        """End the thread, once what it was given is done."""
        self._thread.shutdown()

    def _run(self, task: Callable[..., None], *arguments: Any) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            task(*arguments)
        finally:
            self._failure = sys.exception()


def _nothing() -> None:
    """Come after what was running."""


#: More bytes than this are written before the next sample is taken.
_LARGE = 4 << 20


class RowGatherer(Protocol):
    """Gathers one shard's manifest."""

    def __contains__(self, key: str) -> bool: ...

    def add_row(self, *, key: str, offset: int, size: int, crc32: int | None, values: Any) -> None:
        """Take one sample whose key can be one and is not there yet."""

    def finish(
        self,
        shard: FileFacts | None,
        content_metadata: Mapping[str, Any] | None,
        created_at: str | None,
        *,
        provenance: Mapping[str, Any] | None,
    ) -> ShardManifest:
        """Return the manifest, with what is known of the tar and the dataset."""


class HeaderFacts(NamedTuple):
    """What the caller says of every shard, kept in its header."""

    content_metadata: Mapping[str, Any] | None
    provenance: Mapping[str, Any] | None
    created_at: str | None


class OpenShard:
    """A shard that samples are added to.

    Samples are laid out where they are added; creating the file, hashing, writing and publishing are done by the lane.

    Args:
        store: Where the shard goes.
        shard_id: Its id.
        builder: What gathers its manifest; None writes none.
        lane: What does the slow work.
        buffers: Memory that is shared with the shards before and after.
    """

    def __init__(self, store: Store, shard_id: str, builder: RowGatherer | None, lane: Lane, buffers: Buffers) -> None:
        self.shard_id = shard_id
        #: Samples so far.
        self.count = 0
        #: Whether the shard is published whole, and stays.
        self.committed = False
        #: Whether a lost answer leaves open if a header commits it.
        self._may_be_committed = False
        self._store = store
        self._name = tar_name(shard_id)
        self._lane = lane
        self._builder = builder
        self._keys: set[str] = set()
        self._sha256 = hashlib.sha256()
        self._upload: Upload | None = None
        self._buffers = buffers
        self._tar = TarWriter(self._write_later, buffers)
        self._finished: Future[None] | None = None

    def begin(self) -> None:
        """Begin the file.

        Raises:
            ShardExistsError: There is a file of its name.
        """
        try:
            self._lane.do(self._create)
        except FileExistsError as error:
            raise _exists(self.shard_id, error) from error

    @property
    def size(self) -> int:
        """Length of the tar so far, in bytes."""
        return self._tar.position

    def size_with(self, sample: Encoded) -> int:
        """Return the finished tar's length in bytes if one more sample were added."""
        return self._tar.size_with(sum(map(len, parts)) for _, parts in sample.members)

    def add(self, key: str, sample: Encoded) -> None:
        """Append a sample under a key that can be one.

        Raises:
            SampleValueError: The key is in the shard already.
        """
        builder = self._builder
        if key in (self._keys if builder is None else builder):
            raise SampleValueError(f"the key {key!r} is in shard {self.shard_id!r} already", "__key__")
        place = self._tar.add([(member_name(key, extension), parts) for extension, parts in sample.members])
        if builder is None:
            self._keys.add(key)
        else:
            builder.add_row(key=key, offset=place.offset, size=place.size, crc32=place.crc32, values=sample.values)
        self.count += 1

    def finish(self, facts: HeaderFacts, before: "OpenShard | None") -> None:
        """Publish the shard after the one before it; :meth:`wait` says when that is done."""
        size = self._tar.finish()
        self._finished = self._lane.put(self._finish, size, facts, before)

    def wait(self) -> None:
        """Return once the shard is published.

        Raises:
            SampleValueError: A value does not fit its column of the manifest.
            ShardExistsError: The shard would overwrite a file.
            OSError: It cannot be written.
        """
        if self._finished is not None:
            self._finished.result()

    def outcome(self) -> BaseException | None:
        """Return what kept the shard from being published, once that is settled; None where it is published."""
        return None if self._finished is None else self._finished.exception()

    def abort(self) -> None:
        """Drop the shard, unless it is published."""
        if self._finished is None:
            self._lane.clear()
        if self._upload is not None:
            self._upload.abort()

    def _create(self) -> None:
        self._upload = self._store.create(self._name)

    def _begun(self) -> Upload:
        if self._upload is None:
            raise AssertionError("samples are added to a shard that has begun")
        return self._upload

    def _write_later(self, data: memoryview) -> None:
        written = self._lane.put(self._write, data)
        if len(data) > _LARGE:  # of a large sample only one is held
            written.result()

    def _write(self, data: memoryview) -> None:
        self._sha256.update(data)
        self._begun().write(data)
        self._buffers.give_back(data)

    def _finish(self, size: int, facts: HeaderFacts, before: "OpenShard | None") -> None:
        upload = self._begun()
        # Everything that can be wrong with the samples is found here, before anything is published.
        tar = FileFacts(self._name, size, self._sha256.hexdigest())
        builder, self._builder = self._builder, None  # its columns go when this ends, whoever still knows the shard
        manifest = None
        if builder is not None:
            manifest = builder.finish(tar, facts.content_metadata, facts.created_at, provenance=facts.provenance)
        if before is not None:
            before.wait()  # a set has no holes: where a shard fails, none after it is published
        try:
            upload.commit()
            if manifest is not None:
                publish_manifest(self._store, self.shard_id, manifest)
            self.committed = True
        except FileExistsError as error:
            raise _exists(self.shard_id, error) from error
        except UnknownOutcomeError:
            self._may_be_committed = True
            raise
        finally:
            if upload.outcome is Outcome.PUBLISHED and not self.committed and not self._may_be_committed:
                self._withdraw()

    def _withdraw(self) -> None:
        """Remove the tar that this writer has just published, unless a header commits it."""
        header = self.shard_id + HEADER_SUFFIX
        if self._store.stamps([header]):
            self.committed = True
        else:
            self._store.remove(self._name)


def _exists(shard_id: str, error: OSError) -> ShardExistsError:
    return ShardExistsError(
        shard_id, f"{error.filename or error} is there already; nothing was overwritten. Choose another path"
    )
