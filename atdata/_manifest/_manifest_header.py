"""The header: strict JSON, and the commit record of a shard (docs/format.md, "Header")."""

import datetime as dt
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import polars as pl
from msgspec import Meta, Raw, Struct

from atdata._errors import DamagedManifestError, SampleValueError, UnsupportedFormatError, listed

from ._aggregate import Aggregate, AggregateMembers, Count
from ._format_1_0 import is_version_1_0, known_bounds, with_null_tokens
from ._kinds import find_aggregate, members_type

__all__ = [
    "KNOWN_FEATURES",
    "MANIFEST_FORMAT_VERSION",
    "MAX_HEADER",
    "MAX_READ",
    "FieldAggregate",
    "FileFacts",
    "Header",
    "TableFacts",
    "encode_header",
    "now",
    "parse_header",
]

MANIFEST_FORMAT_VERSION = "1.1.0"
#: The features that this version knows, of those that a header may require of its readers.
KNOWN_FEATURES: frozenset[str] = frozenset()
#: The major versions that are read. A header of version 2 differs from one of version 1 by what it requires alone.
_MAJOR_VERSIONS = ("1", "2")
#: The longest header that is written, in bytes, and how many of them are the digest's.
MAX_HEADER, _DIGEST_ROOM = 64 << 10, 100
#: The longest header that is parsed, in bytes.
MAX_READ = 64 << 20

_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_FileName = Annotated[str, Meta(pattern=r"^[^/\\\0]+$", min_length=1)]
_Decoded = TypeVar("_Decoded")
#: What msgspec raises for bytes that are not the JSON that was asked for.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError)


class FileFacts(Struct, frozen=True):
    """Name, length and SHA-256 of a file beside a header."""

    file: _FileName
    size_bytes: Count
    sha256: _Sha256


class TableFacts(FileFacts, frozen=True):
    """Name, length, SHA-256 and columns of a header's sample table."""

    columns: dict[str, str]


class FieldAggregate(NamedTuple):
    """The aggregate of one field in a header."""

    kind: Aggregate[Any]
    members: AggregateMembers


class Header(Struct, frozen=True, kw_only=True, dict=True):
    """A header's members, checked; unknown ones are ignored.

    Aggregates are decoded, and checked, when they are asked for: the digest vouches for their bytes, and most readers
    need few of them. Those of a header without a digest are checked when it is parsed.
    """

    manifest_version: str
    shard_id: str
    schema_type: str
    schema_version: str
    num_samples: Count
    size_bytes: Count
    created_at: str
    raw_aggregates: Raw = msgspec.field(name="aggregates")
    content_metadata: dict[str, Any] | None = None
    provenance: dict[str, Any] = {}
    shard: FileFacts | None = None
    samples: TableFacts | None = None
    required_features: list[str] = []
    digest: _Sha256 | None = None

    @property
    def has_places(self) -> bool:
        """Whether the table has offsets to read samples by, and nulls and NaN are counted; not in version 1.0."""
        return not is_version_1_0(self.manifest_version)

    @functools.cached_property
    def kinds(self) -> dict[str, str]:
        """The kind of each field's aggregate, unknown ones included, in the header's order.

        Raises:
            DamagedManifestError: The aggregates are malformed.
        """
        types = self._decode(None, self.raw_aggregates, dict[str, _AggregateType])
        return {name: member.type for name, member in types.items()}

    def aggregate(self, name: str) -> FieldAggregate | None:
        """Return the aggregate of a field; None where there is none, or one of an unknown kind.

        Raises:
            DamagedManifestError: It is malformed.
        """
        raw = self._by_field.get(name)
        kind = None if raw is None else find_aggregate(self._decode(name, raw, _AggregateType).type)
        if raw is None or kind is None:
            return None
        members = self._decode(name, raw, kind.members)
        return FieldAggregate(kind, members if self.has_places else known_bounds(members))

    def aggregates(self) -> dict[str, FieldAggregate]:
        """Return the aggregates of all fields but those of an unknown kind, in the header's order.

        Raises:
            DamagedManifestError: One is malformed.
        """
        kinds = {name: find_aggregate(kind) for name, kind in self.kinds.items()}
        every = None if None in kinds.values() else self._all_members()
        if every is None:
            by_field = {name: self.aggregate(name) for name in kinds}
            return {name: aggregate for name, aggregate in by_field.items() if aggregate is not None}
        return {
            name: FieldAggregate(kind, every[name] if self.has_places else known_bounds(every[name]))
            for name, kind in kinds.items()
            if kind is not None
        }

    def _all_members(self) -> dict[str, AggregateMembers] | None:
        """Return the members of all aggregates at once; None where one is malformed, which is then found by itself."""
        try:
            every: dict[str, AggregateMembers] = _decoder_of(dict[str, members_type()]).decode(self.raw_aggregates)  # type: ignore[misc]  # made of the registry
        except _MALFORMED:
            return None
        return every

    def known_aggregates(self) -> dict[str, dict[str, Any]]:
        """Return the known members of the aggregates; of an aggregate of an unknown kind its type alone.

        Raises:
            DamagedManifestError: One is malformed.
        """
        members = {name: aggregate.members for name, aggregate in self.aggregates().items()}
        plain: dict[str, dict[str, Any]] = msgspec.to_builtins(members)
        return {name: plain.get(name) or {"type": kind} for name, kind in self.kinds.items()}

    def plain_aggregates(self) -> dict[str, dict[str, Any]]:
        """Return the aggregates as they stand in the JSON, unknown kinds and members included.

        Raises:
            DamagedManifestError: One is malformed.
        """
        every = self._decode(None, self.raw_aggregates, dict[str, dict[str, Any]])
        # The known members by their types: without one, msgspec takes integers beyond 64 bits for floats.
        return {name: every[name] | plain for name, plain in self.known_aggregates().items()}

    @functools.cached_property
    def _by_field(self) -> dict[str, Raw]:
        return self._decode(None, self.raw_aggregates, dict[str, Raw])

    def _decode(self, field: str | None, raw: Raw, kind: type[_Decoded]) -> _Decoded:
        try:
            decoded: _Decoded = _decoder_of(kind).decode(raw)
        except _MALFORMED as error:
            where = "aggregates" if field is None else f"aggregates, {field!r}"
            file = vars(self).get("_file", f"the header of shard {self.shard_id!r}")
            raise DamagedManifestError.because(file, f"no manifest header: {error} - in {where}") from error
        return decoded


class _AggregateType(Struct, frozen=True):
    type: str


class _Requirements(Struct, frozen=True):
    manifest_version: str
    required_features: Any = ()


_decoder_of: Callable[[Any], msgspec.json.Decoder[Any]] = functools.cache(msgspec.json.Decoder)
#: The digest's member at the end of a header. It is sought in the last bytes alone: white space may stand around it.
_DIGEST_TAIL = re.compile(rb',\s*"digest"\s*:\s*"[0-9a-f]{64}"\s*}\s*\Z')


def now() -> str:
    """Return the time that a header records: SOURCE_DATE_EPOCH where it is set, else the clock; ISO 8601, UTC."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = dt.datetime.now(dt.UTC) if epoch is None else dt.datetime.fromtimestamp(int(epoch), dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"SOURCE_DATE_EPOCH={epoch!r} is no number of seconds since 1970") from error
    return moment.isoformat(timespec="seconds")


def encode_header(members: Mapping[str, Any], dtypes: Mapping[str, pl.DataType]) -> bytes:
    """Return a header's bytes, with the digest as its last member.

    Where the header would be longer than 64 KiB, it is written without white space, and its widest aggregates list
    fewer values.

    Args:
        members: The header's members, in order, without the digest. A ``msgspec.Raw``, as a member or in one, is
            written as it stands.
        dtypes: The dtypes of the columns that have aggregates; of a list, that of its elements.

    Raises:
        SampleValueError: The metadata or provenance is no strict JSON, or there is more than a header holds.
    """
    body = _json(members, indent=2)
    if len(body) > MAX_HEADER - _DIGEST_ROOM:  # first the white space goes, then the rarest values
        aggregates = _fitted(members, dtypes)
        body = _json({**members, "aggregates": aggregates}, indent=None)
    digest = hashlib.sha256(body).hexdigest()
    return body + f',\n  "digest": "{digest}"\n}}\n'.encode()


def parse_header(data: bytes, file: str) -> Header:
    """Return a header's members, once its digest and their types are checked.

    Args:
        data: The file's bytes.
        file: What errors call it.

    Raises:
        DamagedManifestError: It is no header, or its bytes are not what was written.
        UnsupportedFormatError: Its format is newer than this version reads.
    """
    if len(data) > MAX_READ:
        raise DamagedManifestError.because(file, f"a header of {len(data)} bytes; {MAX_READ} at most are read")
    try:
        header = _decoded(data, file)
    except _MALFORMED as error:
        raise DamagedManifestError.because(file, f"no manifest header: {error}") from error
    _check_requirements(header.manifest_version, header.required_features, file)
    vars(header)["_file"] = file
    _check_digest(data, header, file)
    return header


def _decoded(data: bytes, file: str) -> Header:
    decoder = _decoder_of(Header)
    try:
        header: Header = decoder.decode(data)
    except msgspec.DecodeError:
        # What a newer version requires may be why it cannot be read; that is the better answer.
        strict, version = data, None
        try:
            version = _decoder_of(_Requirements).decode(data)
        except msgspec.DecodeError:
            strict = with_null_tokens(data)
            version = _decoder_of(_Requirements).decode(strict)
            if not is_version_1_0(version.manifest_version):
                raise
        _check_requirements(version.manifest_version, version.required_features, file)
        header = decoder.decode(strict)
    return header


def _check_requirements(version: str, features: Any, file: str) -> None:
    if version.partition(".")[0] not in _MAJOR_VERSIONS:
        raise UnsupportedFormatError(
            f"{file}: manifest_version {version!r}; this version of atdata-polars reads 1.x and 2.x "
            f"(it writes {MANIFEST_FORMAT_VERSION}). Use a newer atdata-polars"
        )
    names = features if isinstance(features, list) else []
    if unknown := [name for name in names if isinstance(name, str) and name not in KNOWN_FEATURES]:
        raise UnsupportedFormatError(
            f"{file}: the header requires the feature {listed(unknown)}; this version of atdata-polars knows "
            f"{listed(sorted(KNOWN_FEATURES))}. Use a newer atdata-polars"
        )


def _check_digest(data: bytes, header: Header, file: str) -> None:
    if header.digest is None:
        if header.shard is not None or header.samples is not None:
            raise DamagedManifestError.because(file, "it names its files and has no digest to vouch for them")
        header.plain_aggregates()  # nothing else vouches for them
        return
    tail = _DIGEST_TAIL.match(data, data.rfind(b",", 0, max(data.rfind(b'"digest"'), 0)))
    if tail is None:
        raise DamagedManifestError.because(file, "its digest is not its last member")
    actual = hashlib.sha256(memoryview(data)[: tail.start()]).hexdigest()
    if actual != header.digest:
        raise DamagedManifestError.because(
            file,
            f"its digest says {header.digest[:16]}…, and its bytes give {actual[:16]}…: they were changed",
        )


def _fitted(members: Mapping[str, Any], dtypes: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return the aggregates, the widest shortened until the whole header fits."""
    aggregates: dict[str, Any] = {name: _plain(aggregate) for name, aggregate in members["aggregates"].items()}
    widths = {name: len(_json({name: aggregate}, indent=None)) for name, aggregate in aggregates.items()}
    available = MAX_HEADER - _DIGEST_ROOM - len(_json({**members, "aggregates": {}}, indent=None))
    while sum(widths.values()) > available:
        for name in sorted(widths, key=widths.__getitem__, reverse=True):
            shorter = _shortened(aggregates[name], dtypes.get(name))
            if shorter is not None:
                break
        else:
            raise SampleValueError(
                f"the header of shard {_plain(members['shard_id'])!r} takes "
                f"{MAX_HEADER - available + sum(widths.values())} "
                f"bytes, {MAX_HEADER} at most: shorten content_metadata or provenance, or keep some of the "
                f"{len(aggregates)} fields out of the manifest with ManifestField(..., exclude=True)"
            )
        aggregates[name] = shorter
        widths[name] = len(_json({name: shorter}, indent=None))
    return aggregates


def _plain(value: Any) -> Any:
    """Return a member as a value; as it stands where it holds what this version cannot shorten."""
    if not isinstance(value, Raw):
        return value
    plain = json.loads(bytes(value))
    is_unknown = isinstance(plain, dict) and find_aggregate(plain.get("type", "")) is None
    return value if is_unknown else plain


def _shortened(members: Any, dtype: pl.DataType | None) -> dict[str, Any] | None:
    kind = find_aggregate(members.get("type", "")) if isinstance(members, dict) else None
    return None if kind is None or dtype is None else kind.shortened(members, dtype)


def _json(members: Mapping[str, Any], *, indent: int | None) -> bytes:
    """Return an object without its closing brace, so that one more member can follow."""
    try:
        return _text(members, indent, 0).removesuffix("}").rstrip().encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleValueError(
            f"the header is no strict JSON: {error}; "
            "content_metadata and provenance hold None, bool, int, finite float, str, and lists and dicts of these"
        ) from error


def _text(value: Any, indent: int | None, level: int) -> str:
    """Return a value as JSON; what was not decoded stands as it did, but for its white space."""
    if isinstance(value, Raw):
        data = bytes(value)
        return (data if indent else msgspec.json.format(data, indent=-1)).decode()
    if isinstance(value, Mapping) and (level == 0 or any(isinstance(member, Raw) for member in value.values())):
        members = [
            f"{json.dumps(name, ensure_ascii=False)}:{' ' if indent else ''}{_text(member, indent, level + 1)}"
            for name, member in value.items()
        ]
        if not members:
            return "{}"
        if not indent:
            return "{" + ",".join(members) + "}"
        start = "\n" + " " * (indent * (level + 1))
        return "{" + start + f",{start}".join(members) + "\n" + " " * (indent * level) + "}"
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.replace("\n", "\n" + " " * (indent * level)) if indent and level else text
