"""A selection as a small file: which samples of which shards, and what was asked for (docs/format.md, "Slice")."""

import errno
import functools
import hashlib
import io
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType

from atdata._errors import (
    DamagedManifestError,
    ManifestNotFoundError,
    SampleValueError,
    ShardChangedError,
    UnsupportedFormatError,
    first_line,
    listed,
)
from atdata._manifest import CRC32, OFFSET, PLACE, SHARD, SIZE, parquet_bytes
from atdata._polars import enter_polars
from atdata._query import FAILURES, Question, read_question, written_question
from atdata._read import Opened
from atdata._shards import (
    SLICE_SUFFIX,
    Locations,
    OpenShards,
    check_frame,
    escape_pattern,
    is_slice,
    join_shards,
    list_shards,
    open_shards,
    root_url,
)
from atdata._storage import ApartStore, StorePath, absolute_url, open_store, path_or_url
from atdata._tar import tar_name

from ._selection import Selection, Taken

__all__ = ["Places", "load_slice", "manifests_folder", "save_slice"]

#: The version that is written, and the member of the file's metadata that holds everything but the rows.
_VERSION, _MEMBER = "1.1.0", "atdata.slice"
#: How digests are made: of the metadata, of the dataset and of the rows.
_DIGEST_VERSION = 1
_DIGEST = re.compile(rb',"digest":"([0-9a-f]{64})"}\Z')

#: A folder, or folders by the names of a slice's roots.
Places: TypeAlias = str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]]


class _ShardRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a shard was when its samples were chosen."""

    shard_id: str
    #: Length of the tar in bytes.
    size_bytes: int
    #: Of the tar; None where no header told it.
    sha256: str | None


class _Root(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that shards are in, by absolute paths and as seen from the slice's folder (None on another store)."""

    #: The first part of the ids of its shards; empty where there is one root.
    name: str = ""
    path: str
    relative: str | None
    #: The folder of the manifests, where they are apart.
    manifests: str | None = None
    manifests_relative: str | None = None
    #: What the shards were opened from, as absolute paths or patterns.
    source: str | list[str]

    def own(self, shard_ids: Iterable[str]) -> list[str]:
        """Return the ids of its shards, as they are below it."""
        start = len(self.name) + 1 if self.name else 0
        return [shard_id[start:] for shard_id in shard_ids if self.holds(shard_id)]

    def holds(self, shard_id: str) -> bool:
        """Return whether a shard is one of its own."""
        return not self.name or shard_id.startswith(f"{self.name}/")


class _Old(msgspec.Struct, frozen=True):
    """What a slice of version 1.0 says of its one root."""

    root: str
    relative: str
    source: str | list[str]


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """What a slice says beside its rows."""

    slice_version: str
    #: How the digests are made.
    digest_version: int = _DIGEST_VERSION
    roots: list[_Root] = []
    #: The one root, for readers of version 1.0.
    root: str | UnsetType = UNSET
    relative: str | UnsetType = UNSET
    source: str | list[str] | UnsetType = UNSET
    #: The digest of the dataset, and of the places in the rows.
    dataset: str
    places: str
    shards: list[_ShardRecord]
    #: What was asked, for people; and so that it can be asked again.
    predicate: str | None = None
    question: str | None = None


def manifests_folder(root: object, manifests: Places | None) -> str | os.PathLike[str] | None:
    """Return the folder of manifests of a source that is not a slice, and so has not moved.

    Raises:
        ValueError: What only slices take was given.
    """
    if root is not None:
        raise ValueError("root= says where the dataset of a slice is now; open another source by its own path")
    if isinstance(manifests, Mapping):
        raise ValueError("manifests= is one folder, but for slices of several roots")  # noqa: TRY004 -- of such a slice it is right
    return manifests


def save_slice(selection: Selection, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a selection to a file.

    Raises:
        ValueError: The file's name does not end in ``.slice.parquet``.
        FileExistsError: There is such a file, and it is not to be replaced.
        ManifestError: A manifest is damaged or gone.
    """
    url = absolute_url(path)
    folder, _, name = url.rpartition("/")
    if not is_slice(url) or name == SLICE_SUFFIX:
        raise ValueError(
            f"a slice's name ends in {SLICE_SUFFIX}, as in 'dogs{SLICE_SUFFIX}'; found {os.fspath(path)!r}"
        )
    opened, locations = selection.opened, selection.locations
    roots = [_root_of(name, part, folder) for name, part in (opened.shards.parts or {"": opened.shards}).items()]
    only = roots[0] if len(roots) == 1 and not roots[0].name and roots[0].relative is not None else None
    about = _About(
        slice_version=_VERSION,
        roots=roots,
        root=only.path if only else UNSET,
        relative=only.relative or "." if only else UNSET,
        source=only.source if only else UNSET,
        dataset=opened.digest,
        places=locations.digest(),
        shards=[_stamp(opened, shard_id) for shard_id in locations.used_shards],
        predicate=selection.predicate,
        question=None if selection.question is None else written_question(selection.question),
    )
    data = parquet_bytes(locations.to_frame(), {_MEMBER: _with_digest(msgspec.json.encode(about)).decode()})
    store, name = open_store(url)
    try:
        if overwrite:
            store.replace(name, data)
        else:
            with store.create(name) as upload:
                upload.write(data)
                upload.commit()
    except FileExistsError:
        raise FileExistsError(
            errno.EEXIST, "there is such a slice; give it another name, or replace it with overwrite=True", url
        ) from None
    return path_or_url(url)


def load_slice(
    path: str | os.PathLike[str], *, root: Places | None = None, manifests: Places | None = None
) -> "Sliced":
    """Return the selection in a file; no shard is read.

    Args:
        path: The file.
        root: Where its dataset is now, or by name where its roots are.
        manifests: Where the manifests are now, in the same way.

    Raises:
        ManifestNotFoundError: There is no such file, or its dataset is nowhere to be found.
        DamagedManifestError: It is no slice, or not as it was written, or points outside its dataset.
        UnsupportedFormatError: It is of a newer format.
        ValueError: ``root`` or ``manifests`` name roots that it has not.
    """
    file = absolute_url(path)
    frame, about = _parsed(file)
    named = Locations.from_frame(frame, [stamp.shard_id for stamp in about.shards])
    if named.digest() != about.places:
        raise DamagedManifestError(f"{file}: its rows are not those that were written; write the slice again")
    folders, apart = (_by_name(option, given, about) for option, given in (("root", root), ("manifests", manifests)))
    shard_ids = [stamp.shard_id for stamp in about.shards]
    parts = {
        own.name: _found(file, own, own.own(shard_ids), folders.get(own.name), apart.get(own.name))
        for own in about.roots
    }
    if not about.shards:  # of no sample, the dataset is all that there is to it
        parts = {name: part.reopened() for name, part in parts.items()}
    shards = parts[""] if len(parts) == 1 and "" in parts else join_shards(parts)
    return Sliced(Opened(shards), named, about, file)


class Sliced(Taken):
    """Samples that a file names.

    Args:
        opened: Those of the shards that are there.
        named: The samples' places, by the shards that the file names.
        about: What the file says of them.
        file: The file, for errors.
    """

    def __init__(self, opened: Opened, named: Locations, about: _About, file: str) -> None:
        super().__init__(opened, named, about.predicate)
        self._about = about
        self._file = file

    @property
    def question(self) -> Question | None:
        """What selects the samples, so that it can be asked again.

        Raises:
            PredicateError: It was written by a version of Polars that this one does not read.
        """
        return None if self._about.question is None else read_question(self._about.question)

    @functools.cached_property
    def locations(self) -> Locations:
        """The samples' places, once their shards are known to be those that they were chosen from.

        Raises:
            ShardChangedError: One is not, or is gone.
        """
        there = frozenset(self.opened.shard_ids)
        for stamp in self._about.shards:
            if stamp.shard_id not in there:
                raise ShardChangedError(
                    stamp.shard_id,
                    f"{self._file} names samples of it, and neither its tar nor its manifest is in "
                    f"{self.opened.store.url()}. Restore it{self._way_out()}",
                )
            now = _stamp(self.opened, stamp.shard_id)
            if now != stamp:
                raise ShardChangedError(
                    stamp.shard_id,
                    f"it was changed after {self._file} was saved: the slice names samples in a tar of "
                    f"{stamp.size_bytes} bytes with SHA-256 {(stamp.sha256 or 'unknown')[:16]}, and there is one of "
                    f"{now.size_bytes} with {(now.sha256 or 'unknown')[:16]}. Ask again with refresh(), and save that",
                )
        return Locations.from_frame(self.names(), self.opened.shard_ids)

    def _way_out(self) -> str:
        about = self._about
        if about.question is not None and all(isinstance(root.source, str) for root in about.roots):  # not tars
            return ", or ask again with refresh()"
        return (
            f", or take what is left: ds = Dataset({self.opened.store.url()!r}), rows = pl.read_parquet("
            f"{str(self._file)!r}), ds.take(rows.filter(pl.col('__shard__').is_in(ds.shards)))"
        )


def _stamp(opened: Opened, shard_id: str) -> _ShardRecord:
    facts = opened.manifests.header(shard_id).shard if opened.has_manifests else None
    if facts is not None:
        return _ShardRecord(shard_id, facts.size_bytes, facts.sha256)
    return _ShardRecord(shard_id, opened.store.size(tar_name(shard_id)), None)


def _parsed(file: str) -> tuple[pl.DataFrame, _About]:
    enter_polars()
    try:
        store, name = open_store(file)
        data = store.read(name)
    except FileNotFoundError:
        raise ManifestNotFoundError(f"there is no slice {file}") from None
    try:
        text = pl.read_parquet_metadata(io.BytesIO(data)).get(_MEMBER)
        frame = pl.read_parquet(io.BytesIO(data))
    except FAILURES as error:
        raise DamagedManifestError(f"{file}: no Parquet file: {error}; write the slice again") from error
    if text is None:
        raise DamagedManifestError(
            f"{file}: a Parquet file without the member {_MEMBER!r} in its metadata, so no slice; of any frame with "
            "__shard__ and __key__ the samples are Dataset(folder).take(frame)"
        )
    try:
        about = _read_about(text, file)
    except msgspec.DecodeError as error:
        raise DamagedManifestError(f"{file}: no slice: {error}; write it again") from error
    if missing := [name for name in PLACE if name not in frame.columns]:
        raise DamagedManifestError(f"{file}: it lacks the columns {listed(missing)}; write the slice again")
    _check_rows(file, frame)
    _check_inside(file, frame, about)
    return frame, about


def _check_rows(file: str, frame: pl.DataFrame) -> None:
    try:
        check_frame(frame)
        numbers = frame.select(pl.col(OFFSET, SIZE).cast(pl.Int64), pl.col(CRC32).cast(pl.UInt32))
    except (SampleValueError, pl.exceptions.PolarsError) as error:
        raise DamagedManifestError(
            f"{file}: its rows are no places: {first_line(error)}; write the slice again"
        ) from error
    if any(numbers[name].null_count() for name in (OFFSET, SIZE)):
        raise DamagedManifestError(f"{file}: its rows are no places: one lacks its size; write the slice again")


def _read_about(text: str, file: str) -> _About:
    members = msgspec.json.decode(text, type=dict[str, Any])
    version = str(members.get("slice_version"))
    if version.partition(".")[0] != "1":
        raise UnsupportedFormatError(
            f"{file}: slice_version {version!r}; this version of atdata-polars reads 1.x. Use a newer one"
        )
    _checked_text(text, file, needed=not version.startswith("1.0."))
    if members.get("digest_version", _DIGEST_VERSION) != _DIGEST_VERSION:
        raise UnsupportedFormatError(
            f"{file}: digest_version {members['digest_version']!r}; this version of atdata-polars reads "
            f"{_DIGEST_VERSION}. Use a newer one"
        )
    about = msgspec.json.decode(text, type=_About)
    if about.roots:
        return about
    old = msgspec.json.decode(text, type=_Old)
    root = _Root(path=old.root, relative=old.relative, source=old.source)
    return msgspec.structs.replace(about, roots=[root])


def _check_inside(file: str, frame: pl.DataFrame, about: _About) -> None:
    named = set(frame[SHARD].unique())
    stamped = {stamp.shard_id for stamp in about.shards}
    for shard_id in sorted(named | stamped):
        parts = PurePosixPath(shard_id).parts
        if not shard_id or shard_id.startswith("/") or ".." in parts or "\\" in shard_id or "\0" in shard_id:
            raise DamagedManifestError(
                f"{file}: it names the shard {shard_id!r}, which lies outside of its dataset; nothing was read"
            )
    if len(stamped) != len(about.shards):
        raise DamagedManifestError(f"{file}: it says of a shard twice what it was; write the slice again")
    if loose := [shard_id for shard_id in stamped if not any(root.holds(shard_id) for root in about.roots)]:
        raise DamagedManifestError(f"{file}: the shards {listed(sorted(loose), 4)} are in none of its roots")
    if strange := sorted(named - stamped):
        raise DamagedManifestError(f"{file}: it does not say what the shards {listed(strange, 4)} were")


def _root_of(name: str, shards: OpenShards[Any], folder: str) -> _Root:
    """Return how a slice in a folder names the root of some shards."""
    store = shards.store
    path = root_url(store)
    manifests = store.others.url() if isinstance(store, ApartStore) else None
    return _Root(
        name=name,
        path=path,
        relative=_relative(path, folder),
        manifests=manifests,
        manifests_relative=None if manifests is None else _relative(manifests, folder),
        source=shards.named,
    )


def _by_name(option: str, given: Places | None, about: _About) -> dict[str, str]:
    """Return the folders that a caller gave for some roots of a slice, by the roots' names."""
    if given is None:
        return {}
    names = [root.name for root in about.roots]
    if not isinstance(given, Mapping):
        if len(names) > 1:
            raise ValueError(f"the slice has the roots {listed(names)}: {option}={{{names[0]!r}: ..., ...}}")
        return {names[0]: absolute_url(given)}
    if unknown := sorted(given.keys() - set(names)):
        raise ValueError(f"{option}= names {listed(unknown)}, and the slice has the roots {listed(names)}")
    return {name: absolute_url(folder) for name, folder in given.items()}


def _found(
    file: str, root: _Root, shard_ids: Sequence[str], moved: str | None, manifests: str | None
) -> OpenShards[Any]:
    """Return the shards of one root, where it is by now."""
    folder = file.rpartition("/")[0]
    places = [(root.path, manifests or root.manifests)]
    if root.relative is not None:
        apart = root.manifests if root.manifests_relative is None else _joined(folder, root.manifests_relative)
        places.insert(0, (_joined(folder, root.relative), manifests or apart))
    if moved is not None:
        places = [(moved, manifests or apart) for _, apart in places]
    there = []
    for path, apart in dict.fromkeys(places):
        if StorePath.parse(path).is_folder():
            store = StorePath.parse(path).folder()
            store = store if apart is None else ApartStore(store, StorePath.parse(apart).folder())
            there.append((path, apart, store, list_shards(store, shard_ids)))
    if not there or (not any(there[-1][3]) and shard_ids and there[-1][0] != places[-1][0]):
        given = f"{{{root.name!r}: folder}}" if root.name else "folder"
        raise ManifestNotFoundError(
            f"{file} names samples of {' or '.join(dict.fromkeys(path for path, _ in places))}, and they are in "
            f"neither. Where the dataset is now: Dataset({file!r}, root={given})"
        )
    path, apart, store, listing = next((place for place in there if any(place[3])), there[-1])
    source = _moved(root.source, root.path, path)
    again = functools.partial(open_shards, source, manifests=apart, below=path)
    if listing.committed:
        listing = listing._replace(uncommitted=())
    return OpenShards(store, listing, source=source, reopen=again)


def _moved(source: str | list[str], root: str, now: str) -> str | list[str]:
    """Return what a dataset was opened from, where it is by now."""
    if isinstance(source, list):
        return [_moved_path(path, root, now) for path in source]
    return _moved_path(source, root, now)


def _moved_path(path: str, root: str, now: str) -> str:
    for old, new in ((root, now), (escape_pattern(root), escape_pattern(now))):
        if path == old or path.startswith(f"{old.rstrip('/')}/"):
            return new.rstrip("/") + path[len(old.rstrip("/")) :] or "/"
    return path


def _relative(path: str, folder: str) -> str | None:
    """Return an absolute path or URL as seen from a folder; None where they are on different stores."""
    there, here = path.rstrip("/").split("/"), folder.rstrip("/").split("/")
    shared = sum(1 for _ in itertools.takewhile(lambda both: both[0] == both[1], zip(there, here, strict=False)))
    if shared < (3 if "://" in path or "://" in folder else 1):
        return None
    return "/".join([".."] * (len(here) - shared) + there[shared:]) or "."


def _joined(folder: str, relative: str) -> str:
    parts = folder.rstrip("/").split("/")
    for part in relative.split("/"):
        if part == "..":
            parts = parts[:-1] or [""]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "/"


def _with_digest(encoded: bytes) -> bytes:
    """Return metadata with its digest as the last member."""
    return encoded[:-1] + b',"digest":"' + hashlib.sha256(encoded).hexdigest().encode() + b'"}'


def _checked_text(text: str, file: str, *, needed: bool) -> None:
    """Check that metadata are what was written.

    Raises:
        DamagedManifestError: They are not.
    """
    data = text.encode()
    match = _DIGEST.search(data)
    if match is None and not needed:
        return
    if match is None or hashlib.sha256(data[: match.start()] + b"}").hexdigest() != match[1].decode():
        raise DamagedManifestError(f"{file}: its metadata are not those that were written; write the slice again")
