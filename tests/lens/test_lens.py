"""A lens by itself: what it shows, what it puts back, and how lenses join."""

import functools
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata import Lens, SchemaError, identity
from tests.tiers import law


@atdata.packable
class Photo:
    label: str
    width: int
    note: str = ""


@atdata.packable
class Caption:
    text: str
    note: str


@atdata.packable
class Word:
    letters: str


@atdata.lens
def photo_to_caption(photo: Photo) -> Caption:
    """Show what is said of a photo."""
    return Caption(photo.label, photo.note)


@photo_to_caption.putter
def put_caption(caption: Caption, photo: Photo) -> Photo:
    return Photo(caption.text, photo.width, caption.note)


@atdata.lens
def caption_to_word(caption: Caption) -> Word:
    return Word(caption.text)


@caption_to_word.putter
def put_word(word: Word, caption: Caption) -> Caption:
    return Caption(word.letters, caption.note)


photos = st.builds(Photo, st.text(), st.integers(0, 99), st.text())
WHOLE = photo_to_caption | caption_to_word
LENSES = {
    "decorated": (photo_to_caption, photos, st.builds(Caption, st.text(), st.text())),
    "composed": (WHOLE, photos, st.builds(Word, st.text())),
    "with identities": (identity(Photo) | WHOLE | identity(Word), photos, st.builds(Word, st.text())),
    "identity": (identity(Photo), photos, photos),
}


def test_a_decorated_function_is_a_lens_between_its_annotations() -> None:
    assert isinstance(photo_to_caption, Lens)
    assert (photo_to_caption.source_type, photo_to_caption.view_type) == (Photo, Caption)
    assert photo_to_caption(Photo("dog", 3, "old")) == photo_to_caption.get(Photo("dog", 3, "old"))
    assert photo_to_caption(Photo("dog", 3, "old")) == Caption("dog", "old")


def test_a_decorated_function_keeps_its_name_and_documentation() -> None:
    assert photo_to_caption.__doc__ == "Show what is said of a photo."
    assert (photo_to_caption.__name__, photo_to_caption.__module__) == ("photo_to_caption", __name__)


def test_a_putter_stays_a_function() -> None:
    assert put_caption(Caption("wolf", "n"), Photo("dog", 3)) == Photo("wolf", 3, "n")


def test_a_lens_is_made_of_two_functions() -> None:
    def get(photo: Photo) -> Word:
        return Word(photo.label)

    def put(word: Word, photo: Photo) -> Photo:
        return Photo(word.letters, photo.width)

    lens = Lens(get, put)
    assert (lens.source_type, lens.view_type) == (Photo, Word)
    assert lens.put(Word("wolf"), Photo("dog", 3)) == Photo("wolf", 3)


def test_without_a_putter_the_source_stays_as_it_is() -> None:
    def get(photo: Photo) -> Word:
        return Word(photo.label)

    photo = Photo("dog", 3)
    assert Lens(get).put(Word("wolf"), photo) is photo


def test_types_that_are_known_only_here_may_be_named_as_text() -> None:
    @atdata.packable
    class Local:
        label: str

    @atdata.lens
    def local_to_word(sample: "Local") -> "Word":
        return Word(sample.label)

    @local_to_word.putter
    def put(word: "Word", sample: "Local") -> "Local":  # noqa: ARG001
        return Local(word.letters)

    def get(sample: "Local") -> "Word":
        return Word(sample.label)

    assert local_to_word.source_type is Lens(get).source_type is Local
    assert local_to_word.put(Word("x"), Local("y")) == Local("x")


def test_a_partial_function_will_do() -> None:
    def get(photo: Photo, times: int) -> Word:
        return Word(photo.label * times)

    assert Lens(functools.partial(get, times=2))(Photo("ab", 1)) == Word("abab")


# -- joined


def test_lenses_join_from_left_to_right() -> None:
    assert (WHOLE.source_type, WHOLE.view_type) == (Photo, Word)
    assert WHOLE(Photo("dog", 3)) == Word("dog")
    assert WHOLE.put(Word("wolf"), Photo("dog", 3, "old")) == Photo("wolf", 3, "old")


def test_lenses_join_from_right_to_left_with_at() -> None:
    joined = caption_to_word @ photo_to_caption
    assert (joined.source_type, joined.view_type) == (Photo, Word)
    assert joined.put(Word("wolf"), Photo("dog", 3, "old")) == Photo("wolf", 3, "old")


@pytest.mark.parametrize("name", LENSES)
@law(100)
@given(data=st.data())
def test_well_behaved_lenses_stay_so_when_they_join(name: str, data: st.DataObject) -> None:
    lens, sources, views = LENSES[name]
    source, view, other = data.draw(sources), data.draw(views), data.draw(views)
    assert lens.put(lens.get(source), source) == source
    assert lens.get(lens.put(view, source)) == view
    assert lens.put(view, lens.put(other, source)) == lens.put(view, source)


@law(100)
@given(photos, st.builds(Word, st.text()))
def test_it_is_the_same_however_lenses_are_joined(photo: Photo, word: Word) -> None:
    left = (identity(Photo) | photo_to_caption) | caption_to_word
    right = identity(Photo) | (photo_to_caption | caption_to_word)
    assert left(photo) == right(photo) == WHOLE(photo)
    assert left.put(word, photo) == right.put(word, photo) == WHOLE.put(word, photo)


def test_lenses_that_do_not_meet_do_not_join() -> None:
    with pytest.raises(
        SchemaError, match=r"Lens\(Caption -> Word\) and Lens\(Photo -> Caption\) do not go together: .*"
    ):
        caption_to_word | photo_to_caption


@pytest.mark.parametrize("join", [lambda lens: lens | print, lambda lens: lens @ print], ids=["or", "at"])
def test_a_lens_joins_lenses_alone(join: object) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        join(photo_to_caption)


def test_a_joined_lens_has_its_putter_already() -> None:
    with pytest.raises(SchemaError, match=r"Lens\(Photo -> Word\) puts by what it is made of"):
        WHOLE.putter(lambda word, photo: photo)  # noqa: ARG005


# -- what is no lens


def unannotated(photo):
    return photo


def no_result(photo: Photo):
    return photo


def of_two(photo: Photo, other: Photo) -> Photo:  # noqa: ARG001
    return photo


def by_name(photo: Photo, *, scale: int) -> Photo:  # noqa: ARG001
    return photo


def of_none() -> Photo:
    return Photo("", 0)


def of_a_list(photos: list[Photo]) -> Photo:
    return photos[0]


@pytest.mark.parametrize(
    ("get", "message"),
    [
        (unannotated, "found no annotation"),
        (no_result, "found no annotation"),
        (lambda photo: photo, r"annotate .*<lambda> with both"),
        (of_two, r"takes \(photo: .*Photo, other"),
        (by_name, r"takes \(photo: .*Photo, \*, scale"),
        (of_none, r"takes \(\)"),
        (of_a_list, r"found list\["),
        (7, "expected a function, such as .*; found 7"),
    ],
)
def test_a_function_that_says_too_little_is_no_lens(get: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Lens(get)
    with pytest.raises(SchemaError, match=message):
        atdata.lens(get)


def test_an_annotation_that_nobody_defined_is_named() -> None:
    def get(photo: "Phto") -> Word:  # noqa: F821, ARG001
        return Word("")

    with pytest.raises(SchemaError, match="name 'Phto' is not defined"):
        Lens(get)


def swapped(photo: Photo, caption: Caption) -> Photo:  # noqa: ARG001
    return photo


def gives_a_view(caption: Caption, photo: Photo) -> Caption:  # noqa: ARG001
    return caption


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (swapped, "swapped takes as its first value is Photo"),
        (gives_a_view, "gives_a_view returns is Caption"),
        (no_result, "expected a function such as def put_thumb"),
    ],
)
def test_a_putter_of_other_types_is_refused(put: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        photo_to_caption.putter(put)
    assert photo_to_caption.put(Caption("wolf", ""), Photo("dog", 1)) == Photo("wolf", 1)


def test_a_putter_need_not_say_its_types() -> None:
    lens = Lens(photo_to_caption.get.__self__._get)
    lens.putter(lambda caption, photo: Photo(caption.text, photo.width))
    assert lens.put(Caption("wolf", ""), Photo("dog", 1)) == Photo("wolf", 1)


def test_a_lens_says_between_what_it_is() -> None:
    assert repr(WHOLE) == "Lens(Photo -> Word)"


# -- other processes

MODULE = """
import atdata

@atdata.packable
class Photo:
    label: str

@atdata.packable
class Word:
    letters: str

@atdata.lens
def photo_to_word(photo: Photo) -> Word:
    return Word(photo.label)

@photo_to_word.putter
def put_word(word: Word, photo: Photo) -> Photo:
    return Photo(word.letters)

def get(photo: Photo) -> Word:
    return Word(photo.label)

LENSES = [
    photo_to_word,
    atdata.Lens(get, put_word),
    atdata.identity(Photo) | photo_to_word,
    atdata.LensNetwork().transform(atdata.DictSample, Photo) | photo_to_word | atdata.identity(Word),
]
"""
PROGRAM = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import shapes

def shown(lens, sample):
    return lens(sample)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for lens in shapes.LENSES:
            sample = shapes.Photo("dog") if lens.source_type is shapes.Photo else shapes.atdata.DictSample(label="dog")
            print(pool.apply(shown, (lens, sample)), pool.apply(lens.put, (shapes.Word("wolf"), sample)))
"""


def test_lenses_go_to_other_processes(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(MODULE)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    put = ["Photo(label='wolf')"] * 3 + ["DictSample(label='wolf')"]
    assert done.stdout.splitlines() == [f"Word(letters='dog') {each}" for each in put]


def test_a_lens_of_a_module_is_the_same_object_when_it_comes_back() -> None:
    again = pickle.loads(pickle.dumps(photo_to_caption))
    assert again is photo_to_caption
