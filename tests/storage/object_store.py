"""An object store's protocol in memory, and a store over it: what a bucket of S3 can and cannot do.

The server puts whole objects, on condition that there is none or that it has an ETag; gets ranges, on condition of an
ETag; lists names after one of them, a page at a time; deletes without saying whether there was anything. It does not
rename, append, lock or know folders. Any request can fail, before or after it was carried out.
"""

import bisect
import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from atdata._errors import UnknownOutcomeError
from atdata._storage import (
    ChangedFileError,
    Outcome,
    OversizedFileError,
    ReadInto,
    Stamp,
    Store,
    Upload,
    open_store,
    register_scheme,
)

#: The scheme of the URLs.
SCHEME = "bucket"
#: How often a request is sent before its failure is told.
ATTEMPTS = 3
PAGE = 100
#: How many requests are under way at once.
PARALLEL = 8


class PreconditionFailed(Exception):  # noqa: N818 -- the protocol's name, 412
    """The object is not as the request's condition says."""


class LostAnswer(ConnectionError):  # noqa: N818 -- not an error of the object
    """The connection broke; the request may have been carried out."""


class Entry(NamedTuple):
    """An object: immutable, and put whole."""

    key: str
    data: bytes
    etag: str
    #: In nanoseconds.
    modified: int

    @property
    def stamp(self) -> Stamp:
        return Stamp(len(self.data), self.modified, self.etag)


class ObjectServer:
    """One bucket. ``requests`` records what was asked; ``fault`` decides which requests lose their answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[tuple[str, str]] = []
        #: Given verb, key and the number of the request: None; or its answer is lost, "before" or "after" it is carried
        #: out, or it is carried out "late", by :meth:`land`.
        self.fault: Callable[[str, str, int], str | None] = lambda *_: None
        self._objects: dict[str, Entry] = {}
        self._lock = threading.RLock()
        self._late: list[Callable[[], Any]] = []

    def heal(self) -> None:
        """Lose no more answers."""
        self.fault = lambda *_: None

    def land(self) -> None:
        """Carry out the requests that are late."""
        late, self._late = self._late, []
        for carry_out in late:
            with contextlib.suppress(PreconditionFailed, FileNotFoundError):
                carry_out()

    def put(self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None) -> str:
        def carry_out() -> str:
            entry = self._objects.get(key)
            if (if_none_match and entry) or (if_match is not None and (entry is None or entry.etag != if_match)):
                raise PreconditionFailed(key)
            modified = time.time_ns()
            etag = hashlib.md5(data + modified.to_bytes(8, "big"), usedforsecurity=False).hexdigest()
            self._objects[key] = Entry(key, data, etag, modified)
            return etag

        return self._answer("put", key, carry_out)

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> tuple[bytes, Entry]:
        def carry_out() -> tuple[bytes, Entry]:
            entry = self._entry(key)
            if if_match is not None and entry.etag != if_match:
                raise PreconditionFailed(key)
            return entry.data[start : len(entry.data) if length is None else start + length], entry

        return self._answer("get", key, carry_out)

    def head(self, key: str) -> Entry:
        return self._answer("head", key, lambda: self._entry(key)._replace(data=self._entry(key).data))

    def list(self, prefix: str, start_after: str = "") -> Sequence[Entry]:
        def carry_out() -> Sequence[Entry]:
            keys = sorted(key for key in self._objects if key.startswith(prefix))
            first = bisect.bisect_right(keys, start_after) if start_after else 0
            return [self._objects[key] for key in keys[first : first + PAGE]]

        return self._answer("list", prefix, carry_out)

    def delete(self, key: str) -> None:
        self._answer("delete", key, lambda: self._objects.pop(key, None))

    def _entry(self, key: str) -> Entry:
        try:
            return self._objects[key]
        except KeyError:
            raise FileNotFoundError(2, "No such object", f"{SCHEME}://{self.name}/{key}") from None

    def _answer(self, verb: str, key: str, carry_out: Callable[[], Any]) -> Any:
        with self._lock:
            number = len(self.requests)
            self.requests.append((verb, key))
            fault = self.fault(verb, key, number)
            if fault == "late" and verb == "put":
                self._late.append(carry_out)
            if fault in ("before", "late"):
                raise LostAnswer(104, f"{verb} {key}: connection reset")
            answer = carry_out()
            if fault == "after":
                raise LostAnswer(104, f"{verb} {key}: connection reset")
            return answer


#: By bucket, so that a store that was pickled finds its server again.
SERVERS: dict[str, ObjectServer] = {}


def serve(name: str) -> ObjectServer:
    """Begin an empty bucket, and make its URLs work."""
    SERVERS[name] = ObjectServer(name)
    register_scheme(SCHEME, _store_at)
    return SERVERS[name]


def _store_at(url: str, options: Mapping[str, Any]) -> "ObjectStore":
    del options
    bucket, _, folder = url.removeprefix(f"{SCHEME}://").partition("/")
    return ObjectStore(bucket, f"{folder}/" if folder else "")


class OpenObject(NamedTuple):
    """An object as it was when it was opened."""

    key: str
    size: int
    stamp: Stamp


class ObjectStore(Store):
    """The objects of a bucket whose names begin alike."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self._bucket, self._prefix = bucket, prefix

    @property
    def server(self) -> ObjectServer:
        return SERVERS[self._bucket]

    def __repr__(self) -> str:
        return f"ObjectStore({self.url()!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectStore):
            return NotImplemented
        return (self._bucket, self._prefix) == (other._bucket, other._prefix)

    def __hash__(self) -> int:
        return hash((self._bucket, self._prefix))

    def folder(self, name: str) -> "ObjectStore":
        return ObjectStore(self._bucket, f"{self._prefix}{name}/")

    def url(self, name: str = "") -> str:
        return f"{SCHEME}://{self._bucket}/{self._prefix}{name}".rstrip("/")

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        return [entry.key[len(self._prefix) :] for entry in self._listed(folder, recursive=recursive)]

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        stamps = {entry.key[len(self._prefix) :]: entry.stamp for entry in self._listed(folder, recursive=recursive)}
        return list(stamps), {name: stamp for name, stamp in stamps.items() if name.endswith(suffix)}

    def stamp(self, name: str) -> Stamp:
        stamp: Stamp = self._again(self.server.head, self._prefix + name).stamp
        return stamp

    def stamps(self, names: Sequence[str]) -> dict[str, Stamp]:
        def stamp(name: str) -> Stamp | None:
            try:
                return self.stamp(name)
            except FileNotFoundError:
                return None

        with ThreadPoolExecutor(PARALLEL) as pool:
            return {name: found for name, found in zip(names, pool.map(stamp, names), strict=True) if found}

    def read(self, name: str, limit: int | None = None) -> bytes:
        if limit is not None and (size := self.stamp(name).size) > limit:
            raise OversizedFileError.at(self.url(name), size, limit)
        data: bytes = self._again(self.server.get, self._prefix + name)[0]
        return data

    def read_many(self, names: Sequence[str], limit: int | None = None) -> list[bytes | OSError]:
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(lambda name: self._read_or_error(name, limit), names))

    def open(self, name: str) -> OpenObject:
        stamp = self.stamp(name)
        return OpenObject(self._prefix + name, stamp.size, stamp)

    def fill(self, parts: Sequence[ReadInto]) -> None:
        def fill(part: ReadInto) -> None:
            file, offset, buffer = part
            url = f"{SCHEME}://{self._bucket}/{file.key}"
            try:
                data, _ = self._again(self.server.get, file.key, offset, len(buffer), if_match=file.stamp.tag)
            except (PreconditionFailed, FileNotFoundError):
                raise ChangedFileError.at(url) from None
            if len(data) < len(buffer):
                raise ChangedFileError.at(url)
            buffer[:] = data

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(fill, [part for part in parts if len(part[2])]))

    def create(self, name: str, *, over: bool = False) -> "ObjectUpload":
        return ObjectUpload(self, name, over=over)

    def replace(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._again(self.server.put, self._prefix + name, bytes(data))

    def swap(self, name: str, old: bytes | bytearray | memoryview, new: bytes | bytearray | memoryview) -> bool:
        try:
            data, entry = self._again(self.server.get, self._prefix + name)
        except FileNotFoundError:
            return False
        return data == bytes(old) and self.put_if(name, bytes(new), if_match=entry.etag)

    def remove(self, *names: str) -> None:
        for name in names:
            self._again(self.server.delete, self._prefix + name)

    def put_if(self, name: str, data: bytes, **condition: Any) -> bool:
        """Put an object on a condition; return whether the name holds the bytes because of this call."""
        key, lost = self._prefix + name, None
        for _ in range(ATTEMPTS):
            try:
                self.server.put(key, data, **condition)
            except PreconditionFailed:
                return lost is not None and self._holds(name, data, lost)
            except LostAnswer as error:
                lost = error
            else:
                return True
        assert lost is not None
        if self._holds(name, data, lost):
            return True
        raise UnknownOutcomeError.publishing(self.url(name), lost) from lost  # the last one may still be on its way

    def _holds(self, name: str, data: bytes, lost: OSError) -> bool:
        try:
            return self.read(name) == data
        except FileNotFoundError:
            return False
        except LostAnswer:
            raise UnknownOutcomeError.publishing(self.url(name), lost) from lost

    def _listed(self, folder: str, *, recursive: bool) -> list[Entry]:
        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        entries: list[Entry] = []
        while page := self._again(self.server.list, prefix, entries[-1].key if entries else ""):
            entries += page
        if prefix and not entries:
            raise FileNotFoundError(2, "No such folder", self.url(folder))
        return [entry for entry in entries if _is_listed(entry.key[len(prefix) :], recursive=recursive)]

    def _again(self, request: Callable[..., Any], *arguments: Any, **conditions: Any) -> Any:
        """Send a request that may be carried out twice."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return request(*arguments, **conditions)
            except LostAnswer:
                if not left:
                    raise
        raise AssertionError


class ObjectUpload(Upload):
    """An object that is put when it is committed."""

    def __init__(self, store: ObjectStore, name: str, *, over: bool) -> None:
        self._store, self._name, self._over = store, name, over
        self._parts: list[bytes] | None = []
        self._is_staged = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_staged:
            raise self._is_over()
        self._open().append(bytes(data))

    def stage(self) -> None:
        self._open()
        self._is_staged = True

    def commit(self) -> None:
        data = b"".join(self._open())
        try:
            if self._over:
                self._store.replace(self._name, data)
            elif not self._store.put_if(self._name, data, if_none_match=True):
                raise FileExistsError(17, "the object exists", self._store.url(self._name))
        except UnknownOutcomeError:
            self.outcome = Outcome.UNKNOWN
            raise
        except LostAnswer as error:
            self.outcome = Outcome.UNKNOWN
            raise UnknownOutcomeError.publishing(self._store.url(self._name), error) from error
        self._parts, self.outcome = None, Outcome.PUBLISHED

    def abort(self) -> None:
        self._parts = None

    def _open(self) -> list[bytes]:
        if self._parts is None:
            raise self._is_over()
        return self._parts

    def _is_over(self) -> ValueError:
        return ValueError(f"{self._name} is published or dropped; begin a new file")


def _is_listed(name: str, *, recursive: bool) -> bool:
    *folders, _ = name.split("/")
    return not folders or (recursive and not any(folder.startswith((".", "_")) for folder in folders))


def open_bucket(name: str) -> ObjectStore:
    """Begin an empty bucket; return its store."""
    serve(name)
    store, _ = open_store(f"{SCHEME}://{name}")
    assert isinstance(store, ObjectStore)
    return store
