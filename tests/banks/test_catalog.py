from __future__ import annotations

import base64
import random
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from nightlamp.banks import Catalog, Entry, ListFile, ListOptions, build_catalog, read_list
from nightlamp.errors import ListError, SignalError, SnapshotError
from nightlamp.values import AS_IS, Bank, Fingerprint, Unchecked


def near(value, bits, seed):
    """The value with so many bits flipped."""
    flipped = np.unpackbits(np.frombuffer(value, np.uint8))
    flipped[random.Random(seed).sample(range(256), bits)] ^= 1
    return np.packbits(flipped).tobytes()


@pytest.fixture
def lists(write, value):
    """Three lists in two banks: ids, categories, duplicates, near-duplicates, bad rows, several signals."""
    rows = ["uuid,pdq,md5,category"]
    for n in range(300):
        pdq = near(value("pdq", n % 40), n % 7, n)
        rows.append(f"id-{n},{pdq.hex()},{value('md5', n % 90).hex()},{'' if n % 3 else 'A' + str(n % 5)}")
    rows += ["id-bad,xx,,"]
    plain = [f"pdq {near(value('pdq', n), 3, n).hex()}" for n in range(60)]
    plain += [f"md5 {value('md5', n).hex()}" for n in range(20)]
    dna = [f"photodna {base64.b64encode(value('photodna', n)).decode()}" for n in range(30)]
    first, second = Bank("first", "somebody", "csam", "high"), Bank("second", category="other")
    return [
        ListFile(write("\n".join(rows), "a.csv"), first),
        ListFile(write("\n".join(plain), "b.txt"), second),
        ListFile(write("\n".join(dna), "c.txt"), first),
    ]


def brute_force(lists, fingerprints, signals, radius=None):
    """What ``lookup`` promises, said another way: every entry, the closest fingerprint of each."""
    found = []
    for at, list_file in enumerate(lists):
        for entry in read_list(list_file.path, list_file.options, signals=signals):
            signal = signals.get(entry.signal) if isinstance(entry, Entry) else None
            if signal is None:
                continue
            best = None
            for f in fingerprints:
                if f.signal != entry.signal or (f.quality or 100) < signal.min_quality:
                    continue
                if signal.index == "exact":
                    distance = 0 if f.value == entry.value else 10**9
                elif signal.index == "hamming":
                    distance = (int.from_bytes(f.value) ^ int.from_bytes(entry.value)).bit_count()
                else:
                    distance = sum(abs(a - b) for a, b in zip(f.value, entry.value, strict=True))
                if distance <= (radius or {}).get(entry.signal, signal.radius) and (
                    not best or distance < best[0]
                ):
                    best = distance, f
            if best:
                bank = list_file.bank
                category = entry.category or bank.category
                key = (best[0], entry.signal, at, entry.row)
                found.append((key, (best[1], bank, entry.entry_id, category, best[0])))
    return [row for _, row in sorted(found, key=lambda row: row[0])]


def items(value):
    """Items with several views, some near entries, some far."""
    for n in range(45):
        yield [
            Fingerprint("md5", value("md5", n * 3)),
            Fingerprint("sha1", value("sha1", n)),
            Fingerprint("pdq", near(value("pdq", n), n, n), quality=80),
            Fingerprint("pdq", near(value("pdq", n), 5, n), "mirrored", quality=80),
            Fingerprint("pdq", near(value("pdq", n), 1, n), quality=10),
            Fingerprint(
                "photodna", bytes(min(255, b + (k == 3)) for k, b in enumerate(value("photodna", n)))
            ),
        ]
    yield []


def plain(matches):
    return [(m.fingerprint, m.bank, m.entry_id, m.category, m.distance) for m in matches]


@pytest.mark.parametrize("radius", [None, {"pdq": 0}, {"pdq": 110, "photodna": 9000, "md5": 3}])
@pytest.mark.parametrize("saved", [False, True])
def test_lookup_is_exact(radius, saved, lists, value, with_photodna, tmp_path):
    catalog = build_catalog(lists, signals=with_photodna)
    if saved:
        catalog.save(tmp_path / "c.nli")
        catalog = Catalog.open(tmp_path / "c.nli", signals=with_photodna)
    asked = list(items(value))
    exact = {**(radius or {}), "md5": 0}
    expected = [brute_force(lists, item, with_photodna, exact) for item in asked]
    assert [plain(m) for m in catalog.lookup_many(asked, radius)] == expected
    assert [plain(catalog.lookup(item, radius)) for item in asked[:5]] == expected[:5]
    assert sum(map(len, expected)) > 50


def test_counts_and_provenance(lists, with_photodna, tmp_path):
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    catalog = build_catalog(lists, signals=with_photodna, read_at=when)
    assert catalog.counts == {
        "first": {"md5": 300, "pdq": 300, "photodna": 30},
        "second": {"md5": 20, "pdq": 60},
    }
    assert [b.name for b in catalog.banks] == ["first", "second"]
    assert catalog.unchecked == ()
    record = catalog.lists[0]
    assert (record.file, record.bank, record.format, record.rows) == ("a.csv", "first", "csv", 301)
    assert (record.bad, [b.row for b in record.bad_rows]) == (1, [302])
    assert record.size == lists[0].path.stat().st_size
    assert len(record.sha256) == 64
    assert record.read_at == "2026-01-02T03:04:00+00:00"
    catalog.save(tmp_path / "c.nli")
    opened = Catalog.open(tmp_path / "c.nli", signals=with_photodna)
    assert (opened.banks, opened.lists, opened.counts) == (catalog.banks, catalog.lists, catalog.counts)


def test_the_same_lists_give_the_same_file(lists, with_photodna, tmp_path):
    for name in ("one.nli", "two.nli"):
        build_catalog(lists, signals=with_photodna).save(tmp_path / name)
    assert (tmp_path / "one.nli").read_bytes() == (tmp_path / "two.nli").read_bytes()


def test_a_signal_that_is_installed_later_works_without_a_rebuild(
    lists, value, ours, with_photodna, tmp_path
):
    # given: a catalog that was built without the plug-in
    catalog = build_catalog(lists, signals=ours)
    assert catalog.unchecked == (Unchecked("photodna", "not installed", "30 entries of bank first"),)
    assert catalog.counts["first"]["photodna"] == 30
    asked = [Fingerprint("photodna", value("photodna", 3))]
    assert catalog.lookup(asked) == []
    catalog.save(tmp_path / "c.nli")
    assert Catalog.open(tmp_path / "c.nli", signals=ours).unchecked == catalog.unchecked
    # when
    opened = Catalog.open(tmp_path / "c.nli", signals=with_photodna)
    # then
    assert opened.unchecked == ()
    assert [(m.entry_id, m.distance) for m in opened.lookup(asked)] == [("row 4", 0)]
    # and: it survives being saved with, opened without, and opened with the plug-in again
    opened.save(tmp_path / "d.nli")
    without = Catalog.open(tmp_path / "d.nli", signals=ours)
    assert without.unchecked == catalog.unchecked
    without.save(tmp_path / "e.nli")
    again = Catalog.open(tmp_path / "e.nli", signals=with_photodna)
    assert plain(again.lookup(asked)) == plain(opened.lookup(asked))


def test_entries_that_a_later_plugin_refuses_are_said(write, value, ours, with_photodna, tmp_path):
    text = base64.b64encode(value("photodna", 1)).decode()
    path = write(f"photodna AAAA\nphotodna {text}\nphotodna !\n")
    build_catalog([ListFile(path, Bank("b"))], signals=ours).save(tmp_path / "c.nli")
    for name in ("d.nli", "e.nli"):
        catalog = Catalog.open(tmp_path / "c.nli", signals=with_photodna)
        assert catalog.unchecked == (Unchecked("photodna", "unreadable", "2 entries of bank b"),)
        (match,) = catalog.lookup([Fingerprint("photodna", value("photodna", 1))])
        assert match.entry_id == "row 2"
        catalog.save(tmp_path / name)
        (tmp_path / "c.nli").write_bytes((tmp_path / name).read_bytes())


def test_a_signal_that_was_changed_since_is_said(lists, with_photodna, tmp_path):
    build_catalog(lists, signals=with_photodna).save(tmp_path / "c.nli")
    changed = {**with_photodna, "photodna": replace(with_photodna["photodna"], size=32)}
    catalog = Catalog.open(tmp_path / "c.nli", signals=changed)
    assert catalog.unchecked == (Unchecked("photodna", "changed", "30 entries of bank first"),)
    assert catalog.lookup([Fingerprint("photodna", bytes(32))]) == []


@pytest.mark.parametrize("where", range(0, 100, 3))
def test_a_damaged_file_is_refused(where, lists, ours, tmp_path):
    path = tmp_path / "c.nli"
    build_catalog(lists[1:2], signals=ours).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) * where // 100] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(SnapshotError):
        Catalog.open(path, signals=ours)


@pytest.mark.parametrize("kept", [0, 10, 5000, -1])
def test_a_cut_file_is_refused(kept, lists, ours, tmp_path):
    path = tmp_path / "c.nli"
    build_catalog(lists, signals=ours).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SnapshotError):
        Catalog.open(path, signals=ours)


def test_what_is_no_catalog_is_refused(tmp_path, lists, ours):
    from nightlamp.index import write_snapshot

    with pytest.raises(SnapshotError):
        Catalog.open(tmp_path / "absent.nli", signals=ours)
    write_snapshot(tmp_path / "other.nli", {"a": np.zeros(3, np.uint8)}, {"kind": "other"})
    with pytest.raises(SnapshotError, match="not a catalog"):
        Catalog.open(tmp_path / "other.nli", signals=ours)
    meta = {"kind": "nightlamp catalog", "version": 1, "banks": [{"x": 1}], "lists": [], "categories": []}
    write_snapshot(tmp_path / "odd.nli", {"a": np.zeros(3, np.uint8)}, meta)
    with pytest.raises(SnapshotError, match="do not fit"):
        Catalog.open(tmp_path / "odd.nli", signals=ours)
    with pytest.raises(SnapshotError, match="not the name"):
        build_catalog(lists, signals=ours).save(tmp_path / "c.zip")
    with pytest.raises(SnapshotError):
        build_catalog(lists, signals=ours).save(tmp_path / "no folder" / "c.nli")


def test_every_match_is_returned_however_many(write, value, ours):
    path = write("\n".join(f"pdq {value('pdq', 1).hex()}" for _ in range(5000)))
    catalog = build_catalog([ListFile(path, Bank("b"))], signals=ours)
    matches = catalog.lookup(
        [Fingerprint("pdq", value("pdq", 1)), Fingerprint("pdq", value("pdq", 1), "mirrored")]
    )
    assert [m.entry_id for m in matches] == [f"row {n}" for n in range(1, 5001)]
    assert {m.fingerprint.view for m in matches} == {AS_IS}


def test_a_fingerprint_of_wrong_size_is_an_error(lists, ours):
    with pytest.raises(SignalError, match="not of 32 bytes"):
        build_catalog(lists, signals=ours).lookup([Fingerprint("pdq", b"short")])


def test_refusals_of_build(write, value, ours):
    path = write(f"md5 {value('md5', 1).hex()}\n")
    with pytest.raises(ListError, match="two different banks"):
        build_catalog([ListFile(path, Bank("b")), ListFile(path, Bank("b", "x"))], signals=ours)
    with pytest.raises(ListError, match="none of its 2 rows"):
        build_catalog([ListFile(write("hello\nworld\n", "x"), Bank("b"))], signals=ours)
    bad = write(f"md5 {value('md5', 1).hex()}\nmd5 x\n", "y")
    with pytest.raises(ListError, match="1 bad rows"):
        build_catalog([ListFile(bad, Bank("b"), ListOptions(strict=True))], signals=ours)
    with pytest.raises(ListError, match="No such file"):
        build_catalog([ListFile(path.with_name("nothing"), Bank("b"))], signals=ours)


def test_a_list_that_changes_while_it_is_read_is_refused(write, value, ours):
    path = write(f"md5 {value('md5', 1).hex()}\n")

    def meddle(path, _rows):
        path.write_text("md5 x\nmd5 y\n")

    with pytest.raises(ListError, match="changed while"):
        build_catalog([ListFile(path, Bank("b"))], meddle, signals=ours)


def test_an_empty_catalog(write, ours, tmp_path):
    catalog = build_catalog([ListFile(write("# nothing yet\n"), Bank("b"))], signals=ours)
    catalog.save(tmp_path / "c.nli")
    opened = Catalog.open(tmp_path / "c.nli", signals=ours)
    assert (len(opened), opened.counts) == (0, {"b": {}})
    assert opened.lookup([Fingerprint("md5", bytes(16))]) == []


def test_reprs_show_no_secret(lists, value, ours):
    catalog = build_catalog(lists, signals=ours)
    (match, *_) = catalog.lookup([Fingerprint("md5", value("md5", 4))])
    assert match.entry_id == "id-4"
    assert "id-4" not in repr(match)
    assert repr(catalog) == "Catalog(2 banks, 710 entries)"
