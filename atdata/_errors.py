"""The errors that this library raises.

::

    AtdataError
    ├── SampleKeyError        (KeyError)            a key that is not there
    ├── AmbiguousKeyError     (KeyError)            a key that is there more than once
    ├── SampleIndexError      (IndexError)          a position that no sample has
    ├── SplitNotFoundError    (KeyError, ValueError)  a split that is not there
    ├── SampleValueError      (TypeError, ValueError)  a value or key that cannot be written
    ├── SchemaError           (TypeError)           a sample type, or types that do not fit together
    ├── LensNotFoundError     (ValueError)          a view of a sample type that nobody wrote
    ├── PredicateError        (ValueError)          a question that cannot be asked
    ├── DecodeError           (ValueError)          bytes that are no such sample
    ├── StateError            (ValueError)          a state that an epoch cannot be taken up from
    ├── UnsupportedSchemeError (ValueError)         a URL of a store that is not supported
    ├── NotAFileError         (OSError)             a pipe, socket or device where a file is expected
    ├── UnknownOutcomeError   (OSError)             a publication whose answer was lost
    ├── PartialFailureError                         work on many shards that failed on some
    ├── MissingPackageError   (ImportError)         an optional package that is not installed
    ├── MemoryLimitError      (MemoryError)         more memory than was allowed
    ├── ShardError                                  a shard that cannot be used
    │   ├── ShardChangedError                       a shard that is not what its manifest promises
    │   ├── DuplicateShardError    (ValueError)     a tar that is named twice
    │   └── ShardExistsError  (FileExistsError)     a shard that would be overwritten
    └── ManifestError                               a manifest that cannot be used
        ├── ManifestNotFoundError  (FileNotFoundError)
        ├── DamagedManifestError   (ValueError)
        └── UnsupportedFormatError (ValueError)

Every one pickles, so that it crosses processes whole.
"""

import errno
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

__all__ = [
    "AmbiguousKeyError",
    "AtdataError",
    "DamagedManifestError",
    "DecodeError",
    "DuplicateShardError",
    "ForeignManifestWarning",
    "LensNotFoundError",
    "ManifestError",
    "ManifestIndexWarning",
    "ManifestNotFoundError",
    "MemoryLimitError",
    "MissingManifestWarning",
    "MissingPackageError",
    "NotAFileError",
    "PartialFailureError",
    "PredicateError",
    "SampleIndexError",
    "SampleKeyError",
    "SampleValueError",
    "SchemaError",
    "ShardChangedError",
    "ShardError",
    "ShardExistsError",
    "SplitNotFoundError",
    "StaleManifestWarning",
    "StateError",
    "UncommittedShardWarning",
    "UnknownOutcomeError",
    "UnreadableImageWarning",
    "UnsupportedFormatError",
    "UnsupportedSchemeError",
    "first_line",
    "listed",
    "near_misses",
]


#: How many failed shards a message spells out.
_SHOWN_SHARDS = 12


class AtdataError(Exception):
    """The root of everything that this library raises on purpose."""


class SampleKeyError(AtdataError, KeyError):
    """A sample key that is not there.

    Attributes:
        key: The key that was asked for.
    """

    def __init__(self, key: str, message: str | None = None) -> None:
        super().__init__(key, message)
        self.key = key
        self.message = message or f"no sample has the key {key!r}"

    def __str__(self) -> str:
        return self.message

    @classmethod
    def missing_all(cls, missing: Sequence[str], count: int, near: str) -> Self:
        """Say how many of the keys asked for are not there, and show some."""
        some = f"{len(missing)} of {count} keys name no sample: {listed(missing, 5)}"
        what = some if count > 1 else f"no sample has the key {missing[0]!r}"
        return cls(missing[0], f"{what}{near}; ds.scan().select('__shard__', '__key__') tells the keys there are")

    @classmethod
    def missing(cls, key: str, shard_id: str) -> Self:
        """Name the shard whose manifest has no such key."""
        return cls(
            key,
            f"shard {shard_id!r} has no sample with the key {key!r}; "
            "ask the manifests for the keys there are: ds.scan().select('__shard__', '__key__')",
        )


class AmbiguousKeyError(AtdataError, KeyError):
    """A sample key that names more than one sample."""

    __str__ = Exception.__str__


class SplitNotFoundError(AtdataError, KeyError, ValueError):
    """A split that a dataset does not have."""

    __str__ = Exception.__str__  # a KeyError quotes its text


class SampleIndexError(AtdataError, IndexError):
    """A position that no sample has."""

    @classmethod
    def beyond(cls, index: int, count: int) -> Self:
        """Say which positions there are."""
        there = f"they go from 0 to {count - 1}, or from -{count} to -1" if count else "it has no sample"
        return cls(f"no sample is at position {index} of a dataset of {count}: {there}")


class SampleValueError(AtdataError, TypeError, ValueError):
    """A value or a key that cannot be written.

    Attributes:
        problem: What is wrong, without the place.
        field: The field whose value it is, or None when the sample as a whole is meant.
        position: The sample's position in the input, counted from 0, or None when not known.
    """

    def __init__(self, problem: str, field: str | None = None, position: int | None = None) -> None:
        super().__init__(problem, field, position)
        self.problem = problem
        self.field = field
        self.position = position

    def __str__(self) -> str:
        place = [] if self.position is None else [f"sample {self.position}"]
        if self.field is not None:
            place.append(f"field {self.field!r}")
        return f"{', '.join(place)}: {self.problem}" if place else self.problem

    def at(self, position: int) -> Self:
        """Return the same error with the sample's position in the input."""
        return type(self)(self.problem, self.field, position)

    def within(self, field: str) -> Self:
        """Return the same error with the field's name put before what is there."""
        return type(self)(self.problem, _joined(field, self.field or ""), self.position)

    @classmethod
    def wrong_type(cls, value: object, expected: str, hint: str = "") -> Self:
        """Describe a value of another type than the annotation asks for."""
        return cls(f"expected {expected}, found {type(value).__name__} {_shown(value)}{hint and f'; {hint}'}")


class SchemaError(AtdataError, TypeError):
    """A sample type that cannot be stored, or schemas that do not fit together."""


class LensNotFoundError(AtdataError, ValueError):
    """A sample type that is to be seen as another one, where no lens leads from one to the other."""


class PredicateError(AtdataError, ValueError):
    """A predicate that cannot be asked of a dataset's manifests."""

    @classmethod
    def unknown_column(cls, name: str, columns: Sequence[str], *, quoted: bool = False) -> Self:
        """Name the columns that there are, the nearest first; ``quoted`` in SQL it may have been meant as text."""
        meant = f"; in SQL double quotes name a column, and text stands in single quotes: '{name}'" if quoted else ""
        return cls(
            f"the predicate reads a column {name!r}, which the manifests do not have"
            f"{near_misses(name, columns)}{meant}; the columns are {listed(columns)}"
        )

    @classmethod
    def not_row_wise(cls, predicate: str, *, calls_python: bool = False) -> Self:
        """Say why an aggregate or window cannot select rows, and what can."""
        said = "; a Python function that looks at one row at a time says so: map_batches(..., is_elementwise=True)"
        return cls(
            f"the predicate {predicate} looks at more than one row (an aggregate, a window, a shift, a rank, "
            "a length): a predicate decides each row by that row alone, because shards that cannot match are left "
            "out. Compute it on the whole table instead: ds.scan() is a Polars LazyFrame"
            f"{said if calls_python else ''}"
        )


class DecodeError(AtdataError, ValueError):
    """Bytes that do not hold a sample of the type asked for.

    Attributes:
        problem: What is wrong, without the place.
        field: The field whose value it is, or None when the payload as a whole is meant.
    """

    def __init__(self, problem: str, field: str | None = None) -> None:
        super().__init__(problem, field)
        self.problem = problem
        self.field = field

    def __str__(self) -> str:
        return self.problem if self.field is None else f"field {self.field!r}: {self.problem}"

    def within(self, field: str) -> Self:
        """Return the same error with the field's name put before what is there."""
        return type(self)(self.problem, _joined(field, self.field or ""))


class StateError(AtdataError, ValueError):
    """A state that an epoch cannot be taken up from: of other samples, of another version, or no state at all."""

    @classmethod
    def of_another_dataset(cls, *, expected: str, found: str) -> Self:
        """Name both datasets, and what to do."""
        return cls(
            f"the state is of other samples: it was saved while reading {found}, and this is {expected}. An epoch is "
            "taken up on the same samples in the same order: open the dataset, or the slice, that it was saved with, "
            "or begin a new epoch"
        )

    @classmethod
    def corrupt(cls, member: str, expected: str, found: object) -> Self:
        """Name the part of a state that is no such thing."""
        return cls(f"the state is not what state_dict() returned: {member} is {expected}; found {_shown(found)}")


class UnsupportedSchemeError(AtdataError, ValueError):
    """A URL of a store that is not supported; nothing was read or written."""

    @classmethod
    def naming(cls, url: str, problem: str, schemes: Sequence[str]) -> Self:
        """Name the URL, what is wrong with it, and what works instead."""
        return cls(
            f"{url!r}: {problem}; supported: local paths and {', '.join(f'{each}://' for each in schemes)}. Copy the "
            "files to a local disk first; a local path that looks like a URL is written with './' before it"
        )


class NotAFileError(AtdataError, OSError):
    """A pipe, a socket or a device where a file is expected; nothing was read from it."""


class UnknownOutcomeError(AtdataError, OSError):
    """A publication whose answer was lost, so that the file may be published now or later; nothing was removed."""

    @classmethod
    def publishing(cls, url: str, error: OSError) -> Self:
        """Name the file, what went wrong, and the next step."""
        problem = error.strerror or str(error)
        return cls(
            error.errno or errno.EIO,
            f"the store's answer to publishing the file was lost ({problem}): it may be published, and nothing was "
            "removed. Look at the file once the store answers again; publishing the same bytes again is safe",
            url,
        )


class MissingPackageError(AtdataError, ImportError):
    """An optional package that is needed and not installed."""

    @classmethod
    def named(cls, package: str, *, extra: str, purpose: str) -> Self:
        """Name the package, what it is needed for, and the command that installs it."""
        return cls(f"{purpose} takes {package}, which is not installed: pip install 'atdata-polars[{extra}]'")


class PartialFailureError(AtdataError):
    """Work on many shards that failed on some of them; what the others gave is kept.

    Attributes:
        succeeded_shards: The shards that were done, in order.
        failed_shards: The shards that were not, in order.
        errors: What went wrong, by failed shard.
        results: What the work gave, by shard that was done.
    """

    def __init__(
        self,
        succeeded_shards: Sequence[str],
        failed_shards: Sequence[str],
        errors: Mapping[str, BaseException],
        results: Mapping[str, Any],
    ) -> None:
        super().__init__(succeeded_shards, failed_shards, errors, results)
        self.succeeded_shards = list(succeeded_shards)
        self.failed_shards = list(failed_shards)
        self.errors = dict(errors)
        self.results = dict(results)

    def __str__(self) -> str:
        count = len(self.failed_shards) + len(self.succeeded_shards)
        lines = [f"  {shard}: {_named(self.errors.get(shard))}" for shard in self.failed_shards[:_SHOWN_SHARDS]]
        if more := len(self.failed_shards) - len(lines):
            lines.append(f"  and {more} more")
        summary = (
            f"{len(self.failed_shards)} of {count} shards failed; `results` holds what the others gave, and "
            "`failed_shards` names those to do again"
        )
        return "\n".join([summary, *lines])


class ShardError(AtdataError):
    """A shard that cannot be used.

    Attributes:
        shard_id: The shard: its path below the dataset's root, without ``.tar``.
        reason: What is wrong with it.
    """

    def __init__(self, shard_id: str, reason: str) -> None:
        super().__init__(shard_id, reason)
        self.shard_id = shard_id
        self.reason = reason

    def __str__(self) -> str:
        return f"shard {self.shard_id!r}: {self.reason}"


class ShardChangedError(ShardError):
    """A shard whose bytes are not what its manifest promises."""

    @classmethod
    def at_location(cls, shard_id: str, key: str | None, offset: int, *, expected: str, found: str) -> Self:
        """Describe a sample that is not where its manifest says; without a key where that is not known."""
        named = "the sample" if key is None else f"the sample {key!r}"
        return cls(
            shard_id,
            f"{named} at offset {offset} is not what the manifest promises: expected {expected}, "
            f"found {found}. The tar was changed after its manifest was written; restore it, or write both again",
        )


class DuplicateShardError(ShardError, ValueError):
    """A tar that is named more than once where a dataset is opened."""

    @classmethod
    def named(cls, tar: str, count: int) -> Self:
        """Return the error for a tar."""
        return cls(
            tar.rpartition("/")[2].removesuffix(".tar"),
            f"{tar} is named {count} times, and a dataset holds a shard once. Name it once; to repeat samples, use "
            "ds.take() or atdata.concat()",
        )


class ShardExistsError(ShardError, FileExistsError):
    """A shard that a write would have overwritten; nothing was changed."""

    __str__ = ShardError.__str__


class ManifestError(AtdataError):
    """A manifest that cannot be used."""


class ManifestNotFoundError(ManifestError, FileNotFoundError):
    """A manifest, a part of one, or a folder of them that is not there."""


class DamagedManifestError(ManifestError, ValueError):
    """A manifest whose bytes are not what was written."""

    @classmethod
    def because(cls, file: str, problem: str) -> Self:
        """Name the file, what is wrong with it, and the next step."""
        return cls(f"{file}: {problem}. Restore the file from a copy, or write the shard and its manifest again")


class UnsupportedFormatError(ManifestError, ValueError):
    """A manifest of a format that this version does not read."""


class MemoryLimitError(AtdataError, MemoryError):
    """More memory than the caller allowed."""


class UncommittedShardWarning(UserWarning):
    """A tar without a manifest beside manifests: its writer may not have finished. It is left out."""


class ForeignManifestWarning(UserWarning):
    """A file that is called like a manifest, and is another program's."""


class MissingManifestWarning(UserWarning):
    """Tars without manifests, whose headers have to be walked to find what a manifest would tell."""


class StaleManifestWarning(UserWarning):
    """A manifest whose rows are not the samples of its tar. Reading in order follows the tar, queries the manifest."""


class ManifestIndexWarning(UserWarning):
    """A manifest index, or a part of it, that is left out of account: questions are answered from the sidecars."""


class UnreadableImageWarning(UserWarning):
    """Images that Pillow cannot read: they are stored as they are, and their columns are null."""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Join names for a message, at most ``limit`` of them."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more if names else "none"


def first_line(error: BaseException) -> str:
    """Return what another library's error says, without the context that it adds below."""
    return str(error).strip().partition("\n")[0]


def near_misses(name: str, names: Iterable[str]) -> str:
    """Return a question with the names closest to ``name``, or nothing."""
    import difflib  # noqa: PLC0415 -- only errors need it

    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(c) for c in close)}?)" if close else ""


def _named(error: BaseException | None) -> str:
    return "no error is known" if error is None else f"{type(error).__name__}: {first_line(error)}"


def _joined(field: str, inner: str) -> str:
    return field + inner if inner.startswith("[") else f"{field}.{inner}" if inner else field


_repr = reprlib.Repr()  # never spells out a million elements
_repr.maxother = 60


def _shown(value: object, limit: int = 60) -> str:
    text = _repr.repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


for _public in filter(lambda each: isinstance(each, type), [globals()[name] for name in __all__]):
    _public.__module__ = "atdata"  # where people import it from
