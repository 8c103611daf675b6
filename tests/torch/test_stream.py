"""The dataset that DataLoader iterates: the same epoch under any workers, left and taken up anywhere."""

import functools
import itertools
import json
import multiprocessing
import operator
import os
import pickle
import shutil
import signal
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

import atdata
from atdata import StateError

pytestmark = [
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),  # torchdata's own call
    pytest.mark.filterwarnings("ignore:This DataLoader will create . worker processes"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),  # Python 3.12; it is meant
]


@atdata.packable
class Ragged:
    values: NDArray[Any]


CONFIDENCES = operator.attrgetter("confidence")


def loader_of(stream, workers=0, kind=DataLoader, **options):
    """Return a loader whose workers cannot hang for ever; in processes that are forked unless said otherwise."""
    if workers:
        options = {"timeout": 60, "multiprocessing_context": "fork"} | options
    return kind(stream, batch_size=None, num_workers=workers, **options)


def context_of(method):
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["atdata._torch"])  # once for all workers: importing is what takes time
    return context


def flat(batches):
    return [confidence for batch in batches for confidence in batch]


def epoch_of(digits, **options):
    return [sample.confidence for sample in digits.shuffled(**options)]


@pytest.mark.parametrize(
    ("workers", "context"),
    [
        (0, None),
        (1, "fork"),
        (4, "fork"),
        pytest.param(4, "forkserver", marks=pytest.mark.slow),
        pytest.param(4, "spawn", marks=pytest.mark.slow),
    ],
)
def test_any_workers_give_the_epoch_in_order(digits, workers, context):
    stream = digits.to_torch(batch_size=32, shuffle=True, seed=3, collate=CONFIDENCES)
    options = {"multiprocessing_context": context_of(context)} if context else {}
    assert flat(loader_of(stream, workers, **options)) == epoch_of(digits, seed=3)


def test_samples_without_checksums_are_read_by_workers_that_are_not_forked(digits, digits_folder, tmp_path):
    for tar in digits_folder.glob("*.tar"):
        shutil.copy(tar, tmp_path)
    bare = atdata.Dataset[digits.sample_type](tmp_path)
    stream = bare[40:120].to_torch(batch_size=16, collate=CONFIDENCES)
    found = flat(loader_of(stream, 1, multiprocessing_context=context_of("forkserver")))
    assert found == [sample.confidence for sample in digits[40:120]]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_dicts_of_tensors_in_the_order_of_the_dataset(digits, workers):
    batches = list(loader_of(digits.to_torch(batch_size=128), workers))
    assert [len(batch["digit"]) for batch in batches] == [128, 128, 44]
    assert batches[0]["pixels"].shape == (128, 8, 8)
    assert torch.cat([batch["digit"] for batch in batches]).tolist() == [sample.digit for sample in digits]
    assert batches[2]["tags"][-1] == digits[-1].tags


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_one_by_one_are_batched_by_the_loader(digits, workers):
    options = {"timeout": 60, "multiprocessing_context": "fork"} if workers else {}
    loader = DataLoader(digits.to_torch(shuffle=True), batch_size=32, num_workers=workers, **options)
    batches = list(loader)
    assert batches[0]["pixels"].shape == (32, 8, 8)
    found = [confidence for batch in batches for confidence in batch["confidence"].tolist()]
    assert sorted(found) == sorted(epoch_of(digits))


def test_an_unbatched_item_is_the_sample(digits):
    assert isinstance(next(iter(digits.to_torch())), digits.sample_type)


def test_steps_hold_in_batches(digits):
    stream = digits.filter(lambda sample: sample.digit < 5).map(lambda sample: sample.digit).to_torch(batch_size=10)
    found = torch.cat(list(loader_of(stream, 2))).tolist()
    assert sorted(found) == sorted(sample.digit for sample in digits if sample.digit < 5)


def test_ranks_share_an_epoch_and_the_environment_names_them(digits, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
        assert len(stream) == 10
        found.append(list(stream))
    steps = zip(*found, strict=True)
    assert flat(batch for step in steps for batch in step) == epoch_of(digits, seed=0)


@pytest.mark.parametrize(("uneven", "lengths"), [("pad", [32] * 4 + [22]), ("drop", [32] * 4)])
def test_ranks_are_equally_long(digits, uneven, lengths):
    for rank in range(2):
        stream = digits[:299].to_torch(batch_size=32, rank=rank, world_size=2, uneven=uneven)
        assert [len(batch["digit"]) for batch in stream] == lengths
        assert len(stream) == len(lengths)


@pytest.mark.parametrize("left_with", [0, 3])
@pytest.mark.parametrize(("workers", "world"), [(0, 1), (2, 1), (0, 3)])
def test_a_killed_epoch_goes_on_with_exactly_the_missing_samples_on_other_workers_and_ranks(
    digits, left_with, workers, world
):
    stream = digits.to_torch(batch_size=16, shuffle=True, seed=1, window=2, collate=CONFIDENCES)
    first = flat(itertools.islice(loader_of(stream, left_with), 5))
    state = json.loads(json.dumps(stream.state_dict(batches=5)))
    rest = []
    for rank in range(world):
        again = digits.to_torch(batch_size=10, shuffle=True, rank=rank, world_size=world, collate=CONFIDENCES)
        again.load_state_dict(state)
        rest += flat(loader_of(again, workers))
    repeated = len(first) + len(rest) - 300
    assert repeated == (-220) % world
    assert sorted(first + rest) == sorted(epoch_of(digits) + rest[:repeated])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("taken", [0, 1, 6, 19])
def test_a_stateful_loader_goes_on_with_exactly_the_missing_samples(digits, workers, taken):
    def loader():
        stream = digits.to_torch(batch_size=16, shuffle=True, seed=1, window="20 kB", collate=CONFIDENCES)
        return loader_of(stream, workers, StatefulDataLoader)

    killed = loader()
    first = flat(itertools.islice(killed, taken))
    state = pickle.loads(pickle.dumps(killed.state_dict()))
    again = loader()
    again.load_state_dict(state)
    assert first + flat(again) == epoch_of(digits, seed=1, window="20 kB")
    assert flat(again) == epoch_of(digits, seed=1, window="20 kB")  # and the next one is whole


def test_a_stateful_loader_goes_on_where_a_filter_left_samples_out(digits):
    def loader():
        stream = digits.filter(lambda sample: sample.digit % 2).map(CONFIDENCES).to_torch(batch_size=7, collate=list)
        return loader_of(stream, 2, StatefulDataLoader)

    killed = loader()
    first = flat(itertools.islice(killed, 5))
    again = loader()
    again.load_state_dict(killed.state_dict())
    assert sorted(first + flat(again)) == sorted(sample.confidence for sample in digits if sample.digit % 2)


def test_a_stateful_loader_with_other_workers_is_refused_with_what_to_do(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True)
    killed = loader_of(stream, 2, StatefulDataLoader)
    list(itertools.islice(killed, 3))
    worker_state = killed.state_dict()["_snapshot"]["_worker_snapshots"]["worker_1"]["dataset_state"]
    again = digits.to_torch(batch_size=16, shuffle=True)
    again.load_state_dict(worker_state)
    with pytest.raises(StateError, match=r"worker 1 of 2.*state_dict\(batches=...\)"):
        iter(again)


def test_workers_that_stay_follow_to_the_next_epoch(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    loader = loader_of(stream, 2, persistent_workers=True)
    assert flat(loader) == epoch_of(digits, seed=0)
    stream.set_epoch(1)
    assert flat(loader) == epoch_of(digits, seed=0, epoch=1)
    assert flat(loader) == epoch_of(digits, seed=0, epoch=1)


@pytest.mark.parametrize("stay", [False, True])
def test_only_the_first_pass_of_workers_goes_on_and_the_next_begins_again(digits, stay):
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    stream.load_state_dict(stream.state_dict(batches=10))
    loader = loader_of(stream, 2, persistent_workers=stay)
    assert flat(loader) == epoch_of(digits, seed=0)[160:]
    assert flat(loader) == epoch_of(digits, seed=0)
    assert stream.state_dict(batches=2)["position"] == 32


def test_only_the_first_pass_goes_on_also_when_the_next_one_has_other_workers(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    stream.load_state_dict(stream.state_dict(batches=10))
    assert flat(loader_of(stream, 2)) == epoch_of(digits, seed=0)[160:]
    assert flat(loader_of(stream, 3)) == epoch_of(digits, seed=0)


def test_a_state_can_be_loaded_again_and_again(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    for batches in (10, 3):
        stream.load_state_dict(digits.to_torch(batch_size=16, shuffle=True).state_dict(batches=batches))
        assert flat(loader_of(stream, 2)) == epoch_of(digits, seed=0)[16 * batches :]


def test_a_copy_that_crosses_in_the_middle_begins_anew(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    iteration = iter(stream)
    next(iteration)
    assert flat(pickle.loads(pickle.dumps(stream))) == epoch_of(digits, seed=0)
    assert stream.state_dict()["position"] == 16


def test_a_state_after_some_batches_of_what_was_taken_up_counts_from_there(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True)
    stream.load_state_dict(stream.state_dict(batches=10))
    taken = sum(1 for _ in itertools.islice(loader_of(stream, 2), 4))
    assert stream.state_dict(batches=taken)["position"] == 160 + 64


def test_set_epoch_leaves_an_epoch_alone_that_was_taken_up(digits):
    stream = digits.to_torch(batch_size=16, shuffle=True, epoch=2, collate=CONFIDENCES)
    stream.load_state_dict(stream.state_dict(batches=10))
    stream.set_epoch(2)
    assert flat(stream) == epoch_of(digits, seed=0, epoch=2)[160:]


def test_states_go_from_shuffled_to_torch_and_back(digits):
    epoch = digits.shuffled(seed=9)
    first = [sample.confidence for sample in itertools.islice(epoch, 50)]
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    stream.load_state_dict(epoch.state_dict())
    first += flat(itertools.islice(stream, 3))
    epoch.load_state_dict(stream.state_dict())
    assert first + [sample.confidence for sample in epoch] == epoch_of(digits, seed=9)


def test_without_a_number_of_batches_the_state_is_not_guessed_while_workers_read(digits):
    stream = digits.to_torch(batch_size=16)
    assert stream.state_dict()["position"] == 0
    list(itertools.islice(loader_of(stream, 2), 3))
    with pytest.raises(StateError, match=r"say how many batches the loader gave, state_dict\(batches=...\)"):
        stream.state_dict()


def test_a_state_of_another_selection_is_refused_and_changes_nothing(digits):
    stream = digits.to_torch(batch_size=16)
    with pytest.raises(StateError, match="the state is of other samples"):
        stream.load_state_dict(digits[:100].to_torch(batch_size=16).state_dict(batches=2))
    assert stream.state_dict()["position"] == 0


@pytest.mark.filterwarnings("ignore:.*pin_memory")
def test_batches_can_be_pinned(digits):
    batch = next(iter(loader_of(digits.to_torch(batch_size=16), 2, pin_memory=True)))
    assert batch["pixels"].shape == (16, 8, 8)
    assert len(batch["tags"]) == 16


def test_ragged_arrays_are_refused_by_field_shapes_and_key(tmp_path):
    samples = [Ragged(np.zeros(length)) for length in (3, 3, 4)]
    dataset = atdata.write_samples(samples, tmp_path / "r.tar", manifest=True, keys=["a", "b", "c"])
    with pytest.raises(
        atdata.SampleValueError, match=r"field 'values': .*'a' in shard 'r'.*\(3,\).*'c' in shard 'r'.*\(4,\)"
    ):
        list(dataset.to_torch(batch_size=3))
    kept = [
        len(each) for batch in dataset.to_torch(batch_size=3, collate=operator.attrgetter("values")) for each in batch
    ]
    assert kept == [3, 3, 4]


def _die(how, batch):
    how()
    return batch


def taken_until_an_error(loader):
    batches = []
    try:
        for batch in loader:
            batches.append(batch)  # noqa: PERF402 -- what was taken before the error counts
    except RuntimeError as error:
        return batches, str(error)
    raise AssertionError("no error")


def _die_with(confidence, batch):
    if confidence in batch.confidence:
        os._exit(3)
    return batch.confidence


@pytest.mark.parametrize(
    "how",
    [functools.partial(os._exit, 3), lambda: os.kill(os.getpid(), signal.SIGKILL)],
    ids=["exits", "is killed"],
)
def test_a_worker_that_dies_is_an_error_that_says_so(digits, how):
    loader = loader_of(digits.to_torch(batch_size=16, collate=functools.partial(_die, how)), 2)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed by signal)"):
        list(loader)


def test_after_a_worker_died_the_epoch_goes_on_from_what_was_taken(digits):
    last_words = functools.partial(_die_with, epoch_of(digits, seed=0)[100])
    stream = digits.to_torch(batch_size=16, shuffle=True, collate=last_words)
    batches, error = taken_until_an_error(loader_of(stream, 2))
    assert "exited unexpectedly" in error
    again = digits.to_torch(batch_size=16, shuffle=True, collate=CONFIDENCES)
    again.load_state_dict(stream.state_dict(batches=len(batches)))
    assert flat(batches) + flat(again) == epoch_of(digits, seed=0)


def test_damage_that_a_worker_finds_names_the_shard(digits, digits_folder, tmp_path):
    shutil.copytree(digits_folder, tmp_path, dirs_exist_ok=True)
    tar = tmp_path / "digits-000001.tar"
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    loader = loader_of(atdata.Dataset[digits.sample_type](tmp_path).to_torch(batch_size=16), 1)
    with pytest.raises(RuntimeError, match="ShardChangedError(.|\n)*shard 'digits-000001'"):
        list(loader)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is a whole number from 1"),
        ({"uneven": "repeat"}, "uneven is one of pad, drop; found 'repeat'"),
        ({"style": "list"}, "style is one of iterable, map; found 'list'"),
        ({"rank": 1}, "rank and world_size go together"),
        ({"collate": list}, "give batch_size too, or the DataLoader a collate_fn"),
        ({"shuffle": True, "seed": -1}, "seed is a whole number"),
        ({"epoch": 1.5}, "epoch is a whole number"),
        ({"window": "much"}, "window is None, a number of shards, or an amount"),
    ],
)
def test_an_option_that_is_none_is_refused_at_once(digits, options, message):
    with pytest.raises(ValueError, match=message):
        digits.to_torch(**options)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_is_a_plain_dict_of_tensors_that_may_be_written_to_whoever_read_it(digits, workers):
    batch = next(iter(loader_of(digits.to_torch(batch_size=8), workers)))
    assert type(batch) is dict
    batch["pixels"] += 1
    assert not batch["pixels"].is_shared()


def test_a_worker_that_comes_late_to_an_iteration_that_was_broken_off_begins_the_next_one_right(digits):
    may_begin = multiprocessing.get_context("fork").Event()
    stream = digits.to_torch(batch_size=8, shuffle=True, seed=3, collate=CONFIDENCES)
    loader = loader_of(
        stream, 2, persistent_workers=True, worker_init_fn=lambda worker: worker == 0 or may_begin.wait(30)
    )
    first = next(iter(loader))
    stream.load_state_dict(stream.state_dict(batches=1))
    may_begin.set()
    assert first + flat(loader) == epoch_of(digits, seed=3)
    assert flat(loader) == epoch_of(digits, seed=3)


def test_workers_may_set_the_epoch_as_they_begin(digits):
    stream = digits.to_torch(batch_size=8, shuffle=True, seed=3, collate=CONFIDENCES)
    loader = loader_of(
        stream, 2, worker_init_fn=lambda _worker: torch.utils.data.get_worker_info().dataset.set_epoch(1)
    )
    assert flat(loader) == epoch_of(digits, seed=3, epoch=1)


@pytest.mark.parametrize("seed", [None, -1, 1.0])
def test_a_seed_that_is_none_is_refused_and_not_taken_for_no_shuffling(digits, seed):
    with pytest.raises(ValueError, match="seed is a whole number"):
        digits.to_torch(batch_size=8, shuffle=True, seed=seed)


def test_batches_are_counted_in_whole_numbers_so_that_a_state_can_be_loaded(digits):
    stream = digits.to_torch(batch_size=8)
    with pytest.raises(ValueError, match=r"found 1\.0"):
        stream.state_dict(batches=1.0)
    json.dumps(stream.state_dict(batches=np.int64(2)))
