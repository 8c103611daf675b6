"""One shard's manifest as an object, its table checked, as a Polars or pandas frame."""

import datetime as dt
import hashlib
import io
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from atdata._errors import DamagedManifestError, ManifestNotFoundError, PredicateError, listed
from atdata._polars import enter_polars
from atdata._storage import OversizedFileError, StorePath

from ._dtypes import parse_dtype
from ._format_1_0 import frame_today
from ._manifest_header import MANIFEST_FORMAT_VERSION, MAX_READ, FileFacts, Header, TableFacts, parse_header
from ._table import LOCATION

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["ShardManifest", "checked_table", "from_pandas", "row_mask", "to_pandas"]


def to_pandas(frame: pl.DataFrame) -> "pd.DataFrame":
    """Return a frame with the dtypes that ``pandas.read_parquet`` gives, and lists as Python lists."""
    import pandas as pd  # noqa: PLC0415 -- only this call needs it

    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    plain = pl.DataFrame([column for column in frame.get_columns() if column.name not in lists])
    table = plain.to_arrow(compat_level=pl.CompatLevel.oldest()).to_pandas()
    for name in lists:
        table[name] = pd.Series(frame[name].to_list(), dtype=object, index=table.index)
    ordered: pd.DataFrame = table[frame.columns]
    return ordered


#: People give `where` what belongs to `filter`.
_OF_A_SAMPLE = "A function of a sample goes to Dataset.filter()"


def from_pandas(frame: "pd.DataFrame") -> pl.DataFrame:
    """Return a pandas frame as a Polars frame; NaN becomes null."""
    return pl.from_pandas(frame)


def row_mask(function: Callable[[Any], Any], frame: pl.DataFrame, shard_id: str) -> pl.Series:
    """Return which rows of one shard a function of a pandas frame selects.

    Raises:
        PredicateError: The function reads a column that is not there, or returns no boolean for each row.
    """
    table = to_pandas(frame)
    try:
        mask = function(table)
    except KeyError as error:
        name = error.args[0] if error.args else None
        if not isinstance(name, str) or not _was_looked_up_in_a_frame(error):
            raise
        raise PredicateError.unknown_column(name, frame.columns) from error
    except AttributeError as error:
        if error.obj is not table or error.name is None:
            raise
        raise PredicateError.unknown_column(error.name, frame.columns) from error
    except (TypeError, ValueError) as error:
        error.add_note(f"from a function of a pandas frame of the rows of shard {shard_id!r}. {_OF_A_SAMPLE}")
        raise
    return pl.Series(_booleans(mask, table, shard_id))


def _was_looked_up_in_a_frame(error: KeyError) -> bool:
    import pandas as pd  # noqa: PLC0415 -- as above

    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(
        frame.f_code.co_name == "__getitem__" and isinstance(frame.f_locals.get("self"), pd.DataFrame)
        for frame in frames
    )


def _booleans(mask: Any, table: "pd.DataFrame", shard_id: str) -> Any:
    import pandas as pd  # noqa: PLC0415 -- as above

    if isinstance(mask, pd.Series) and len(mask) == len(table) and not mask.index.equals(table.index):
        mask = mask.reindex(table.index)  # rows that were sorted come back to their places
    if isinstance(mask, pd.Series):
        values = mask.array.fillna(value=False) if mask.dtype == "boolean" else mask.to_numpy()
    else:
        values = mask
    values = np.asarray(values) if isinstance(values, np.ndarray) or hasattr(values, "__array__") else values
    if isinstance(values, np.ndarray) and values.shape == (len(table),):
        if not len(table):  # of no rows, a function often makes no booleans
            return np.empty(0, np.bool_)
        if values.dtype == np.bool_:
            return values
    found = (
        f"a {type(mask).__name__} of {values.dtype}, shape {values.shape}"
        if isinstance(values, np.ndarray)
        else f"a {type(mask).__name__}"
    )
    raise PredicateError(
        f"the function returned {found} for shard {shard_id!r}; expected a boolean Series with one value for each of "
        f"its {len(table)} rows, such as df['label'] == 'dog'. The columns are {listed(table.columns)}. {_OF_A_SAMPLE}"
    )


class ShardManifest:
    """A shard's manifest: what its header says, and its sample table.

    Args:
        shard_id: The shard.
        schema_type: Name of the sample type.
        schema_version: Version of the sample type, ``"1.0.0"`` unless given.
        num_samples: Rows of the sample table.
        size_bytes: Length of the samples in bytes, as the builder recorded it.
        created_at: When it was made: a datetime, or ISO 8601 text.
        aggregates: One summary for each manifest field, as in the header.
        samples: The sample table, a Polars or a pandas frame.
        provenance: Where the shard comes from.
        content_metadata: What the writer said of the dataset.
        shard: The tar's file name, length and SHA-256, when there is a tar.
        manifest_version: The format that its offsets and aggregates follow.
    """

    def __init__(
        self,
        shard_id: str,
        schema_type: str,
        schema_version: str,
        num_samples: int,
        size_bytes: int,
        created_at: dt.datetime | str,
        aggregates: Mapping[str, Any],
        samples: "pl.DataFrame | pd.DataFrame | Callable[[], pl.DataFrame]",
        provenance: Mapping[str, Any] | None = None,
        *,
        content_metadata: Mapping[str, Any] | None = None,
        shard: FileFacts | None = None,
        manifest_version: str = MANIFEST_FORMAT_VERSION,
    ) -> None:
        self.shard_id = shard_id
        self.schema_type = schema_type
        self.schema_version = schema_version
        self.num_samples = num_samples
        self.size_bytes = size_bytes
        self.created_at = created_at
        self.aggregates = dict(aggregates)
        self.provenance = dict(provenance or {})
        self.content_metadata = content_metadata
        self.shard = shard
        self.manifest_version = manifest_version
        self._load = _loader(samples)
        self._frame: pl.DataFrame | None = None
        self._samples: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"ShardManifest({self.shard_id!r}, {self.schema_type}, {self.num_samples} samples)"

    @property
    def frame(self) -> pl.DataFrame:
        """The sample table as a Polars frame, one row a sample: the location columns, then the fields.

        Raises:
            ManifestNotFoundError: The table's file is gone.
            DamagedManifestError: Its bytes are not what was written.
        """
        if self._frame is None:
            self._frame = self._load()
        return self._frame

    @property
    def samples(self) -> "pd.DataFrame":
        """The sample table as a pandas frame, with pandas' own dtypes and lists as Python lists."""
        if self._samples is None:
            self._samples = to_pandas(self.frame)
        return self._samples

    def header_dict(self) -> dict[str, Any]:
        """Return what the header says of the shard: every member but ``samples`` and ``digest``."""
        created = self.created_at
        optional = {"content_metadata": self.content_metadata, "provenance": self.provenance}
        facts = self.shard
        return {
            "manifest_version": self.manifest_version,
            "shard_id": self.shard_id,
            "schema_type": self.schema_type,
            "schema_version": self.schema_version,
            "num_samples": self.num_samples,
            "size_bytes": self.size_bytes,
            "created_at": created.isoformat() if isinstance(created, dt.datetime) else created,
            **{name: value for name, value in optional.items() if value},
            "aggregates": {
                name: each if isinstance(each, dict) else each.to_dict() for name, each in self.aggregates.items()
            },
            **({"shard": _facts_dict(facts)} if facts else {}),
        }

    @classmethod
    def from_files(cls, json_path: "str | os.PathLike[str]", parquet_path: "str | os.PathLike[str]") -> Self:
        """Read a manifest from its two files; the table is read, and checked, on first use.

        Raises:
            ManifestNotFoundError: A file is not there.
            DamagedManifestError: The header's bytes are not what was written.
            UnsupportedFormatError: The header's format is newer than this version reads.
        """
        header_path, table_path = StorePath.parse(json_path), StorePath.parse(parquet_path)
        if not table_path.store.stamps([table_path.name]):
            raise ManifestNotFoundError(f"the sample table {table_path} is not there")
        header = _read_header(header_path)
        return cls.from_header(
            header, header.shard_id, lambda: checked_table(_read(table_path), header, table_path.url)
        )

    @classmethod
    def from_json_only(cls, json_path: "str | os.PathLike[str]") -> Self:
        """Read a manifest's header alone: ``num_samples`` and ``aggregates`` say what it says, ``samples`` has no row.

        Raises:
            ManifestNotFoundError: The file is not there.
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
        """
        header = _read_header(StorePath.parse(json_path))
        columns = header.samples.columns if header.samples else {}
        schema = LOCATION | {name: parse_dtype(text) for name, text in columns.items()}
        return cls.from_header(header, header.shard_id, lambda: pl.DataFrame(schema=schema))

    @classmethod
    def from_header(cls, header: Header, shard_id: str, samples: Callable[[], pl.DataFrame]) -> Self:
        """Make a manifest from a parsed header and what reads its sample table."""
        return cls(
            shard_id=shard_id,
            schema_type=header.schema_type,
            schema_version=header.schema_version,
            num_samples=header.num_samples,
            size_bytes=header.size_bytes,
            created_at=header.created_at,
            aggregates=header.plain_aggregates(),
            samples=samples,
            provenance=header.provenance,
            content_metadata=header.content_metadata,
            shard=header.shard,
            manifest_version=header.manifest_version,
        )


def _loader(samples: "pl.DataFrame | pd.DataFrame | Callable[[], pl.DataFrame]") -> Callable[[], pl.DataFrame]:
    if isinstance(samples, pl.DataFrame):
        return lambda: samples
    return samples if callable(samples) else lambda: from_pandas(samples)


def checked_table(data: bytes, header: Header, file: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Return the sample table in a Parquet file's bytes, once they are those that the header names.

    A table of version 1.0 gets the columns that it would have today.

    Args:
        data: The file's bytes.
        header: What the header promises.
        file: What errors call it.
        columns: Which columns to read; None for all.

    Raises:
        DamagedManifestError: They are others, or no Parquet.
    """
    enter_polars()
    facts = header.samples
    if facts is not None:
        check_bytes(data, facts, file)
    try:
        # A table of version 1.0 is read whole: only then its columns are known.
        frame = pl.read_parquet(io.BytesIO(data), columns=columns if header.has_places else None)
        if not header.has_places:
            frame = frame_today(frame)
            frame = frame if columns is None else frame.select(columns)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DamagedManifestError.because(file, f"no sample table: {error}") from error
    if len(frame) != header.num_samples:
        raise DamagedManifestError.because(
            file, f"the header promises {header.num_samples} samples, and the table has {len(frame)} rows"
        )
    return frame


def check_bytes(data: bytes, facts: TableFacts, file: str) -> None:
    """Check a sample table's length and SHA-256.

    Raises:
        DamagedManifestError: They are not what the header says.
    """
    if len(data) != facts.size_bytes:
        raise DamagedManifestError.because(
            file, f"the header promises {facts.size_bytes} bytes, and the file has {len(data)}"
        )
    actual = hashlib.sha256(data).hexdigest()
    if actual != facts.sha256:
        raise DamagedManifestError.because(
            file, f"the header promises SHA-256 {facts.sha256[:16]}…, and the bytes give {actual[:16]}…"
        )


def _facts_dict(facts: FileFacts) -> dict[str, Any]:
    return {"file": facts.file, "size_bytes": facts.size_bytes, "sha256": facts.sha256}


def _read_header(path: StorePath) -> Header:
    return parse_header(_read(path, MAX_READ), path.url)


def _read(path: StorePath, limit: int | None = None) -> bytes:
    try:
        return path.store.read(path.name, limit)
    except FileNotFoundError:
        raise ManifestNotFoundError(f"the manifest file {path} is not there") from None
    except OversizedFileError as error:
        raise DamagedManifestError.because(path.url, error.strerror or str(error)) from error
