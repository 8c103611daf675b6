"""From a path or a URL that a caller gives to a store and a name in it."""

import importlib
import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias
from urllib.parse import unquote, urlsplit

from atdata._errors import UnsupportedSchemeError

from ._base import Store
from ._local import LocalStore

__all__ = ["StoreFactory", "StorePath", "absolute_url", "local_path", "open_store", "path_or_url", "register_scheme"]

#: Makes the store whose root is a URL, such as ``s3://bucket/folder``, with the options that the caller gave.
StoreFactory: TypeAlias = Callable[[str, Mapping[str, Any]], Store]

#: What a URL begins with. A single letter is a drive of Windows.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
#: What pathlib makes of it: ``Path("s3://bucket/x")`` is ``s3:/bucket/x``.
_URL_AS_PATH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/|$)")
_FILE = "file"

_factories: dict[str, StoreFactory] = {}


def register_scheme(scheme: str, factory: StoreFactory) -> None:
    """Make URLs of a scheme work wherever a path is given.

    Args:
        scheme: What stands before ``://``; the case does not matter.
        factory: Makes a store rooted at a URL.
    """
    if not re.fullmatch(_URL, f"{scheme}://") or scheme.lower() == _FILE:
        raise ValueError(f"expected the scheme of a URL, such as 's3', of two letters or more; found {scheme!r}")
    _factories[scheme.lower()] = factory


def open_store(
    url: str | os.PathLike[str], options: Mapping[str, Any] | None = None, *, durable: bool = True
) -> tuple[Store, str]:
    """Return the store rooted at the folder that holds what a path or URL names, and its name there.

    Nothing is read or made. A relative path is taken from the working folder of now; ``~`` is a name like any other.

    Args:
        url: A local path, a ``file://`` URL, or a URL of a scheme that was registered.
        options: What the store is opened with: credentials, addresses. Local paths take none.
        durable: Whether files written to a local disk survive a power loss.

    Raises:
        UnsupportedSchemeError: The URL's scheme is not supported, or a URL was given as a ``pathlib`` path.
        ValueError: A local path with options.

    Examples:
        >>> store, name = open_store("/data/photos/p-000000.tar")
        >>> store.url(), name
        ('/data/photos', 'p-000000.tar')
    """
    text = _text(url)
    scheme = _scheme(text)
    if scheme is not None and (factory := _factory_of(scheme)) is not None:
        whole = scheme + text[len(scheme) :].rstrip("/")
        root, _, name = whole.rpartition("/")
        if root.endswith("/"):  # a bucket alone
            root, name = whole, ""
        return factory(root, options or {}), name
    path = Path(local_path(text))
    if options:
        raise ValueError(f"{text!r} is a local path, which takes no storage options; found {sorted(options)}")
    return LocalStore(path.parent, durable=durable), path.name


def absolute_url(path: str | os.PathLike[str]) -> str:
    """Return a path or URL that means the same from any working folder; links stay as they were named.

    Raises:
        UnsupportedSchemeError: It is a URL of a scheme that is not supported.
    """
    text = _text(path)
    scheme = _scheme(text)
    if scheme is not None and _factory_of(scheme) is not None:
        return scheme + text[len(scheme) :].rstrip("/")
    return local_path(text)


def local_path(url: str | os.PathLike[str]) -> str:
    """Return the absolute path of what a local path or ``file://`` URL names; links stay as they were named.

    Raises:
        UnsupportedSchemeError: It is a URL of another scheme.
    """
    text = _text(url)
    scheme = _scheme(text)
    if scheme == _FILE:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise _unsupported(text, f"the host {parts.netloc!r} cannot be reached by a file URL")
        text = unquote(parts.path)
    elif scheme is not None:
        raise _unsupported(text, f"{scheme}:// is not supported yet")
    return os.path.abspath(text)  # noqa: PTH100 -- keeps links


def path_or_url(url: str | os.PathLike[str]) -> Path:
    """Return what a caller named as calls return it: a path as it was written; a URL of another store as text."""
    text = _text(url)
    scheme = _scheme(text)
    if scheme is not None and _factory_of(scheme) is not None:
        return text  # type: ignore[return-value]  # pathlib would shorten it, and every local path is a Path
    return Path(text if scheme is None else local_path(text))


@dataclass(frozen=True, slots=True)
class StorePath:
    """A file or folder by its store and its name there: what every path that a caller gives becomes.

    Attributes:
        store: The store.
        name: The name below the store's root; empty for the root itself.
    """

    store: Store
    name: str

    @classmethod
    def parse(
        cls, path: str | os.PathLike[str], options: Mapping[str, Any] | None = None, *, durable: bool = True
    ) -> Self:
        """Return what a caller's path or URL names; arguments and errors are those of :func:`open_store`."""
        return cls(*open_store(path, options, durable=durable))

    @property
    def url(self) -> str:
        """Path or URL as text."""
        return self.store.url(self.name)

    def is_folder(self) -> bool:
        """Return whether there is a folder here; it is listed for that."""
        try:
            self.folder().names()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def folder(self) -> Store:
        """Return the store rooted here."""
        return self.store.folder(self.name) if self.name else self.store

    def __truediv__(self, name: str) -> "StorePath":
        return StorePath(self.store, f"{self.name}/{name}" if self.name else name)

    def __str__(self) -> str:
        return self.url


def _factory_of(scheme: str) -> StoreFactory | None:
    """Return what opens stores of a scheme; a module `_<scheme>_store` of this package is imported for it."""
    if scheme not in _factories and scheme.isidentifier():
        name = f"{__package__}._{scheme}_store"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    return _factories.get(scheme)


def _text(url: str | os.PathLike[str]) -> str:
    text = os.fspath(url)
    if not isinstance(text, str):
        raise TypeError(f"expected a path or URL as text, found {type(text).__name__} {text!r}")
    return text


def _scheme(text: str) -> str | None:
    """Return the scheme of a URL, in lower case; None for a path."""
    if match := _URL.match(text):
        return match[1].lower()
    if match := _URL_AS_PATH.match(text):
        raise _unsupported(text, f"pathlib has shortened a {match[1]}:// URL; give URLs as text")
    return None


def _unsupported(url: str, problem: str) -> UnsupportedSchemeError:
    return UnsupportedSchemeError.naming(url, problem, (_FILE, *sorted(_factories)))
