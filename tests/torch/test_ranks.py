"""Which rank a process is."""

import pytest

from atdata._torch import rank_here


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_a_process_alone_is_rank_0_of_1():
    assert rank_here(None, None) == (0, 1)


def test_the_environment_says_which(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert rank_here(None, None) == (2, 4)


def test_what_is_given_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert rank_here(1, 3) == (1, 3)


def test_torch_distributed_comes_before_the_environment(monkeypatch, tmp_path):
    import torch.distributed  # noqa: PLC0415 -- only here

    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        assert rank_here(None, None) == (0, 1)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("given", [(1, None), (None, 2)])
def test_one_without_the_other_is_refused(given):
    with pytest.raises(ValueError, match=r"to_torch\(\): rank and world_size go together"):
        rank_here(*given)


def test_half_an_environment_is_refused(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(
        ValueError, match="RANK and WORLD_SIZE: rank and world_size go together; found rank 2 and world_size None"
    ):
        rank_here(None, None)


def test_a_variable_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(ValueError, match="the environment variable RANK is a whole number; found 'first'"):
        rank_here(None, None)


@pytest.mark.parametrize("given", [(2, 2), (-1, 2), (0, 0), (0.0, 1), (True, 2)])
def test_a_rank_beyond_the_world_is_refused(given):
    with pytest.raises(ValueError, match="rank is from 0 to world_size - 1"):
        rank_here(*given)
