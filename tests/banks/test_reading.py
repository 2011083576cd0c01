from __future__ import annotations

import base64
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measured import peak_of

from nightlamp.banks import BadRow, Entry, ListOptions, read_list
from nightlamp.banks.options import FORMATS
from nightlamp.errors import ListError

TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@st.composite
def entries(draw):
    signals = st.sampled_from([("md5", 16), ("sha1", 20), ("sha256", 32), ("pdq", 32)])
    found = []
    for _ in range(draw(st.integers(1, 12))):
        name, size = draw(signals)
        value = draw(st.binary(min_size=size, max_size=size))
        found.append((name, value, draw(TEXT), draw(TEXT), draw(st.booleans())))
    return found


def hexed(value, upper):
    return value.hex().upper() if upper else value.hex()


def written(form, found):
    """The entries as a list of that format."""
    if form == "plain":
        return "\n".join(f"{s} {hexed(v, u)}" for s, v, _, _, u in found)
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";")
        writer.writerow(["id", "signal_type", "value", "category"])
        writer.writerows([i, s, hexed(v, u), c] for s, v, i, c, u in found)
        return out.getvalue()
    if form == "wide":
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(["md5", "sha1", "sha256", "pdq", "uuid", "category"])
        for s, v, i, c, u in found:
            writer.writerow(
                [hexed(v, u) if s == n else "" for n in ("md5", "sha1", "sha256", "pdq")] + [i, c]
            )
        return out.getvalue()
    if form == "vics":
        media = [
            {"MediaID": i, "Category": "1", "AlternativeHashes": [{"HashName": s, "HashValue": hexed(v, u)}]}
            for s, v, i, _, u in found
        ]
        return json.dumps({"odata.metadata": "x/1.1.xml#Media", "value": media})
    rows = [{"id": i, s: hexed(v, u), "category": c} for s, v, i, c, u in found]
    return json.dumps(rows, indent=1) if form == "json" else "\n".join(map(json.dumps, rows))


@pytest.mark.parametrize("form", ["plain", "csv", "wide", "vics", "json", "jsonl"])
@given(found=entries(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_is_written_is_read(form, found, encoding, tmp_path_factory, ours):
    path = tmp_path_factory.mktemp("list") / "list"
    path.write_bytes(written(form, found).encode(encoding))
    read = list(read_list(path, ListOptions(profile={1: "c"} if form == "vics" else None), signals=ours))
    assert not [row for row in read if isinstance(row, BadRow)]
    assert [(e.signal, e.value) for e in read] == [(s, v) for s, v, *_ in found]
    if form != "plain":
        assert [e.entry_id for e in read] == [i.strip() for _, _, i, _, _ in found]
    if form not in ("plain", "vics"):
        assert [e.category for e in read] == [c.strip() for _, _, _, c, _ in found]


@pytest.mark.parametrize("form", ["plain", "csv", "jsonl", "json"])
def test_strict_names_the_first_bad_rows_and_counts_all(form, write, value, ours):
    texts = [value("md5", n).hex() if n % 3 else "bad" for n in range(60)]
    content = {
        "plain": "\n".join(texts),
        "csv": "md5,id\n" + "".join(f"{t},{n}\n" for n, t in enumerate(texts)),
        "jsonl": "\n".join(json.dumps({"md5": t}) for t in texts),
        "json": json.dumps([{"md5": t} for t in texts]),
    }[form]
    path = write(content)
    with pytest.raises(ListError, match="20 bad rows: row") as error:
        list(read_list(path, ListOptions(strict=True), signals=ours))
    first = 2 if form == "csv" else 1
    assert f"row {first} " in str(error.value)
    assert f"row {first + 3} " in str(error.value)
    assert not any(t in str(error.value) for t in texts if t != "bad")
    # and without strict, or without bad rows, nothing is refused
    assert len(list(read_list(path, signals=ours))) == 60
    good = write("\n".join(t for t in texts if t != "bad"), "good")
    assert len(list(read_list(good, ListOptions(strict=True), signals=ours))) == 40


def test_a_plugins_reason_that_quotes_the_text_is_not_passed_on(write, ours):
    from dataclasses import replace

    def quoting(text):
        raise ValueError(f"cannot read {text}")

    signals = {**ours, "md5": replace(ours["md5"], parse=quoting)}
    (bad,) = read_list(write("md5 secretsecretsecret"), signals=signals)
    assert bad == BadRow(1, "md5: cannot be parsed")


def test_a_signal_with_its_own_text_form(write, value, with_photodna):
    text = base64.b64encode(value("photodna", 1)).decode()
    path = write(f"id,PhotoDNA\n1,{text}\n2,{text[:-4]}\n")
    good, bad = read_list(path, signals=with_photodna)
    assert (good.value, bad.row) == (value("photodna", 1), 3)


def test_memory_does_not_grow_with_the_list(tmp_path, value, ours):
    def listed(n):
        path = tmp_path / "list.csv"
        with path.open("w") as file:
            file.write("id,md5,category\n")
            for k in range(n):
                file.write(f"id-{k},{k:032x},A1\n")
        return path

    def read(path):
        for _ in read_list(path, signals=ours):
            pass

    short, long = listed(40_000), listed(120_000)
    limit = 1.3 * peak_of(lambda: read(short))
    assert peak_of(lambda: read(long), limit) < limit


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_file_is_refused(form, write, ours):
    with pytest.raises(ListError, match="empty"):
        list(read_list(write(b""), ListOptions(format=form), signals=ours))


def test_options_that_make_no_sense():
    with pytest.raises(ListError, match="no list format"):
        ListOptions(format="xlsx")
    with pytest.raises(ListError, match="one character"):
        ListOptions(delimiter="::")


def test_garbage_in_the_signal_column_does_not_pile_up(write, ours):
    path = write("signal_type,value\n" + "".join(f"name{n},x\n" for n in range(1000)))
    found = list(read_list(path, signals=ours))
    assert sum(isinstance(row, Entry) for row in found) == 64
    assert sum(isinstance(row, BadRow) for row in found) == 936
