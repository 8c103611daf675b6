"""The names, order and defaults that programs written for the original 0.7 rely on.

Ours may add parameters with defaults, by keyword or after those of the original, and nothing else.
"""

import inspect

import pytest

import atdata
import atdata.manifest

#: Public name to parameters, as they are written; ``<factory>`` is a dataclass's own, new for each object.
SIGNATURES = {
    # samples
    "packable": "cls",
    "PackableSample.from_bytes": "bs",
    "PackableSample.from_data": "data",
    "DictSample": "_data=None, **fields",
    "DictSample.from_bytes": "bs",
    "DictSample.from_data": "data",
    "DictSample.keys": "",
    "DictSample.values": "",
    "DictSample.items": "",
    "DictSample.get": "key, default=None",
    "DictSample.to_dict": "",
    "SampleBatch": "samples",
    "ManifestField": "aggregate, exclude=False",
    "manifest.resolve_manifest_fields": "sample_type",
    # writing
    "write_samples": "samples, path, *, maxcount=None, maxsize=None, manifest=False, content_metadata=None",
    # manifests
    "ManifestBuilder": (
        "sample_type, shard_id, schema_version='1.0.0', source_job_id=None, parent_shards=None, pipeline_version=None"
    ),
    "ManifestBuilder.add_sample": "*, key, offset, size, sample",
    "ManifestBuilder.build": "",
    "ShardManifest": (  # None stands for an empty dict, as test_results.py says
        "shard_id, schema_type, schema_version, num_samples, size_bytes, created_at, aggregates, samples, "
        "provenance=None"
    ),
    "ShardManifest.header_dict": "",
    "ShardManifest.from_files": "json_path, parquet_path",
    "ShardManifest.from_json_only": "json_path",
    "ManifestWriter": "base_path",
    "ManifestWriter.write": "manifest",
    "manifest.CategoricalAggregate": "value_counts=<factory>",
    "manifest.CategoricalAggregate.add": "value",
    "manifest.CategoricalAggregate.to_dict": "",
    "manifest.NumericAggregate": "_min=inf, _max=-inf, _sum=0.0, count=0",
    "manifest.NumericAggregate.add": "value",
    "manifest.NumericAggregate.to_dict": "",
    "manifest.SetAggregate": "all_values=<factory>",
    "manifest.SetAggregate.add": "values",
    "manifest.SetAggregate.to_dict": "",
    "manifest.create_aggregate": "kind",
    # queries
    "QueryExecutor": "manifests",
    "QueryExecutor.from_directory": "directory",
    "QueryExecutor.from_shard_urls": "urls",
    "QueryExecutor.query": "where",
    "SampleLocation": "shard, key, offset",
    "query_fields": "sample_type",
    "manifest.query_fields": "sample_type",
    "manifest.FieldProxy": "name",
    "manifest.FieldProxy.isin": "values",
    "manifest.FieldProxy.between": "low, high",
    "manifest.Predicate.compile": "",
    # datasets
    "load_dataset": "path, sample_type=None, *, split=None, data_files=None, streaming=False",
    "Dataset.shuffled": "buffer_shards=100, buffer_samples=10000, batch_size=None",
    "DatasetDict": "splits=None, sample_type=None, streaming=False",
    "Dataset.process_shards": "fn, *, shards=None, checkpoint=None, on_shard_error=None",
    "Dataset.to_pandas": "limit=None",
    "Dataset.to_dict": "limit=None",
    "Dataset.to_parquet": "path, sample_map=None, maxcount=None",
    # lenses
    "lens": "f",
    "Lens": "get, put=None",
    "LensNetwork": "",
    # errors
    "SampleKeyError": "key",
    "ShardError": "shard_id, reason",
    "PartialFailureError": "succeeded_shards, failed_shards, errors, results",
}

#: What is new here: name to the parameters that it has beside those above, in any order.
ADDED = {
    "ManifestBuilder.add_sample": "crc32=None",
    "SampleLocation": "size=None, crc32=None",
    "write_samples": (
        "keys=None, overwrite=False, append=False, provenance=None, created_at=None, durable=True, progress=None, "
        "executor=None"
    ),
    "Dataset": "manifests=None, root=None",
    "concat": "names=None",
    "QueryExecutor.from_shard_urls": "manifests=None",
    "load_dataset": "storage_options=None, manifests=None, root=None",
    "ShardWriter": (
        "path, sample_type, maxcount=None, maxsize=None, manifest=False, content_metadata=None, keys=None, "
        "overwrite=False, append=False, provenance=None, created_at=None, durable=True, progress=None, executor=None"
    ),
    "ShardWriter.write": "sample, key=None",
    "QueryExecutor.from_directory": "recursive=False, manifests=None, strict=False",
    "QueryExecutor.rows": "where=None, columns=None, **equalities",
    "QueryExecutor.count": "where=None, **equalities",
    "QueryExecutor.explain": "where=None, **equalities",
    "QueryExecutor.query": "**equalities",
    "QueryExecutor.scan": "",
    "QueryExecutor.describe": "",
    "QueryExecutor.statistics": "",
    "Dataset.rows": "where=None, columns=None, **equalities",
    "Dataset.count": "where=None, **equalities",
    "Dataset.query": "where=None, **equalities",
    "Dataset.explain": "where=None, **equalities",
    "Dataset.scan": "",
    "Dataset.statistics": "",
    "QueryExecutor.refresh": "",
    "ImageField": "decode=None",
    "manifest_column": "aggregate",
}


def parameters_of(name):
    """Return a public name's parameters as text: those by position, then those by keyword."""
    thing = atdata
    for part in name.split("."):
        thing = getattr(thing, part)
    positional, keyword = [], []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name != "self":
            into = keyword if parameter.kind is parameter.KEYWORD_ONLY else positional
            into.append(str(parameter.replace(annotation=parameter.empty)))
    return positional, keyword


def expected_of(text):
    positional, _, keyword = text.partition("*, ")
    return [[each for each in part.split(", ") if each] for part in (positional, keyword)]


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_parameters_are_those_of_the_original(name):
    positional, keyword = parameters_of(name)
    expected_positional, expected_keyword = expected_of(SIGNATURES[name])
    given = positional[: len(expected_positional)]
    # One that had no default may have one: `query(label="dog")` asks without a `where`.
    assert all(ours in (theirs, f"{theirs}=None") for ours, theirs in zip(given, expected_positional, strict=True))
    assert [each for each in keyword if each in expected_keyword] == expected_keyword


@pytest.mark.parametrize("name", SIGNATURES)
def test_whatever_is_added_may_be_left_out(name):
    positional, keyword = parameters_of(name)
    expected_positional, expected_keyword = expected_of(SIGNATURES[name])
    added = [*positional[len(expected_positional) :], *(each for each in keyword if each not in expected_keyword)]
    assert all("=" in each or each.startswith("**") for each in added), added


@pytest.mark.parametrize("name", ADDED)
def test_what_is_new_has_its_defaults(name):
    there = {parameter for part in parameters_of(name) for parameter in part}
    assert {each for each in ADDED[name].split(", ") if each} <= there


@pytest.mark.parametrize(
    ("name", "attributes"),
    {
        "PackableSample": ["packed", "as_wds"],
        "DictSample": ["packed", "as_wds"],
        "ManifestWriter": ["json_path", "parquet_path"],
        "ShardManifest": ["samples", "frame"],
        "QueryExecutor": ["_manifests", "manifests"],
        "manifest.CategoricalAggregate": ["cardinality"],
        "manifest.NumericAggregate": ["min", "max", "mean"],
    }.items(),
)
def test_what_is_read_without_a_call_is_a_property(name, attributes):
    thing = atdata
    for part in name.split("."):
        thing = getattr(thing, part)
    assert [type(getattr(thing, each)).__name__ for each in attributes] == ["property"] * len(attributes)


@pytest.mark.parametrize("name", ["MANIFEST_FORMAT_VERSION", "AggregateKind", "create_aggregate", "SampleLocation"])
def test_the_names_of_manifests_are_in_their_doorway(name):
    assert name in atdata.manifest.__all__
