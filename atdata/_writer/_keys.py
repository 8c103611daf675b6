"""Where a sample's key comes from: the caller, in one of three ways, or its number."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from atdata._errors import SampleValueError

__all__ = ["NUMBERED", "KeySource", "Keys", "numbered_key"]

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
