"""Samples as Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import atdata
from atdata import DictSample, SchemaError
from atdata._frames import _parquet
from atdata._frames._parquet import to_parquet
from tests.tiers import law


@atdata.packable
class Photo:
    pixels: NDArray[np.uint8]
    label: str | None
    score: Annotated[float, pl.Float32] = 0.5


def photos(count: int) -> Iterator[Photo]:
    for n in range(count):
        yield Photo(np.full((n % 3, 2), n, np.uint8), f"l{n}" if n % 5 else None)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_holds_the_samples(tmp_path: Path) -> None:
    path = tmp_path / "new" / "photos.parquet"
    assert to_parquet(photos(7), Photo, path) == [path]
    frame = pl.read_parquet(path)
    assert frame.schema == {"pixels": pl.List(pl.List(pl.UInt8)), "label": pl.String, "score": pl.Float32}
    assert frame["pixels"].to_list() == [photo.pixels.tolist() for photo in photos(7)]
    assert frame["label"].to_list() == [photo.label for photo in photos(7)]
    assert names(path.parent) == ["photos.parquet"]


def test_samples_are_mapped_to_rows(tmp_path: Path) -> None:
    (path,) = to_parquet(
        photos(3), Photo, tmp_path / "x.parquet", lambda photo: {"name": photo.label, "n": photo.pixels.size}
    )
    assert pl.read_parquet(path).rows() == [(None, 0), ("l1", 2), ("l2", 4)]


@pytest.mark.parametrize(("count", "rows"), [(7, [3, 3, 1]), (6, [3, 3]), (2, [2]), (0, [0])])
def test_files_have_at_most_so_many_rows(tmp_path: Path, count: int, rows: list[int]) -> None:
    files = to_parquet(photos(count), Photo, tmp_path / "photos.parquet", maxcount=3)
    assert [file.name for file in files] == [f"photos-{number:06d}.parquet" for number in range(len(rows))]
    frames = [pl.read_parquet(file) for file in files]
    assert [len(frame) for frame in frames] == rows
    if count:
        assert {str(frame.schema) for frame in frames} == {str(frames[0].schema)}
    assert [each for frame in frames for each in frame["label"]] == [photo.label for photo in photos(count)]


def test_no_samples_are_a_file_with_their_columns(tmp_path: Path) -> None:
    (path,) = to_parquet([], Photo, tmp_path / "x.parquet")
    assert pl.read_parquet(path).schema == {"pixels": pl.Null, "label": pl.String, "score": pl.Float32}


@law(100)
@example([60] * 10, 3, 5)
@given(st.lists(st.integers(0, 60), max_size=40), st.none() | st.integers(1, 9), st.integers(1, 5))
def test_rows_are_written_once_and_in_order_whatever_their_sizes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], maxcount: int | None, rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_parquet, "_ROWS", rows)
        patch.setattr(_parquet, "_BYTES", 100)
        samples = [{"n": n, "data": bytes(size)} for n, size in enumerate(sizes)]
        files = to_parquet(samples, None, tmp_path_factory.mktemp("x") / "x.parquet", maxcount=maxcount)
    frames = [pl.read_parquet(file) for file in files]
    assert [row for frame in frames for row in frame.rows()] == [(n, bytes(size)) for n, size in enumerate(sizes)]
    assert all(0 < len(frame) <= (maxcount or 99) for frame in frames) or not sizes
    for file in files:
        groups = pq.read_metadata(file)
        assert all(groups.row_group(n).num_rows <= rows for n in range(groups.num_row_groups))


def test_large_rows_are_written_before_many_are_held(tmp_path: Path) -> None:
    alive: list[int] = []

    class Tracked(dict[str, Any]):
        def __init__(self, n: int) -> None:
            super().__init__(data=bytes(9_000_000))
            alive.append(n)

        def __del__(self) -> None:
            alive.pop()

    most: list[int] = []

    def rows() -> Iterator[Tracked]:
        for n in range(20):
            yield Tracked(n)
            most.append(len(alive))

    to_parquet(rows(), None, tmp_path / "x.parquet")
    assert max(most) <= 10


# -- what goes wrong


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    to_parquet(photos(2), Photo, path)
    before = path.read_bytes()

    def failing() -> Iterator[Photo]:
        yield from photos(5)
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        to_parquet(failing(), Photo, path)
    assert (names(tmp_path), path.read_bytes()) == (["x.parquet"], before)
    with pytest.raises(ValueError, match="why"):
        to_parquet(failing(), Photo, tmp_path / "many.parquet", maxcount=2)
    assert names(tmp_path) == ["x.parquet"]


def test_one_file_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    to_parquet(photos(9), Photo, path)
    to_parquet(photos(2), Photo, path)
    assert len(pl.read_parquet(path)) == 2


def test_several_files_are_not_mixed_with_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    to_parquet(photos(9), Photo, path, maxcount=3)
    with pytest.raises(
        FileExistsError, match="'x-000000.parquet', 'x-000001.parquet', 'x-000002.parquet' would be mixed"
    ):
        to_parquet(photos(2), Photo, path, maxcount=3)
    assert len(names(tmp_path)) == 3
    to_parquet(photos(2), Photo, tmp_path / "y.parquet", maxcount=3)


def many(*rows: dict[str, Any]) -> Iterator[DictSample]:
    """Yield each row as often as fills a batch."""
    for row in rows:
        yield from [DictSample(row)] * 8192


@pytest.mark.parametrize(
    ("first", "then", "cell"),
    [({"a": 1.5}, {"a": 2}, 2.0), ({"a": 1}, {"a": None}, None), ({"a": 1}, {}, None), ({"a": ["x"]}, {"a": []}, [])],
)
def test_later_rows_take_the_dtypes_of_the_first_where_nothing_is_lost(
    tmp_path: Path, first: dict[str, Any], then: dict[str, Any], cell: Any
) -> None:
    (path,) = to_parquet(many(first, then), DictSample, tmp_path / "x.parquet")
    assert pl.read_parquet(path)["a"].to_list()[8191:8193] == [first["a"], cell]


@pytest.mark.parametrize(
    ("first", "then", "problem"),
    [
        ({"a": 1}, {"a": "x"}, "field 'a': its values make a column of String, first of Int64"),
        ({"a": 1}, {"a": 1.5}, "field 'a': its values make a column of Float64, first of Int64"),
        ({"a": 1.5}, {"a": 2**60 + 1}, "field 'a': its values make a column of Int64, first of Float64"),
        ({"a": None}, {"a": 1}, "field 'a': its values make a column of Int64, first of Null"),
        ({"a": [1]}, {"a": ["x"]}, r"field 'a': its values make a column of List\(String\), first of List\(Int64\)"),
        ({"a": 1}, {"b": 1}, "the rows have a field 'b', which none of the first ones has"),
    ],
)
def test_later_rows_of_other_columns_are_told_of(
    tmp_path: Path, first: dict[str, Any], then: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SchemaError, match=rf"{problem}; read the dataset as a type"):
        to_parquet(many(first, then), DictSample, tmp_path / "x.parquet")
    assert names(tmp_path) == []


def test_a_file_has_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="maxcount is a whole number from 1"):
        to_parquet([], Photo, "x.parquet", maxcount=0)
