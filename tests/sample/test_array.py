"""Arrays as bytes: read by another reading of the layout, and hostile bytes refused."""

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atdata._errors import DecodeError, SampleValueError
from atdata._sample._array import array_parts, array_to_bytes, bytes_to_array
from tests.tiers import law

LAW = law(100)
FEWER = law(50)

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="<"),
    hnp.integer_dtypes(endianness=">"),
    hnp.unsigned_integer_dtypes(endianness=">"),
    hnp.floating_dtypes(endianness="<"),
    hnp.floating_dtypes(endianness=">"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?"),
    hnp.byte_string_dtypes(),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
FIELDS = st.lists(
    st.tuples(st.sampled_from(["<i4", ">i2", "<f8", "?", "<U3", "S2", "<M8[s]"]), st.sampled_from([(), (2,), (2, 3)])),
    min_size=1,
    max_size=4,
).map(lambda types: np.dtype([(f"field {number}", *type_) for number, type_ in enumerate(types)]))
STRUCTURED = hnp.arrays(FIELDS, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))


def layout(data):
    """Read the compact form: dtype string, shape, and the bytes that follow."""
    length = data[0]
    dtype = data[1 : 1 + length].decode("ascii")
    dimensions = data[1 + length]
    shape = struct.unpack(f"<{dimensions}q", data[2 + length : 2 + length + 8 * dimensions])
    return dtype, shape, data[2 + length + 8 * dimensions :]


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def compact(dtype, shape, data=b""):
    return bytes([len(dtype)]) + dtype + bytes([len(shape)]) + struct.pack(f"<{len(shape)}q", *shape) + data


def npy_claiming(header, data=b""):
    text = header.encode("latin1") + b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


@LAW
@given(ARRAYS)
def test_the_bytes_are_dtype_shape_and_elements_in_c_order(array):
    dtype, shape, elements = layout(array_to_bytes(array))
    assert dtype == array.dtype.str
    assert shape == array.shape
    assert elements == array.tobytes("C")


def test_the_bytes_of_a_small_array_are_these():
    array = np.array([[1, 2], [3, 4]], "<u2")
    expected = b"\x03<u2\x02" + b"\2\0\0\0\0\0\0\0" + b"\2\0\0\0\0\0\0\0" + b"\1\0\2\0\3\0\4\0"
    assert array_to_bytes(array) == expected


@LAW
@given(ARRAYS)
def test_an_array_comes_back_as_it_was(array):
    assert_same(bytes_to_array(array_to_bytes(array)), array)


@FEWER
@given(STRUCTURED)
def test_a_structured_array_is_an_npy_file_that_numpy_reads(array):
    assert_same(np.load(io.BytesIO(array_to_bytes(array)), allow_pickle=False), array)


@FEWER
@given(STRUCTURED)
def test_a_structured_array_comes_back_as_it_was(array):
    assert_same(bytes_to_array(array_to_bytes(array)), array)


@FEWER
@given(ARRAYS)
def test_an_npy_file_of_any_dtype_is_read(array):
    assert_same(bytes_to_array(npy(array)), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_an_npy_file_of_each_version_is_read(version):
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    assert_same(bytes_to_array(npy(array, version)), array)


@pytest.mark.parametrize("size", [10, 100, 40_000])
@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[::2],
        lambda array: array[::-1],
        lambda array: array[:, 1:].T,
        np.asfortranarray,
        lambda array: np.broadcast_to(array[0], array.shape),
    ],
    ids=["strided", "reversed", "transposed", "Fortran order", "broadcast"],
)
def test_an_array_that_does_not_lie_in_c_order_is_written_in_c_order(view, size):
    array = view(np.arange(size * 3, dtype=np.int32).reshape(size, 3))
    dtype, shape, elements = layout(array_to_bytes(array))
    assert (dtype, shape, elements) == ("<i4", array.shape, array.tobytes("C"))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("subclass", [np.matrix, np.recarray, np.memmap])
def test_the_parts_of_a_large_array_of_a_subclass_are_as_long_as_they_say(subclass):
    array = np.arange(20_000.0).reshape(100, 200).view(subclass)
    header, data = array_parts(array)
    assert len(header) + len(data) == len(array_to_bytes(array))
    assert_same(bytes_to_array(array_to_bytes(array)), np.asarray(array))


def test_a_large_array_is_not_copied():
    array = np.zeros(100_000, np.uint8)
    _, data = array_parts(array)
    array[0] = 7
    assert data[0] == 7


@pytest.mark.parametrize(
    "make", [array_to_bytes, npy, lambda a: npy(np.asfortranarray(a))], ids=["compact", "npy", "npy in Fortran order"]
)
def test_what_is_read_is_a_copy_that_may_be_written_to(make):
    data = bytearray(make(np.arange(12, dtype=np.int16).reshape(3, 4)))
    array = bytes_to_array(memoryview(data))
    before = array.tobytes()
    data[-24:] = bytes(24)
    assert array.tobytes() == before
    array[0, 0] = 99
    assert array[0, 0] == 99


@pytest.mark.parametrize(
    "make", [array_to_bytes, npy, lambda a: npy(np.asfortranarray(a))], ids=["compact", "npy", "npy in Fortran order"]
)
def test_what_is_read_lies_in_c_order(make):
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    found = bytes_to_array(make(array))
    assert found.flags.c_contiguous
    assert_same(found, array)


def test_an_array_of_64_dimensions_comes_back():
    array = np.arange(2).reshape((1,) * 63 + (2,))
    assert_same(bytes_to_array(array_to_bytes(array)), array)


@pytest.mark.parametrize(
    "array",
    [np.array([{}, None], object), np.array([(1, None)], [("a", "i4"), ("b", object)])],
    ids=["objects", "objects in a structure"],
)
def test_an_array_of_python_objects_is_refused(array):
    with pytest.raises(SampleValueError, match="holds Python objects, which are never written"):
        array_to_bytes(array)


def test_a_masked_array_is_refused():
    with pytest.raises(SampleValueError, match=r"would lose its mask.*filled"):
        array_to_bytes(np.ma.masked_array([1, 2], [True, False]))


@pytest.mark.parametrize("dtype", ["S0", "U0", "V0", [], [("a", "V0")]], ids=str)
def test_an_array_whose_elements_have_no_bytes_is_refused(dtype):
    array = np.ndarray((3,), np.dtype(dtype), b"")
    with pytest.raises(SampleValueError, match="no bytes"):
        array_to_bytes(array)


def test_field_names_in_any_script_come_back():
    array = np.array([(1, 2.5)], [("größe", "<i4"), ("高さ", "<f8")])
    assert_same(bytes_to_array(array_to_bytes(array)), array)


def test_a_structure_of_many_fields_comes_back_or_is_refused_when_it_is_written():
    array = np.zeros(2, [(f"measurement_{number:04}", "<f4") for number in range(600)])
    try:
        data = array_to_bytes(array)
    except SampleValueError:
        return
    assert_same(bytes_to_array(data), array)


def test_a_structure_whose_fields_overlap_is_refused():
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i2"], "offsets": [0, 0]})
    with pytest.raises(SampleValueError):
        array_to_bytes(np.zeros(2, overlapping))


HOSTILE = {
    "no bytes": b"",
    "one byte": b"\x03",
    "a dtype string that is cut": b"\x03<f",
    "a shape that is cut": compact(b"<f4", (2, 3))[:-1],
    "a dtype string of no bytes": compact(b"", (2,), bytes(8)),
    "an object dtype": compact(b"|O", (1,), bytes(8)),
    "an object dtype with a size": compact(b"|O8", (1,), bytes(8)),
    "a structured dtype": compact(b"<i4,<i4", (1,), bytes(8)),
    "a Python type's name": compact(b"float", (1,), bytes(8)),
    "a dtype that is no ASCII": compact("<f4é".encode(), (1,), bytes(4)),
    "a dtype that NumPy does not know": compact(b"<f3", (1,), bytes(3)),
    "an element of no bytes": compact(b"|V0", (10**15,)),
    "text of no width": compact(b"<U0", (10**15,)),
    "void of no width": compact(b"|V", (10**15,)),
    "an element of 40 GB": compact(b"<U9999999999", (1,), bytes(8)),
    "10**15 elements in 8 bytes": compact(b"<f8", (10**15,), bytes(8)),
    "a shape whose product wraps around 64 bits to what is there": compact(b"|u1", (2**32, 2**32), b""),
    "a shape whose product wraps around to 8": compact(b"|u1", (2**61 + 1, 8), bytes(8)),
    "a negative side": compact(b"<f4", (-1,), bytes(4)),
    "two negative sides": compact(b"<f4", (-1, -1), bytes(4)),
    "no elements along 2**62 others": compact(b"<f8", (0, 2**62, 2**62)),
    "65 dimensions": compact(b"|u1", (1,) * 65, b"\0"),
    "255 dimensions": compact(b"|u1", (1,) * 255, b"\0"),
    "a byte too few": compact(b"<f4", (2,), bytes(7)),
    "a byte too many": compact(b"<f4", (2,), bytes(9)),
    "the magic alone": b"\x93NUMPY",
    "another magic": b"\x93NUMPZ" + npy(np.zeros(2))[6:],
    "an .npy header that is cut": npy(np.zeros(2))[:40],
    "an .npy header that is longer than the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{",
    "an .npy file of objects": b"\x93NUMPY"
    + npy_claiming("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")[6:],
    "an .npy file of 10**15 elements": npy_claiming(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}", bytes(8)
    ),
    "an .npy file of a negative side": npy_claiming(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", bytes(8)
    ),
    "an .npy file of a side of 40 digits": npy_claiming(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, %s)}" % ("9" * 40)
    ),
    "an .npy file of elements of no bytes": npy_claiming(
        "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000000,)}"
    ),
    "an .npy header that is no dict": npy_claiming("[1, 2, 3]"),
    "an .npy header that calls a function": npy_claiming("__import__('os').abort()"),
    "an .npy header of brackets that do not close": npy_claiming("{'descr': ((((("),
    "an .npy header of 5,000 brackets": npy_claiming("(" * 5000 + ")" * 5000),
    "an .npy header whose structure is none": npy_claiming(
        "{'descr': [('a',)], 'fortran_order': False, 'shape': (1,)}", bytes(8)
    ),
    "an .npy header of an empty tuple as dtype": npy_claiming(
        "{'descr': (), 'fortran_order': False, 'shape': (1,)}", bytes(8)
    ),
    "an .npy header of a set": npy_claiming("{'descr': {1}, 'fortran_order': False, 'shape': (1,)}", bytes(8)),
    "an .npy header of a number of 5,000 digits": npy_claiming(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,)}" % ("9" * 5000)
    ),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_bytes_that_are_no_array_are_refused(data):
    with pytest.raises(DecodeError):
        bytes_to_array(data)


@pytest.mark.parametrize("data", [compact(b"<f4", (2, 3), bytes(24)), npy(np.zeros((2, 3), "<f4"))], ids=["own", "npy"])
def test_an_array_that_is_cut_at_any_byte_is_refused(data):
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            bytes_to_array(data[:length])


def test_the_error_says_what_was_claimed_and_what_was_there():
    with pytest.raises(DecodeError, match=r"\(1000,\) of float64 \(8000 bytes\), and 8 bytes follow"):
        bytes_to_array(compact(b"<f8", (1000,), bytes(8)))


def flips(data, bits):
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)


@pytest.mark.parametrize(
    "data",
    [compact(b"<f4", (2, 3), bytes(24)), compact(b"<M8[ns]", (), bytes(8)), compact(b"<U3", (1,), bytes(12))],
    ids=["numbers", "times", "text"],
)
def test_each_flipped_bit_gives_an_array_or_a_decode_error(data):
    refused = 0
    for damaged in flips(data, range(8 * len(data))):
        try:
            assert isinstance(bytes_to_array(damaged), np.ndarray)
        except DecodeError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    "array", [np.arange(3, dtype="<f4"), np.zeros(2, [("a", "<i4"), ("b", "<f8", (2,))])], ids=["plain", "structured"]
)
def test_each_flipped_bit_of_an_npy_file_gives_an_array_or_a_decode_error(array):
    data = npy(array)
    refused = 0
    for damaged in flips(data, range(8 * len(data))):
        try:
            assert isinstance(bytes_to_array(damaged), np.ndarray)
        except DecodeError:
            refused += 1
    assert refused > 300


@LAW
@given(st.binary(max_size=200))
def test_random_bytes_give_an_array_or_a_decode_error(data):
    with contextlib.suppress(DecodeError):
        assert bytes_to_array(data).nbytes <= len(data)


def test_what_lies_between_the_fields_of_a_structure_is_not_written():
    dtype = np.dtype([("a", "u1"), ("b", "<f8"), ("c", [("d", "u1"), ("e", "<i4")])], align=True)
    memory = [bytearray([fill]) * dtype.itemsize * 2 for fill in (1, 2)]
    arrays = [np.frombuffer(each, dtype) for each in memory]
    for array in arrays:
        array["a"], array["b"], array["c"]["d"], array["c"]["e"] = 1, 2.0, 3, 4
    assert memory[0] != memory[1]
    assert array_to_bytes(arrays[0]) == array_to_bytes(arrays[1])
    assert (bytes_to_array(array_to_bytes(arrays[0])) == arrays[0]).all()


@pytest.mark.parametrize("dtype", [">f4", ">i8", "<M8[us]", "<m8[ns]", "e", "g", "c8", "?", "S5", "U3", "V7"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_of_any_plain_dtype_come_back(dtype, order):
    """Of some, Python cannot look at the memory; those are looked at as bytes by NumPy."""
    values = np.random.default_rng(0).integers(0, 2, (70, 90)).astype("i1")
    array = np.asarray(values.astype("S7").view("V7") if dtype == "V7" else values.astype(dtype), order=order)
    again = bytes_to_array(array_to_bytes(array))
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes()
