"""Writing a set of shards: one open at a time, each published whole with its manifest, or not at all."""

import dataclasses
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from atdata._errors import SampleValueError, SchemaError, ShardExistsError
from atdata._sample import encode_sample, is_sample_type
from atdata._shard import MSGPACK, TarWriter, check_key
from atdata._store import Store, Upload
from atdata.manifest import ManifestBuilder
from atdata.manifest._header import FileFacts
from atdata.manifest._names import HEADER_SUFFIX
from atdata.manifest._writer import publish_manifest

from ._names import ShardNames

__all__ = ["ShardOptions", "ShardSetWriter"]

#: A default key has six digits for the shard and six for the row.
_MAX_NUMBER = 999_999
#: Stands for the key that shard and row give.
_NUMBERED: Any = object()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardOptions:
    """What holds for every shard of a set."""

    names: ShardNames
    #: Samples a shard, at most.
    maxcount: int | None
    #: Bytes a tar, at most, where one sample is not more.
    maxsize: int | None
    manifest: bool
    content_metadata: Mapping[str, Any] | None
    created_at: str | None


class ShardSetWriter:
    """Writes samples to shard after shard.

    As a context manager it drops a shard that :meth:`finish` did not publish, and an error that leaves the block
    carries a note that says how far the write came.
    """

    def __init__(self, store: Store, options: ShardOptions) -> None:
        self._store = store
        self._options = options
        self._open: _OpenShard | None = None
        #: The type of the samples, once there is one.
        self.sample_type: type | None = None
        self._position = 0
        self._finished_samples = 0
        #: The ids of the shards published so far.
        self.shard_ids: list[str] = []

    def write(self, sample: Any, key: Any = _NUMBERED) -> None:
        """Append a sample.

        Raises:
            SampleValueError: The sample or its key cannot be written; the error names its position. Or the shard before
                it cannot be published; the error names shard and row.
            ShardExistsError: A shard would overwrite a file.
        """
        try:
            self._check_type(sample)
            parts = encode_sample(sample)
        except SampleValueError as error:
            raise error.at(self._position) from error.__cause__
        if self._open is not None and self._is_full(self._open, sum(map(len, parts))):
            self.finish()
        shard = self._open or self._begin_shard()
        try:
            shard.add(self._default_key(shard) if key is _NUMBERED else key, parts, sample)
        except SampleValueError as error:
            raise error.at(self._position) from error.__cause__
        self._position += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.abort()
        if error is not None:
            error.add_note(self._progress())

    def _check_type(self, sample: Any) -> None:
        found = type(sample)
        if found is self.sample_type:
            return
        if self.sample_type is not None:
            raise SampleValueError.wrong_type(sample, f"a {self.sample_type.__qualname__}, as the first sample")
        if not is_sample_type(found):
            hint = "wrap it in atdata.DictSample" if isinstance(sample, dict) else "decorate it with @atdata.packable"
            raise SampleValueError.wrong_type(sample, "a sample", f"for {found.__qualname__}: {hint}")
        self.sample_type = found

    def _is_full(self, shard: "_OpenShard", payload: int) -> bool:
        maxcount, maxsize = self._options.maxcount, self._options.maxsize
        return (maxcount is not None and shard.count >= maxcount) or (
            maxsize is not None and shard.tar.size_with(payload) > maxsize
        )

    def _default_key(self, shard: "_OpenShard") -> str:
        index = len(self.shard_ids)
        if shard.count > _MAX_NUMBER or index > _MAX_NUMBER:
            raise SampleValueError(
                f"default keys number shards and rows up to {_MAX_NUMBER}; found shard {index}, row {shard.count}. "
                "Write more shards (maxcount=) of fewer samples, or give keys of your own (keys=)",
                "__key__",
            )
        return f"{index:06d}-{shard.count:06d}"

    def _begin_shard(self) -> "_OpenShard":
        shard_id = self._options.names.shard_id(len(self.shard_ids))
        sample_type = self.sample_type
        if sample_type is None:
            raise SchemaError("a shard begins with a sample")
        builder = ManifestBuilder(sample_type, shard_id) if self._options.manifest else None
        self._open = _OpenShard(self._store, shard_id, builder)
        return self._open

    def finish(self) -> None:
        """Publish the open shard, if there is one.

        Raises:
            SampleValueError: A value does not fit its column of the manifest.
            ShardExistsError: The shard would overwrite a file.
        """
        shard = self._open
        if shard is None:
            return
        try:
            shard.finish(self._options)
        finally:
            if shard.committed:  # perhaps although the last step failed
                self.shard_ids.append(shard.shard_id)
                self._finished_samples += shard.count
                self._open = None

    def _progress(self) -> str:
        dropped = self._position - self._finished_samples
        if not self.shard_ids:
            return (
                f"write_samples stopped at sample {self._position}: no shard was finished, and nothing is left of any"
            )
        return (
            f"write_samples stopped at sample {self._position}: {self._finished_samples} samples in "
            f"{len(self.shard_ids)} finished shards stay in {self._store.url()} "
            f"({self.shard_ids[0]} to {self.shard_ids[-1]}); {dropped} samples after them were dropped with the open "
            "shard. Write the rest under another name, or remove what stays and write all again"
        )


class _OpenShard:
    def __init__(self, store: Store, shard_id: str, builder: ManifestBuilder | None) -> None:
        self.shard_id = shard_id
        self.count = 0
        #: Whether the shard is published whole, and stays.
        self.committed = False
        self._store = store
        self._name = f"{shard_id}.tar"
        try:
            self._upload: Upload = store.create(self._name)
        except FileExistsError as error:
            raise _exists(shard_id, error) from error
        self.tar = TarWriter(self._upload.write)
        self._builder = builder
        self._keys: set[str] = set()

    def add(self, key: str, parts: list[bytes | memoryview], sample: Any) -> None:
        check_key(key)
        if key in (self._keys if self._builder is None else self._builder):
            raise SampleValueError(f"the key {key!r} is in shard {self.shard_id!r} already", "__key__")
        place = self.tar.add(f"{key}.{MSGPACK}", parts)
        if self._builder is None:
            self._keys.add(key)
        else:
            self._builder.add_sample(key=key, offset=place.offset, size=place.size, sample=sample, crc32=place.crc32)
        self.count += 1

    def finish(self, options: ShardOptions) -> None:
        size, sha256 = self.tar.finish()
        # Everything that can be wrong with the samples is found here, before anything is published.
        facts = FileFacts(self._name, size, sha256)
        manifest = (
            None if self._builder is None else self._builder.finish(facts, options.content_metadata, options.created_at)
        )
        try:
            self._upload.commit()
            if manifest is not None:
                publish_manifest(self._store, self.shard_id, manifest)
            self.committed = True
        except FileExistsError as error:
            raise _exists(self.shard_id, error) from error
        finally:
            if self._upload.published and not self.committed:
                self._withdraw()

    def abort(self) -> None:
        self._upload.abort()

    def _withdraw(self) -> None:
        """Remove the tar that this writer has just published, unless a header commits it."""
        if self.shard_id + HEADER_SUFFIX in self._store.names():
            self.committed = True
        else:
            self._store.remove(self._name)


def _exists(shard_id: str, error: OSError) -> ShardExistsError:
    return ShardExistsError(
        shard_id, f"{error.filename or error} is there already; nothing was overwritten. Choose another path"
    )
