"""What becomes of a dataset's samples: views, work, tables; of all of them, and of selections."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import atdata
from atdata import (
    AtdataError,
    Dataset,
    DecodeError,
    DictSample,
    F,
    LensNotFoundError,
    PartialFailureError,
    SampleBatch,
    SchemaError,
    ShardError,
)
from tests.extras import needs

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


@atdata.packable
class Label:
    label: str
    note: str | None = None


@atdata.packable
class Word:
    letters: str


@pytest.fixture(autouse=True)
def word_lens(photo_type: Any) -> atdata.Lens[Any, Word]:
    @atdata.lens
    def photo_to_word(photo: photo_type) -> Word:
        return Word(photo.label.upper())

    return photo_to_word


# -- views


def test_a_dataset_is_seen_through_a_lens(written: Dataset[Any], photos: Photos) -> None:
    words = written.as_type(Word)
    assert words.sample_type is Word
    assert list(words) == [Word(photo.label.upper()) for photo in photos(250)]
    assert words.column_names == ["letters"]
    assert isinstance(next(words.ordered(batch_size=3)), SampleBatch)
    assert next(words.ordered(batch_size=3)).letters == [photo.label.upper() for photo in photos(3)]


def test_a_view_is_a_dataset(written: Dataset[Any], photos: Photos) -> None:
    words = written.as_type(Word).where(pl.col("label") == "dog")
    count = sum(photo.label == "dog" for photo in photos(250))
    assert (len(words), list(words)) == (count, [Word("DOG")] * count)
    assert words[0] == words.select([0])[0] == Word("DOG")


def test_a_view_by_the_fields_decodes_payloads_at_once(written: Dataset[Any], photos: Photos) -> None:
    labels = written.as_type(Label)
    assert labels._sequence.steps == ()
    assert list(labels) == [Label(photo.label, photo.note) for photo in photos(250)]
    assert labels.sample_type is Label


def test_a_dataset_without_a_type_is_seen_as_any(written: Dataset[Any], tmp_path: Path, photo_type: Any) -> None:
    assert packed(Dataset(tmp_path).as_type(photo_type)) == packed(written)
    assert isinstance(written.as_type(DictSample)[0], DictSample)


def test_views_of_views_and_filters_come_in_order(written: Dataset[Any], photos: Photos) -> None:
    dogs = written.filter(lambda photo: photo.label == "dog").as_type(Word).filter(lambda word: word.letters == "DOG")
    assert list(dogs) == [Word("DOG")] * sum(photo.label == "dog" for photo in photos(250))
    chained = written.as_type(Word).as_type(DictSample)
    assert chained.sample_type is DictSample
    assert chained[0] == DictSample(letters=photos(1)[0].label.upper())


def test_the_same_views_are_equal(written: Dataset[Any]) -> None:
    assert written.as_type(Word) == written.as_type(Word)
    assert written.as_type(Word).as_type(DictSample) == written.as_type(Word).as_type(DictSample)
    assert written.as_type(Word) != written


def test_a_dataset_seen_as_itself_is_the_same(written: Dataset[Any], photo_type: Any) -> None:
    assert written.as_type(photo_type) == written


def test_no_view_says_what_to_write(written: Dataset[Any]) -> None:
    @atdata.packable
    class Sound:
        wave: float

    with pytest.raises(LensNotFoundError, match="def photo_to_sound"):
        written.as_type(Sound)


def test_what_a_function_makes_has_no_type_to_see_it_from(written: Dataset[Any]) -> None:
    with pytest.raises(SchemaError, match=r"as_type\(\) comes before map\(\)"):
        written.map(lambda photo: photo.label).as_type(Word)


# -- what a dataset is


@pytest.mark.usefixtures("written")
def test_a_dataset_tells_what_it_is(tmp_path: Path, photo_type: Any) -> None:
    dataset = Dataset[photo_type](tmp_path)
    assert dataset.source == str(tmp_path)
    assert dataset.shards == ["photos-000000", "photos-000001", "photos-000002"]
    assert dataset.where(pl.col("__shard__") == "photos-000001").shards == ["photos-000001"]
    assert dataset.batch_type([]).sample_type is photo_type


def test_fields_ask_questions(written: Dataset[Any], tmp_path: Path) -> None:
    assert written.where(written.fields.label == "dog") == written.where(F.label == "dog")
    with pytest.raises(AttributeError, match="did you mean 'label'"):
        _ = written.fields.lable
    assert len(Dataset(tmp_path).where(Dataset(tmp_path).fields.label == "dog")) > 0


# -- from webdataset


@needs("webdataset")
def test_what_webdataset_reads_is_wrapped(written: Dataset[Any], photos: Photos) -> None:
    import webdataset  # noqa: PLC0415 -- it imports PyTorch, which takes seconds

    samples: list[Any] = []
    for path in written.list_shards():
        with Path(path).open("rb") as tar:
            files = webdataset.tariterators.tar_file_expander([{"url": path, "stream": tar}])
            samples += map(written.wrap, webdataset.tariterators.group_by_keys(files))
    assert packed(samples) == packed(photos(250))


def test_batches_that_webdataset_reads_are_wrapped(written: Dataset[Any], photos: Photos) -> None:
    found = written.wrap_batch({"__key__": ["a", "b"], "msgpack": packed(photos(2)), "__url__": "x"})
    assert (type(found), packed(found)) == (SampleBatch, packed(photos(2)))


def test_a_view_wraps_as_well(written: Dataset[Any], photos: Photos) -> None:
    raw = {"msgpack": photos(1)[0].packed}
    assert written.filter(lambda _: False).as_type(Word).wrap(raw) == Word(photos(1)[0].label.upper())


@pytest.mark.parametrize("name", ["wrap", "wrap_batch"])
def test_what_has_no_payload_is_not_wrapped(written: Dataset[Any], name: str) -> None:
    with pytest.raises(DecodeError, match=r"expected a dict with the payload as 'msgpack'; found \['__key__'"):
        getattr(written, name)(
            {"__key__": ["k"], "jpg": [b""]} if name == "wrap_batch" else {"__key__": "k", "jpg": b""}
        )


# -- work


def test_work_is_done_shard_by_shard(written: Dataset[Any], photos: Photos) -> None:
    found = written.process_shards(packed)
    assert list(found) == written.shards
    assert [each for samples in found.values() for each in samples] == packed(photos(250))


def test_work_on_a_selection_gets_its_samples_in_their_order(written: Dataset[Any], photos: Photos) -> None:
    chosen = written.take([240, 3, 110, 1, 3])
    found = chosen.process_shards(packed)
    expected = packed(photos(250))
    assert found == {
        "photos-000000": [expected[3], expected[1], expected[3]],
        "photos-000001": [expected[110]],
        "photos-000002": [expected[240]],
    }
    assert written.where(pl.lit(value=False)).process_shards(len) == {}


def test_work_on_many_samples_of_a_shard_keeps_their_order(written: Dataset[Any], photos: Photos) -> None:
    found = written.take(list(range(249, -1, -1))).process_shards(packed)
    assert found["photos-000001"] == packed(photos(250)[199:99:-1])


def test_work_follows_the_steps(written: Dataset[Any]) -> None:
    found = written.filter(lambda photo: photo.label == "dog").map(lambda photo: photo.label).process_shards(set)
    assert found == {shard: {"dog"} for shard in written.shards}


def test_work_on_some_shards(written: Dataset[Any]) -> None:
    assert written.process_shards(len, shards=["photos-000002"]) == {"photos-000002": 50}
    assert written.process_shards(len, shards=written.list_shards()[1:2]) == {"photos-000001": 100}
    with pytest.raises(ShardError, match="none of this dataset's 3 shards"):
        written.process_shards(len, shards=["photos-000009"])


def test_a_damaged_shard_is_one_failure(written: Dataset[Any]) -> None:
    with Path(written.list_shards()[1]).open("r+b") as tar:
        tar.seek(600)
        tar.write(b"?")
    told: list[str] = []
    with pytest.raises(PartialFailureError, match="1 of 3 shards failed") as raised:
        written.process_shards(len, on_shard_error=lambda shard, error: told.append(f"{shard}: {type(error).__name__}"))
    assert raised.value.results == {"photos-000000": 100, "photos-000002": 50}
    assert told == ["photos-000001: ShardChangedError"]


def test_work_goes_on_where_it_was(written: Dataset[Any], tmp_path: Path) -> None:
    bad = [True]

    def count(samples: list[Any]) -> int:
        if len(samples) == 50 and bad:
            raise ValueError("not yet")
        return len(samples)

    with pytest.raises(PartialFailureError):
        written.process_shards(count, checkpoint=tmp_path / "work.jsonl")
    bad.clear()
    assert written.process_shards(count, checkpoint=tmp_path / "work.jsonl") == {"photos-000002": 50}


def test_a_checkpoint_is_of_its_samples_alone(written: Dataset[Any], tmp_path: Path) -> None:
    written.process_shards(len, checkpoint=tmp_path / "work.jsonl")
    with pytest.raises(AtdataError, match="is the checkpoint of another dataset"):
        written.where(label="dog").process_shards(len, checkpoint=tmp_path / "work.jsonl")


# -- tables


def test_tables_have_the_samples(written: Dataset[Any], photos: Photos, tmp_path: Path) -> None:
    labels = [photo.label for photo in photos(250)]
    assert written.to_dict()["label"] == labels
    assert written.to_pandas()["label"].tolist() == labels
    assert written.to_polars()["label"].to_list() == labels
    (path,) = written.to_parquet(tmp_path / "photos.parquet")
    assert pl.read_parquet(path)["label"].to_list() == labels
    assert len(written.to_dict(limit=7)["label"]) == len(written.to_pandas(7)) == len(written.to_polars(7)) == 7


def test_tables_of_selections_and_views(written: Dataset[Any]) -> None:
    assert written.where(label="dog").limit(2).to_polars()["label"].to_list() == ["dog", "dog"]
    assert written.where(label="dog").as_type(Word).limit(1).to_dict() == {"letters": ["DOG"]}


def test_tables_of_what_a_function_makes(written: Dataset[Any], photos: Photos) -> None:
    rows = written.map(lambda photo: {"label": photo.label, "mean": float(photo.pixels.mean())})
    frame = rows.to_polars(limit=3)
    assert frame.schema == {"label": pl.String, "mean": pl.Float64}
    assert frame["mean"].to_list() == [float(np.mean(photo.pixels)) for photo in photos(3)]


def test_parquet_in_parts_of_mapped_samples(written: Dataset[Any], tmp_path: Path) -> None:
    files = written.to_parquet(tmp_path / "x.parquet", sample_map=lambda photo: {"name": photo.label}, maxcount=100)
    assert [len(pl.read_parquet(file)) for file in files] == [100, 100, 50]
    assert pl.read_parquet(files[0]).columns == ["name"]
