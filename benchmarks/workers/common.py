"""What all workers share: the samples, the clock's rules, and digests that make answers comparable."""

import dataclasses
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (64, 64, 3)
LABELS = ("bird", "boat", "car", "cat", "deer", "dog", "frog", "horse", "plane", "truck")
#: Samples made at once.
_BLOCK = 1000
#: Raise when this module makes other samples from the same numbers.
_REVISION = 1


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a task is to work on."""

    #: Holds what is made once and kept.
    data: Path
    #: Holds what a task writes and removes.
    scratch: Path
    samples: int
    shards: int
    #: How many of the samples are fetched.
    picks: int = 0
    #: Which question is asked.
    question: str = ""
    #: How rows are distributed over shards: `random` or `clustered`.
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Task:
    """One piece of work: only `run` is timed."""

    run: Callable[[], Any]
    #: Count and digest of what `run` returned, each time; cheap, since it is taken in every round.
    answer: Callable[[Any], tuple[int, str | None]]
    #: The same in full, once, before anything is timed; None says that `answer` is enough.
    prove: Callable[[Any], tuple[int, str | None]] | None = None
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    #: What else is worth knowing of what `run` made, asked for once: numbers by name.
    facts: Callable[[], dict[str, float]] = dict


@dataclasses.dataclass(slots=True)
class Sample:
    """A sample as a program without the library would have it."""

    image: np.ndarray
    label: str
    confidence: float


#: Samples a batch, and processes that read for a DataLoader.
BATCH, WORKERS = 32, 2
#: One sample of so many is in a slice.
SLICE = 10


def samples(count: int, make: Callable[..., Any]) -> Iterator[Any]:
    """Yield the first so many samples, the same ones everywhere."""
    for block in range(-(-count // _BLOCK)):
        random = np.random.default_rng([_REVISION, block])
        images = random.integers(0, 256, (_BLOCK, *SHAPE), np.uint8)
        labels = random.integers(0, len(LABELS), _BLOCK).tolist()
        confidences = random.random(_BLOCK).tolist()
        for row in range(min(_BLOCK, count - block * _BLOCK)):
            yield make(image=images[row], label=LABELS[labels[row]], confidence=confidences[row])


def picks(setup: Setup) -> list[int]:
    """Return the positions of the samples to fetch, in random order."""
    return np.random.default_rng(7).permutation(setup.samples)[: setup.picks].tolist()


def built(setup: Setup, name: str, build: Callable[[Path], Any]) -> Path:
    """Return a kept folder of that name for these samples; build it first if it is not there."""
    folder = setup.data / f"{name}-r{_REVISION}-{setup.samples}x{setup.shards}"
    if not folder.exists():
        unfinished = setup.data / f"unfinished-{os.getpid()}-{name}"
        unfinished.mkdir(parents=True)
        try:
            build(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def per_shard(setup: Setup) -> int:
    """Return how many samples a full shard holds."""
    return -(-setup.samples // setup.shards)


def pattern(folder: Path, shards: int) -> str:
    """Return the tars of a folder as both libraries' datasets take them."""
    return f"{folder}/photos-{{000000..{shards - 1:06d}}}.tar"


def proof(found: Iterable[Any]) -> tuple[int, str]:
    """Return how many samples there are, and a digest of all they hold, in their order."""
    digest, count = hashlib.sha256(), 0
    for each in found:
        image = np.ascontiguousarray(each.image)
        digest.update(f"{image.shape} {zlib.crc32(image)} {each.label} {float(each.confidence)!r}\n".encode())
        count += 1
    return count, digest.hexdigest()


def unordered(found: Iterable[Any]) -> tuple[int, str]:
    """Return how many samples there are, and a digest of all they hold, in whatever order they come."""
    each = sorted(proof([sample])[1] for sample in found)
    return len(each), hashlib.sha256("".join(each).encode()).hexdigest()


def consume(found: Iterable[Any]) -> tuple[int, int]:
    """Take every sample and touch its image."""
    count = total = 0
    for each in found:
        total += int(each.image[-1, -1, -1])
        count += 1
    return count, total


def read_task(read: Callable[[], Iterable[Any]]) -> Task:
    """Return the task to go through samples as objects."""
    return Task(lambda: consume(read()), lambda found: (found[0], str(found[1])), lambda _: proof(read()))


def batches_task(read: Callable[[], Iterable[Any]], sample_type: Callable[..., Any]) -> Task:
    """Return the task to go through batches whose images are one array; its proof takes their samples apart."""

    def run() -> tuple[int, int]:
        count = total = 0
        for batch in read():
            images = batch.image
            total += int(images[:, -1, -1, -1].sum())
            count += len(images)
        return count, total

    def singles() -> Iterator[Any]:
        for batch in read():
            for image, label, confidence in zip(batch.image, batch.label, batch.confidence, strict=True):
                yield sample_type(image=image, label=label, confidence=confidence)

    proof = read_task(singles)
    return Task(run, proof.answer, proof.prove)


def write_task(
    setup: Setup, write: Callable[[Path], Any], read: Callable[[Path], Iterable[Any]] | None, *, count: int
) -> Task:
    """Return the task to write to a fresh folder; its proof reads back what was written."""
    folder = setup.scratch / "written"

    def before() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.sync()  # what others left unwritten is not written on this one's time

    def prove(_: Any) -> tuple[int, str | None]:
        return proof(read(folder)) if read else (count, None)

    return Task(
        lambda: write(folder), lambda _: (count, None), prove, before, lambda: shutil.rmtree(folder, ignore_errors=True)
    )


def payloads(folder: Path) -> Iterator[bytes]:
    """Yield the samples' bytes from all tars of a folder, by Python's own reader: nobody's here."""
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                yield tar.extractfile(member).read()


def digest_of(lines: Iterable[str]) -> str:
    """Return a digest of some texts, whatever their order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def named(places: Iterable[tuple[str, str]]) -> tuple[int, str]:
    """Return how many samples an answer names, and digests of their keys, and of their shards and keys."""
    both = list(places)
    return len(both), f"{digest_of(key for _, key in both)}+{digest_of(f'{shard}/{key}' for shard, key in both)}"


def loader_task(batches: Any) -> Task:
    """Return the task to go through batches of tensors."""
    return Task(
        lambda: consume_batches(batches()),
        _said,
        lambda _: unordered(sample for batch in batches() for sample in singles(batch)),
    )


def any_order(read: Any) -> Task:
    """Return the task to go through samples as objects, in whatever order."""
    return Task(lambda: consume(read()), _said, lambda _: unordered(read()))


def consume_batches(batches: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Take every batch and touch its images."""
    count = total = 0
    for batch in batches:
        total += int(batch["image"][:, -1, -1, -1].sum())
        count += len(batch["image"])
    return count, total


def singles(batch: dict[str, Any]) -> Iterator[Sample]:
    """Yield the samples of a batch."""
    for image, label, confidence in zip(batch["image"], batch["label"], batch["confidence"], strict=True):
        yield Sample(np.asarray(image), label, float(confidence))


def _said(found: tuple[int, int]) -> tuple[int, str]:
    return found[0], str(found[1])


def our_tars(setup: Setup) -> Path:
    """Return the folder of our tars, for who cannot make them.

    Raises:
        FileNotFoundError: Our library has not written them yet.
    """
    folders = sorted(setup.data.glob(f"ours-[0-9]*-{setup.samples}x{setup.shards}"))
    if not folders:
        raise FileNotFoundError("our tars are made by the task that reads them, which comes first")
    return folders[-1]


def check_against_given(found: Iterable[Any], setup: Setup, indices: Sequence[int]) -> None:
    """Check samples against those that were to be written.

    Raises:
        ValueError: They are others.
    """
    wanted = set(indices)
    given = {index: each for index, each in enumerate(samples(setup.samples, Sample)) if index in wanted}
    if proof(found) != proof(given[index] for index in indices):
        raise ValueError("these are not the samples that were written")
