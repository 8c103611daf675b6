"""What a caller says of a whole dataset, as headers keep it."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from atdata._sidecars._header import MAX_HEADER

__all__ = ["iso_time", "json_dict"]


def iso_time(value: dt.datetime | str | None) -> str | None:
    """Return a time as ISO 8601 text; None for None.

    Raises:
        ValueError: It is none.
    """
    if value is None or isinstance(value, dt.datetime):
        return None if value is None else value.isoformat()
    try:
        dt.datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"created_at is a datetime, or one as ISO 8601 text; found {value!r}") from error
    return value


def json_dict(option: str, value: Any) -> Mapping[str, Any] | None:
    """Return what a caller gives for an option as plain JSON; None for None.

    Raises:
        TypeError: It is no dict, or holds what JSON cannot.
        ValueError: It is longer than a header.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"{option} is a dict; found {type(value).__name__}")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise TypeError(f"{option} holds what JSON cannot: {error}") from error
    if len(text) > MAX_HEADER:  # found before anything is replaced
        raise ValueError(
            f"{option} takes {len(text)} bytes as JSON, and is kept in the header of each shard, which takes "
            f"{MAX_HEADER} bytes at most; keep it in a file of its own"
        )
    plain: dict[str, Any] = json.loads(text)  # as it will be read, and nobody else's to change
    return plain
