"""The names of the shards that one call writes."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from atdata._errors import SampleValueError
from atdata._shards import escape_pattern
from atdata._storage import Store, StorePath

__all__ = ["NUMBERED", "KeySource", "Keys", "ShardNames", "numbered_key"]

#: A number's place in a path, as in ``images-%06d.tar``.
_NUMBER = re.compile(r"%0?(\d*)d")
_TAR = ".tar"
#: How the names of a shard's files end.
_SUFFIXES = r"(\.tar|\.manifest\.json|(\.[0-9a-f]{8})?\.manifest\.parquet)"
#: The width of a shard's number where the caller names none.
_WIDTH = 6


class ShardNames(NamedTuple):
    """The ids of a set of shards: text before the number, the number's width, text after it."""

    before: str
    #: None for a single shard without a number.
    width: int | None
    after: str

    @classmethod
    def parse(cls, path: str | os.PathLike[str], *, many: bool, durable: bool = True) -> tuple[Store, "ShardNames"]:
        """Return the folder, as a store, and the ids that a path to write to means.

        Args:
            path: ``images.tar``, or ``images-%06d.tar`` to say where the number stands.
            many: Whether there may be more than one shard.
            durable: Whether what is written survives a power loss.

        Raises:
            UnsupportedSchemeError: The path is a URL of a store that is not supported.
            ValueError: The path is no tar's, or has more than one place for a number.
        """
        text, target = os.fspath(path), StorePath.parse(path, durable=durable)
        if not text.endswith(_TAR) or text.endswith(f"/{_TAR}") or text == _TAR:
            raise ValueError(f"samples are written to .tar files, such as 'images.tar'; found {text!r}")
        folder, stem = target.store, target.name[: -len(_TAR)]
        if stem.startswith(".") or "\\" in stem:
            raise ValueError(f"a shard's name does not begin with '.' and holds no '\\'; found {text!r}")
        places = list(_NUMBER.finditer(stem))
        if len(places) > 1:
            raise ValueError(f"a path has one place for the shard's number; found {len(places)} in {text!r}")
        if places:
            return folder, cls(stem[: places[0].start()], int(places[0][1] or 0), stem[places[0].end() :])
        return folder, cls(f"{stem}-", _WIDTH, "") if many else cls(stem, None, "")

    def shard_id(self, index: int) -> str:
        """Return the id of one shard."""
        return self.before if self.width is None else f"{self.before}{index:0{self.width}d}{self.after}"

    def includes(self, file: str) -> bool:
        """Tell whether a file may be one of these shards or their sidecars, whatever the width of its number."""
        return re.fullmatch(rf"{self._stem}{_SUFFIXES}", file) is not None

    def writes(self, file: str) -> bool:
        """Tell whether a file is one of these shards or their sidecars, its number written as theirs are."""
        match = re.fullmatch(rf"({self._stem}){_SUFFIXES}", file)
        return match is not None and (self.width is None or self.index_of(match[1]) is not None)

    def index_of(self, shard_id: str) -> int | None:
        """Return a shard's number in the set, or None where its id is not written as these are."""
        match = re.fullmatch(self._stem, shard_id)
        index = int(match[1]) if match and match[1] else None
        return index if index is not None and self.shard_id(index) == shard_id else None

    @property
    def pattern(self) -> str:
        """The tars' name as a caller writes it: ``images-%06d.tar``."""
        return f"{self.before}{'' if self.width is None else f'%0{self.width}d'}{self.after}{_TAR}"

    def found_in(self, folder: str) -> str | None:
        """Return a glob that finds the tars of the set in a folder, also those that are added later.

        None where there is one shard only, or no glob says it: numbers may be of any width.
        """
        if self.width is None or self.width <= 1:
            return None
        before, after = escape_pattern(f"{folder}/{self.before}"), escape_pattern(self.after)
        return f"{before}{'[0-9]' * self.width}{after}{_TAR}"

    @property
    def _stem(self) -> str:
        return re.escape(self.before) + ("()" if self.width is None else r"(\d+)") + re.escape(self.after)


#: Keys, one a sample; or a function of position and sample; or the name of a field that holds them.
Keys: TypeAlias = Iterable[str] | Callable[[int, Any], str] | str
#: Stands for the key that shard and row give.
NUMBERED: Any = object()
#: A default key has six digits for the shard and six for the row.
_MAX_NUMBER = 999_999


class KeySource:
    """Gives each sample the key that the caller wants for it.

    Args:
        keys: What the caller gave.
    """

    def __init__(self, keys: Keys) -> None:
        self._field = keys if isinstance(keys, str) else None
        self._function = keys if callable(keys) else None
        self._rest: Iterator[Any] = iter(()) if isinstance(keys, str) or callable(keys) else iter(keys)

    def key_of(self, position: int, sample: Any) -> Any:
        """Return a sample's key, as the caller made it.

        Raises:
            SampleValueError: There is no such field, or there are fewer keys than samples.
        """
        if self._function is not None:
            return self._function(position, sample)
        if self._field is not None:
            return _field_key(sample, self._field, position)
        try:
            return next(self._rest)
        except StopIteration:
            raise SampleValueError(f"there are only {position} keys", "__key__", position) from None

    def check_used(self, count: int) -> None:
        """Check that no key is left; it may belong to another sample.

        Raises:
            SampleValueError: There is one.
        """
        for key in self._rest if count else ():
            raise SampleValueError(f"there are only {count} samples, and a key {key!r} is left", "__key__")


def numbered_key(shard: int, row: int) -> str:
    """Return the key of a sample whose caller gave none.

    Raises:
        SampleValueError: A number has more than six digits.
    """
    if shard > _MAX_NUMBER or row > _MAX_NUMBER:
        raise SampleValueError(
            f"default keys number shards and rows up to {_MAX_NUMBER}; found shard {shard}, row {row}. "
            "Write more shards (maxcount=) of fewer samples, or give keys of your own (keys=)",
            "__key__",
        )
    return f"{shard:06d}-{row:06d}"


def _field_key(sample: Any, field: str, position: int) -> Any:
    try:
        return getattr(sample, field)
    except AttributeError:
        raise SampleValueError(
            f"keys={field!r} names a field that {type(sample).__qualname__} does not have", field, position
        ) from None
