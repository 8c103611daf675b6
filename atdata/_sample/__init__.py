"""What a sample is: types, their fields, and their bytes."""

from ._batch import SampleBatch
from ._codec import codec_of
from ._dict import DictSample
from ._fields import Field, bare_type, fields_of
from ._image import ImageField, ImageHead, image_head
from ._packable import PackableSample, decode_sample, encode_sample, is_sample_type, packable

__all__ = [
    "DictSample",
    "Field",
    "ImageField",
    "ImageHead",
    "PackableSample",
    "SampleBatch",
    "bare_type",
    "codec_of",
    "decode_sample",
    "encode_sample",
    "fields_of",
    "image_head",
    "is_sample_type",
    "packable",
]
