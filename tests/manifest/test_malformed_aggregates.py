"""A header whose digest fits and whose aggregate is malformed: refused where it is used, ignored where it is not."""

import hashlib
import json

import pytest

import atdata
from atdata import F
from atdata.manifest import QueryExecutor
from tests.aging import age


@atdata.packable
class Score:
    label: str
    score: int


@pytest.fixture
def folder(tmp_path):
    """Two shards; the first one's header counts less than nothing, over a digest of its own."""
    samples = [Score("ab"[number % 2], number) for number in range(6)]
    atdata.write_samples(samples, tmp_path / "s.tar", maxcount=3, manifest=True, durable=False)
    header = tmp_path / "s-000000.manifest.json"
    members = json.loads(header.read_bytes())
    del members["digest"]
    members["aggregates"]["score"]["count"] = -1
    body = json.dumps(members).removesuffix("}").encode()
    header.write_bytes(body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}')
    age(tmp_path)
    return tmp_path


USES = {
    "describe": lambda folder: QueryExecutor.from_directory(folder).describe(),
    "annotate": lambda folder: atdata.Dataset[Score](folder).annotate(lambda batch: {"n": [1] * len(batch)}),
    "drop_columns": lambda folder: atdata.Dataset[Score](folder).drop_columns("score"),
    "compact": lambda folder: QueryExecutor.from_directory(folder).compact(),
    "from_files": lambda folder: atdata.ShardManifest.from_files(
        folder / "s-000000.manifest.json", folder / "s-000000.manifest.parquet"
    ),
}


@pytest.mark.parametrize("use", USES)
def test_a_malformed_aggregate_is_refused_where_it_is_used(folder, use):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(atdata.DamagedManifestError, match=r"s-000000\.manifest\.json: .*'score'.*Restore the file"):
        USES[use](folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_samples_beside_a_malformed_aggregate_are_read(folder):
    ds = atdata.Dataset[Score](folder)
    assert [sample.score for sample in ds] == [0, 1, 2, 3, 4, 5]
    assert [sample.score for sample in ds.where(F.score > 1)] == [2, 3, 4, 5]
