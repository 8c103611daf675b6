"""What a sample is: types, their fields, and their bytes."""

from ._batch import Gatherer, SampleBatch, gatherer_of
from ._codec import codec_of
from ._dict import DictSample
from ._fields import Field, bare_type, fields_of, resolving, written_type
from ._image import ImageField, ImageHead, check_encoded, image_head
from ._layouts import LAYOUTS, LONGEST_EXTENSION, MSGPACK, EncodedMembers, layout_of
from ._packable import (
    ComputedMethod,
    PackableSample,
    computed,
    computed_of,
    is_sample_type,
    packable,
    snapshot,
)
from ._scalars import dtype_in, integer_range

__all__ = [
    "LAYOUTS",
    "LONGEST_EXTENSION",
    "MSGPACK",
    "ComputedMethod",
    "DictSample",
    "EncodedMembers",
    "Field",
    "Gatherer",
    "ImageField",
    "ImageHead",
    "PackableSample",
    "SampleBatch",
    "bare_type",
    "check_encoded",
    "codec_of",
    "computed",
    "computed_of",
    "dtype_in",
    "fields_of",
    "gatherer_of",
    "image_head",
    "integer_range",
    "is_sample_type",
    "layout_of",
    "packable",
    "resolving",
    "snapshot",
    "written_type",
]
