import polars as pl
import pytest

import atdata
from atdata import F
from atdata.manifest import QueryExecutor


@atdata.packable
class Photo:
    label: str
    score: float


PHOTOS = [Photo("dog" if row % 5 == 0 else "cat", row / 10) for row in range(12)]


@pytest.fixture
def executor(tmp_path):
    atdata.write_samples(PHOTOS, tmp_path / "photos.tar", maxcount=4, manifest=True, durable=False)
    return QueryExecutor.from_directory(tmp_path)


WHERE = {
    "polars": ([pl.col("label") == "dog"], {}, '[(col("label")) == ("dog")]'),
    "sql": (["label = 'dog'"], {}, "label = 'dog'"),
    "F": ([F.label == "dog"], {}, "F.label == 'dog'"),
    "equality": ([], {"label": "dog"}, "label='dog'"),
    "function": ([lambda df: df["label"] == "dog"], {}, "<lambda>(df)"),
}


@pytest.mark.parametrize("name", WHERE)
def test_the_figures_are_those_of_the_answer(executor, name, tmp_path):
    where, equalities, text = WHERE[name]
    found = executor.explain(*where, **equalities)
    answer = executor.query(*where, **equalities)
    assert found.predicate == text
    assert (found.rows, found.rows_selected) == (12, len(answer)) == (12, 3)
    assert (found.shards, found.shards_selected) == (3, len({each.shard for each in answer}))
    assert found.bytes_selected == sum(each.size for each in answer)
    assert found.bytes == sum(each.size for each in executor.query(pl.lit(value=True)))
    assert found.table_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.parquet"))


def test_everything_is_explained_without_a_predicate(executor):
    found = executor.explain()
    assert (found.predicate, found.rows_selected, found.bytes_selected) == (None, 12, found.bytes)


def test_nothing_selected_is_explained(executor):
    found = executor.explain(label="bird")
    assert (found.shards_selected, found.rows_selected, found.bytes_selected) == (0, 0, 0)


def test_the_plan_shows_what_is_pushed_down(executor):
    plan = executor.explain(F.score > 0.5).plan
    assert "Parquet SCAN" in plan
    assert 'SELECTION: col("score") > 0.5' in plan


def test_the_plan_of_a_function_says_when_it_is_called(executor):
    assert executor.explain(lambda df: df["score"] > 0.5).plan.endswith("then, shard by shard: <lambda>(df)")


def test_manifests_in_memory_are_explained(executor):
    found = QueryExecutor(executor.manifests).explain(label="dog")
    assert (found.rows_selected, found.shards_selected) == (3, 3)
    assert found.table_bytes > 0


def test_an_explanation_is_printed(executor):
    lines = str(executor.explain("label = 'dog'")).splitlines()
    assert lines[0] == "predicate     label = 'dog'"
    assert "rows          3 of 12 (25.00 %)" in lines


def test_an_explanation_is_a_value(executor):
    found = executor.explain(label="dog")
    assert found == executor.explain(label="dog")
    with pytest.raises(AttributeError, match="immutable"):
        found.rows = 0


def test_a_dataset_explains_as_an_executor_over_its_folder(executor, tmp_path):
    ds = atdata.Dataset[Photo](tmp_path)
    explained = executor.explain(F.score > 0.5, label="dog")
    assert ds.explain(F.score > 0.5, label="dog") == explained.planned(1, explained.bytes_selected)
    assert ds.explain() == executor.explain()
    assert "1 requests of" in str(ds.explain(F.score > 0.5, label="dog"))


def test_no_manifest_cannot_be_explained(tmp_path):
    with pytest.raises(atdata.ManifestNotFoundError):
        QueryExecutor.from_directory(tmp_path).explain()
