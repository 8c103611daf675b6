"""Facts, HTML and JSON of datasets, selections, batches, locations and queries."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata import Dataset, DictSample, QueryExecutor, SampleBatch, SampleLocation
from atdata._view import facts_of, json_of

Photos = Callable[..., list[Any]]


@atdata.packable
class Icon:
    pixels: NDArray[np.uint8]
    label: str


@atdata.packable
class Named:
    label: str


@pytest.fixture
def icons(tmp_path: Path) -> Dataset[Icon]:
    samples = (Icon(np.full((8, 8), number, np.uint8), f"<script>alert({number})</script>") for number in range(20))
    return atdata.write_samples(samples, tmp_path / "icons.tar", maxcount=10, manifest=True, durable=False)


def shown(thing: Any) -> str:
    found: str = thing._repr_html_()
    assert len(found) < 100_000
    assert "<script" not in found
    return found


# -- in a line


def test_a_line_says_what_a_dataset_is(icons: Dataset[Icon], tmp_path: Path) -> None:
    assert repr(icons) == f"Dataset[Icon]('{tmp_path}', 2 shards)"
    assert repr(Dataset(tmp_path / "icons-000000.tar")) == f"Dataset[DictSample]('{tmp_path}', 1 shard)"


def test_a_line_says_what_was_chosen_and_done(icons: Dataset[Icon], tmp_path: Path) -> None:
    taken = icons.take([3, 1, 1]).filter(bool).map(str).map(str)
    assert repr(taken) == f"Dataset[Icon]('{tmp_path}', 2 shards, 3 samples taken, 1 filter, 2 maps)"
    assert repr(icons.where("label = 'x'")).startswith(f"Dataset[Icon]('{tmp_path}', 2 shards, where ")
    assert repr(icons.as_type(Named)) == f"Dataset[Named]('{tmp_path}', 2 shards)"


def test_a_line_reads_nothing(icons: Dataset[Icon], tmp_path: Path) -> None:
    chosen = icons.where(label="x")
    for path in tmp_path.iterdir():
        path.unlink()
    assert "where" in repr(chosen)


@pytest.mark.usefixtures("icons")
def test_a_line_is_said_of_what_cannot_be_read(tmp_path: Path) -> None:
    assert repr(Dataset[int](tmp_path)) == f"Dataset[int]('{tmp_path}', 2 shards)"
    assert "SchemaError: &lt;class &#x27;int&#x27;&gt; is no sample type" in shown(Dataset[int](tmp_path))


# -- in a notebook


def test_a_notebook_shows_counts_fields_statistics_and_pictures(icons: Dataset[Icon], tmp_path: Path) -> None:
    found = shown(icons)
    assert f'20 samples in 2 shards</div>\n<div class="atdata-note">{tmp_path}<' in found
    assert "<td>pixels</td><td>NDArray[uint8]</td>" in found
    assert "<td>label</td><td>str</td><td>&lt;script&gt;alert(0)&lt;/script&gt;</td>" in found
    assert "<td>20</td>" in found  # distinct labels
    assert found.count('<img src="data:image/png;base64,') == 6
    assert '<figcaption title="&lt;script&gt;alert(5)&lt;/script&gt;">' in found


def test_a_notebook_shows_a_selection_with_its_own_samples(icons: Dataset[Icon]) -> None:
    found = shown(icons.where(pl.col("label").str.contains("7")))
    assert "2 of 20 samples in 2 shards" in found
    assert "the statistics are those of all samples" in found
    assert "<code>where " in found
    assert found.count("<img") == 2
    assert "alert(17)" in found
    assert "3 of 20 samples" in shown(icons.take([1, 1, 2]))


def test_a_notebook_shows_columns_that_came_later(icons: Dataset[Icon]) -> None:
    with_more = icons.annotate(lambda batch: {"length": [len(text) for text in batch.label]})
    assert "<td>length</td><td>Int64</td>" in shown(with_more)


def test_showing_reads_headers_and_the_pictured_samples_alone(icons: Dataset[Icon], tmp_path: Path) -> None:
    with (tmp_path / "icons-000000.tar").open("r+b") as tar:
        tar.seek(7 * 1024 + 600)
        tar.write(b"?")
    (tmp_path / "icons-000001.tar").unlink()
    (tmp_path / "icons-000001.manifest.parquet").unlink()
    assert shown(icons).count("<img") == 6
    with pytest.raises(atdata.ShardChangedError):
        list(icons)


def test_what_a_function_makes_is_not_read_to_be_shown(icons: Dataset[Icon]) -> None:
    def fail(sample: Icon) -> Icon:  # noqa: ARG001
        raise AssertionError

    assert "1 map" in shown(icons.map(fail))
    found = shown(icons.filter(fail))
    assert "some of 20 samples" in found
    assert "<img" not in found


def test_a_view_is_shown_as_what_it_is(icons: Dataset[Icon]) -> None:
    @atdata.lens
    def icon_to_named(icon: Icon) -> Named:
        return Named(icon.label)

    found = shown(icons.as_type(Named))
    assert "Dataset[Named]" in found
    assert "<img" not in found
    assert icon_to_named.view_type is Named


def test_many_shards_are_counted_and_not_read(icons: Dataset[Icon], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atdata._view._facts._MAX_SHARDS", 1)
    monkeypatch.setattr(type(icons._sequence.opened.manifests), "header", None)
    assert "2 shards; describe() reads all headers" in shown(icons)


def test_tars_without_manifests_are_not_walked(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(3), tmp_path / "p.tar", durable=False)
    (tmp_path / "p.tar").write_bytes(b"no tar")
    assert "1 shard; no manifests: len() walks the tars" in shown(Dataset(tmp_path))


@pytest.mark.usefixtures("icons")
def test_a_dataset_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    again = Dataset[Icon](tmp_path)
    header = tmp_path / "icons-000000.manifest.json"
    header.write_text(header.read_text().replace('"label"', '"lable"'))
    found = shown(again)
    assert "DamagedManifestError: " in found
    assert "Dataset[Icon](&#x27;" in found


@pytest.mark.usefixtures("icons")
def test_splits_are_shown(tmp_path: Path) -> None:
    assert "<tr><td>train</td><td>2</td><td>Icon</td></tr>" in shown(atdata.load_dataset(tmp_path, Icon))


def test_a_batch_is_shown(icons: Dataset[Icon]) -> None:
    batch = next(icons.ordered(batch_size=8))
    found = shown(batch)
    assert "SampleBatch(8 x Icon)" in found
    assert "<td>pixels</td><td>uint8 (8, 8, 8)</td><td>uint8 (8, 8)</td>" in found
    assert "<td>label</td><td>list of str</td>" in found
    assert found.count("<img") == 6


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], "SampleBatch(0 x nothing)"),
        ([DictSample(a=1), DictSample(a="x")], "<td>a</td><td>list of int and str</td><td>1</td>"),
        ([DictSample(a=1), DictSample(b=1)], "AttributeError: a batch of DictSample has no field"),
        ([3], "SampleBatch(1 x int)"),
    ],
    ids=["empty", "mixed", "uneven", "mapped"],
)
def test_batches_of_anything_are_shown(samples: list[Any], said: str) -> None:
    assert said in shown(SampleBatch(samples)).replace("&#x27;", "'")


def test_a_location_is_shown() -> None:
    found = shown(SampleLocation("<script>", "k", 512, 1024, None))
    assert "<td>shard</td><td>&lt;script&gt;</td>" in found
    assert "<td>size</td><td>1,024</td>" in found


def test_a_long_predicate_is_cut(icons: Dataset[Icon]) -> None:
    asked = icons.where(f"label IN ({', '.join(repr(str(number)) for number in range(1000))})")
    assert len(repr(asked)) < 500
    assert repr(asked).endswith("…)")
    explained = asked.explain().predicate
    assert explained is not None
    assert "999" in explained


def test_one_sample_is_not_many(icons: Dataset[Icon]) -> None:
    assert "1 sample taken" in repr(icons.limit(1))


# -- as data


def test_facts_of_a_dataset_are_plain_values(icons: Dataset[Icon], tmp_path: Path) -> None:
    facts = facts_of(icons.where(label="<script>alert(3)</script>"))
    pictures = facts.pop("pictures")
    assert [set(picture) for picture in pictures] == [{"uri", "caption"}]
    assert facts == {
        "kind": "dataset",
        "name": "Dataset[Icon]",
        "url": str(tmp_path),
        "num_shards": 2,
        "has_manifests": True,
        "choice": ["where label='<script>alert(3)</script>'"],
        "is_selection": True,
        "num_samples": 20,
        "num_selected": 1,
        "fields": [
            {"field": "pixels", "type": "NDArray[uint8]"} | dict.fromkeys(["min", "max", "distinct", "top"]),
            {
                "field": "label",
                "type": "str",
                "min": "<script>alert(0)</script>",
                "max": "<script>alert(9)</script>",
                "distinct": 20,
                "top": "<script>alert(0)</script>",
            },
        ],
    }


@pytest.mark.parametrize("kind", ["dataset", "splits", "batch", "location", "executor", "explanation"])
def test_json_holds_the_facts(icons: Dataset[Icon], tmp_path: Path, kind: str) -> None:
    things = {
        "dataset": icons,
        "splits": atdata.load_dataset(tmp_path, Icon),
        "batch": next(icons.ordered(batch_size=3)),
        "location": icons.query(label="<script>alert(3)</script>")[0],
        "executor": QueryExecutor.from_directory(tmp_path).load(),
        "explanation": icons.explain(label="a"),
    }
    facts = json.loads(json_of(things[kind]))
    assert facts["kind"] == kind
    assert facts == json.loads(json.dumps(facts_of(things[kind])))


def test_a_query_is_shown(icons: Dataset[Icon], tmp_path: Path) -> None:
    executor = QueryExecutor.from_directory(tmp_path)
    assert "QueryExecutor(2 shards)" in shown(executor)
    assert "<td>label</td><td>" in shown(executor.load(["label"]))
    explained = shown(icons.explain(label="alert"))
    assert "<td>predicate</td><td>label=&#x27;alert&#x27;</td>" in explained
    assert "Parquet SCAN" in explained


def test_what_is_no_thing_of_atdata_has_no_facts() -> None:
    with pytest.raises(TypeError, match="found int"):
        facts_of(3)


def test_a_location_is_displayed_by_the_view_that_the_package_registers() -> None:
    program = (
        "import sys, atdata; at = atdata.SampleLocation('s', 'k', 0); assert 'atdata._view' not in sys.modules; "
        "print('<td>k</td>' in at._repr_html_(), 'atdata._view' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found == "True True\n"
