"""How far the peak of memory rises while small samples are written: one fresh process, one engine, one answer."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _small(count: int, make: type) -> Iterator[object]:
    return (make(label=f"label-{index % 10}", confidence=index / count) for index in range(count))


def _webdataset(count: int, shard: int, folder: Path) -> int:
    import webdataset  # noqa: PLC0415 -- one engine a process
    from msgspec import msgpack  # noqa: PLC0415 -- as above

    before, encode = _peak(), msgpack.Encoder().encode
    with webdataset.ShardWriter(f"{folder}/small-%06d.tar", maxcount=shard, verbose=0) as sink:
        for index, each in enumerate(_small(count, dict)):
            sink.write({"__key__": f"{index:09d}", "msgpack": encode(each)})
    return before


def _atdata(count: int, shard: int, folder: Path) -> int:
    import atdata  # noqa: PLC0415 -- one engine a process

    @atdata.packable
    class Small:
        label: str
        confidence: float

    before = _peak()
    atdata.write_samples(_small(count, Small), str(folder / "small.tar"), maxcount=shard, manifest=True)
    return before


def main() -> None:
    """Write, and answer with the bytes that the peak rose by."""
    engine, count, shard, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    before = {"atdata": _atdata, "webdataset": _webdataset}[engine](count, shard, folder)
    print(json.dumps({"bytes": _peak() - before}), file=answers)


if __name__ == "__main__":
    main()
