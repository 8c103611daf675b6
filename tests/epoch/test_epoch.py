"""Shuffled epochs of datasets, by the public path."""

import json
from pathlib import Path

import pytest

import atdata
from atdata import SampleBatch, StateError


@atdata.packable
class Numbered:
    number: int
    half: bool


@pytest.fixture
def numbers(tmp_path: Path) -> atdata.Dataset[Numbered]:
    samples = [Numbered(number, number % 2 == 0) for number in range(250)]
    return atdata.write_samples(samples, tmp_path / "numbers.tar", maxcount=60, manifest=True, durable=False)


def read(epoch):
    return [sample.number for sample in epoch]


def read_batches(epoch):
    return [sample.number for batch in epoch for sample in batch]


def some(epoch, count):
    items = iter(epoch)
    return [next(items) for _ in range(count)]


@pytest.mark.parametrize("window", [None, 1, 2, "4 kB", "1 GB"])
def test_every_sample_comes_once_in_another_order(numbers, window):
    order = read(numbers.shuffled(seed=0, window=window))
    assert sorted(order) == list(range(250))
    assert order != list(range(250))


@pytest.mark.parametrize("window", [None, 2, "4 kB"])
def test_batches_hold_the_same_order(numbers, window):
    epoch = numbers.shuffled(batch_size=32, seed=0, window=window)
    batches = list(epoch)
    assert all(isinstance(batch, SampleBatch) for batch in batches)
    assert [len(batch) for batch in batches] == [32] * 7 + [26]
    assert read_batches(batches) == read(numbers.shuffled(seed=0, window=window))


def test_the_order_depends_on_seed_epoch_and_window(numbers):
    orders = [
        read(numbers.shuffled(seed=seed, epoch=epoch, window=window))
        for seed, epoch, window in [(0, 0, None), (1, 0, None), (0, 1, None), (0, 0, 2), (0, 0, 3), (0, 0, "4 kB")]
    ]
    assert len({tuple(order) for order in orders}) == len(orders)


def test_the_order_is_the_same_wherever_the_shards_are(numbers, tmp_path):
    expected = read(numbers.shuffled(seed=3))
    (tmp_path / "elsewhere").mkdir()
    for file in tmp_path.glob("numbers*"):
        file.rename(tmp_path / "elsewhere" / file.name)
    moved = atdata.Dataset[Numbered](tmp_path / "elsewhere")
    assert read(moved.shuffled(seed=3)) == expected
    assert expected[:5] == [245, 15, 248, 158, 130]


def test_a_selection_has_an_order_of_its_own_and_reads_its_samples_only(numbers):
    half = numbers.where(half=True)
    assert sorted(read(half.shuffled(seed=0))) == list(range(0, 250, 2))


def test_samples_taken_twice_come_twice(numbers):
    twice = numbers.take([5, 5, 7])
    assert sorted(read(twice.shuffled(seed=0))) == [5, 5, 7]


def test_without_a_seed_every_call_draws_one_and_the_epoch_keeps_it(numbers):
    one, two = numbers.shuffled(), numbers.shuffled()
    assert one.state_dict()["seed"] != two.state_dict()["seed"]
    assert read(one) == read(one)


def test_iterating_again_begins_again(numbers):
    epoch = numbers.shuffled(seed=0)
    some(epoch, 100)
    assert len(read(epoch)) == 250


@pytest.mark.parametrize("window", [None, 2, "4 kB"])
def test_a_state_gives_exactly_the_missing_samples(numbers, window):
    epoch = numbers.shuffled(seed=5, window=window)
    first = read(some(epoch, 91))
    state = json.loads(json.dumps(epoch.state_dict()))
    again = numbers.shuffled(batch_size=16, window=window)
    again.load_state_dict(state)
    assert first + read_batches(again) == read(numbers.shuffled(seed=5, window=window))


def test_the_state_wins_over_what_was_asked(numbers):
    epoch = numbers.shuffled(seed=5, epoch=2, window=2)
    first = read(some(epoch, 10))
    again = numbers.shuffled(seed=1)
    again.load_state_dict(epoch.state_dict())
    assert first + read(again) == read(numbers.shuffled(seed=5, epoch=2, window=2))


def test_states_of_several_windows_are_taken_up_one_after_the_other(numbers):
    epoch = numbers.shuffled(seed=5, window=2)
    read(epoch)
    for window in (1, "4 kB", None):
        epoch.load_state_dict(numbers.shuffled(seed=5, window=window).state_dict())
        assert read(epoch) == read(numbers.shuffled(seed=5, window=window))


def test_only_the_first_iteration_goes_on_and_the_next_begins_again(numbers):
    epoch = numbers.shuffled(seed=5)
    some(epoch, 200)
    again = numbers.shuffled()
    again.load_state_dict(epoch.state_dict())
    assert [len(read(again)), len(read(again))] == [50, 250]


def test_a_state_that_is_saved_at_once_is_the_one_that_was_loaded(numbers):
    epoch = numbers.shuffled(seed=5)
    some(epoch, 7)
    again = numbers.shuffled()
    again.load_state_dict(epoch.state_dict())
    assert again.state_dict() == epoch.state_dict()
    assert again.state_dict()["position"] == 7


def test_an_epoch_that_is_over_has_nothing_left(numbers):
    epoch = numbers.shuffled(seed=5)
    read(epoch)
    again = numbers.shuffled()
    again.load_state_dict(epoch.state_dict())
    assert read(again) == []


def test_set_epoch_goes_to_another_order_and_leaves_a_loaded_epoch_alone(numbers):
    epoch = numbers.shuffled(seed=5, epoch=3)
    first = read(some(epoch, 100))
    again = numbers.shuffled()
    again.load_state_dict(epoch.state_dict())
    again.set_epoch(3)
    assert first + read(again) == read(numbers.shuffled(seed=5, epoch=3))
    again.set_epoch(4)
    assert read(again) == read(numbers.shuffled(seed=5, epoch=4))
    assert again.state_dict()["epoch"] == 4


@pytest.mark.parametrize(("batch_size", "length"), [(None, 250), (32, 8), (50, 5)])
def test_the_length_is_that_of_a_whole_epoch(numbers, batch_size, length):
    epoch = numbers.shuffled(batch_size=batch_size, seed=0)
    assert len(epoch) == length
    some(epoch, 2)
    again = numbers.shuffled(batch_size=batch_size)
    again.load_state_dict(epoch.state_dict())
    assert len(again) == length


def test_filter_and_map_hold_under_batching_and_across_states(numbers):
    halves = numbers.filter(lambda sample: sample.half).map(lambda sample: sample.number)
    epoch = halves.shuffled(batch_size=16, seed=0)
    first = some(epoch, 3)
    assert [len(batch) for batch in first] == [16, 16, 16]
    again = halves.shuffled(batch_size=16)
    again.load_state_dict(epoch.state_dict())
    found = [number for batch in [*first, *again] for number in batch]
    assert sorted(found) == list(range(0, 250, 2))


def test_a_filtered_epoch_has_no_length(numbers):
    with pytest.raises(TypeError, match="known once they are read"):
        len(numbers.filter(lambda sample: sample.half).shuffled())


def test_a_state_of_another_selection_is_refused_with_both_digests(numbers):
    half = numbers.where(half=True)
    state = half.shuffled(seed=0).state_dict()
    whole = numbers.shuffled(seed=0)
    with pytest.raises(
        StateError, match=f"while reading {half.digest[:16]} with 125, and this is {numbers.digest[:16]}"
    ):
        whole.load_state_dict(state)
    assert read(whole) == read(numbers.shuffled(seed=0))


def test_a_dataset_without_manifests_is_shuffled_by_walking_its_tars(numbers, tmp_path):
    expected = read(numbers.shuffled(seed=0, window=2))
    for file in tmp_path.glob("*.manifest.*"):
        file.unlink()
    found = read(atdata.Dataset[Numbered](tmp_path).shuffled(seed=0, window=2))
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buffer_shards": -1}, "buffer_shards is a whole number"),
        ({"buffer_samples": None}, "buffer_samples is a whole number"),
        ({"batch_size": 0}, "batch_size is a whole number"),
        ({"seed": "x"}, "seed is a whole number"),
        ({"epoch": -1}, "epoch is a whole number"),
        ({"window": "lots"}, "window is None, a number of shards, or an amount"),
    ],
)
def test_an_option_that_is_none_is_refused_at_once(numbers, options, message):
    with pytest.raises(ValueError, match=message):
        numbers.shuffled(**options)


def test_the_repr_says_how_far_it_is(numbers):
    epoch = numbers.shuffled(seed=4, epoch=1)
    some(epoch, 3)
    assert repr(epoch) == "Epoch(seed=4, epoch=1, 3 of 250 samples)"
