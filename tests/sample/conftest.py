"""What the tests of field types share: a packable type with one field."""

import dataclasses

import msgpack
import pytest

import atdata


class OneField:
    """Samples of one annotation."""

    def __init__(self, annotation):
        self.type = atdata.packable(dataclasses.make_dataclass("Holder", [("value", annotation)]))

    def stored(self, value):
        return msgpack.unpackb(self.type(value).packed, strict_map_key=False)["value"]

    def back(self, value):
        return self.type.from_bytes(self.type(value).packed).value

    def decoded(self, raw):
        return self.type.from_bytes(msgpack.packb({"value": raw})).value


@pytest.fixture(scope="session")
def one():
    """Return a function from an annotation to a type with one field of it."""
    return OneField
