import hashlib
import json

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata._manifest._manifest_header import encode_header, now, parse_header
from atdata.manifest import MANIFEST_FORMAT_VERSION
from tests.tiers import law

FACTS = {"file": "s.tar", "size_bytes": 2048, "sha256": "a" * 64}
MEMBERS = {
    "manifest_version": "1.1.0",
    "shard_id": "s",
    "schema_type": "Photo",
    "schema_version": "1.0.0",
    "num_samples": 2,
    "size_bytes": 2048,
    "created_at": "2024-05-01T00:00:00+00:00",
    "content_metadata": {"made": "of straw"},
    "provenance": {"source_job_id": "job-7"},
    "aggregates": {
        "label": {"type": "categorical", "cardinality": 2, "value_counts": {"é": 1, "dog": 1}},
        "score": {"type": "numeric", "min": 1, "max": 2, "mean": 1.5, "count": 2},
        "tags": {"type": "set", "all_values": ["a"], "value_counts": {"a": 2}, "null_count": 1},
    },
    "shard": FACTS,
    "samples": {**FACTS, "file": "s.manifest.parquet", "columns": {"__key__": "String", "score": "Int64"}},
}
#: Headers of version 1.0.0 have no digest, so that every member can be tried by itself.
OLD = {
    **{name: MEMBERS[name] for name in MEMBERS if name not in ("shard", "samples")},
    "manifest_version": "1.0.0",
}
DTYPES = {"label": pl.String(), "score": pl.Int64(), "tags": pl.String()}


def with_digest(body):
    """Close a header by hand: its members' text without the closing brace, and the digest of that."""
    return body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'


def signed(members):
    return with_digest(json.dumps(members).removesuffix("}").encode())


def old(**changes):
    return json.dumps({**OLD, **changes}).encode()


def strict(data):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(data, parse_constant=refuse)


def test_a_header_reads_back_as_it_was_written():
    header = parse_header(encode_header(MEMBERS, DTYPES), "s.manifest.json")
    assert (header.shard_id, header.num_samples, header.size_bytes) == ("s", 2, 2048)
    assert header.plain_aggregates() == MEMBERS["aggregates"]
    assert header.content_metadata == {"made": "of straw"}
    assert header.provenance == {"source_job_id": "job-7"}
    assert (header.shard.file, header.samples.columns["score"]) == ("s.tar", "Int64")


def test_a_header_is_strict_json_with_its_members_in_order():
    assert list(strict(encode_header(MEMBERS, DTYPES))) == [*MEMBERS, "digest"]


def test_text_stands_in_a_header_as_utf8():
    assert '"é"'.encode() in encode_header(MEMBERS, DTYPES)


def test_the_digest_is_the_sha256_of_the_bytes_before_its_comma():
    data = encode_header(MEMBERS, DTYPES)
    body, comma, tail = data.rpartition(b",")
    assert comma
    assert json.loads(b"{" + tail) == {"digest": hashlib.sha256(body).hexdigest()}


def test_the_same_members_give_the_same_bytes():
    assert encode_header(MEMBERS, DTYPES) == encode_header(json.loads(json.dumps(MEMBERS)), dict(DTYPES))


def test_a_header_ends_with_a_newline():
    assert encode_header(MEMBERS, DTYPES).endswith(b"}\n")


def wide(fields, values, length):
    """Return the members of a type of many text fields with many long values."""
    aggregates = {
        f"f{field:03d}": {
            "type": "categorical",
            "cardinality": values,
            "value_counts": {f"{value:03d}{'é' * length}": 1 for value in range(values)},
        }
        for field in range(fields)
    }
    return {**MEMBERS, "aggregates": aggregates}, dict.fromkeys(aggregates, pl.String())


@pytest.mark.parametrize(("fields", "values", "length"), [(1, 300, 300), (100, 5, 100), (150, 2, 500), (1, 1, 70_000)])
def test_a_header_fits_into_64_kib_by_listing_fewer_values(fields, values, length):
    members, dtypes = wide(fields, values, length)
    data = encode_header(members, dtypes)
    assert len(data) <= 64 << 10
    aggregates = parse_header(data, "wide").plain_aggregates()
    assert list(aggregates) == list(members["aggregates"])
    for name, summary in aggregates.items():
        assert summary["cardinality"] == values
        if summary.get("truncated"):
            every = [text.encode() for text in members["aggregates"][name]["value_counts"]]
            assert summary["min"].encode() <= min(every)
            assert summary["max"].encode() >= max(every)


def test_only_the_widest_aggregate_is_truncated():
    members, dtypes = wide(1, 300, 300)
    members["aggregates"]["label"] = MEMBERS["aggregates"]["label"]
    aggregates = parse_header(encode_header(members, {**dtypes, "label": pl.String()}), "wide").plain_aggregates()
    assert aggregates["f000"]["truncated"] is True
    assert aggregates["label"] == MEMBERS["aggregates"]["label"]


def test_fitting_a_header_leaves_the_given_members_alone():
    members, dtypes = wide(1, 300, 300)
    encode_header(members, dtypes)
    assert len(members["aggregates"]["f000"]["value_counts"]) == 300


@pytest.mark.parametrize("member", ["content_metadata", "provenance"])
def test_what_a_caller_says_is_not_cut_to_fit_but_refused(member):
    with pytest.raises(atdata.SampleValueError, match="takes 7[0-9]{4} bytes, 65536 at most: shorten"):
        encode_header({**MEMBERS, member: {"note": "x" * 70_000}}, DTYPES)


class Unknown:
    pass


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), "\ud800", Unknown(), {("a", 1): 2}, b"bytes", 10**5000],
    ids=["nan", "inf", "-inf", "surrogate", "object", "tuple as key", "bytes", "long integer"],
)
def test_what_is_no_strict_json_is_refused(value):
    with pytest.raises(atdata.SampleValueError, match="no strict JSON"):
        encode_header({**MEMBERS, "content_metadata": {"note": value}}, DTYPES)


def test_metadata_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(atdata.SampleValueError, match="no strict JSON"):
        encode_header({**MEMBERS, "content_metadata": {"note": endless}}, DTYPES)


def test_what_was_not_decoded_is_written_as_it_stands():
    colour = msgspec.Raw(b'{"depth": 1.50,\n    "shades": [9E-1]}')
    data = encode_header({**MEMBERS, "colour": colour}, DTYPES)
    assert b'"colour": {"depth": 1.50,\n    "shades": [9E-1]},\n  "digest"' in data
    assert strict(data)["colour"] == {"depth": 1.5, "shades": [0.9]}


def test_what_was_not_decoded_loses_its_white_space_alone_where_the_header_is_too_long():
    members, dtypes = wide(1, 300, 300)
    members["aggregates"]["other"] = msgspec.Raw(b'{"type": "median",\n  "is": 1.50}')
    members["aggregates"]["label"] = msgspec.Raw(json.dumps(MEMBERS["aggregates"]["label"], indent=4).encode())
    data = encode_header({**members, "colour": msgspec.Raw(b"[ 9E-1 ]")}, {**dtypes, "label": pl.String()})
    assert len(data) <= 64 << 10
    assert b'"other":{"type":"median","is":1.50}' in data
    assert b'"colour":[9E-1]' in data
    assert strict(data)["aggregates"]["label"] == MEMBERS["aggregates"]["label"]


# -- reading


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"not json",
        b"\0" * 100,
        old() + b"x",
        old() + old(),
        old()[:-1],
        old().replace(b"{", b"{,", 1),
        old().replace(b'"', b"'"),
        b"// a comment\n" + old(),
        b"\xef\xbb\xbf" + old(),
        old().decode().encode("utf-16"),
        json.dumps({**OLD, "shard_id": "é"}, ensure_ascii=False).encode("latin-1"),
        signed(MEMBERS).replace(b"1.5", b"NaN"),
        signed(MEMBERS).replace(b"1.5", b"Infinity"),
        signed(MEMBERS).replace(b"1.5", b"-Infinity"),
        old(manifest_version="1.1.0").replace(b"1.5", b"NaN"),
        old(manifest_version="1.10.0").replace(b"1.5", b"NaN"),
        old().replace(b"1.5", b"-NaN"),
        old().replace(b"1.5", b"nan"),
        old().replace(b"1.5", b"+Infinity"),
        old().replace(b"1.5", b"NaN 1"),
        old().replace(b'"num_samples": 2', b'"num_samples": NaN'),
        old().replace(b'"shard_id": "s"', b'"shard_id": NaN'),
        old().replace(b"1.5", b"NaN").replace(b'"of straw"', b"[" * 100_000 + b"]" * 100_000),
        old().replace(b"1.5", b"NaN").replace(b'"min": 1', b'"min": ' + b"9" * 5000),
        old().replace(b"1.5", b"NaN")[:-1],
        old().replace(b"1.5", b"NaN") + b'"',
        old().replace(b"1.5", b"1e999"),
        old().replace(b"1.5", b"01.5"),
        old().replace(b'"num_samples": 2', b'"num_samples": ' + b"9" * 5000),
        old().replace(b'"min": 1', b'"min": ' + b"9" * 5000),
        old().replace(b'"of straw"', b"[" * 100_000 + b"]" * 100_000),
        old().replace(b'"of straw"', b"[" * 100_000),
        old().replace(b'"of straw"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        old(unknown=0).replace(b'"unknown": 0', b'"unknown": ' + b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=lambda data: f"{data[:12]!r}-{len(data)}-{hashlib.sha256(data).hexdigest()[:4]}",
)
def test_what_is_no_header_is_damaged_and_named(data):
    with pytest.raises(atdata.DamagedManifestError, match=r"^folder/s\.manifest\.json: no manifest header"):
        parse_header(data, "folder/s.manifest.json")


def test_a_header_over_64_mib_is_refused_before_it_is_parsed():
    data = old().removesuffix(b"}") + b" " * (64 << 20) + b"}"
    with pytest.raises(atdata.DamagedManifestError, match="at most are read"):
        parse_header(data, "s")


REQUIRED = [
    "manifest_version",
    "shard_id",
    "schema_type",
    "schema_version",
    "num_samples",
    "size_bytes",
    "created_at",
    "aggregates",
]


@pytest.mark.parametrize("member", REQUIRED)
def test_a_header_without_a_member_is_damaged(member):
    members = {name: value for name, value in OLD.items() if name != member}
    with pytest.raises(atdata.DamagedManifestError, match=member):
        parse_header(json.dumps(members).encode(), "s")


@pytest.mark.parametrize("member", REQUIRED)
@pytest.mark.parametrize("wrong", [None, [], 1.5, True, -1, {"a": 1}], ids=repr)
def test_a_member_of_another_type_is_damaged(member, wrong):
    with pytest.raises(atdata.DamagedManifestError, match=member):
        parse_header(old(**{member: wrong}), "s")


@pytest.mark.parametrize("member", ["num_samples", "size_bytes", "aggregates"])
def test_text_where_something_else_belongs_is_damaged(member):
    with pytest.raises(atdata.DamagedManifestError, match=member):
        parse_header(old(**{member: "2"}), "s")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("label", {"type": 7}),
        ("label", {"type": None}),
        ("label", {"cardinality": -1}),
        ("label", {"cardinality": "2"}),
        ("label", {"value_counts": {"dog": -1}}),
        ("label", {"value_counts": {"dog": None}}),
        ("label", {"value_counts": ["dog"]}),
        ("label", {"null_count": -1}),
        ("label", {"nan_count": 1.5}),
        ("label", {"truncated": 1}),
        ("score", {"min": [1]}),
        ("score", {"max": {}}),
        ("score", {"mean": "1.5"}),
        ("score", {"count": -1}),
        ("score", {"count": None}),
        ("score", {"unbounded": "yes"}),
        ("tags", {"all_values": "a"}),
        ("tags", {"all_values": [{}]}),
        ("tags", {"value_counts": {"a": 0.5}}),
    ],
    ids=str,
)
def test_an_aggregate_of_another_type_is_damaged(name, change):
    aggregates = {**OLD["aggregates"], name: {**OLD["aggregates"][name], **change}}
    with pytest.raises(atdata.DamagedManifestError, match="aggregates"):
        parse_header(old(aggregates=aggregates), "s")


@pytest.mark.parametrize("change", [{"cardinality": -1}, {"type": 7}, {"value_counts": ["dog"]}], ids=str)
def test_a_malformed_aggregate_is_found_when_it_is_used(change):
    aggregates = {**MEMBERS["aggregates"], "label": {**MEMBERS["aggregates"]["label"], **change}}
    header = parse_header(signed({**MEMBERS, "aggregates": aggregates}), "folder/s.manifest.json")
    assert header.num_samples == 2
    for use in (header.aggregates, header.known_aggregates, header.plain_aggregates, lambda: header.aggregate("label")):
        with pytest.raises(atdata.DamagedManifestError, match=r"^folder/s\.manifest\.json: .*aggregates"):
            use()
    assert header.aggregate("score").members.count == 2


@pytest.mark.parametrize("aggregates", [None, [], "all", {"label": 3}, {"label": None}], ids=repr)
def test_malformed_aggregates_are_found_when_they_are_used(aggregates):
    header = parse_header(signed({**MEMBERS, "aggregates": aggregates}), "s")
    for use in (header.aggregates, header.plain_aggregates, lambda: header.kinds):
        with pytest.raises(atdata.DamagedManifestError, match="aggregates"):
            use()


def test_one_malformed_aggregate_among_many_is_named():
    aggregates = {**MEMBERS["aggregates"], "score": {"type": "numeric"}}
    with pytest.raises(atdata.DamagedManifestError, match="'score'"):
        parse_header(signed({**MEMBERS, "aggregates": aggregates}), "s").aggregates()


def test_an_aggregate_of_an_unknown_kind_is_kept_as_it_stands():
    median = {"type": "median", "is": 1.5, "null_count": "many"}
    header = parse_header(signed({**MEMBERS, "aggregates": {**MEMBERS["aggregates"], "x": median}}), "s")
    assert header.kinds == {"label": "categorical", "score": "numeric", "tags": "set", "x": "median"}
    assert header.aggregate("x") is None
    assert list(header.aggregates()) == ["label", "score", "tags"]
    assert header.known_aggregates()["x"] == {"type": "median"}
    assert header.plain_aggregates()["x"] == median


def test_unknown_members_of_aggregates_are_kept_and_ignored():
    label = {**MEMBERS["aggregates"]["label"], "entropy": {"bits": [1, 2**70]}}
    header = parse_header(signed({**MEMBERS, "aggregates": {"label": label}}), "s")
    assert header.known_aggregates() == {"label": MEMBERS["aggregates"]["label"]}
    assert header.plain_aggregates()["label"]["entropy"]["bits"][0] == 1


@pytest.mark.parametrize("value", [2**70, -(2**70)])
def test_bounds_beyond_64_bits_are_read_exactly(value):
    score = {**MEMBERS["aggregates"]["score"], "min": value}
    header = parse_header(signed({**MEMBERS, "aggregates": {"score": score}}), "s")
    assert header.plain_aggregates()["score"]["min"] == value


@pytest.mark.parametrize("version", ["2.0.0", "2.9.1"])
def test_version_2_without_unknown_features_is_read(version):
    assert parse_header(old(manifest_version=version), "s").num_samples == 2
    assert parse_header(old(manifest_version=version, required_features=[]), "s").required_features == []


@pytest.mark.parametrize("version", ["1.1.0", "1.0.0", "2.0.0"])
def test_an_unknown_required_feature_is_named_whatever_the_version(version):
    data = old(manifest_version=version, required_features=["spiral", "cipher"])
    with pytest.raises(atdata.UnsupportedFormatError, match=r"^s: .*'spiral', 'cipher'.*Use a newer atdata-polars"):
        parse_header(data, "s")


@pytest.mark.parametrize("features", ["spiral", {"spiral": 1}, [1], None, [None, 2]], ids=repr)
def test_required_features_that_are_not_a_list_of_names_are_damage(features):
    with pytest.raises(atdata.DamagedManifestError, match="required_features"):
        parse_header(old(required_features=features), "s")


@pytest.mark.parametrize("member", ["type", "cardinality", "value_counts"])
def test_an_aggregate_without_a_member_is_damaged(member):
    label = {name: value for name, value in OLD["aggregates"]["label"].items() if name != member}
    with pytest.raises(atdata.DamagedManifestError, match="no manifest header"):
        parse_header(old(aggregates={"label": label}), "s")


@pytest.mark.parametrize("member", ["shard", "samples"])
@pytest.mark.parametrize("name", ["../s.tar", "/etc/passwd", "a/b", "a\\b", "a\0b", "", "C:\\x"])
def test_a_file_name_that_leads_elsewhere_is_refused(member, name):
    members = {**MEMBERS, member: {**MEMBERS[member], "file": name}}
    with pytest.raises(atdata.DamagedManifestError, match=f"{member}.file"):
        parse_header(signed(members), "s")


@pytest.mark.parametrize("name", ["s.tar", "a b.tar", "é[1]=x.tar", "v1.5..tar"])
def test_a_bare_file_name_is_accepted(name):
    assert parse_header(signed({**MEMBERS, "shard": {**FACTS, "file": name}}), "s").shard.file == name


@pytest.mark.parametrize("sha", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, None, 7])
def test_what_is_no_sha256_is_refused(sha):
    with pytest.raises(atdata.DamagedManifestError, match=r"shard\.sha256"):
        parse_header(signed({**MEMBERS, "shard": {**FACTS, "sha256": sha}}), "s")


@pytest.mark.parametrize("size", [-1, 1.5, None, "7"])
def test_what_is_no_length_is_refused(size):
    with pytest.raises(atdata.DamagedManifestError, match=r"samples\.size_bytes"):
        parse_header(signed({**MEMBERS, "samples": {**MEMBERS["samples"], "size_bytes": size}}), "s")


@pytest.mark.parametrize("member", ["shard", "samples"])
def test_a_header_that_names_its_files_without_a_digest_is_damaged(member):
    with pytest.raises(atdata.DamagedManifestError, match="no digest"):
        parse_header(old(**{member: MEMBERS[member]}), "s")


def test_a_null_digest_beside_file_names_is_damaged():
    with pytest.raises(atdata.DamagedManifestError, match="no digest"):
        parse_header(old(samples=MEMBERS["samples"], digest=None), "s")


def test_a_header_without_digest_and_files_is_one_of_version_1_0():
    assert parse_header(old(), "s").digest is None


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.7.0"])
def test_a_digest_that_is_there_is_checked_whatever_the_version(version):
    data = signed({**OLD, "manifest_version": version})
    assert parse_header(data, "s").manifest_version == version
    with pytest.raises(atdata.DamagedManifestError, match="they were changed"):
        parse_header(data.replace(b"job-7", b"job-8"), "s")


def test_a_digest_that_is_not_last_is_damaged():
    data = signed(MEMBERS)
    moved = data.removesuffix(b"}") + b',"later":1}'
    with pytest.raises(atdata.DamagedManifestError, match="not its last member"):
        parse_header(moved, "s")


def test_white_space_around_the_digest_does_not_count():
    data = signed(MEMBERS).replace(b'"digest":', b'\n\t "digest" : ') + b"\n\n"
    assert parse_header(data, "s").shard_id == "s"


def test_every_single_bit_flip_of_a_header_is_refused():
    data = encode_header(MEMBERS, DTYPES)
    silent = []
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            parse_header(bytes(flipped), "s")
        except atdata.ManifestError:
            continue
        silent.append(bit)
    assert silent == []


def test_a_header_cut_anywhere_is_refused_unless_only_white_space_is_gone():
    data = encode_header(MEMBERS, DTYPES)
    whole = parse_header(data, "s")
    for length in range(len(data) - 1):
        with pytest.raises(atdata.DamagedManifestError):
            parse_header(data[:length], "s")
    assert parse_header(data[:-1], "s") == whole


@law(100)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(atdata.DamagedManifestError):
        parse_header(data, "s")


@pytest.mark.parametrize("version", ["3.0.0", "10.0", "3", "0.9.0", "latest", ""])
def test_another_major_version_is_unsupported_and_both_versions_are_named(version):
    with pytest.raises(
        atdata.UnsupportedFormatError, match=rf"s: manifest_version '{version}'.* reads 1\.x and 2\.x .*1\.1\.0"
    ):
        parse_header(old(manifest_version=version), "s")


def test_a_newer_major_version_is_unsupported_even_where_its_members_are_others():
    with pytest.raises(atdata.UnsupportedFormatError, match=r"'3\.0\.0'"):
        parse_header(b'{"manifest_version": "3.0.0", "num_samples": "many"}', "s")


def test_the_version_that_is_written_is_read():
    assert MANIFEST_FORMAT_VERSION == "1.1.0"
    assert parse_header(old(manifest_version=MANIFEST_FORMAT_VERSION), "s").num_samples == 2


def test_members_that_are_not_known_are_passed_over():
    members = {
        **MEMBERS,
        "manifest_version": "1.9.0",
        "colour": {"deep": [1, {"er": None}]},
        "samples": {**MEMBERS["samples"], "rows": 2},
        "aggregates": {"score": {**MEMBERS["aggregates"]["score"], "median": 1.5}},
    }
    assert parse_header(signed(members), "s").num_samples == 2


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63)])
def test_integer_bounds_are_read_exactly(value):
    score = {**OLD["aggregates"]["score"], "min": value}
    assert parse_header(old(aggregates={"score": score}), "s").plain_aggregates()["score"]["min"] == value


@law(100)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    )
)
def test_metadata_that_json_holds_reads_back(value):
    header = parse_header(encode_header({**MEMBERS, "content_metadata": {"note": value}}, DTYPES), "s")
    assert header.content_metadata == {"note": value}


def test_source_date_epoch_fixes_the_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert now() == "1970-01-02T00:00:00+00:00"


def test_the_time_is_utc_without_source_date_epoch(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert now().endswith("+00:00")


# -- version 1.0


def bounds(data):
    """Return what a header of version 1.0 says of the one numeric aggregate."""
    return parse_header(data, "s").plain_aggregates()["score"]


def scored(low, high, mean, count):
    """Return a header of version 1.0 with these tokens, as they stand, in its numeric aggregate."""
    members = {
        **OLD["aggregates"],
        "score": {"type": "numeric", "min": "LOW", "max": "HIGH", "mean": "MEAN", "count": 0},
    }
    data = old(aggregates=members).replace(b'"LOW"', low).replace(b'"HIGH"', high).replace(b'"MEAN"', mean)
    return data.replace(b'"count": 0', b'"count": ' + count)


def test_the_bounds_of_nothing_are_null_in_version_1_0():
    known = bounds(scored(b"Infinity", b"-Infinity", b"0.0", b"0"))
    assert known == {"type": "numeric", "min": None, "max": None, "mean": None, "count": 0}


def test_a_mean_of_nan_is_null_and_leaves_the_bounds():
    known = bounds(scored(b"0.5", b"2.5", b"NaN", b"3"))
    assert known == {"type": "numeric", "min": 0.5, "max": 2.5, "mean": None, "count": 3}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (b"-Infinity", b"2.5", (None, 2.5)),
        (b"0.5", b"Infinity", (0.5, None)),
        (b"Infinity", b"-Infinity", (None, None)),  # of NaN alone
        (b"0.5", b"9007199254740992.0", (0.5, None)),  # may have been 2**53 + 1
        (b"-9007199254740992.0", b"1e300", (None, None)),
    ],
)
def test_a_bound_that_is_not_known_exactly_is_open_in_version_1_0(low, high, expected):
    known = bounds(scored(low, high, b"1.0", b"3"))
    assert (known["min"], known["max"], known["unbounded"]) == (*expected, True)


def test_the_largest_exact_bounds_stay():
    known = bounds(scored(b"-9007199254740991.0", b"9007199254740991.0", b"0.0", b"2"))
    assert (known["min"], known["max"]) == (-(2**53) + 1, 2**53 - 1)
    assert "unbounded" not in known


def test_bounds_of_version_1_1_stay_as_they_are():
    members = {**MEMBERS["aggregates"], "score": {**MEMBERS["aggregates"]["score"], "max": 1e300}}
    assert bounds(signed({**MEMBERS, "aggregates": members}))["max"] == 1e300


@pytest.mark.parametrize("text", ["NaN", "Infinity", "a -Infinity b", '\\"NaN', '"NaN"', "\\", '\\\\"', ': NaN, "'])
def test_a_token_inside_text_stays_text(text):
    aggregates = {**OLD["aggregates"], "label": {"type": "categorical", "cardinality": 1, "value_counts": {text: 1}}}
    data = old(aggregates=aggregates, shard_id=text).replace(b"1.5", b"NaN")
    header = parse_header(data, "s")
    assert header.shard_id == text
    assert header.plain_aggregates()["label"]["value_counts"] == {text: 1}
    assert header.plain_aggregates()["score"]["mean"] is None


@law(200)
@given(st.dictionaries(st.text(), st.floats() | st.text() | st.lists(st.floats()), max_size=5))
def test_what_python_writes_is_read_with_null_for_every_token(provenance):
    expected = json.loads(json.dumps(provenance), parse_constant=lambda _: None)
    assert parse_header(old(provenance=provenance), "s").provenance == expected


def test_tokens_are_understood_wherever_the_version_stands():
    members = dict(reversed(OLD.items()))
    assert bounds(json.dumps(members).encode().replace(b"1.5", b"NaN"))["mean"] is None


def test_the_digest_of_an_old_header_is_checked_over_its_own_bytes():
    body = old().replace(b"1.5", b"NaN").removesuffix(b"}")
    assert not parse_header(with_digest(body), "s").has_places
    with pytest.raises(atdata.DamagedManifestError, match="digest"):
        parse_header(with_digest(body).replace(b"NaN", b"1.5"), "s")


@pytest.mark.parametrize(
    ("version", "has_places"), [("1.0.0", False), ("1.0.7", False), ("1.0", False), ("1.1.0", True), ("1.10.0", True)]
)
def test_a_header_of_version_1_0_has_no_places(version, has_places):
    assert parse_header(old(manifest_version=version), "s").has_places is has_places


def test_the_error_of_a_changed_header_gives_the_first_16_digits_of_both_digests():
    data = encode_header(MEMBERS, DTYPES)
    changed = data.replace(b'"num_samples": ', b'"num_samples": 1')
    digests = (hashlib.sha256(part[: part.rindex(b',\n  "digest"')]).hexdigest()[:16] for part in (data, changed))
    with pytest.raises(atdata.DamagedManifestError, match="says {}…, and its bytes give {}…: they".format(*digests)):
        parse_header(changed, "s")
