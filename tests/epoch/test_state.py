"""States: there and back through JSON, and what is none."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata import StateError
from atdata._epoch._epoch import EpochState, ShareState
from atdata._epoch._order import ShuffleWindow
from tests.tiers import law

DIGEST = "0123456789abcdef" * 4
WORD = st.integers(0, (1 << 64) - 1)
SHARES = st.none() | st.builds(
    ShareState, rank=WORD, world_size=WORD, batch_size=WORD, worker=WORD, workers=WORD, drop=st.booleans(), read=WORD
)
WINDOWS = (
    st.just(ShuffleWindow())
    | st.builds(ShuffleWindow, shards=st.integers(1, 1 << 62), size=st.none())
    | st.builds(ShuffleWindow, shards=st.none(), size=st.integers(1, 1 << 62))
)
STATES = st.builds(
    lambda samples, position, **others: EpochState(
        samples=max(samples, position), position=min(samples, position), **others
    ),
    digest=st.just(DIGEST),
    samples=WORD,
    position=WORD,
    seed=st.none() | WORD,
    epoch=WORD,
    window=WINDOWS,
    share=SHARES,
)
STATE = EpochState(DIGEST, 1000, 7, 3, ShuffleWindow(size=1000), 500).to_dict()
SHARE = dataclasses.asdict(ShareState(0, 2, 32, 1, 4, drop=False, read=64))


@law(100)
@given(STATES)
def test_a_state_comes_back_through_json_in_less_than_1_kb(state: EpochState) -> None:
    text = json.dumps(state.to_dict())
    assert EpochState.from_dict(json.loads(text)) == state
    assert len(text) < 1000


@pytest.mark.parametrize("name", list(STATE))
def test_a_state_that_lacks_a_member_is_refused(name):
    with pytest.raises(StateError, match=f"the state lacks '{name}'"):
        EpochState.from_dict({key: value for key, value in STATE.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("digest", 7, "digest is text; found 7"),
        ("samples", "1000", "samples is a whole number"),
        ("samples", True, "samples is a whole number"),
        ("seed", -1, "seed is a whole number"),
        ("seed", 1 << 64, "seed is a whole number"),
        ("epoch", 1.5, "epoch is a whole number"),
        ("epoch", None, "epoch is a whole number"),
        ("position", -1, "position is a whole number"),
        ("position", 1001, "position is at most the epoch's 1000 samples; found 1001"),
        ("window", "256 mb", "window is None, a number of shards, or an amount; found '256 mb'"),
        ("window", 0, "window is None"),
        ("share", 7, "share is a mapping of"),
        ("share", {**SHARE, "more": 1}, "share is a mapping of"),
        ("share", {**SHARE, "read": -1}, "read is a whole number"),
        ("share", {**SHARE, "drop": 0}, "drop is true or false; found 0"),
    ],
)
def test_a_member_of_another_kind_is_refused_by_name(name, value, expected):
    with pytest.raises(StateError, match=expected):
        EpochState.from_dict({**STATE, name: value})


@pytest.mark.parametrize("given", [None, "state", 7, [STATE]])
def test_what_is_no_mapping_is_refused(given):
    with pytest.raises(StateError, match=r"it is a dict, as state_dict\(\) returns it"):
        EpochState.from_dict(given)


def test_a_whole_checkpoint_is_refused_with_the_member_that_was_meant():
    with pytest.raises(StateError, match="its member 'data' looks like a state"):
        EpochState.from_dict({"model": {}, "data": STATE})


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_with_both(version):
    with pytest.raises(StateError, match=f"of version {version!r}, and this library reads version 1"):
        EpochState.from_dict({**STATE, "version": version})


def test_a_state_of_other_samples_is_refused_with_both_digests():
    mine, other = EpochState.from_dict(STATE), EpochState.from_dict({**STATE, "digest": "f" * 64})
    with pytest.raises(
        StateError, match=f"while reading {'f' * 16} with 1000, and this is {DIGEST[:16]} with 1000 samples"
    ):
        other.check_fits(mine)


def test_a_state_of_another_number_of_samples_is_refused():
    mine, other = EpochState.from_dict(STATE), EpochState.from_dict({**STATE, "samples": 999})
    with pytest.raises(StateError, match="with 999, and this is .* with 1000 samples"):
        other.check_fits(mine)


def test_a_state_of_a_shuffled_epoch_does_not_go_on_in_order():
    mine, other = EpochState.from_dict({**STATE, "seed": None}), EpochState.from_dict(STATE)
    with pytest.raises(StateError, match="of an epoch shuffled, and this one is read in the order of the dataset"):
        other.check_fits(mine)


@pytest.mark.parametrize(
    ("name", "value"), [("digest", "f" * 64), ("samples", 999), ("seed", 8), ("epoch", 4), ("window", 7)]
)
def test_an_order_is_a_function_of_digest_samples_seed_epoch_and_window(name, value):
    assert EpochState.from_dict({**STATE, name: value}).key != EpochState.from_dict(STATE).key


def test_an_order_is_a_function_of_nothing_else():
    assert EpochState.from_dict({**STATE, "position": 0, "share": SHARE}).key == EpochState.from_dict(STATE).key
