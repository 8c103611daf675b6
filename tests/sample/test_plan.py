"""A sample's payload: read by the msgpack package, and hostile payloads refused."""

import json
import subprocess
import sys
import textwrap
import threading
from dataclasses import field
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from atdata._errors import DecodeError, SampleValueError, SchemaError
from atdata._sample import layout_of, packable
from atdata._sample._payload_plan import pack, plan_of
from tests.tiers import chance, law, rounds

LAW = law(60)


@packable
class Natives:
    text: str
    data: bytes
    whole: int
    real: float
    flag: bool
    nothing: None
    anything: Any


@packable
class Nested:
    tags: list[str]
    matrix: list[list[int]]
    scores: dict[str, float]
    names: dict[int, str]
    pair: tuple[int, str]
    many: tuple[float, ...]
    maybe: str | None
    mixed: dict[str, list[int | str]]


@packable
class Photo:
    pixels: NDArray
    label: str
    tags: list[str]
    confidence: float = 0.0
    mask: NDArray | None = None
    notes: dict[str, Any] = field(default_factory=dict)


INTS = st.integers(-(2**63), 2**64 - 1)
FLOATS = st.floats(allow_nan=False)
TEXT = st.text(max_size=20)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), INTS, FLOATS, TEXT, st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
NATIVES = st.builds(Natives, TEXT, st.binary(max_size=40), INTS, FLOATS, st.booleans(), st.none(), ANYTHING)
NESTED = st.builds(
    Nested,
    tags=st.lists(TEXT, max_size=4),
    matrix=st.lists(st.lists(INTS, max_size=3), max_size=3),
    scores=st.dictionaries(TEXT, FLOATS, max_size=3),
    names=st.dictionaries(INTS, TEXT, max_size=3),
    pair=st.tuples(INTS, TEXT),
    many=st.lists(FLOATS, max_size=4).map(tuple),
    maybe=st.none() | TEXT,
    mixed=st.dictionaries(TEXT, st.lists(INTS | TEXT, max_size=3), max_size=3),
)


def photo(**changes):
    values = {"pixels": np.arange(4, dtype=np.uint8).reshape(2, 2), "label": "dog", "tags": ["a", "b"], **changes}
    return Photo(**values)


def as_map(payload):
    return msgpack.unpackb(payload, strict_map_key=False)


@LAW
@given(NATIVES)
def test_natives_come_back_as_they_were(sample):
    assert Natives.from_bytes(sample.packed) == sample


@LAW
@given(NATIVES)
def test_the_payload_is_a_map_from_field_name_to_value(sample):
    assert as_map(sample.packed) == vars(sample)


@LAW
@given(NESTED)
def test_nested_values_come_back_as_they_were(sample):
    assert Nested.from_bytes(sample.packed) == sample


@LAW
@given(NESTED)
def test_the_payload_of_nested_values_holds_lists_and_maps(sample):
    expected = {**vars(sample), "pair": list(sample.pair), "many": list(sample.many)}
    assert as_map(sample.packed) == expected


def test_the_payload_keeps_the_order_of_the_fields():
    assert list(as_map(photo().packed)) == ["pixels", "label", "tags", "confidence", "mask", "notes"]


def test_nan_and_the_infinities_come_back():
    sample = Nested([], [], {"n": float("nan"), "i": float("inf")}, {}, (0, ""), (float("-inf"), -0.0), None, {})
    again = Nested.from_bytes(sample.packed)
    assert np.isnan(again.scores["n"])
    assert again.scores["i"] == np.inf
    assert str(again.many) == "(-inf, -0.0)"


@pytest.mark.parametrize("length", [0, 200, 2**8 - 1, 2**8, 2**16 - 1, 2**16, 2**20])
def test_an_array_of_any_length_is_a_bin_that_msgpack_reads(length):
    pixels = np.resize(np.arange(251, dtype=np.uint8), length)
    bin_ = as_map(photo(pixels=pixels).packed)["pixels"]
    assert bin_ == b"\x03|u1\x01" + length.to_bytes(8, "little") + pixels.tobytes()


@LAW
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=5)))
def test_an_array_comes_back_as_it_was(array):
    again = Photo.from_bytes(photo(pixels=array).packed).pixels
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_large_matrix_comes_back_as_it_was():
    matrix = np.asmatrix(np.arange(20_000.0).reshape(100, 200))
    assert np.array_equal(Photo.from_bytes(photo(pixels=matrix).packed).pixels, np.asarray(matrix))


def test_arrays_of_one_payload_are_independent_of_it_and_of_each_other():
    payload = bytearray(photo().packed)
    first, second = Photo.from_bytes(memoryview(payload)), Photo.from_bytes(memoryview(payload))
    payload[:] = bytes(len(payload))
    first.pixels[0, 0] = 200
    assert second.pixels.tolist() == [[0, 1], [2, 3]]


def test_an_npy_file_is_read_for_an_array():
    structured = np.array([(1, 2.5)], [("id", "<i4"), ("score", "<f8")])
    again = Photo.from_bytes(photo(pixels=structured).packed).pixels
    assert again.dtype == structured.dtype
    assert again.tolist() == [(1, 2.5)]


def test_the_parts_of_a_payload_are_together_the_payload():
    sample = photo(pixels=np.zeros(100_000, np.uint8))
    assert b"".join(layout_of(type(sample)).encode(sample)[0][1]) == sample.packed


def test_a_sample_is_decoded_by_its_type():
    assert layout_of(Photo).decoder_of(Photo)(photo().packed).label == "dog"


def test_an_absent_field_takes_its_default():
    payload = msgpack.packb({"pixels": b"\x03|u1\x00\x07", "label": "x", "tags": []})
    sample = Photo.from_bytes(payload)
    assert (sample.confidence, sample.mask, sample.notes) == (0.0, None, {})


def test_a_default_factory_makes_a_value_for_each_sample():
    payload = msgpack.packb({"pixels": b"\x03|u1\x00\x07", "label": "x", "tags": []})
    first, second = Photo.from_bytes(payload), Photo.from_bytes(payload)
    first.notes["seen"] = True
    assert second.notes == {}


def test_an_absent_field_without_a_default_is_refused_by_name():
    with pytest.raises(DecodeError, match=r"no Photo: .*`label`"):
        Photo.from_bytes(msgpack.packb({"pixels": b"\x03|u1\x00\x07", "tags": []}))


def test_a_field_that_the_type_does_not_have_is_passed_over():
    values = as_map(photo().packed) | {"later": [1, {"deep": b"x"}]}
    assert Photo.from_bytes(msgpack.packb(values)).label == "dog"


def test_the_order_of_the_fields_in_a_payload_does_not_matter():
    values = dict(reversed(as_map(photo().packed).items()))
    assert Photo.from_bytes(msgpack.packb(values)).tags == ["a", "b"]


def test_a_value_of_another_type_is_refused_by_field():
    values = as_map(photo().packed) | {"label": 5}
    with pytest.raises(DecodeError, match=r"no Photo: Expected `str`, got `int` - at `\$\.label`"):
        Photo.from_bytes(msgpack.packb(values))


def test_an_array_that_cannot_be_read_is_refused_by_field():
    values = as_map(photo().packed) | {"pixels": b"\x03<f4\x01" + (10**15).to_bytes(8, "little")}
    with pytest.raises(DecodeError, match="no Photo: field 'pixels': .*1000000000000000"):
        Photo.from_bytes(msgpack.packb(values))


@pytest.mark.parametrize(
    ("name", "array"),
    [("objects", np.array([{}], object)), ("masked", np.ma.masked_array([1], [True]))],
)
def test_an_array_that_cannot_be_written_is_refused_by_field(name, array):  # noqa: ARG001 -- the case's id
    with pytest.raises(SampleValueError) as caught:
        photo(mask=array).packed  # noqa: B018 -- raises
    assert caught.value.field == "mask"


def test_text_that_is_no_unicode_is_refused_by_field():
    with pytest.raises(SampleValueError, match="field 'label': msgpack cannot hold the value: .*surrogates"):
        photo(label="\ud800").packed  # noqa: B018 -- raises


def test_a_value_that_msgpack_cannot_hold_is_refused():
    with pytest.raises(SampleValueError, match="msgpack cannot hold the value"):
        pack([1, {"a": 2**64}])


def test_a_packer_goes_on_after_a_value_that_it_refused():
    with pytest.raises(SampleValueError):
        pack({"a": object()})
    assert msgpack.unpackb(pack({"a": 1})) == {"a": 1}


def test_a_type_is_compiled_once():
    assert plan_of(Photo) is plan_of(Photo)


def test_a_type_that_inherits_has_a_plan_of_its_own():
    @packable
    class Labelled(Photo):
        extra: int = 3

    assert list(as_map(Labelled(**vars(photo())).packed))[-1] == "extra"
    assert "extra" not in as_map(photo().packed)


def test_a_type_that_is_no_dataclass_is_refused_by_name():
    with pytest.raises(SchemaError, match="int is no dataclass"):
        plan_of(int)


@pytest.mark.soak
def test_threads_write_and_read_samples_of_one_type():
    failures = []

    def work(number):
        for turn in range(rounds(200)):
            sample = photo(label=f"{number}-{turn}", tags=[str(number)] * (turn % 200))
            again = Photo.from_bytes(sample.packed)
            if (again.label, again.tags) != (sample.label, sample.tags):
                failures.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def decoded_or_refused(sample_type, payload):
    try:
        sample = sample_type.from_bytes(payload)
    except DecodeError:
        return False
    assert isinstance(sample, sample_type)
    return True


def test_a_payload_that_is_cut_at_any_byte_is_refused():
    payload = photo(notes={"a": [1, 2.5, None]}).packed
    for length in range(len(payload)):
        with pytest.raises(DecodeError):
            Photo.from_bytes(payload[:length])


def test_a_payload_that_goes_on_after_its_end_is_refused():
    with pytest.raises(DecodeError, match="trailing"):
        Photo.from_bytes(photo().packed + b"\xc0")


def test_each_flipped_bit_of_a_payload_gives_a_sample_or_a_decode_error():
    payload = photo(mask=np.ones(2, bool), notes={"a": [1, 2.5, None, {"b": b"c"}]}).packed
    outcomes = set()
    for bit in range(8 * len(payload)):
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        outcomes.add(decoded_or_refused(Photo, bytes(damaged)))
    assert outcomes == {True, False}


@pytest.mark.soak
def test_random_damage_to_a_payload_gives_a_sample_or_a_decode_error():
    numbers = chance()
    payload = Nested(["a"], [[1, 2]], {"x": 0.5}, {1: "y"}, (1, "z"), (0.5,), "m", {"k": [1, "v"]}).packed
    outcomes = set()
    for _ in range(rounds(5000)):
        damaged = bytearray(payload)
        for _ in range(numbers.randrange(1, 5)):
            damaged[numbers.randrange(len(damaged))] = numbers.randrange(256)
        outcomes.add(decoded_or_refused(Nested, bytes(damaged)))
    assert outcomes == {True, False}


@LAW
@given(st.binary(max_size=100))
def test_random_bytes_are_refused(payload):
    with pytest.raises(DecodeError):
        Natives.from_bytes(payload)


@LAW
@given(ANYTHING)
def test_any_other_msgpack_value_is_refused(value):
    with pytest.raises(DecodeError):
        Natives.from_bytes(msgpack.packb(value))


DECODE_UNDER_A_LIMIT = """
    import json, resource, struct, sys, time
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from atdata import DecodeError, DictSample, packable

    @packable
    class Sample:
        x: NDArray = None
        tags: list[int] = None
        names: dict[str, int] = None
        many: tuple[int, ...] = None
        anything: Any = None
        text: str = None

    def bin32(data, claimed=None):
        return b"\\xc6" + struct.pack(">I", len(data) if claimed is None else claimed) + data

    def value(name, data):
        return b"\\x81" + bytes([0xA0 + len(name)]) + name + data

    def shape(dtype, *sides):
        return bytes([len(dtype)]) + dtype + bytes([len(sides)]) + struct.pack(f"<{len(sides)}q", *sides)

    def npy(text):
        text = text.encode().ljust(118)
        return b"\\x93NUMPY\\x01\\0" + struct.pack("<H", len(text)) + text

    huge = 2**32 - 1
    payloads = {
        "list of 4 G": value(b"tags", b"\\xdd" + struct.pack(">I", huge) + b"\\1\\2"),
        "tuple of 4 G": value(b"many", b"\\xdd" + struct.pack(">I", huge) + b"\\1\\2"),
        "dict of 4 G": value(b"names", b"\\xdf" + struct.pack(">I", huge) + b"\\xa1a\\1"),
        "anything of 4 G": value(b"anything", b"\\xdd" + struct.pack(">I", huge)),
        "map of 4 G": value(b"anything", b"\\xdf" + struct.pack(">I", huge)),
        "unknown field of 4 G": value(b"zzz", b"\\xdd" + struct.pack(">I", huge)),
        "sample of 4 G fields": b"\\xdf" + struct.pack(">I", huge) + b"\\xa1x\\xc0",
        "bin of 4 GiB": value(b"x", bin32(b"abc", huge)),
        "text of 4 GiB": value(b"text", b"\\xdb" + struct.pack(">I", huge) + b"abc"),
        "ext of 4 GiB": value(b"anything", b"\\xc9" + struct.pack(">I", huge) + b"\\1abc"),
        "nested 5,000 deep": value(b"anything", b"\\x91" * 5000 + b"\\xc0"),
        "maps nested 5,000 deep": value(b"anything", b"\\x81\\xa1a" * 5000 + b"\\xc0"),
        "unknown field nested 100,000 deep": value(b"zzz", b"\\x91" * 100_000 + b"\\xc0"),
        "10**15 elements": value(b"x", bin32(shape(b"<f8", 10**15) + bytes(8))),
        "negative side": value(b"x", bin32(shape(b"<f8", -1) + bytes(8))),
        "sides that wrap around": value(b"x", bin32(shape(b"<f8", 2**32, 2**32))),
        "elements of no bytes": value(b"x", bin32(shape(b"|V0", 10**15))),
        "npy of 10**15": value(b"x", bin32(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}" % 10**15))),
        "npy of objects": value(b"x", bin32(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + bytes(8))),
        "wide text": value(b"x", bin32(shape(b"<U500000000", 1))),
    }

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), resource.RLIM_INFINITY))
    outcomes = {}
    for name, payload in payloads.items():
        for sample_type in (Sample, DictSample):
            began = time.perf_counter()
            try:
                sample_type.from_bytes(payload)
                outcome = "a sample"
            except BaseException as error:
                outcome = type(error).__name__
            if time.perf_counter() - began > 2:
                outcome = "slow"
            outcomes[f"{name} as {sample_type.__name__}"] = outcome
    print(json.dumps(outcomes))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_claims_beyond_the_payload_are_refused_in_little_memory_and_time():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DECODE_UNDER_A_LIMIT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    outcomes = json.loads(done.stdout)
    of_a_type = {name: outcome for name, outcome in outcomes.items() if name.endswith("as Sample")}
    assert len(of_a_type) == 20
    deep = {of_a_type.pop("nested 5,000 deep as Sample"), of_a_type.pop("maps nested 5,000 deep as Sample")}
    assert deep <= {"DecodeError", "a sample"}  # how deep is too deep is the interpreter's
    assert set(of_a_type.values()) == {"DecodeError"}, of_a_type
    assert set(outcomes.values()) <= {"DecodeError", "a sample"}, outcomes  # an array's bytes are no array there


@packable
class Defaulted:
    label: str
    pixels: NDArray = None
    scale: np.float32 = None


def test_a_default_is_taken_as_it_is():
    sample = Defaulted.from_bytes(msgpack.packb({"label": "dog"}))
    assert (sample.pixels, sample.scale) == (None, None)
