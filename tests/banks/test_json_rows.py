from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measured import peak_of

from nightlamp.banks import BadRow, Entry, ListOptions, read_list
from nightlamp.banks.reading import Reading
from nightlamp.errors import ListError


def rows(path, ours, **options):
    return list(read_list(path, ListOptions(**options), signals=ours))


def test_lines(write, value, ours):
    md5, pdq = value("md5", 1), value("pdq", 1)
    lines = [
        json.dumps({"id": 7, "md5": md5.hex(), "pdq": pdq.hex(), "category": "A1", "tags": ["x"]}),
        json.dumps({"indicator": pdq.hex(), "type": "HASH_PDQ", "quality": 90}),
        json.dumps({"name": "nothing"}),
        "{not json",
        "",
        json.dumps(md5.hex()),
        "[1]",
        "9" * 5000,
        "[" * 5000,
    ]
    found = rows(write("\n".join(lines)), ours)
    assert found[:3] == [
        Entry("md5", md5, "7", "A1", row=1),
        Entry("pdq", pdq, "7", "A1", row=1),
        Entry("pdq", pdq, "row 2", quality=90, row=2),
    ]
    assert [(type(r), r.row) for r in found[3:]] == [
        (BadRow, 3),
        (BadRow, 4),
        (Entry, 6),
        (BadRow, 7),
        (BadRow, 8),
        (BadRow, 9),
    ]


@pytest.mark.parametrize("shape", ["array", "indented", "object", "lines", "one line"])
def test_shapes(shape, write, value, ours):
    entries = [{"uuid": str(n), "hash": {"pdq": value("pdq", n).hex()}} for n in range(3)]
    if shape == "one line":
        entries = entries[:1]
    content = {
        "array": json.dumps(entries),
        "indented": json.dumps(entries, indent=1),
        "object": json.dumps({"count": 3, "hashes": entries}, indent=1),
        "lines": "\n".join(map(json.dumps, entries)),
        "one line": json.dumps(entries[0]),
    }[shape]
    found = rows(write(content), ours, columns={"pdq": "hash.pdq"})
    assert [(r.entry_id, r.value) for r in found] == [
        (e["uuid"], value("pdq", n)) for n, e in enumerate(entries)
    ]


def test_array_of_hashes(write, value, ours):
    found = rows(write(json.dumps([value("md5", 1).hex(), value("sha1", 1).hex(), 5, "x"])), ours)
    assert [type(r) for r in found] == [Entry, Entry, BadRow, BadRow]


HOSTILE = {
    "deep": "[" * 100_000,
    "deep in an item": '[{"a":' + '{"a":' * 100_000,
    "cut off": '[{"md5": "00',
    "garbage behind": '[{"md5": "x"}] trailing',
    "a number beyond reason": '[{"md5": ' + "9" * 100_000 + "}]",
    "a string beyond reason": '[{"md5": "' + "a" * (5 << 20) + '"}]',
    "escaped quotes beyond reason": '[{"md5": "' + '\\"' * (5 << 19) + '"}]',
    "a key beyond reason": '[{"' + "k" * 100_000 + '": 1}]',
    "members beyond reason": '[{"a": [' + "1," * 200_000 + "1]}]",
    "not UTF-8": b'[{"md5": "\xff"}]',
    "NaN": '[{"md5": NaN}]',
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("form", ["json", "vics"])
def test_hostile_documents_end_in_a_clear_error_and_little_memory(case, form, write, ours):
    content = HOSTILE[case]
    if form == "vics":
        start = b'{"odata.metadata": "http://example.org/1.3.xml#Media", "value": '
        content = start + (content if isinstance(content, bytes) else content.encode())
    path = write(content)
    del content

    def read() -> None:
        with pytest.raises(ListError):
            for _ in Reading(path, ListOptions(format=form, profile={1: "x"}), ours):
                pass

    assert peak_of(read, 12 << 20) < 12 << 20


@pytest.mark.parametrize("seed", range(60))
def test_damaged_documents_never_end_in_anything_but_rows_or_a_list_error(seed, write, value, ours):
    chance = random.Random(seed)
    entries = [{"id": str(n), "md5": value("md5", n).hex(), "Category": n} for n in range(30)]
    content = bytearray(json.dumps({"value": entries} if seed % 2 else entries).encode())
    for _ in range(3):
        content[chance.randrange(len(content))] = chance.choice(b'"{}[],:\\\0\xff 0e-')
    path = write(bytes(content[: chance.randrange(1, 2 * len(content))]))
    for form in ("json", "jsonl", "csv", "plain"):
        try:
            said = repr(rows(path, ours, format=form))
        except ListError as error:
            said = str(error)
        assert not any(value("md5", n).hex()[:12] in said for n in range(30))


@given(
    st.binary(max_size=200),
    st.sampled_from(["plain", "csv", "jsonl", "json", "vics", "nsrl", "nsrl-sqlite", None]),
)
def test_any_bytes_as_any_format(tmp_path_factory, ours, content, form):
    path = tmp_path_factory.mktemp("any") / "list"
    path.write_bytes(content)
    said = str(path)
    try:
        for row in read_list(path, ListOptions(format=form, profile="us"), signals=ours):
            assert isinstance(row, Entry | BadRow)
    except ListError as error:
        said = str(error)
    assert str(path) in said
