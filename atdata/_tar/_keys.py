"""Keys and names: what may be written, and which sample and shard a name belongs to."""

import re

from atdata._errors import SampleValueError

from ._header import MAX_NAME

__all__ = ["check_key", "member_name", "shard_id_of", "split_name", "stem_of", "tar_name"]

_TAR = ".tar"
#: A key of one part that needs no closer look.
_PLAIN = re.compile(r"(?!__)[A-Za-z0-9_-]+")


def check_key(key: object, extension: str) -> str:
    """Return a key that can be a member's name, with an extension.

    Raises:
        SampleValueError: It cannot; the error says why (docs/format.md, "Keys").
    """
    if type(key) is str and len(key) + 1 + len(extension) <= MAX_NAME and _PLAIN.fullmatch(key):
        return key  # nearly every key, in a tenth of the time
    if not isinstance(key, str):
        raise SampleValueError.wrong_type(key, "a key as str", "str(...) makes one").within("__key__")
    if problem := _problem(key, extension):
        raise SampleValueError(f"the key {key!r} {problem}", "__key__")
    return key


def _problem(key: str, extension: str) -> str | None:
    if not key:
        return "is empty"
    if "\0" in key:
        return "holds a NUL character"
    if key.startswith("/"):
        return "is absolute; a key is a path below the dataset's root"
    if key.startswith("__"):
        return "begins with '__', which names columns of the manifest"
    if ".." in key:
        return "holds '..', which could lead out of the folder that a tar is unpacked in"
    folders, _, last = key.rpartition("/")
    if "." in last:
        seen = split_name(key)[0]
        return f"holds a dot in its last part, where readers end the key ({seen!r}); put another character there"
    if not last or (folders and not {"", "."}.isdisjoint(folders.split("/"))):
        return "has an empty part or '.' between slashes, which tools that unpack tars drop"
    try:
        length = len(f"{key}.{extension}".encode())
    except UnicodeEncodeError:
        return "is no valid Unicode text"
    if length > MAX_NAME:
        return f"takes {length} bytes with its extension; a tar header holds {MAX_NAME}"
    return None


def member_name(key: str, extension: str) -> str:
    """Return the name of a sample's member."""
    return f"{key}.{extension}"


def split_name(name: str) -> tuple[str, str]:
    """Split a member's name into key and extension, at the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    stem, _, extension = last.partition(".")
    return folder + slash + stem, extension


def stem_of(file: str) -> str:
    """Return a tar's name without ``.tar``; a dot inside the stem is part of it."""
    return file.removesuffix(_TAR)


def tar_name(shard_id: str) -> str:
    """Return the name of a shard's tar."""
    return shard_id + _TAR


def shard_id_of(file: str) -> str | None:
    """Return the id of the shard in a file below the dataset's root, or None when it is no tar."""
    return stem_of(file) if file.endswith(_TAR) else None
