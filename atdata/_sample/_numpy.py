"""NumPy's sized numbers as field types."""

import math
from typing import Any

import numpy as np

from atdata._errors import DecodeError, SampleValueError, SchemaError

from ._checks import Codec, check_bool, check_float, check_int, check_str, name_of

__all__ = ["numpy_scalar"]


def numpy_scalar(scalar: type[np.generic]) -> Codec:
    """Return the codec of a NumPy scalar type: its Python value, checked against its range.

    Raises:
        SchemaError: It is none of the sized numbers, booleans and text.
    """
    if issubclass(scalar, np.bool_):
        return Codec(bool, check_bool, scalar)
    if issubclass(scalar, np.str_):
        return Codec(str, check_str, scalar)
    if issubclass(scalar, np.integer) and not issubclass(scalar, np.timedelta64):
        return _numpy_integer(scalar)
    if scalar in (np.float16, np.float32, np.float64):
        return _numpy_float(scalar)
    raise SchemaError(f"values of type {name_of(scalar)} cannot be stored; use one of NumPy's sized numbers")


def _numpy_integer(scalar: type[np.integer[Any]]) -> Codec:
    limits = np.iinfo(scalar)

    def check(value: Any) -> int:
        number = check_int(value)
        if not limits.min <= number <= limits.max:
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}")
        return number

    def read(value: int) -> Any:
        try:
            return scalar(value)
        except OverflowError as error:
            raise DecodeError(f"expected a {scalar.__name__}, found {value}") from error

    return Codec(int, check, read)


def _numpy_float(scalar: Any) -> Codec:
    def check(value: Any) -> float:
        number = check_float(value)
        with np.errstate(over="ignore"):
            rounded = float(scalar(number))
        if math.isinf(rounded) and not math.isinf(number):
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}, which is beyond its range")
        return rounded

    return Codec(float, check, scalar)
