"""Programs as users of the original 0.7 write them: typed pipelines, splits, lenses."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

import atdata
from atdata import DatasetDict, DictSample, Lens, LensNetwork, LensNotFoundError, SampleBatch


@atdata.packable
class ImageSample:
    """An image, its label, and how sure somebody is of it."""

    image: NDArray
    label: str
    confidence: float


@atdata.packable
class LabelOnly:
    label: str


@atdata.packable
class Thumbnail:
    pixels: NDArray
    label: str


def image(number):
    return ImageSample(
        image=np.full((4, 4, 3), number, dtype=np.float32), label=f"class_{number % 3}", confidence=number / 100
    )


@pytest.fixture
def folder(tmp_path):
    for split, count in (("train", 60), ("test", 20)):
        atdata.write_samples(map(image, range(count)), tmp_path / f"images-{split}.tar", maxcount=20, manifest=True)
    return tmp_path


def test_a_typed_pipeline(folder):
    sample = image(7)
    assert ImageSample.from_bytes(sample.packed).label == "class_1"
    dataset = atdata.Dataset[ImageSample](f"{folder}/images-train-{{000000..000002}}.tar")
    assert (dataset.sample_type, len(dataset.list_shards()), len(dataset)) == (ImageSample, 3, 60)
    seen = 0
    for batch in dataset.ordered(batch_size=16):
        assert isinstance(batch, SampleBatch)
        assert isinstance(batch.label, list)
        assert batch.image.shape == (len(batch.label), 4, 4, 3)
        seen += len(batch.samples)
    assert seen == 60
    assert [sample.label for sample in dataset.head(4)] == ["class_0", "class_1", "class_2", "class_0"]
    assert dataset.schema == {"image": NDArray, "label": str, "confidence": float}
    assert dataset.column_names == ["image", "label", "confidence"]


def test_a_pipeline_of_steps(folder):
    dataset = atdata.load_dataset(folder, ImageSample, split="train")
    means = dataset.filter(lambda sample: sample.label == "class_1").map(lambda sample: float(sample.image.mean()))
    assert list(means.ordered()) == [float(number) for number in range(1, 60, 3)]
    assert [len(batch.samples) for batch in means.ordered(batch_size=8)] == [8, 8, 4]


def test_splits(folder):
    splits = atdata.load_dataset(str(folder), ImageSample)
    assert isinstance(splits, DatasetDict)
    assert (list(splits.keys()), splits.num_shards) == (["train", "test"], {"train": 3, "test": 1})
    assert splits.sample_type is ImageSample
    for split, dataset in splits.items():
        assert sum(1 for _ in dataset.ordered()) == {"train": 60, "test": 20}[split]
    test = atdata.load_dataset(str(folder), ImageSample, split="test")
    assert len(list(test)) == 20
    with pytest.raises(ValueError, match="'train', 'test'"):
        atdata.load_dataset(str(folder), ImageSample, split="dev")


def test_splits_by_files(folder):
    files = {"mine": ["images-train-000000.tar", "images-train-000001.tar"], "held": "images-test-*.tar"}
    splits = atdata.load_dataset(str(folder), ImageSample, data_files=files)
    assert {split: len(dataset) for split, dataset in splits.items()} == {"mine": 40, "held": 20}


def test_loading_without_a_type_and_naming_it_later(folder):
    dataset = atdata.load_dataset(str(folder), split="train")
    first = dataset.head(1)[0]
    assert isinstance(first, DictSample)
    assert (first.label, first["confidence"], "image" in first) == ("class_0", 0.0, True)
    typed = dataset.as_type(ImageSample)
    assert isinstance(next(iter(typed)), ImageSample)
    assert next(iter(typed)).image.shape == (4, 4, 3)


def test_lenses(folder):
    @atdata.lens
    def thumbnail(sample: ImageSample) -> Thumbnail:
        return Thumbnail(pixels=sample.image[::2, ::2], label=sample.label)

    @thumbnail.putter
    def put_thumbnail(view: Thumbnail, source: ImageSample) -> ImageSample:
        return ImageSample(image=source.image, label=view.label, confidence=source.confidence)

    source = image(5)
    assert thumbnail(source).pixels.shape == (2, 2, 3)
    assert thumbnail.put(Thumbnail(pixels=thumbnail(source).pixels, label="other"), source).label == "other"
    assert isinstance(thumbnail, Lens)
    assert LensNetwork().transform(ImageSample, Thumbnail) is thumbnail
    dataset = atdata.load_dataset(folder, ImageSample, split="train").as_type(Thumbnail)
    for batch in dataset.ordered(batch_size=30):
        assert batch.pixels.shape == (30, 2, 2, 3)

    @atdata.lens
    def name(view: Thumbnail) -> LabelOnly:
        return LabelOnly(view.label)

    both = thumbnail | name
    assert both(source) == LabelOnly("class_2")
    assert (name @ thumbnail)(source) == both(source)
    assert both.put(LabelOnly("new"), source).label == "class_2"  # `name` has no putter
    assert atdata.identity(ImageSample)(source) is source


def test_a_lens_that_nobody_wrote(folder):
    @atdata.packable
    class Audio:
        wave: NDArray

    with pytest.raises(ValueError, match="def image_sample_to_audio"):
        LensNetwork().transform(ImageSample, Audio)
    with pytest.raises(LensNotFoundError, match="def image_sample_to_audio"):
        atdata.load_dataset(folder, ImageSample, split="train").as_type(Audio)


def test_tables_and_shards(folder, tmp_path):
    dataset = atdata.load_dataset(folder, ImageSample, split="train")
    frame = dataset.to_pandas(limit=10)
    assert (len(frame), list(frame.columns)) == (10, ["image", "label", "confidence"])
    assert dataset.to_dict(limit=2)["label"] == ["class_0", "class_1"]
    dataset.to_parquet(tmp_path / "out.parquet", sample_map=lambda sample: {"label": sample.label}, maxcount=25)
    assert sorted(path.name for path in tmp_path.glob("out*")) == [f"out-{n:06d}.parquet" for n in range(3)]
    sums = dataset.process_shards(lambda samples: sum(sample.confidence for sample in samples))
    assert math.isclose(sum(sums.values()), sum(range(60)) / 100)
    with pytest.raises(atdata.PartialFailureError) as failed:
        dataset.process_shards(lambda samples: 1 / 0 if samples[0].confidence == 0 else len(samples))
    assert (len(failed.value.failed_shards), list(failed.value.results.values())) == (1, [20, 20])
