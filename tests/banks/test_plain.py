from __future__ import annotations

import pytest

from nightlamp.banks import BadRow, Entry, ListOptions, read_list
from nightlamp.errors import ListError


def rows(path, ours, **options):
    return list(read_list(path, ListOptions(**options), signals=ours))


def test_bare_hashes_are_known_by_their_length(write, value, ours):
    md5, sha1 = value("md5", 1), value("sha1", 1)
    path = write(f"# a comment\n\n{md5.hex()}\r\n  {sha1.hex().upper()}  \n")
    assert rows(path, ours) == [Entry("md5", md5, "row 3", row=3), Entry("sha1", sha1, "row 4", row=4)]


@pytest.mark.parametrize("signal", ["sha256", "pdq", "PDQ", "SHA-256"])
def test_64_digits_need_a_word(signal, write, value, ours):
    content = value("pdq", 1)
    path = write(content.hex() + "\n")
    with pytest.raises(ListError, match="sha256 or pdq"):
        rows(path, ours)
    (entry,) = rows(path, ours, signal=signal)
    assert entry.signal == signal.lower().replace("-", "")
    assert entry.value == content


def test_64_digits_amid_others_need_a_word_too(write, value, ours):
    path = write(f"{value('md5', 1).hex()}\n{value('pdq', 1).hex()}\n")
    with pytest.raises(ListError, match="sha256 or pdq") as error:
        rows(path, ours)
    assert value("pdq", 1).hex() not in str(error.value)


@pytest.mark.parametrize("form", ["pdq {}", "PDQ\t{}", "pdq:{}", "hash_pdq : {}", "  pdq   {}  "])
def test_a_prefix_names_the_signal(form, write, value, ours):
    path = write("# list\n" + form.format(value("pdq", 7).hex()) + "\n")
    (entry,) = rows(path, ours)
    assert (entry.signal, entry.value) == ("pdq", value("pdq", 7))


def test_exchange_file_with_a_signal_that_is_not_installed(write, value, ours):
    path = write(f"video_md5 {value('md5', 1).hex()}\nnetclean abcdef\n")
    found = rows(path, ours)
    assert found == [
        Entry("md5", value("md5", 1), "row 1", row=1),
        Entry("netclean", b"abcdef", "row 2", row=2, parsed=False),
    ]


def test_every_kind_of_bad_row_costs_itself_only(write, value, ours):
    good = value("md5", 1).hex()
    lines = [
        good.encode(),
        b"not a hash at all",
        good[:-1].encode(),
        good[:-1].encode() + b"g",
        b"\xff\xfe\xfd" + good.encode(),
        good.encode() + b"\0",
        b"x" * (1 << 20) + b"y",
        b"pdq 1234",
        good.encode(),
    ]
    found = rows(write(b"\n".join(lines)), ours)
    assert [r.row for r in found] == list(range(1, 10))
    assert [type(r) for r in found] == [Entry, *[BadRow] * 7, Entry]
    assert not any(good[:8] in repr(r) or "not a hash at all" in repr(r) for r in found)


def test_blanks_inside_a_hash_do_not_shorten_it(write, value, ours):
    text = value("md5", 1).hex()
    path = write(f"md5 {text}\n{text[:10]}  {text[12:]}\n")
    assert [type(r) for r in rows(path, ours)] == [Entry, BadRow]


def test_a_bad_row_in_a_large_uniform_list_is_found(write, value, ours):
    hashes = [value("md5", n).hex() for n in range(60_000)]
    hashes[40_000] = "z" * 32
    found = rows(write("\n".join(hashes)), ours)
    assert [r.row for r in found] == list(range(1, 60_001))
    assert [r.row for r in found if isinstance(r, BadRow)] == [40_001]
    assert all(r.value.hex() == hashes[r.row - 1] for r in found if isinstance(r, Entry))


def test_base64_pdq_where_the_signal_is_said(write, value, ours):
    from base64 import b64encode

    content = value("pdq", 1)
    (entry,) = rows(write(b64encode(content)), ours, signal="pdq")
    assert entry.value == content
    (bad,) = rows(write(b64encode(content)), ours)
    assert isinstance(bad, BadRow)


def test_reprs_show_no_secret(write, value, ours):
    (entry,) = rows(write(value("md5", 1).hex()), ours)
    assert value("md5", 1).hex() not in repr(entry)
    assert str(value("md5", 1)) not in repr(entry)
    assert "row 1'" not in repr(entry)
