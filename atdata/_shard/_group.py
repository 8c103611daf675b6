"""From members to samples: one sample is one run of adjacent members that share a key."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from atdata._errors import ShardError

from ._keys import split_name
from ._walk import Member

__all__ = ["SampleRun", "sample_runs"]


class SampleRun(NamedTuple):
    """One sample's place in a tar."""

    key: str
    #: Where its first header begins, in bytes from the start of the tar.
    offset: int
    #: Length of all its members in bytes: headers, payloads and padding.
    size: int
    #: What its members hold, by extension.
    extensions: tuple[str, ...]


def sample_runs(members: Iterable[Member], shard_id: str) -> Iterator[SampleRun]:
    """Group a tar's members into samples.

    Raises:
        ShardError: A key comes back after another one, or a member twice.
    """
    seen: set[str] = set()
    run: SampleRun | None = None
    for member in members:
        key, extension = split_name(member.name)
        if run is not None and run.key == key:
            if extension in run.extensions:
                raise ShardError(
                    shard_id, f"the sample {key!r} has the member {member.name!r} twice, again at byte {member.offset}"
                )
            run = run._replace(size=member.end - run.offset, extensions=(*run.extensions, extension))
            continue
        if run is not None:
            yield run
        if key in seen:
            raise ShardError(
                shard_id,
                f"the key {key!r} comes back at byte {member.offset} after other samples; "
                "the members of a sample lie side by side",
            )
        seen.add(key)
        run = SampleRun(key, member.offset, member.end - member.offset, (extension,))
    if run is not None:
        yield run
