"""What a sample is: types, their fields, and their bytes."""

from ._batch import SampleBatch
from ._codec import codec_of
from ._dict import DictSample
from ._fields import Field, bare_type, fields_of
from ._packable import PackableSample, decode_sample, encode_sample, is_sample_type, packable

__all__ = [
    "DictSample",
    "Field",
    "PackableSample",
    "SampleBatch",
    "bare_type",
    "codec_of",
    "decode_sample",
    "encode_sample",
    "fields_of",
    "is_sample_type",
    "packable",
]
