"""Names with a meaning: braces and globs, matched against names that were listed."""

import fnmatch
import itertools
import re
from collections.abc import Iterator, Sequence

__all__ = ["escape_pattern", "expand_braces", "is_pattern", "matches"]

_MAGIC = re.compile(r"[*?[]")
_PATTERN = re.compile(r"[*?[]|\{[^{}]*\}")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_SPECIAL = re.compile(r"[*?[{}]")
#: A brace between brackets is a brace; no name holds these stand-ins.
_STAND_INS = {"[{]": "\0(", "[}]": "\0)"}


def is_pattern(text: str) -> bool:
    """Return whether a name has a meaning beyond its letters."""
    return _PATTERN.search(text) is not None


def has_magic(text: str) -> bool:
    """Return whether a name without braces is a glob."""
    return _MAGIC.search(text) is not None


def escape_pattern(text: str) -> str:
    """Return the pattern that matches one name and no other.

    Examples:
        >>> escape_pattern("a[1]{b}*.tar")
        'a[[]1][{]b[}][*].tar'
    """
    return _SPECIAL.sub(r"[\g<0>]", text)


def expand_braces(pattern: str) -> list[str]:
    """Return a pattern once for each choice that its braces leave, in their order.

    Examples:
        >>> expand_braces("{train,val}-{08..10}.tar")[:4]
        ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    for escaped, stand_in in _STAND_INS.items():
        pattern = pattern.replace(escaped, stand_in)
    return [_restored(text) for text in _alternatives(pattern)]


def matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Return whether a glob matches a name, both as their parts between slashes.

    ``*`` and ``?`` stand for letters of one part, ``**`` for any number of parts. Names that begin with a dot are
    matched by parts that do.
    """
    if not pattern:
        return not name
    first, *others = pattern
    if first == "**":
        depth = next((index for index, part in enumerate(name) if part.startswith(".")), len(name))
        return any(matches(others, name[skipped:]) for skipped in range(depth + 1))
    if not name or (name[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatch.fnmatchcase(name[0], first) and matches(others, name[1:])


def _alternatives(pattern: str) -> Iterator[str]:
    match = _BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    before, endings = pattern[: match.start()], list(_alternatives(pattern[match.end() :]))
    for choice, ending in itertools.product(_choices(match[1]), endings):
        yield f"{before}{choice}{ending}"


def _choices(text: str) -> list[str]:
    return [choice for part in text.split(",") for choice in _numbers(part)]


def _numbers(text: str) -> list[str]:
    span = _RANGE.fullmatch(text)
    if span is None:
        return [text]
    first, last = span.groups()
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + step, step)]


def _restored(text: str) -> str:
    # Of a glob the brackets stay; a name without other magic is a name.
    plain = text
    for escaped, stand_in in _STAND_INS.items():
        plain = plain.replace(stand_in, escaped[1])
    if not has_magic(text):
        return plain
    for escaped, stand_in in _STAND_INS.items():
        text = text.replace(stand_in, escaped)
    return text
