"""The dataset: shards as one sequence of samples."""

import functools
import os
from pathlib import Path
from typing import Any, TypeVar

from atdata._errors import ManifestNotFoundError, listed
from atdata._query import absolute, open_folder, open_tars, report_uncommitted
from atdata._read import Opened, OpenShards
from atdata._write import expand

from ._base import Source, check_source
from ._choosing import Choosing
from ._late import Late
from ._reading import Reading
from ._selection import Everything
from ._slice import is_slice, load_slice
from ._summary import Showing
from ._using import Using

__all__ = ["Dataset", "open_source"]

S = TypeVar("S")


class Dataset(Choosing[S], Reading[S], Using[S], Late[S], Showing[S]):
    """A sharded dataset. ``Dataset[Photo](path)`` reads samples as ``Photo``; without a type they are DictSample.

    Opening lists names and reads nothing. With manifests, ``len``, questions and fetching touch no byte of a tar that
    they need not; without them, tars are walked.

    Args:
        source: A folder, a tar, a glob, a brace pattern (``images-{000000..000009}.tar``), a list of tars, or a slice
            (``dogs.slice.parquet``), as :meth:`save_slice` writes it.

    Raises:
        ManifestNotFoundError: There is nothing there.

    Examples:
        >>> import tempfile, atdata
        >>> import polars as pl
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        ...     score: float
        >>> folder = tempfile.TemporaryDirectory()
        >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2)]
        >>> _ = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
        >>> ds = Dataset[Caption](folder.name)
        >>> [sample.text for sample in ds.fetch(ds.query(pl.col("score") > 0.5))]
        ['a dog']
        >>> folder.cleanup()
    """

    def __init__(self, source: Source | OpenShards[S]) -> None:
        if is_slice(source):
            selection = load_slice(source, open_source)  # type: ignore[arg-type]  # a path, as its name says
            self._begin(selection.opened, selection)
            return
        if not isinstance(source, OpenShards):
            source = open_source(source)
            report_uncommitted(source.store, source.listing)
        opened = Opened(source)
        self._begin(opened, Everything(opened))


def open_source(source: Source, root: str | None = None) -> OpenShards[Any]:
    """Find the shards that a path, a pattern or a list of these names, in a way that finds them again.

    Args:
        source: What names them.
        root: The folder below which their ids are paths; None for the deepest that they share.

    Raises:
        ManifestNotFoundError: There is nothing there.
        SampleValueError: It is no source.
    """
    check_source(source)
    if isinstance(source, str | os.PathLike):
        again: Any = absolute(source)
    else:
        again = [absolute(each) for each in source]
    return _found(source, root)._replace(source=again, reopen=functools.partial(open_source, again, root))


def _found(source: Source, root: str | None) -> OpenShards[Any]:
    if not isinstance(source, str | os.PathLike):
        return OpenShards(*open_tars((name for each in source for name in expand(os.fspath(each))), root=root))
    path = Path(source)
    if not path.is_dir():
        return OpenShards(*open_tars(expand(os.fspath(source)), root=root))
    store, listing = open_folder(path)
    if not (listing.committed or listing.uncommitted):
        inside = sorted(each.name for each in path.iterdir() if each.is_dir() and next(each.glob("*.tar"), None))
        raise ManifestNotFoundError(
            f"{store.url()} holds no shard (*.tar)" + (f"; its folders {listed(inside)} do: open one" if inside else "")
        )
    return OpenShards(store, listing)
