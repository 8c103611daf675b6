"""Keys and names."""

import pytest

from atdata._errors import SampleValueError
from atdata._tar import check_key, shard_id_of, stem_of
from atdata._tar._header import split_name


@pytest.mark.parametrize(
    "key",
    [
        "000000-000000",
        "a",
        "folder/a",
        "a folder.v1/deep/a",
        "a/__b",
        "_a",
        "größe",
        "图像/一",
        "e\u0301",
        "a" * 92,
        "é" * 46,
        "🐕" * 23,
        "UPPER lower",
        "-",
        "C:\\x",
    ],
)
def test_a_good_key_is_returned(key):
    assert check_key(key, "msgpack") == key


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        ("a\0b", "holds a NUL"),
        ("/a", "is absolute"),
        ("/", "is absolute"),
        ("__key__", "begins with '__'"),
        ("__a/b", "begins with '__'"),
        ("..", r"holds '\.\.'"),
        ("../a", r"holds '\.\.'"),
        ("a/../b", r"holds '\.\.'"),
        ("a..b", r"holds '\.\.'"),
        ("a.b", "holds a dot in its last part.*where readers end the key .'a'.; put another"),
        ("folder/a.b", "holds a dot in its last part.*where readers end the key .'folder/a'."),
        (".hidden", "holds a dot in its last part"),
        ("a/", "has an empty part"),
        ("a//b", "has an empty part"),
        ("./a", r"has an empty part or '\.'"),
        ("a/./b", r"has an empty part or '\.'"),
        ("\ud800", "is no valid Unicode"),
        ("a" * 93, "takes 101 bytes with its extension; a tar header holds 100"),
        ("é" * 46 + "a", "takes 101 bytes"),
        ("🐕" * 24, "takes 104 bytes"),
    ],
)
def test_a_bad_key_is_refused_with_the_reason(key, problem):
    with pytest.raises(SampleValueError, match=problem) as caught:
        check_key(key, "msgpack")
    assert caught.value.field == "__key__"


@pytest.mark.parametrize("key", [5, None, b"a", 0.5, ["a"]])
def test_a_key_that_is_no_text_is_refused(key):
    with pytest.raises(SampleValueError, match=f"'__key__': expected a key as str, found {type(key).__name__}"):
        check_key(key, "msgpack")


@pytest.mark.parametrize(("extension", "longest"), [("msgpack", 92), ("jpg", 96), ("segmentation", 87)])
def test_the_length_of_a_key_counts_its_extension(extension, longest):
    assert check_key("a" * longest, extension)
    with pytest.raises(SampleValueError, match="takes 101 bytes"):
        check_key("a" * (longest + 1), extension)


def test_the_error_shows_the_key():
    with pytest.raises(SampleValueError, match=r"the key 'folder/a\.b'"):
        check_key("folder/a.b", "msgpack")


@pytest.mark.parametrize(
    ("name", "key", "extension"),
    [
        ("a.msgpack", "a", "msgpack"),
        ("a.tar.gz", "a", "tar.gz"),
        ("v1.5/a.jpg", "v1.5/a", "jpg"),
        ("v1.5/deep.d/a.seg.png", "v1.5/deep.d/a", "seg.png"),
        ("README", "README", ""),
        ("folder/README", "folder/README", ""),
        (".hidden", "", "hidden"),
        ("a.", "a", ""),
    ],
)
def test_a_name_is_split_at_the_first_dot_of_its_last_part(name, key, extension):
    assert split_name(name) == (key, extension)


@pytest.mark.parametrize(
    ("file", "stem"),
    [("a.tar", "a"), ("shard-v1.5-000000.tar", "shard-v1.5-000000"), ("x/a.tar", "x/a"), ("a.tar.tar", "a.tar")],
)
def test_the_stem_is_the_name_without_tar(file, stem):
    assert stem_of(file) == stem
    assert shard_id_of(file) == stem


@pytest.mark.parametrize("file", ["a.tar.gz", "a.manifest.json", "atar", "a.TAR", ""])
def test_what_is_no_tar_has_no_shard_id(file):
    assert shard_id_of(file) is None
