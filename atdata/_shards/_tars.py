"""The tars of a dataset: opened, held against what their manifests promise, and walked where there is no manifest."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NoReturn, TypeAlias

from atdata._errors import ShardChangedError
from atdata._manifest import Header
from atdata._storage import ChangedFileError, OpenFile, ReadInto, ReadLimits, Store
from atdata._tar import SampleRun, sample_runs, tar_name, walk

__all__ = ["Tars", "Verify"]

Verify: TypeAlias = Literal["none", "fetch", "full"]
#: How much of a tar is hashed at once.
_HASHED = 1 << 20


class Tars:
    """The tars of shards in one store.

    Args:
        store: Where they are.
        header_of: Returns a shard's header; None for a shard that has none.
    """

    def __init__(self, store: Store, header_of: Callable[[str], Header | None]) -> None:
        self._store = store
        self._header_of = header_of

    @property
    def limits(self) -> ReadLimits:
        """How much is read at once."""
        return self._store.limits

    def open(self, shard_id: str, verify: Verify) -> OpenFile:
        """Open a tar once it is as long as its header says; with ``verify="full"`` also hash it.

        Raises:
            ShardChangedError: It is another one, or it is gone.
        """
        name = tar_name(shard_id)
        try:
            file = self._store.open(name)
        except FileNotFoundError:
            raise ShardChangedError(
                shard_id, f"its tar {self._store.url(name)} is gone; restore it from a copy"
            ) from None
        header = self._header_of(shard_id)
        if header is None or (facts := header.shard) is None:
            return file
        if facts.size_bytes != file.size:
            raise ShardChangedError(
                shard_id,
                f"its manifest promises a tar of {facts.size_bytes} bytes, and {self._store.url(name)} has "
                f"{file.size}. It was cut or replaced; restore it, or write both again",
            )
        if verify == "full" and (found := self._sha256(shard_id, file)) != facts.sha256:
            raise ShardChangedError(
                shard_id,
                f"its manifest promises a tar with SHA-256 {facts.sha256[:16]}…, found {found[:16]}…. It was changed; "
                "restore it from a copy, or write both again",
            )
        return file

    def fill(self, shard_ids: Iterable[str], parts: list[ReadInto]) -> None:
        """Read parts of the tars of some shards, whole or not at all.

        Raises:
            ShardChangedError: A tar was changed after it was opened.
        """
        try:
            self._store.fill(parts)
        except ChangedFileError as error:
            self.changed(next(each for each in shard_ids if self._store.url(tar_name(each)) == error.filename))

    def changed(self, shard_id: str) -> NoReturn:
        """Say that a tar is no longer the one that was opened before.

        Raises:
            ShardChangedError: Always.
        """
        raise ShardChangedError(
            shard_id,
            f"its tar {self._store.url(tar_name(shard_id))} was replaced or written to while samples were read from "
            "it; open the dataset again and ask its manifests again",
        ) from None

    def runs(self, shard_id: str, file: OpenFile) -> Iterator[SampleRun]:
        """Walk an opened tar; yield its samples, each a run of members.

        Raises:
            ShardError: It is no tar, or is damaged.
        """
        return sample_runs(
            walk(lambda at, length: self._read(shard_id, file, at, length), file.size, shard_id), shard_id
        )

    def _read(self, shard_id: str, file: OpenFile, offset: int, length: int) -> bytes:
        buffer = bytearray(max(0, min(length, file.size - offset)))
        self.fill([shard_id], [(file, offset, memoryview(buffer))])
        return bytes(buffer)

    def _sha256(self, shard_id: str, file: OpenFile) -> str:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(min(_HASHED, file.size)))
        for offset in range(0, file.size, _HASHED):
            part = buffer[: file.size - offset]
            self.fill([shard_id], [(file, offset, part)])
            digest.update(part)
        return digest.hexdigest()
