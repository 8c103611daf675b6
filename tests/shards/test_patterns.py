"""Braces and globs, matched against names."""

import glob
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._shards._finding import escape_pattern, expand_braces, has_magic, is_pattern, matches
from tests.tiers import law


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.tar", ["a.tar"]),
        ("a{}.tar", ["a.tar"]),
        ("{a,b}-{0..1}.tar", ["a-0.tar", "a-1.tar", "b-0.tar", "b-1.tar"]),
        ("p-{08..10}", ["p-08", "p-09", "p-10"]),
        ("p-{2..0}", ["p-2", "p-1", "p-0"]),
        ("p-{0..1,7}", ["p-0", "p-1", "p-7"]),
        ("p-{a,b", ["p-{a,b"]),
        ("[{]a[}].tar", ["{a}.tar"]),
        ("[{]a[}]-*.tar", ["[{]a[}]-*.tar"]),
        ("{x[ab],y}.tar", ["x[ab].tar", "y.tar"]),
    ],
)
def test_braces_are_expanded_in_order(pattern: str, expected: list[str]) -> None:
    assert expand_braces(pattern) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.tar", False), ("a{1", False), ("a{1}", True), ("a*", True), ("a?", True), ("a[b", True), ("a b#%.tar", False)],
)
def test_what_is_a_pattern(text: str, *, expected: bool) -> None:
    assert is_pattern(text) is expected


FILES = [
    "a.tar",
    "b1.tar",
    "b2.tar",
    "x/a.tar",
    "x/y/a.tar",
    "x/y/b1.tar",
    ".h.tar",
    ".d/a.tar",
    "x/.d/a.tar",
    "x/n.txt",
]
PATTERNS = ["*.tar", "b[0-9].tar", "b[!1].tar", "?.tar", "**/*.tar", "**", "x/**", "x/**/a.tar", "*/a.tar", "*/*/*.tar"]
PATTERNS += [".h*.tar", ".*/a.tar", "**/y/*.tar", "x/*", "**/**/b1.tar", "nothing/*.tar", "[.]h.tar", "b*1.tar"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_glob_matches_what_pythons_does(tmp_path: Path, pattern: str) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = glob.glob(pattern, root_dir=tmp_path, recursive=True)  # noqa: PTH207 -- the model
    expected = sorted(name for name in set(found) if (tmp_path / name).is_file())
    assert sorted(name for name in FILES if matches(pattern.split("/"), name.split("/"))) == expected


@law(200)
@given(st.text(st.sampled_from("ab*?[]{}!-,.1"), min_size=1), st.text(st.sampled_from("ab*?[]{}!-,.1"), min_size=1))
def test_an_escaped_name_matches_itself_and_nothing_else(name: str, other: str) -> None:
    (pattern,) = expand_braces(escape_pattern(name))
    for text in (name, other):
        matched = matches([pattern], [text]) if has_magic(pattern) and pattern != name else pattern == text
        assert matched is (text == name)


def test_parts_between_slashes_are_matched_one_by_one() -> None:
    for pattern, name in itertools.product(["*", "a*", "?"], ["a/b", "a/"]):
        assert not matches([pattern], name.split("/"))
