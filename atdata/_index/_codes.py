"""A number for each different list in a column, so that conditions on the column need not read it.

Lists are slow to read and to look into, and most columns of them hold few different ones. A part has a column more for
each of its own, with the code of each row's list; the shards table says which list each code is.
"""

import base64
import binascii
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import polars as pl
from msgspec import structs

from ._format import CODE, PartFacts

__all__ = ["CodeBook", "FewValues", "decode_codes", "encode_codes", "few_values", "with_codes"]

#: How many different lists a column has at most; they are in the shards table's metadata.
_MOST = 4096
#: How many rows tell whether a column is worth it, and how many times a value must appear in them on average.
_TRIED, _REPEATED = 100_000, 8
_SCHEMA = ("code", "value")


class FewValues(NamedTuple):
    """A column as its distinct values, first seen first, null among them, and for each row the place of its own."""

    values: pl.Series
    places: pl.Series


def few_values(column: pl.Series, most: int) -> FewValues | None:
    """Return a column as its distinct values; None where it has more than so many, or each appears too seldom."""
    frame, name = column.to_frame(), column.name
    values = frame.head(_TRIED).unique(maintain_order=True)
    if len(values) * _REPEATED > min(len(column), _TRIED):
        return None
    places = _places(column, values)
    if places.null_count():  # a value that came later, or does not equal itself
        values = frame.unique(maintain_order=True)
        if len(values) > most:
            return None
        places = _places(column, values)
    return None if places.null_count() or len(values) > most else FewValues(values[name], places)


def _places(column: pl.Series, values: pl.DataFrame) -> pl.Series:
    """Return for each row the place of its value; null where it is not among them."""
    placed = values.with_row_index("__place__")
    rows = column.to_frame().join(placed, on=column.name, how="left", nulls_equal=True, maintain_order="left")
    return rows["__place__"]


def with_codes(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Return a part's rows with the codes of its columns of lists, and by field which list each code is.

    What becomes of a column depends on its rows alone.
    """
    columns, found = list[pl.Series](), dict[str, pl.DataFrame]()
    for name, dtype in rows.schema.items():
        few = few_values(rows[name], _MOST) if _can_have(dtype) and CODE + name not in rows.schema else None
        if few is not None:
            # Of what the list is, not of where it stands: the same one in all parts.
            codes = [zlib.crc32(msgspec.msgpack.encode(value)) for value in few.values.to_list()]
            found[name] = pl.DataFrame({"code": pl.Series(codes, dtype=pl.UInt32), "value": few.values})
            columns.append(found[name]["code"].gather(few.places).alias(CODE + name))
    return rows.with_columns(columns), found


def _can_have(dtype: pl.DataType) -> bool:
    # Not of floats, of which two that are equal may differ.
    return isinstance(dtype, pl.List) and (dtype.inner in (pl.String, pl.Boolean) or dtype.inner.is_integer())


class CodeBook:
    """Which list each code is, put together from parts; a field whose lists are too many is left out of all parts.

    Args:
        known: By field, what an earlier index says of the parts that stay.
    """

    def __init__(self, known: Mapping[str, pl.DataFrame]) -> None:
        self._known = known
        self._found: dict[str, pl.DataFrame | None] = {}

    def keep(self, part: PartFacts) -> None:
        """Add what is known of a part that stays."""
        for name in part.codes:
            self._join(name, self._known.get(name))

    def add(self, codes: Mapping[str, pl.DataFrame]) -> None:
        """Add the lists of a new part, by field."""
        for name, each in codes.items():
            self._join(name, each)

    def _join(self, name: str, codes: pl.DataFrame | None) -> None:
        before = self._found.get(name, codes)
        if before is None or codes is None or before.schema != codes.schema:
            self._found[name] = None
            return
        both = pl.concat([before, codes]).unique(maintain_order=True)
        one_each = both["code"].n_unique() == len(both)
        self._found[name] = both if one_each and len(both) <= _MOST else None

    def settled(self, parts: Sequence[PartFacts]) -> tuple[list[PartFacts], dict[str, str]]:
        """Return the parts with the fields whose codes are known, and these as text."""
        known = {name: codes for name, codes in self._found.items() if codes is not None}
        settled = [structs.replace(part, codes=[name for name in part.codes if name in known]) for part in parts]
        used = {name for part in settled for name in part.codes}
        return settled, {name: encode_codes(codes) for name, codes in sorted(known.items()) if name in used}


def encode_codes(codes: pl.DataFrame) -> str:
    """Return which list each code is, as text."""
    buffer = io.BytesIO()
    codes.write_parquet(buffer, compression="zstd", statistics=False)
    return base64.b64encode(buffer.getvalue()).decode()


def decode_codes(text: str) -> pl.DataFrame:
    """Return which list each code is.

    Raises:
        ValueError: The text says something else.
    """
    try:
        codes = pl.read_parquet(io.BytesIO(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"its codes are no table: {error}") from error
    if tuple(codes.columns) != _SCHEMA or codes["code"].dtype != pl.UInt32 or not _can_have(codes["value"].dtype):
        raise ValueError(f"its codes have the columns {dict(codes.schema)}")
    if codes["code"].null_count() or codes["code"].n_unique() < len(codes):
        raise ValueError("its codes are not of one list each")
    return codes
