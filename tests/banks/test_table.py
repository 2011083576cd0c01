from __future__ import annotations

import csv
import io
import random

import pytest

from nightlamp.banks import BadRow, Entry, ListOptions, read_list
from nightlamp.banks.reading import Reading
from nightlamp.errors import ListError


def rows(path, ours, **options):
    return list(read_list(path, ListOptions(**options), signals=ours))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "header",
    [
        ("uuid", "MD5", "SHA-1", "PDQ hash", "Category"),
        ("id", "md5", "sha1", "pdq", "cat"),
        ("media_id", "HASH_MD5", "SHA1 hash", "pdq_hash", "classification"),
    ],
)
def test_wide_form(delimiter, header, write, value, ours):
    md5, sha1, pdq = value("md5", 1), value("sha1", 1), value("pdq", 1)
    lines = [
        delimiter.join(header),
        delimiter.join(["a-1", md5.hex().upper(), sha1.hex(), pdq.hex(), "A1"]),
        delimiter.join(["a-2", "", "NULL", pdq.hex(), "B2"]),
    ]
    assert rows(write("\n".join(lines)), ours) == [
        Entry("md5", md5, "a-1", "A1", row=2),
        Entry("sha1", sha1, "a-1", "A1", row=2),
        Entry("pdq", pdq, "a-1", "A1", row=2),
        Entry("pdq", pdq, "a-2", "B2", row=3),
    ]


def test_long_form(write, value, ours):
    md5, pdq = value("md5", 1), value("pdq", 1)
    path = write(f"signal_type,value,quality\nHASH_MD5,{md5.hex()},\npdq,{pdq.hex()},87\nfoo,bar,\n!,x,\n")
    assert rows(path, ours)[:3] == [
        Entry("md5", md5, "row 2", row=2),
        Entry("pdq", pdq, "row 3", quality=87, row=3),
        Entry("foo", b"bar", "row 4", row=4, parsed=False),
    ]
    assert rows(path, ours)[3] == BadRow(5, "not the name of a signal")


def test_a_column_type_may_speak_of_something_else(write, value, ours):
    md5 = value("md5", 1).hex()
    path = write(f"type,hash\nimage,{md5}\nMD5,{md5}\n")
    assert [r.signal for r in rows(path, ours)] == ["md5", "md5"]


def test_long_form_without_header(write, value, ours):
    path = write(f"pdq,{value('pdq', 1).hex()},x\nsha256,{value('sha256', 2).hex()},y\n")
    assert [(r.signal, r.value) for r in rows(path, ours)] == [
        ("pdq", value("pdq", 1)),
        ("sha256", value("sha256", 2)),
    ]


def test_wide_form_without_header(write, value, ours):
    lines = [f"{value('md5', n).hex()},{value('sha1', n).hex()},name {n}" for n in range(3)]
    assert [r.signal for r in rows(write("\n".join(lines)), ours)] == ["md5", "sha1"] * 3


def test_columns_by_number_without_header(write, value, ours):
    lines = [f"{n},{value('sha256', n).hex()},{value('pdq', n).hex()}" for n in range(3)]
    found = rows(write("\n".join(lines)), ours, columns={"id": "1", "sha256": "2", "pdq": "3"})
    assert found[1] == Entry("pdq", value("pdq", 0), "0", row=1)
    with pytest.raises(ListError, match="no column of hashes"):
        rows(write("\n".join(lines)), ours)


def test_columns_by_name(write, value, ours):
    pdq = value("pdq", 1)
    path = write(f"key;phash;kind of;n\nk;{pdq.hex()};C;1\n")
    mapping = {"pdq": "PHash", "id": "key", "category": "kind of"}
    assert rows(path, ours, columns=mapping) == [Entry("pdq", pdq, "k", "C", row=2)]
    with pytest.raises(ListError, match="no column 'nothing'"):
        rows(path, ours, columns={"pdq": "phash", "id": "nothing"})


def test_one_column_with_header(write, value, ours):
    pdq = value("pdq", 1)
    assert rows(write(f"pdq\n{pdq.hex()}\n"), ours) == [Entry("pdq", pdq, "row 2", row=2)]


def test_a_hash_column_of_64_digits_needs_a_word(write, value, ours):
    path = write(f"id,hash\n1,{value('pdq', 1).hex()}\n")
    with pytest.raises(ListError, match="sha256 or pdq"):
        rows(path, ours)
    assert rows(path, ours, signal="pdq")[0].signal == "pdq"


def test_categories_by_a_mapping(write, value, ours):
    lines = ["md5,category", *(f"{value('md5', n).hex()},{n}" for n in range(4))]
    path = write("\n".join(lines))
    options = ListOptions(profile={0: "A", 1: "B", 2: None})
    reading = Reading(path, options, ours)
    categories = [category for piece in reading for batch in piece.batches for category in batch.categories]
    assert categories == ["A", "B"]
    assert sum(reading.ignored.values()) == 1
    assert [bad.row for bad in reading.bad_rows] == [5]


def test_a_quote_that_never_closes_costs_its_own_row(write, value, ours):
    lines = [f'{n},{value("md5", n).hex()},"ok, {n}"' for n in range(500)]
    lines[100] = f'100,{value("md5", 100).hex()},"open'
    lines[200] = f'200,{value("md5", 200).hex()},"two\nlines"'
    lines[300] = f'300,{value("md5", 300).hex()},"a"b"'
    found = rows(write("id,md5,name\n" + "\n".join(lines)), ours)
    assert sorted(r.entry_id for r in found if isinstance(r, Entry)) == sorted(
        str(n) for n in range(500) if n not in (100, 300)
    )
    assert [r.row for r in found if isinstance(r, BadRow)] == [102, 303]


def test_two_stray_quotes_do_not_swallow_the_rows_between(write, value, ours):
    # given: what looks like one cell of many lines, from the stray quote in row 12 to the one in row 22
    lines = [f"{n},{value('md5', n).hex()},name {n}" for n in range(40)]
    lines[10] = f'10,{value("md5", 10).hex()},"name'
    lines[20] = f'20,{value("md5", 20).hex()},name"'
    found = rows(write("id,md5,name\n" + "\n".join(lines)), ours)
    assert [r.entry_id for r in found if isinstance(r, Entry)] == [str(n) for n in range(40) if n != 10]
    assert [r.row for r in found if isinstance(r, BadRow)] == [12]


def test_a_damaged_header_does_not_cost_the_first_row(write, value, ours):
    path = write(f'id,"na"me,md5\n1,a,{value("md5", 1).hex()}\n2,b,{value("md5", 2).hex()}\n')
    assert [(type(r), r.row) for r in rows(path, ours)] == [(BadRow, 1), (Entry, 2), (Entry, 3)]


def test_blanks_inside_a_hash_cost_that_row_only(write, value, ours):
    texts = [value("md5", n).hex() for n in range(5)]
    texts[2] = texts[2][:10] + "  " + texts[2][12:]
    found = rows(write("id,md5\n" + "".join(f"{n},{t}\n" for n, t in enumerate(texts))), ours)
    assert [(type(r), r.row) for r in found] == [
        (Entry, 2),
        (Entry, 3),
        (BadRow, 4),
        (Entry, 5),
        (Entry, 6),
    ]
    assert [r.value for r in found if isinstance(r, Entry)] == [value("md5", n) for n in (0, 1, 3, 4)]


def test_a_quote_at_a_block_border(write, value, ours):
    # given: records of two lines, over more than one block of input
    n = 20_000
    lines = [f'{k},{value("md5", k % 50).hex()},"{"x" * 30}\n{"y" * 30}"' for k in range(n)]
    found = rows(write("id,md5,name\n" + "\n".join(lines)), ours)
    assert [r.entry_id for r in found] == [str(k) for k in range(n)]


def test_rows_of_wrong_width(write, value, ours):
    md5 = value("md5", 1).hex()
    path = write(f"id,name,md5\n1,a,{md5}\n2\n3,a,b,{md5}\n4,a,{md5},\n,,\n6,a,{md5}\n")
    assert [(type(r), r.row) for r in rows(path, ours)] == [
        (Entry, 2),
        (BadRow, 3),
        (BadRow, 4),
        (Entry, 5),
        (BadRow, 6),
        (Entry, 7),
    ]


def test_an_undecodable_header_does_not_swallow_a_row(write, value, ours):
    path = write(b"id,m\xffd5\n" + f"id,md5\n1,{value('md5', 1).hex()}\n".encode())
    assert [type(r) for r in rows(path, ours)] == [BadRow, Entry]


def test_two_columns_of_one_signal(write, value, ours):
    path = write(f"md5,file_md5\n{value('md5', 1).hex()},{value('md5', 2).hex()}\n")
    assert [r.value for r in rows(path, ours)] == [value("md5", 1), value("md5", 2)]


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_never_loses_a_line_silently(seed, write, value, ours):
    # given: a sound list in which random bytes are changed, with quotes that may pair up over lines
    chance = random.Random(seed)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "md5", "note"])
    for n in range(200):
        writer.writerow([n, value("md5", n).hex(), chance.choice(["plain", "a,b", 'say "x"', ""])])
    content = bytearray(out.getvalue().encode())
    lines_hit = set()
    for _ in range(5):
        at = chance.randrange(20, len(content))
        if content[at] in b"\n" or content[:at].count(b"\n") + 1 == 1:
            continue
        lines_hit.add(content[:at].count(b"\n") + 1)
        content[at] = chance.choice(b'"""\0\xff;,x')
    # when
    found = rows(write(bytes(content)), ours)
    # then: every line is an entry or a bad row, and lines that were not hit are entries
    assert {r.row for r in found} == set(range(2, 202))
    whole = {r.row: r.value for r in found if isinstance(r, Entry)}
    assert all(whole[n + 2] == value("md5", n) for n in range(200) if n + 2 not in lines_hit)
