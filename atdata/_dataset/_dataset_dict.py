"""The splits of a dataset, by name."""

from collections.abc import Mapping
from typing import Any, TypeVar

from atdata._display import display_html
from atdata._errors import SplitNotFoundError, listed

from ._dataset import Dataset
from ._splits import unknown_split

__all__ = ["DatasetDict"]

S = TypeVar("S")


class DatasetDict(dict[str, Dataset[S]]):
    """A dataset's splits: a dict from split to :class:`Dataset`, as :func:`load_dataset` returns it.

    Where there is one split, what a dataset can do may be asked of the dict: ``splits.where(...)``. ``len``, iteration,
    ``[]`` and the methods of a dict are always those of a dict.

    Args:
        splits: The datasets by split.
        sample_type: The type that samples are read as; None says that of the first split.
        streaming: Recorded, and otherwise without effect: a dataset reads its samples as they are asked for.

    Attributes:
        streaming: As given.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> for split in ("train", "test"):
        ...     _ = atdata.write_samples([Caption(split)], f"{folder.name}/{split}.tar", manifest=True)
        >>> splits = atdata.load_dataset(folder.name, Caption)
        >>> splits
        DatasetDict({'train': 1 shard, 'test': 1 shard}, Caption)
        >>> [sample.text for sample in splits["test"]]
        ['test']
        >>> folder.cleanup()
    """

    def __init__(
        self,
        splits: Mapping[str, Dataset[S]] | None = None,
        sample_type: type[S] | None = None,
        streaming: bool = False,  # noqa: FBT001, FBT002 -- the signature that programs use
    ) -> None:
        super().__init__(splits or {})
        self._sample_type = sample_type
        self.streaming = streaming

    @property
    def sample_type(self) -> type[S] | None:
        """The type that samples are read as; None where there is no split to ask."""
        if self._sample_type is None and self:
            return next(iter(self.values())).sample_type
        return self._sample_type

    @property
    def num_shards(self) -> dict[str, int]:
        """How many shards each split has."""
        return {split: len(dataset.list_shards()) for split, dataset in self.items()}

    def __missing__(self, split: str) -> Dataset[S]:
        raise SplitNotFoundError(unknown_split(str(split), self, "the dataset"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copying and pickling look for is not a dataset's either
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        if not hasattr(Dataset, name):
            raise AttributeError(f"neither a DatasetDict nor a Dataset has an attribute {name!r}")
        if len(self) != 1:
            some = f"it has {listed(self)}: ds[{next(iter(self))!r}].{name}" if self else "it has none"
            raise AttributeError(f"{name!r} is asked of one split, and {some}")
        return getattr(next(iter(self.values())), name)

    def __repr__(self) -> str:
        counts = ", ".join(f"{split!r}: {n} shard{'s'[: n != 1]}" for split, n in self.num_shards.items())
        return f"DatasetDict({{{counts}}}{f', {self.sample_type.__name__}' if self.sample_type else ''})"

    def _repr_html_(self) -> str:
        return display_html(self)
