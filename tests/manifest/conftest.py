"""What the tests of manifests share: manifests made by the builder, without a tar."""

import itertools

import pytest

from atdata.manifest import ManifestBuilder


@pytest.fixture(scope="session")
def manifest_of():
    """Return a function from samples of one type to the manifest of a shard that would hold them."""

    def make(samples, shard_id="shard-000000", sample_type=None, **options):
        samples = list(samples)
        builder = ManifestBuilder(sample_type or type(samples[0]), shard_id, **options)
        for row, sample in zip(itertools.count(), samples):
            builder.add_sample(key=f"k{row:06d}", offset=row * 1024, size=1024, sample=sample, crc32=row)
        return builder.build()

    return make
