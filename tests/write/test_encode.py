"""Encoding by an executor: the same bytes, the same errors, and a clear end where it dies."""

import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata import AtdataError, SampleValueError


@atdata.packable
class Reading:
    values: NDArray[np.float32]
    label: str
    score: float
    tags: list[str]

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (dataclasses.astuple(self),)


def _remade(values: tuple[Any, ...]) -> Reading:
    if values[1] == "die" and multiprocessing.parent_process() is not None:
        os._exit(9)
    return Reading(*values)


def readings(count: int) -> Iterator[Reading]:
    rng = np.random.default_rng(3)
    for index in range(count):
        values = rng.random(index % 7, np.float32)
        yield Reading(values, "abc"[index % 3], float("nan") if index % 5 == 0 else index / 7, ["x"] * (index % 3))


def write(folder: Path, samples: Any, **options: Any) -> atdata.Dataset[Reading]:
    return atdata.write_samples(
        samples,
        folder / "r.tar",
        **{"maxsize": 40_000, "manifest": True, "created_at": "2026-01-01", "durable": False, **options},
    )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


class LastFirst(Executor):
    """Runs what it is given when a result is asked for, so that later work may well be done before earlier work."""

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        class Late(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:  # noqa: ARG002 -- as the class asks
                return function(*arguments, **options)

        return Late()


def executors() -> list[Executor]:
    return [
        ThreadPoolExecutor(3),
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")),
        LastFirst(),
    ]


@pytest.mark.parametrize("executor", executors(), ids=["threads", "fork", "spawn", "late"])
@pytest.mark.parametrize("manifest", [True, False])
def test_the_bytes_are_those_of_the_caller_s_own_thread(tmp_path: Path, executor: Executor, *, manifest: bool) -> None:
    write(tmp_path / "serial", readings(333), manifest=manifest)
    ds = write(tmp_path / "parallel", readings(333), manifest=manifest, executor=executor)
    assert digests(tmp_path / "parallel") == digests(tmp_path / "serial")
    assert len(digests(tmp_path / "serial")) > 4
    assert [each.score for each in ds][7] == 1.0


def test_the_caller_s_keys_stay_with_their_samples(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        ds = write(tmp_path, readings(50), executor=executor, keys=lambda position, sample: f"{sample.label}{position}")
    assert [(place.key[0], place.key[1:]) for place in ds.query("label = 'b'")] == [
        ("b", str(position)) for position in range(1, 50, 3)
    ]


@pytest.mark.parametrize("bad", [0, 15, 16, 17, 49])
def test_a_sample_that_cannot_be_written_is_named_as_without_an_executor(tmp_path: Path, bad: int) -> None:
    samples = list(readings(50))
    samples[bad] = dataclasses.replace(samples[bad], label=7)
    found = []
    for executor in (None, ThreadPoolExecutor(2)):
        folder = tmp_path / str(executor is None)
        with pytest.raises(SampleValueError, match="field 'label': expected str, found int 7") as caught:
            write(folder, iter(samples), executor=executor, maxsize=None, maxcount=10)
        found.append((caught.value.position, digests(folder) if folder.exists() else {}))
    assert found[0] == found[1]
    assert found[0][0] == bad


def test_a_repeated_key_before_a_bad_value_is_found_first(tmp_path: Path) -> None:
    samples = list(readings(6))
    samples[5] = dataclasses.replace(samples[5], label=7)
    with ThreadPoolExecutor(2) as executor, pytest.raises(SampleValueError, match="sample 3, .*is in shard"):
        write(tmp_path, samples, executor=executor, keys=["a", "b", "c", "a", "d", "e"])


def test_an_executor_whose_process_dies_is_named(tmp_path: Path) -> None:
    samples = list(readings(200))
    samples[150] = dataclasses.replace(samples[150], label="die")
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor,
        pytest.raises(AtdataError, match=r"ProcessPoolExecutor stopped before .* \(BrokenProcessPool") as caught,
    ):
        write(tmp_path, samples, executor=executor, maxsize=None, maxcount=20)
    assert "stopped at sample" in caught.value.__notes__[0]
    kept = atdata.Dataset[Reading](tmp_path)
    assert [each.label for each in kept] == [each.label for each in samples[: len(kept)]]
    assert not list(tmp_path.glob(".tmp-*"))


def test_an_executor_that_was_shut_down_is_named(tmp_path: Path) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(AtdataError, match="ThreadPoolExecutor stopped before it had encoded sample 0"):
        write(tmp_path, readings(20), executor=executor)
    assert list(tmp_path.iterdir()) == []


def test_few_samples_are_taken_ahead(tmp_path: Path) -> None:
    taken = []

    def watched() -> Iterator[Reading]:
        for index, reading in enumerate(readings(2000)):
            taken.append(index)
            yield reading

    class Slow(ThreadPoolExecutor):
        ahead = 0

        def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
            time.sleep(0.001)
            future = super().submit(function, *arguments, **options)
            future.result()
            self.done = getattr(self, "done", 0) + len(arguments[0])
            Slow.ahead = max(Slow.ahead, len(taken) - self.done)
            return future

    with Slow(1) as executor:
        write(tmp_path, watched(), executor=executor)
    assert len(taken) == 2000
    assert Slow.ahead < 100


@pytest.mark.parametrize("bad", ["repeated key", "value"])
def test_after_an_error_nothing_more_is_taken_because_samples_were_lost_with_it(tmp_path: Path, bad: str) -> None:
    samples = list(readings(200))
    if bad == "value":
        samples[20].score = "high"  # type: ignore[assignment]  # what is tried
    keys = [f"k{index if index != 20 or bad == 'value' else 19}" for index in range(200)]
    writer = atdata.ShardWriter(tmp_path / "r.tar", Reading, manifest=True, executor=LastFirst(), keys=keys)
    refused = []
    with pytest.raises(AtdataError, match=r"encoded along with it are lost.*without executor="), writer as shards:  # noqa: PT012 -- the block's end raises
        for sample in samples:
            try:
                shards.write(sample)
            except AtdataError as error:
                refused.append(error)
    assert "sample 20" in str(refused[0])
    assert len(refused) > 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "pool",
    [
        contextlib.nullcontext,
        lambda: ThreadPoolExecutor(2),
        lambda: ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")),
    ],
    ids=["none", "threads", "fork"],
)
def test_arrays_and_lists_that_are_filled_again_are_written_as_they_were(tmp_path: Path, pool: Any) -> None:
    values, tags = np.zeros(4, np.float32), [""]

    def filled() -> Iterator[Reading]:
        for index in range(100):
            values[:], tags[0] = index, f"t{index}"
            yield Reading(values, "a", 0.0, tags)

    with pool() as executor:
        ds = write(tmp_path, filled(), executor=executor)
    assert [(float(each.values[0]), each.tags) for each in ds] == [(index, [f"t{index}"]) for index in range(100)]
    (found,) = ds.fetch(ds.query(pl.col("tags").list.contains("t77")))
    assert found.values[0] == 77


def test_untyped_samples_that_change_are_written_as_they_were(tmp_path: Path) -> None:
    numbers = [0]

    def filled() -> Iterator[atdata.DictSample]:
        for index in range(50):
            numbers[0] = index
            yield atdata.DictSample(numbers=numbers)

    with ThreadPoolExecutor(2) as executor:
        ds = write(tmp_path, filled(), executor=executor)
    assert [each.numbers for each in ds] == [[index] for index in range(50)]
