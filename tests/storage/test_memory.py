"""What only the store in memory does."""

from atdata._storage import MemoryStore


def test_it_says_what_it_is():
    store = MemoryStore("here")
    store.create("a").commit()
    assert repr(store) == "MemoryStore('memory://here')"
    assert store.url("a") == "memory://here/a"


def test_two_stores_of_one_name_share_no_files():
    MemoryStore("here").replace("a", b"bytes")
    assert MemoryStore("here").names() == []
    assert MemoryStore("here") != MemoryStore("here")
