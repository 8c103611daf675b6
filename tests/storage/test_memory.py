"""What only the store in memory does."""

import io

import polars as pl

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


def test_polars_scans_a_file_of_it():
    store, file = MemoryStore(), io.BytesIO()
    frame = pl.DataFrame({"x": [1, 2, 3]})
    frame.write_parquet(file)
    store.replace("a.parquet", file.getvalue())
    assert pl.scan_parquet(store.scan_source("a.parquet")).collect().equals(frame)
