"""Work shard by shard: every shard is tried, and what was done is not done again."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atdata import AtdataError, PartialFailureError, ShardError
from atdata._dataset._jobs import Checkpoint, named_shards, process_shards
from tests.storage.object_store import open_bucket

SHARDS = {"a": [1, 2], "b": [3], "c": [], "d": [4, 5, 6]}


def samples_of(shard_id: str) -> Iterator[int]:
    yield from SHARDS[shard_id]


def work(fn: Any = sum, checkpoint: Checkpoint | None = None, **options: Any) -> dict[str, Any]:
    return process_shards(fn, list(SHARDS), samples_of, checkpoint=checkpoint, on_shard_error=None, **options)


def fail_on(*bad: int) -> Any:
    def fn(samples: list[int]) -> int:
        for each in samples:
            if each in bad:
                raise ZeroDivisionError(f"no {each}")
        return sum(samples)

    return fn


def test_a_function_gets_the_list_of_each_shards_samples() -> None:
    assert work(list) == SHARDS
    assert list(work()) == list(SHARDS)


def test_every_shard_is_tried_and_the_failures_come_together() -> None:
    with pytest.raises(
        PartialFailureError, match=r"2 of 4 shards failed.*\n  a: ZeroDivisionError: no 2\n  d: "
    ) as raised:
        work(fail_on(2, 5))
    error = raised.value
    assert (error.succeeded_shards, error.failed_shards, error.results) == (["b", "c"], ["a", "d"], {"b": 3, "c": 0})
    assert str(error.errors["d"]) == "no 5"


def test_a_shard_that_cannot_be_read_is_a_failure_as_well() -> None:
    def cut(shard_id: str) -> Iterator[int]:
        yield 1
        if shard_id == "b":
            raise ShardError("b", "cut")

    with pytest.raises(PartialFailureError) as raised:
        process_shards(sum, ["a", "b"], cut, checkpoint=None, on_shard_error=None)
    assert (raised.value.results, str(raised.value.errors["b"])) == ({"a": 1}, "shard 'b': cut")


def test_a_failure_is_told_of_when_it_happens() -> None:
    told: list[tuple[str, str]] = []

    def fn(samples: list[int]) -> int:
        told.append(("fn", str(samples)))
        return fail_on(3)(samples)

    with pytest.raises(PartialFailureError):
        process_shards(
            fn,
            ["b", "c"],
            samples_of,
            checkpoint=None,
            on_shard_error=lambda shard, error: told.append((shard, str(error))),
        )
    assert told == [("fn", "[3]"), ("b", "no 3"), ("fn", "[]")]


def test_what_the_teller_raises_ends_the_work() -> None:
    done: list[Any] = []

    def fn(samples: list[int]) -> None:
        done.append(samples)
        raise ValueError("why")

    def stop(shard_id: str, error: Exception) -> None:  # noqa: ARG001
        raise error

    with pytest.raises(ValueError, match="^why$"):
        process_shards(fn, list(SHARDS), samples_of, checkpoint=None, on_shard_error=stop)
    assert done == [[1, 2]]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_work_at_once(kind: type[BaseException]) -> None:
    done: list[Any] = []

    def fn(samples: list[int]) -> None:
        done.append(samples)
        raise kind

    with pytest.raises(kind):
        work(fn)
    assert done == [[1, 2]]


class Sample:
    pass


def test_failures_keep_no_samples() -> None:
    seen: list[Any] = []

    def look(samples: list[Sample]) -> None:
        seen.append(weakref.ref(samples[0]))
        raise KeyError("inner")

    def fn(samples: list[Sample]) -> None:
        try:
            look(samples)
        except KeyError as error:
            raise ValueError("outer") from error

    def two(shard_id: str) -> Iterator[Sample]:  # noqa: ARG001
        yield Sample()

    with pytest.raises(PartialFailureError) as raised:
        process_shards(fn, ["a", "b"], two, checkpoint=None, on_shard_error=None)
    gc.collect()
    assert [reference() for reference in seen] == [None, None]
    assert raised.value.errors["a"].__traceback__ is not None


# -- which shards


URLS = {"x/a": "/data/x/a.tar", "x/b": "/data/x/b.tar"}


@pytest.mark.parametrize(
    ("shards", "found"),
    [
        (None, ["x/a", "x/b"]),
        (["x/b", "x/a"], ["x/b", "x/a"]),
        (["/data/x/b.tar", "x/b"], ["x/b"]),
        ("x/a", ["x/a"]),
        ([], []),
    ],
)
def test_shards_are_named_by_id_or_by_path(shards: Any, found: list[str]) -> None:
    assert named_shards(shards, URLS) == found


def test_a_shard_that_is_not_there_is_named_with_near_misses() -> None:
    with pytest.raises(ShardError, match=r"shard 'x/c': it is none of this dataset's 2 shards \(did you mean 'x/[ab]'"):
        named_shards(["x/c"], URLS)


# -- checkpoints


def test_what_was_done_is_skipped_and_has_no_result(tmp_path: Path) -> None:
    path = tmp_path / "new" / "work.jsonl"
    with pytest.raises(PartialFailureError):
        work(fail_on(3), Checkpoint(path, "d" * 64))
    assert work(sum, Checkpoint(path, "d" * 64)) == {"b": 3}
    assert work(sum, Checkpoint(path, "d" * 64)) == {}


def test_a_shard_is_recorded_as_soon_as_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    counts: list[int] = []

    def fn(samples: list[int]) -> None:  # noqa: ARG001
        counts.append(len(Checkpoint(path, "d").done))

    work(fn, Checkpoint(path, "d"))
    assert counts == [0, 1, 2, 3]


PROGRAM = """
import os, sys
from atdata._dataset._jobs import Checkpoint, process_shards

def fn(samples):
    if samples == ["c"]:
        os._exit(9)

shards = ["a", "b", "c", "d"]
process_shards(fn, shards, lambda shard: [shard], checkpoint=Checkpoint(sys.argv[1], "d"), on_shard_error=None)
"""


def test_a_process_that_dies_leaves_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    assert subprocess.run([sys.executable, "-c", PROGRAM, path], check=False).returncode == 9
    assert Checkpoint(path, "d").done == {"a", "b"}


@pytest.mark.parametrize("cut", [1, 5, 13])
def test_a_line_that_was_cut_short_is_done_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "work.jsonl"
    work(sum, Checkpoint(path, "d"))
    os.truncate(path, path.stat().st_size - cut)
    assert work(sum, Checkpoint(path, "d")) == {"d": 15}
    assert Checkpoint(path, "d").done == set(SHARDS)


def test_a_store_without_append_keeps_one_object_for_each_shard(tmp_path: Path) -> None:
    store = open_bucket("checkpoints")
    url = store.url("job")
    with pytest.raises(PartialFailureError):
        work(fail_on(3), Checkpoint(url, "d" * 64))
    assert len(store.names("job")) == 4  # the head, and three shards
    assert work(sum, Checkpoint(url, "d" * 64)) == {"b": 3}
    assert Checkpoint(url, "d" * 64).done == set(SHARDS)
    with pytest.raises(AtdataError, match="is the checkpoint of another dataset"):
        Checkpoint(url, "2" * 64)
    store.replace("other/a.json", b"{}")
    with pytest.raises(FileNotFoundError, match=r"checkpoint\.json"):
        Checkpoint(store.url("other"), "d")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_dataset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    Checkpoint(path, "1" * 64)
    with pytest.raises(
        AtdataError, match=r"is the checkpoint of another dataset, .* names the digest 111111111111…, this"
    ):
        Checkpoint(path, "2" * 64)


@pytest.mark.parametrize("text", ["", "no json\n", "no json\nand no end", "{}\n", '{"process_shards": "1"}\n', "[1]"])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "work.jsonl"
    path.write_text(text)
    with pytest.raises(AtdataError, match="is no checkpoint of process_shards"):
        Checkpoint(path, "d")
    assert path.read_text() == text


def test_a_checkpoint_with_a_strange_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    Checkpoint(path, "d")
    with path.open("a") as file:
        file.write('{"shard": "a", "more": 1}\n')
    with pytest.raises(AtdataError, match="is no checkpoint"):
        Checkpoint(path, "d")


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    path.write_text('{"process_shards": "2", "dataset": "d"}\n')
    with pytest.raises(AtdataError, match="is a checkpoint of version 2"):
        Checkpoint(path, "d")
