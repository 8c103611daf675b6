"""The header: strict JSON, and the commit record of a shard (docs/format.md, "Header")."""

import datetime as dt
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import polars as pl
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from atdata._errors import DamagedManifestError, SampleValueError, UnsupportedFormatError

from ._aggregate import truncated
from ._old import is_old_version

__all__ = [
    "MANIFEST_FORMAT_VERSION",
    "MAX_HEADER",
    "FileFacts",
    "Header",
    "TableFacts",
    "encode_header",
    "now",
    "parse_header",
]

MANIFEST_FORMAT_VERSION = "1.1.0"
#: The longest header that is written, in bytes, and how many of them are the digest's.
MAX_HEADER, _DIGEST_ROOM = 64 << 10, 100
#: The longest header that is parsed, in bytes.
_MAX_READ = 64 << 20
#: From here on a float stands for more than one whole number.
_INEXACT = 1 << 53

_Count = Annotated[int, Meta(ge=0)]
_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_FileName = Annotated[str, Meta(pattern=r"^[^/\\\0]+$", min_length=1)]
_Bound = int | float | str | bool | None


class FileFacts(Struct, frozen=True):
    """What a header says of a file beside it."""

    file: _FileName
    size_bytes: _Count
    sha256: _Sha256


class TableFacts(FileFacts, frozen=True):
    """What a header says of its sample table."""

    columns: dict[str, str]


class _Aggregate(Struct, frozen=True, tag_field="type"):
    null_count: _Count | UnsetType = UNSET
    nan_count: _Count | UnsetType = UNSET


class _Categorical(_Aggregate, frozen=True, tag="categorical", kw_only=True):
    cardinality: _Count
    value_counts: dict[str, _Count]
    truncated: bool | UnsetType = UNSET
    min: _Bound | UnsetType = UNSET
    max: _Bound | UnsetType = UNSET


class _Numeric(_Aggregate, frozen=True, tag="numeric", kw_only=True):
    min: _Bound
    max: _Bound
    mean: float | None
    count: _Count
    unbounded: bool | UnsetType = UNSET


class _Set(_Aggregate, frozen=True, tag="set", kw_only=True):
    all_values: list[int | float | str | bool]
    value_counts: dict[str, _Count] | UnsetType = UNSET
    cardinality: _Count | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    min: _Bound | UnsetType = UNSET
    max: _Bound | UnsetType = UNSET


class Header(Struct, frozen=True, kw_only=True):
    """A header's members, checked; unknown ones are passed over."""

    manifest_version: str
    shard_id: str
    schema_type: str
    schema_version: str
    num_samples: _Count
    size_bytes: _Count
    created_at: str
    aggregates: dict[str, _Categorical | _Numeric | _Set]
    content_metadata: dict[str, Any] | None = None
    provenance: dict[str, Any] = {}
    shard: FileFacts | None = None
    samples: TableFacts | None = None
    digest: _Sha256 | None = None

    @property
    def is_old(self) -> bool:
        """Whether it is of version 1.0: its offsets lead nowhere, and nulls and NaN are not counted."""
        return is_old_version(self.manifest_version)

    def plain_aggregates(self) -> dict[str, dict[str, Any]]:
        """Return the aggregates as they stand in the JSON."""
        plain: dict[str, dict[str, Any]] = msgspec.to_builtins(self.aggregates)
        return plain


class _Version(Struct, frozen=True):
    manifest_version: str


_decoder_of = functools.cache(msgspec.json.Decoder)
#: A string, which stays, or a token that is no JSON.
_STRING_OR_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|(-?Infinity|NaN)', re.DOTALL)
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
        members: The header's members, in order, without the digest.
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
    if len(data) > _MAX_READ:
        raise DamagedManifestError.because(file, f"a header of {len(data)} bytes; {_MAX_READ} at most are read")
    try:
        version, strict = _version(data)
        header = _decoder_of(Header).decode(strict) if version.partition(".")[0] == "1" else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        raise DamagedManifestError.because(file, f"no manifest header: {error}") from error
    if header is None:
        raise UnsupportedFormatError(
            f"{file}: manifest_version {version!r}; this version of atdata-polars reads 1.x "
            f"(it writes {MANIFEST_FORMAT_VERSION}). Use a newer one"
        )
    _check_digest(data, header, file)
    return _with_known_bounds(header) if header.is_old else header


def _version(data: bytes) -> tuple[str, bytes]:
    """Return a header's version, and the header with null for what version 1.0 has and strict JSON has not."""
    try:
        return _decoder_of(_Version).decode(data).manifest_version, data
    except msgspec.DecodeError:
        strict = _STRING_OR_TOKEN.sub(lambda match: match[0] if match[1] is None else b"null", data)
        version = _decoder_of(_Version).decode(strict).manifest_version
        if not is_old_version(version):
            raise
        return version, strict


def _with_known_bounds(header: Header) -> Header:
    """Return a header of version 1.0 whose numeric aggregates say what they know.

    Its writer gave infinite bounds to no values, and rounded whole numbers to floats.
    """
    return structs.replace(header, aggregates={name: _known(each) for name, each in header.aggregates.items()})


def _known(each: _Categorical | _Numeric | _Set) -> _Categorical | _Numeric | _Set:
    if not isinstance(each, _Numeric):
        return each
    if not each.count:
        return structs.replace(each, min=None, max=None, mean=None)
    low, high = _exact(each.min), _exact(each.max)
    unbounded: bool | UnsetType = True if low is None or high is None else UNSET
    return structs.replace(each, min=low, max=high, unbounded=unbounded)


def _exact(bound: _Bound) -> _Bound:
    return None if isinstance(bound, float) and not -_INEXACT < bound < _INEXACT else bound


def _check_digest(data: bytes, header: Header, file: str) -> None:
    if header.digest is None:
        if header.shard is not None or header.samples is not None:
            raise DamagedManifestError.because(file, "it names its files and has no digest to vouch for them")
        return
    tail = _DIGEST_TAIL.search(data)
    if tail is None:
        raise DamagedManifestError.because(file, "its digest is not its last member")
    actual = hashlib.sha256(data[: tail.start()]).hexdigest()
    if actual != header.digest:
        raise DamagedManifestError.because(
            file,
            f"its digest says {header.digest[:16]}…, and its bytes give {actual[:16]}…: they were changed",
        )


def _fitted(members: Mapping[str, Any], dtypes: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return the aggregates, the widest truncated until the whole header fits."""
    aggregates = dict(members["aggregates"])
    widths = {name: len(_json({name: each}, indent=None)) for name, each in aggregates.items()}
    available = MAX_HEADER - _DIGEST_ROOM - len(_json({**members, "aggregates": {}}, indent=None))
    while sum(widths.values()) > available:
        listing = [name for name, each in aggregates.items() if each.get("value_counts")]
        if not listing:
            raise SampleValueError(
                f"the header of shard {members['shard_id']!r} takes {MAX_HEADER - available + sum(widths.values())} "
                f"bytes, {MAX_HEADER} at most: shorten content_metadata or provenance, or keep some of the "
                f"{len(aggregates)} fields out of the manifest with ManifestField(..., exclude=True)"
            )
        widest = max(listing, key=widths.__getitem__)
        fewer = len(aggregates[widest]["value_counts"]) // 2
        aggregates[widest] = truncated(aggregates[widest], fewer, dtypes[widest])
        widths[widest] = len(_json({widest: aggregates[widest]}, indent=None))
    return aggregates


def _json(members: Mapping[str, Any], *, indent: int | None) -> bytes:
    """Return an object without its closing brace, so that one more member can follow."""
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(members, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        return text.removesuffix("}").rstrip().encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleValueError(
            f"the header is no strict JSON: {error}; "
            "content_metadata and provenance hold None, bool, int, finite float, str, and lists and dicts of these"
        ) from error
