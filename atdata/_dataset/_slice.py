"""A selection as a small file: which samples of which shards, and what was asked for (docs/format.md, "Slice")."""

import errno
import functools
import io
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from atdata._errors import (
    DamagedManifestError,
    ManifestNotFoundError,
    SampleValueError,
    ShardChangedError,
    UnsupportedFormatError,
    first_line,
    listed,
)
from atdata._manifest import CRC32, HEADER_SUFFIX, OFFSET, PLACE, SHARD, SIZE, Listing, parquet_bytes, read_listing
from atdata._polars import enter_polars
from atdata._query import FAILURES, Question, read_question, written_question
from atdata._read import Opened
from atdata._shards import SLICE_SUFFIX, Locations, OpenShards, check_frame, is_slice, open_shards
from atdata._storage import LocalStore, Store

from ._selection import Selection, Taken

__all__ = ["load_slice", "save_slice"]

#: The version that is written, and the member of the file's metadata that holds everything but the rows.
_VERSION, _MEMBER = "1.0.0", "atdata.slice"


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What a shard was when its samples were chosen."""

    shard_id: str
    #: Length of the tar in bytes.
    size_bytes: int
    #: Of the tar; None where no header told it.
    sha256: str | None


class _About(msgspec.Struct, frozen=True):
    """What a slice says beside its rows."""

    slice_version: str
    #: The dataset's root, as an absolute path, and from the slice's folder.
    root: str
    relative: str
    #: What the dataset was opened from, as absolute paths or patterns.
    source: str | list[str]
    #: The digest of the dataset, and of the places in the rows.
    dataset: str
    places: str
    shards: list[_Stamp]
    #: What was asked, for people; and so that it can be asked again.
    predicate: str | None = None
    question: str | None = None


def save_slice(selection: Selection, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a selection to a file.

    Raises:
        ValueError: The file's name does not end in ``.slice.parquet``.
        FileExistsError: There is such a file, and it is not to be replaced.
        ManifestError: A manifest is damaged or gone.
    """
    target = Path(os.path.abspath(os.fspath(path)))  # noqa: PTH100 -- keeps links
    if not is_slice(target) or target.name == SLICE_SUFFIX:
        raise ValueError(
            f"a slice's name ends in {SLICE_SUFFIX}, as in 'dogs{SLICE_SUFFIX}'; found {os.fspath(path)!r}"
        )
    opened, locations = selection.opened, selection.locations
    places = locations.digest()
    root = opened.store.url()
    about = _About(
        slice_version=_VERSION,
        root=root,
        relative=os.path.relpath(root, target.parent),
        source=opened.source,
        dataset=opened.digest,
        places=places,
        shards=[_stamp(opened, shard_id) for shard_id in locations.used_shards],
        predicate=selection.predicate,
        question=None if selection.question is None else written_question(selection.question),
    )
    data = parquet_bytes(locations.to_frame(), {_MEMBER: msgspec.json.encode(about).decode()})
    store = LocalStore(target.parent)
    if overwrite:
        store.replace(target.name, data)
    else:
        try:
            with store.create(target.name) as upload:
                upload.write(data)
                upload.commit()
        except FileExistsError:
            raise FileExistsError(
                errno.EEXIST,
                "there is such a slice; give it another name, or replace it with overwrite=True",
                str(target),
            ) from None
    return target


def load_slice(path: str | os.PathLike[str]) -> "Sliced":
    """Return the selection in a file; no shard is read.

    Args:
        path: The file.

    Raises:
        ManifestNotFoundError: There is no such file, or its dataset is nowhere to be found.
        DamagedManifestError: It is no slice, or not as it was written, or points outside its dataset.
        UnsupportedFormatError: It is of a newer format.
    """
    file = Path(os.path.abspath(os.fspath(path)))  # noqa: PTH100 -- keeps links
    frame, about = _parsed(file)
    root = _root(file, about, frame)
    store, listing = LocalStore(root), _listing(root, about)
    source = _moved(about.source, about.root, str(root))
    again = functools.partial(open_shards, source, below=str(root))
    shards: OpenShards[Any] = OpenShards(store, listing, source=source, reopen=again)
    named = Locations.from_frame(frame, [stamp.shard_id for stamp in about.shards])
    if named.digest() != about.places:
        raise DamagedManifestError(f"{file}: its rows are not those that were written; write the slice again")
    # Of no sample, the dataset is all that there is to it.
    return Sliced(Opened(shards if about.shards else again()), named, about, file)


class Sliced(Taken):
    """Samples that a file names.

    Args:
        opened: Those of the shards that are there.
        named: The samples' places, by the shards that the file names.
        about: What the file says of them.
        file: The file, for errors.
    """

    def __init__(self, opened: Opened, named: Locations, about: _About, file: Path) -> None:
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
        if about.question is not None and isinstance(about.source, str):  # a folder, or a pattern
            return ", or ask again with refresh()"
        return (
            f", or take what is left: ds = Dataset({self.opened.store.url()!r}), rows = pl.read_parquet("
            f"{str(self._file)!r}), ds.take(rows.filter(pl.col('__shard__').is_in(ds.shards)))"
        )


def _stamp(opened: Opened, shard_id: str) -> _Stamp:
    facts = opened.manifests.header(shard_id).shard if opened.has_manifests else None
    if facts is not None:
        return _Stamp(shard_id, facts.size_bytes, facts.sha256)
    return _Stamp(shard_id, opened.store.size(f"{shard_id}.tar"), None)


def _parsed(file: Path) -> tuple[pl.DataFrame, _About]:
    enter_polars()
    try:
        data = file.read_bytes()
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


def _check_rows(file: Path, frame: pl.DataFrame) -> None:
    try:
        check_frame(frame)
        numbers = frame.select(pl.col(OFFSET, SIZE).cast(pl.Int64), pl.col(CRC32).cast(pl.UInt32))
    except (SampleValueError, pl.exceptions.PolarsError) as error:
        raise DamagedManifestError(
            f"{file}: its rows are no places: {first_line(error)}; write the slice again"
        ) from error
    if any(numbers[name].null_count() for name in (OFFSET, SIZE)):
        raise DamagedManifestError(f"{file}: its rows are no places: one lacks its size; write the slice again")


def _read_about(text: str, file: Path) -> _About:
    version = str(msgspec.json.decode(text, type=dict[str, Any]).get("slice_version"))
    if version.partition(".")[0] != "1":
        raise UnsupportedFormatError(
            f"{file}: slice_version {version!r}; this version of atdata-polars reads 1.x. Use a newer one"
        )
    return msgspec.json.decode(text, type=_About)


def _check_inside(file: Path, frame: pl.DataFrame, about: _About) -> None:
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
    if strange := sorted(named - stamped):
        raise DamagedManifestError(f"{file}: it does not say what the shards {listed(strange, 4)} were")


def _root(file: Path, about: _About, frame: pl.DataFrame) -> Path:
    places = [Path(os.path.normpath(file.parent / about.relative)), Path(about.root)]
    first = frame[SHARD][0] if len(frame) else None
    for place in places:
        if place.is_dir() and (
            first is None or any((place / f"{first}{end}").exists() for end in (".tar", HEADER_SUFFIX))
        ):
            return place
    if places[-1].is_dir():
        return places[-1]
    raise ManifestNotFoundError(
        f"{file} names samples of {places[0]} or {places[1]}, and they are in neither. Where the dataset is now: "
        f"Dataset(folder).take(pl.read_parquet({str(file)!r}))"
    )


def _listing(root: Path, about: _About) -> Listing:
    store: Store = LocalStore(root)
    wanted = {stamp.shard_id for stamp in about.shards}
    folders = {each.rpartition("/")[0] for each in wanted}
    listing = read_listing(name for folder in folders for name in _names_in(store, folder))
    committed = tuple(each for each in listing.committed if each.shard_id in wanted)
    return Listing(committed, () if committed else tuple(each for each in listing.uncommitted if each in wanted))


def _names_in(store: Store, folder: str) -> Sequence[str]:
    try:
        return store.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _moved(source: str | list[str], root: str, now: str) -> str | list[str]:
    """Return what a dataset was opened from, where it is by now."""
    if isinstance(source, str):
        return now + source.removeprefix(root) if source.startswith(root) else source
    return [now + each.removeprefix(root) if each.startswith(root) else each for each in source]
