"""What a type checker sees. `make types` checks this file; an ignore that ignores nothing is an error there."""

from collections.abc import Iterator
from typing import Annotated, assert_type

import numpy as np
import polars as pl
from numpy.typing import NDArray

import atdata
from atdata import DictSample, Lens, LensNetwork, ManifestField, SampleBatch, SampleLocation, identity


@atdata.packable
class Photo:
    pixels: NDArray[np.uint8]
    label: Annotated[str, ManifestField("categorical")]
    confidence: float = 0.0


photo = Photo(np.zeros((2, 2), np.uint8), label="dog")
assert_type(photo.label, str)
assert_type(photo.confidence, float)
Photo(np.zeros((2, 2), np.uint8))  # type: ignore[call-arg]  # label is missing
Photo(np.zeros((2, 2), np.uint8), label=7)  # type: ignore[arg-type]  # label is text
ManifestField("number")  # type: ignore[arg-type]  # no such aggregate


atdata.Datset(".")  # type: ignore[attr-defined]  # no such name, although names are imported when they are used
assert_type(atdata.manifest.F.label == "dog", atdata.manifest.Predicate)


def read(folder: str) -> None:
    dataset = atdata.Dataset[Photo](folder)
    assert_type(dataset.head(), list[Photo])
    assert_type(dataset.ordered(), Iterator[Photo])
    assert_type(dataset.ordered(batch_size=8), Iterator[SampleBatch[Photo]])
    locations = dataset.query(pl.col("label") == "dog")
    assert_type(locations, list[SampleLocation])
    assert_type(dataset.fetch(locations), Iterator[Photo])
    assert_type(dataset.scan(), pl.LazyFrame)
    assert_type(next(iter(dataset.shuffled())), Photo)
    assert_type(next(iter(dataset.shuffled(batch_size=8, seed=0))), SampleBatch[Photo])
    assert_type(next(iter(dataset.shuffled(10, 100, 8))), SampleBatch[Photo])


def load(folder: str) -> None:
    assert_type(atdata.load_dataset(folder), atdata.DatasetDict[DictSample])
    assert_type(atdata.load_dataset(folder, split="train"), atdata.Dataset[DictSample])
    splits = atdata.load_dataset(folder, Photo, data_files={"train": "*.tar"})
    assert_type(splits, atdata.DatasetDict[Photo])
    assert_type(splits["train"], atdata.Dataset[Photo])
    assert_type(splits.num_shards, dict[str, int])
    assert_type(atdata.load_dataset(folder, Photo, split="test", streaming=True), atdata.Dataset[Photo])
    atdata.load_dataset(folder, Photo, "test")  # type: ignore[call-overload]  # by keyword


def write() -> None:
    assert_type(atdata.write_samples([photo], "photos.tar"), atdata.Dataset[Photo])


@atdata.packable
class Thumb:
    label: str


@atdata.packable
class Word:
    letters: str


@atdata.lens
def photo_to_thumb(sample: Photo) -> Thumb:
    return Thumb(sample.label)


@photo_to_thumb.putter
def put_thumb(view: Thumb, source: Photo) -> Photo:
    return Photo(source.pixels, view.label)


@atdata.lens
def thumb_to_word(sample: Thumb) -> Word:
    return Word(sample.label)


def see(dataset: atdata.Dataset[Photo]) -> None:
    assert_type(dataset.as_type(Thumb), atdata.Dataset[Thumb])
    assert_type(dataset.process_shards(len), dict[str, int])
    assert_type(dataset.to_polars(limit=3), pl.DataFrame)
    assert_type(dataset.wrap({}), Photo)
    assert_type(dataset.wrap_batch({}), SampleBatch[Photo])
    assert_type(photo_to_thumb, Lens[Photo, Thumb])
    assert_type(photo_to_thumb(photo), Thumb)
    assert_type(put_thumb(Thumb(""), photo), Photo)
    assert_type(photo_to_thumb | thumb_to_word, Lens[Photo, Word])
    assert_type(thumb_to_word @ photo_to_thumb, Lens[Photo, Word])
    assert_type(identity(Photo), Lens[Photo, Photo])
    assert_type(LensNetwork().transform(Photo, Word), Lens[Photo, Word])
    photo_to_thumb.put(photo, Thumb(""))  # type: ignore[arg-type]  # the view comes first
    thumb_to_word | photo_to_thumb  # type: ignore[operator]  # they do not meet
