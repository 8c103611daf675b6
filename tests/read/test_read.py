"""Reading by locations: the samples asked for, in their order, each checked, with few files open."""

import dataclasses
import itertools
import json
import pickle
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import atdata
from atdata import Dataset, DecodeError, DictSample, SampleBatch, SampleLocation, ShardChangedError, ShardError
from atdata._read._read import SampleReader
from atdata._shards._locations import NO_CRC, Locations
from atdata._storage import LOCAL, Disk, LocalStore
from atdata.cli._digits import Digit
from tests.tiers import chance, law, rounds, slow_beyond

DESCRIPTORS = Path("/proc/self/fd")
needs_proc = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors where Linux lists them")


@atdata.packable
class Image:
    pixels: NDArray[np.uint8]
    number: int
    label: str = "none"


def images(count, size=40, seed=0):
    rng = np.random.default_rng(seed)
    return [Image(rng.integers(0, 255, (size, 4), np.uint8), number, f"label {number}") for number in range(count)]


def open_files(folder):
    """Return how many files below a folder this process holds open."""
    paths = []
    for descriptor in DESCRIPTORS.iterdir():
        try:
            paths.append(descriptor.readlink())
        except OSError:  # the listing's own
            continue
    return sum(path.is_relative_to(folder) for path in paths)


def packed(samples):
    return [sample.packed for sample in samples]


def locations_of(dataset):
    shard_ids = [Path(path).stem for path in dataset.list_shards()]
    return Locations.from_frame(dataset.scan().collect(), shard_ids)


def without_keys(locations):
    return dataclasses.replace(locations, keys=None)


def reader_of(dataset, **limits):
    """Return a reader of a dataset, whose windows may be small."""
    return SampleReader(dataset._sequence.opened.places, dataset.sample_type, dataclasses.replace(LOCAL, **limits))


SMALL = {"first_window": 3000, "window": 9000, "longest": 2000, "files": 2}


@pytest.fixture(name="dataset")
def _dataset(tmp_path):
    """100 images in five shards."""
    return atdata.write_samples(images(100), tmp_path / "i.tar", maxcount=20, manifest=True, durable=False)


@pytest.fixture(name="locations")
def _locations(dataset):
    return locations_of(dataset)


# -- the samples asked for


@law(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(indices=st.lists(st.integers(0, 99), max_size=120), keys=st.booleans(), small=st.booleans())
def test_any_order_and_multiplicity_is_read_as_one_by_one(dataset, locations, indices, keys, small):
    chosen = locations[np.array(indices, np.intp)]
    reader = reader_of(dataset, **(SMALL if small else {}))
    found = packed(reader.read(chosen if keys else without_keys(chosen)))
    assert found == [images(100)[index].packed for index in indices]


def test_all_ways_to_read_give_the_same_samples(dataset, locations):
    reader, expected = reader_of(dataset, **SMALL), packed(images(100))
    assert packed(reader.ordered()) == expected
    assert packed(reader.read(locations)) == expected
    assert packed(reader.one(locations, index) for index in range(100)) == expected
    assert packed(each for index in range(100) for each in reader.read(locations[index : index + 1])) == expected
    assert packed(each for batch in reader.read_batches(locations, 7) for each in batch) == expected
    assert packed(each for batch in reader.ordered_batches(7) for each in batch) == expected
    locations = dataset.query(pl.lit(True))
    assert packed(reader.fetch(locations, "fetch")) == expected
    assert packed(each for location in locations for each in reader.fetch([location], "fetch")) == expected


def test_no_locations_give_no_samples(dataset, locations):
    reader = reader_of(dataset)
    assert (
        list(reader.read(locations[:0]))
        == list(reader.read_batches(locations[:0], 5))
        == list(reader.runs(locations[:0]))
        == []
    )


def test_some_shards_are_read_in_the_order_given(dataset):
    found = reader_of(dataset).ordered(["i-000003", "i-000001"])
    assert packed(found) == packed(images(100)[60:80] + images(100)[20:40])
    batches = reader_of(dataset).ordered_batches(15, ["i-000003", "i-000001"])
    assert [batch.number for batch in batches] == [[*range(60, 75)], [*range(75, 80), *range(20, 30)], [*range(30, 40)]]


def test_a_shard_of_another_dataset_is_not_read_in_order(dataset, tmp_path):
    source = Path(dataset.list_shards()[0])
    (tmp_path / "stray.tar").write_bytes(source.read_bytes())
    with pytest.raises(ShardError, match="'stray': it is none of this dataset's 5 shards"):
        list(reader_of(dataset).ordered(["stray"]))


def test_a_shard_without_samples_gives_none(tmp_path):
    (tmp_path / "empty.tar").write_bytes(bytes(1024))
    reader = reader_of(Dataset[Image](tmp_path))
    assert list(reader.ordered()) == list(reader.ordered_batches(3)) == []


def test_runs_are_the_bytes_of_the_tar(dataset, locations):
    order = np.random.default_rng(0).permutation(100)
    found = [bytes(run) for run in reader_of(dataset, **SMALL).runs(locations[order])]
    whole = [Path(path).read_bytes() for path in dataset.list_shards()]
    frame = locations[order].to_frame()
    for run, shard, offset, size in zip(
        found, locations[order].shards, frame["__offset__"], frame["__size__"], strict=True
    ):
        assert run == whole[shard][offset : offset + size]


def test_each_run_is_a_tar_of_its_own_but_for_its_end(dataset, locations, tmp_path):
    (run,) = map(bytes, reader_of(dataset).runs(locations[7:8]))
    (tmp_path / "one").write_bytes(run + bytes(1024))
    with tarfile.open(tmp_path / "one") as tar:
        assert tar.getnames() == ["000000-000007.msgpack"]


def test_samples_of_dicts_are_read_by_locations(dataset, locations):
    reader = SampleReader(dataset._sequence.opened.places, DictSample)
    assert [sample.number for sample in reader.read(locations[::-1])] == [*range(99, -1, -1)]
    assert reader.one(locations, 5).label == "label 5"
    assert [batch.number for batch in reader.read_batches(locations, 60)] == [[*range(60)], [*range(60, 100)]]


# -- each checked


@pytest.fixture(params=["one", "alone", "among others", "batches", "runs"])
def read_back(request, dataset, locations):
    """Return what reads sample 30, by one way or another."""
    reader = reader_of(dataset)

    def read(locations=locations, verify="fetch"):
        if request.param == "one":
            return reader.one(locations, 30, verify=verify)
        if request.param == "runs":
            return [bytes(run) for run in reader.runs(locations[28:32], verify=verify)]
        if request.param == "batches":
            return list(reader.read_batches(locations[28:32], 3, verify=verify))
        return list(reader.read(locations[30:31] if request.param == "alone" else locations[28:32], verify=verify))

    return read


def damage(dataset, locations, at):
    path = Path(dataset.list_shards()[locations.shards[30]])
    data = bytearray(path.read_bytes())
    data[locations.offsets[30] + at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("at", [3, 130, 149, 520, 600])
@pytest.mark.parametrize("keys", [True, False])
def test_a_flipped_bit_is_refused_with_the_place(dataset, locations, read_back, at, keys):
    damage(dataset, locations, at)
    named = "" if not keys and at < 512 else "'000001-000010' "
    with pytest.raises(
        ShardChangedError, match=f"shard 'i-000001': the sample {named}at offset {locations.offsets[30]} is"
    ):
        read_back(locations if keys else without_keys(locations))


@pytest.mark.parametrize(("offset", "size"), [(-512, 1024), (0, -5), (0, 2**40), (2**62, 2**62), (10**6, 1024)])
@pytest.mark.parametrize("keys", [True, False])
def test_a_place_outside_the_tar_is_refused(locations, read_back, offset, size, keys):
    offsets, sizes = locations.offsets.copy(), locations.sizes.copy()
    offsets[30], sizes[30] = offset, size
    broken = dataclasses.replace(locations, offsets=offsets, sizes=sizes)
    with pytest.raises(ShardChangedError, match=f"expected a place inside the tar.*found {size} bytes from {offset}"):
        read_back(broken if keys else without_keys(broken))


def test_locations_of_another_sample_are_refused_by_name(locations, read_back):
    frame = locations.to_frame().with_columns(pl.col("__key__").reverse())
    with pytest.raises(ShardChangedError, match=r"expected a member of '[-0-9]+', found '[-0-9]+\.msgpack'"):
        read_back(Locations.from_frame(frame, locations.shard_ids))


def test_a_shard_that_the_dataset_does_not_have_is_named(locations, read_back):
    other = dataclasses.replace(locations, shard_ids=["i-000000", "i-00001", "i-000002", "i-000003", "i-000004"])
    with pytest.raises(ShardError, match=r"'i-00001'.* none of this dataset's 5 shards \(did you mean 'i-000001'"):
        read_back(other)


def test_without_verification_a_payload_is_taken_as_it_is(dataset, locations, read_back):
    data = Path(dataset.list_shards()[1]).read_bytes()
    damage(dataset, locations, data.index(b"label 30") - int(locations.offsets[30]) + 2)
    read_back(verify="none")
    read_back(without_keys(locations), verify="none")
    with pytest.raises(ShardChangedError, match="CRC-32"):
        read_back()


def test_full_verification_reads_the_whole_tar(dataset, read_back):
    path = Path(dataset.list_shards()[1])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    read_back()
    with pytest.raises(ShardChangedError, match="promises a tar with SHA-256"):
        read_back(verify="full")


def test_without_a_checksum_the_key_vouches(locations, read_back):
    crcs = locations.crc32s.copy()
    crcs[30] = NO_CRC
    bare = dataclasses.replace(locations, crc32s=crcs)
    read_back(bare)
    with pytest.raises(ValueError, match="by their keys or by their checksums; these have neither"):
        read_back(without_keys(bare))
    read_back(without_keys(bare), verify="none")


@pytest.mark.parametrize("count", [1, 5])
def test_offsets_of_version_1_0_are_not_read_by(dataset, locations, tmp_path, count):
    path = tmp_path / "i-000000.manifest.json"
    header = json.loads(path.read_bytes())
    old = {name: value for name, value in header.items() if name not in ("shard", "samples", "digest")}
    path.write_text(json.dumps(old | {"manifest_version": "1.0.0"}))
    reader = reader_of(Dataset[Image](tmp_path))
    with pytest.raises(
        atdata.UnsupportedFormatError, match=r"'i-000000'.*version 1\.0\.0.*can be queried, not fetched"
    ):
        list(reader.read(locations[:count]))
    assert len(dataset) == 100


@atdata.packable
class Labelled:
    label: int


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize("way", ["ordered", "ordered_batches", "read", "read_batches", "one"])
def test_what_cannot_be_decoded_names_shard_key_offset_and_field(dataset, locations, way, keys):
    reader = SampleReader(dataset._sequence.opened.places, Labelled)
    chosen = locations if keys else without_keys(locations)
    ways = {
        "ordered": reader.ordered,
        "ordered_batches": lambda: reader.ordered_batches(10),
        "read": lambda: reader.read(chosen),
        "read_batches": lambda: reader.read_batches(chosen, 10),
        "one": lambda: reader.one(chosen, 0),
    }
    with pytest.raises(DecodeError, match=r"'i-000000', sample '000000-000000' at offset 0: .*Labelled.*label"):
        list(ways[way]())


# -- tars that change


def rewrite(dataset, *, in_place=False, shards=range(5)):
    """Write other samples of the same keys and sizes over some shards, without touching their manifests."""
    paths = [Path(path) for path in dataset.list_shards()]
    folder = paths[0].parent / "others"
    others = atdata.write_samples(images(100, seed=1), folder / "i.tar", maxcount=20, durable=False)
    time.sleep(0.02)  # a clock tick of the file system
    for index in shards:
        source = Path(others.list_shards()[index])
        assert source.stat().st_size == paths[index].stat().st_size
        if in_place:
            paths[index].write_bytes(source.read_bytes())
        else:
            source.replace(paths[index])


@pytest.fixture(name="bare")
def _bare(tmp_path):
    """100 images in five shards, without manifests: nothing but their names vouches for them."""
    return atdata.write_samples(images(100), tmp_path / "i.tar", maxcount=20, durable=False)


def bare_locations(dataset):
    return dataset._sequence.opened.places.everywhere()


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("way", ["read", "ordered", "fetch"])
@pytest.mark.parametrize("after", [0, 1, 25])
def test_a_tar_that_changes_while_it_is_read_gives_the_old_samples_or_an_error(bare, way, after, in_place):
    locations = bare_locations(bare)
    order = np.arange(100) if way == "ordered" else np.random.default_rng(1).permutation(100)
    reader = reader_of(bare, **SMALL)
    listed = [SampleLocation(*row) for row in locations[order].to_frame().rows()]
    samples = {
        "read": lambda: reader.read(locations[order]),
        "ordered": reader.ordered,
        "fetch": lambda: reader.fetch(listed, "fetch"),
    }[way]()
    found = [next(samples) for _ in range(after + 1)]
    rewrite(bare, in_place=in_place)
    problem = ""
    try:
        found.extend(samples)
    except ShardChangedError as error:
        problem = str(error)
    old = packed(images(100)[index] for index in order)
    new = packed(images(100, seed=1)[index] for index in order)
    for at, sample in enumerate(packed(found)):
        # A shard that was not begun before is read as it is now, wholly.
        assert sample == old[at] or (sample == new[at] and way == "ordered" and at >= 20 * (after // 20 + 1))
    assert "replaced or written to" in problem if len(found) < 100 else way == "ordered"


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("count", [1, 50])
def test_a_tar_that_is_replaced_between_plan_and_read_is_refused_by_its_checksums(dataset, locations, in_place, count):
    rewrite(dataset, in_place=in_place)
    with pytest.raises(ShardChangedError, match="expected CRC-32"):
        list(reader_of(dataset).read(locations[:count]))


class MeddlingDisk(Disk):
    """Calls something after so many reads."""

    def __init__(self, after, meddle):
        self._after = after
        self._meddle = meddle

    def _count(self):
        self._after -= 1
        if self._after == 0:
            self._meddle()

    def read_into(self, descriptor, buffer, offset):
        found = super().read_into(descriptor, buffer, offset)
        self._count()
        return found

    def read_at_hand(self, descriptor, buffer, offset):
        found = super().read_at_hand(descriptor, buffer, offset)
        self._count()
        return found


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_tar_that_is_written_to_between_two_ranges_is_refused(bare, after):
    locations = bare_locations(bare)
    store = LocalStore(bare._sequence.opened.store.root, disk=MeddlingDisk(after, lambda: rewrite(bare, in_place=True)))
    bare._sequence.opened.places.tars._store = store
    with pytest.raises(ShardChangedError, match="'i-000000': its tar .*i-000000.tar was replaced or written to while"):
        list(reader_of(bare, gap=0, dense=2.0).read(locations[np.array([9, 1, 5])]))


# -- files


@needs_proc
@pytest.mark.parametrize("threads", [1, 4])
def test_samples_of_hundreds_of_shards_are_read_with_few_files_open(tmp_path, threads):
    dataset = atdata.write_samples(images(900), tmp_path / "i.tar", maxcount=3, manifest=True, durable=False)
    locations, most, wrong = locations_of(dataset), [], []

    def read(seed):
        order = np.random.default_rng(seed).permutation(900)
        for index, sample in zip(order, reader_of(dataset, first_window=20_000).read(locations[order]), strict=True):
            most.extend([open_files(tmp_path)] if index % 7 == 0 else [])
            wrong.extend([index] if sample.number != index else [])

    running = [threading.Thread(target=read, args=(seed,)) for seed in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert wrong == []
    assert len(most) > 100 * threads
    assert 0 < max(most) <= 64


@needs_proc
def test_files_open_while_a_window_of_many_shards_is_read_stay_few(tmp_path):
    dataset = atdata.write_samples(images(300), tmp_path / "i.tar", maxcount=1, manifest=True, durable=False)
    counts = []

    class WatchingDisk(Disk):
        def open(self, path):
            descriptor = super().open(path)
            counts.append(open_files(tmp_path))
            return descriptor

        def read_at_hand(self, descriptor, buffer, offset):
            counts.append(open_files(tmp_path))
            return super().read_at_hand(descriptor, buffer, offset)

    dataset._sequence.opened.places.tars._store = LocalStore(tmp_path, disk=WatchingDisk())
    assert [sample.number for sample in reader_of(dataset).read(locations_of(dataset)[::-1])] == [*range(299, -1, -1)]
    assert len(counts) >= 500
    assert max(counts) <= 32 + 64 // 8  # so that four threads keep to 64


@needs_proc
def test_a_thousand_opened_datasets_keep_few_files_open(tmp_path, dataset):
    opened = []
    for _ in range(1000):
        opened.append(Dataset[Image](tmp_path))
        assert opened[-1].head(1)[0].number == 0
    assert open_files(tmp_path) <= 32
    del opened, dataset
    assert open_files(tmp_path) == 0


@pytest.mark.soak
def test_sixteen_threads_fetch_the_right_samples_of_one_dataset(dataset, locations):
    reader, expected, wrong = reader_of(dataset), packed(images(100)), []

    def read(seed):
        numbers = chance(seed)
        for _ in range(rounds(1)):
            chosen = numbers.choices(range(100), k=500)
            for index in chosen[:400]:
                wrong.extend([] if reader.one(locations, index).packed == expected[index] else [index])
            rest = np.array(chosen[400:])
            wrong.extend([] if packed(reader.read(locations[rest])) == [expected[i] for i in rest] else ["window"])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- other processes


PROGRAM = """
import dataclasses, multiprocessing, sys
import numpy as np
import polars as pl
import atdata
from atdata._shards._locations import Locations
from atdata._read._read import SampleReader
from atdata.cli._digits import Digit


def read(reader, locations, queue):
    found = [int(sample.digit) for sample in reader.read(locations)]
    batched = [int(digit) for batch in reader.read_batches(locations, 7) for digit in batch.digit]
    queue.put((found, batched, int(reader.one(locations, 3).digit)))


if __name__ == "__main__":
    dataset = atdata.Dataset[Digit](sys.argv[1])
    names = ["__shard__", "__key__", "__offset__", "__size__", "__crc32__"]
    frame = dataset.scan().select(names).collect()
    locations = Locations.from_frame(frame, frame["__shard__"].unique().sort().to_list())
    locations = dataclasses.replace(locations, keys=None)[np.arange(39, -1, -1)]
    reader = SampleReader(dataset._sequence.opened.places, Digit)
    assert len(list(reader.read(locations))) == 40
    context = multiprocessing.get_context(sys.argv[2])
    queue = context.Queue()
    children = [context.Process(target=read, args=(reader, locations, queue)) for _ in range(2)]
    for child in children:
        child.start()
    answers = [queue.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert answers[0] == answers[1], answers
    print(*answers[0][0], "|", *answers[0][1], "|", answers[0][2])
"""


@pytest.mark.parametrize("method", slow_beyond(2, ["fork", "spawn", "forkserver"]))
def test_a_reader_works_in_other_processes(tmp_path, method):
    digits = [Digit(np.full((8, 8), row, np.uint8), row % 10, 0.5, []) for row in range(40)]
    atdata.write_samples(digits, tmp_path / "d.tar", maxcount=10, manifest=True, durable=False)
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "ignore", tmp_path / "program.py", tmp_path, method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    expected = " ".join(str(row % 10) for row in range(39, -1, -1))
    assert (done.stdout.strip(), done.returncode) == (f"{expected} | {expected} | 6", 0), done.stderr


def test_a_reader_crosses_without_what_it_read(dataset, locations):
    reader = SampleReader(dataset._sequence.opened.places, DictSample)
    list(reader.read(locations))
    again = pickle.loads(pickle.dumps(reader))
    assert [sample.number for sample in again.read(locations)] == [*range(100)]
    assert len(pickle.dumps(reader)) < 20_000


# -- batches


@pytest.mark.parametrize("size", [1, 7, 20, 100, 1_000_000])
def test_batches_hold_the_samples_in_order(dataset, locations, size):
    order = np.random.default_rng(2).permutation(100)
    batches = list(reader_of(dataset, **SMALL).read_batches(locations[order], size))
    assert [len(batch) for batch in batches] == [size] * (100 // size) + [100 % size] * (100 % size > 0)
    assert [number for batch in batches for number in batch.number] == order.tolist()
    pixels = np.concatenate([batch.pixels for batch in batches])
    assert np.array_equal(pixels, np.stack([images(100)[index].pixels for index in order]))


def test_a_batch_keeps_its_bytes_when_the_next_one_is_read(dataset, locations):
    first, second = itertools.islice(reader_of(dataset, **SMALL).read_batches(locations, 10), 2)
    assert np.array_equal(first.pixels[3], images(100)[3].pixels)
    assert np.array_equal(second.pixels[3], images(100)[13].pixels)
    assert np.array_equal(first.samples[9].pixels, images(100)[9].pixels)


def test_batches_of_a_dataset_are_made_of_its_type(dataset):
    batch = next(iter(dataset.ordered(batch_size=8)))
    assert isinstance(batch, SampleBatch)
    assert batch.sample_type is Image
    assert batch.pixels.shape == (8, 40, 4)
    assert batch.samples[2].pixels.base is batch.pixels.base or batch.samples[2].pixels.base is batch.pixels
