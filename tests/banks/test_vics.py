from __future__ import annotations

import base64
import json

import pytest

from nightlamp.banks import BadRow, Entry, ListOptions, inspect_list, read_list
from nightlamp.errors import ListError

METADATA = "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media"


def media(value, n, category, **more):
    return {
        "odata.id": f"Media({n})",
        "MediaID": n,
        "Category": category,
        "MD5": value("md5", n).hex().upper(),
        "VictimIdentified": "False",
        "IsPrecategorized": "true",
        "IsSuspected": None,
        "MediaSize": "123",
        "Miniature": "QUJD" * 1000,
        "Exifs": [{"MD5": value("md5", "exif").hex(), "PropertyName": "x", "PropertyValue": "y"}],
        **more,
    }


def document(items, context="odata.metadata", cases=False):
    items = [{"CaseID": "c", "Media": items, "CaseNumber": "1"}] if cases else items
    address = METADATA.replace("#Media", "#Cases") if cases else METADATA
    return {context: address, "value": items}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("context", ["odata.metadata", "@odata.context"])
@pytest.mark.parametrize("cases", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
def test_media_and_cases(mark, context, cases, indent, write, value, ours):
    items = [media(value, 1, 1), media(value, 2, "2"), media(value, 3, 5), media(value, 4, 8)]
    content = json.dumps(document(items, context, cases), indent=indent).encode()
    path = write(mark + content)
    assert list(read_list(path, ListOptions(profile="us"), signals=ours)) == [
        Entry("md5", value("md5", 1), "1", "csam", row=1),
        Entry("md5", value("md5", 2), "2", "exploitive or age difficult", row=2),
    ]
    found = inspect_list(path, ListOptions(profile="us"), signals=ours)
    assert (found.format, found.rows, found.bad) == ("vics", 4, 0)
    assert found.ignored == {"category 5 (non-pertinent)": 1, "category 8 (known file)": 1}


def test_a_profile_is_never_assumed(write, value, ours):
    path = write(json.dumps(document([media(value, 1, 1)])))
    with pytest.raises(ListError, match="category profile"):
        list(read_list(path, signals=ours))
    with pytest.raises(ListError, match="no category profile 'mars'"):
        list(read_list(path, ListOptions(profile="mars"), signals=ours))


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("us", {1: "csam", 2: "exploitive or age difficult", 3: "cgi or animation"}),
        ("UK", {1: "A", 2: "B", 3: "C"}),
        ("CAID_UK", {1: "A", 2: "B", 3: "C"}),
        ("canada", {1: "csam", 2: "canada 2", 3: "canada 3"}),
        ({1: "one", "2": "two", 0: None}, {1: "one", 2: "two"}),
    ],
)
def test_profiles(profile, expected, write, value, ours):
    path = write(json.dumps(document([media(value, n, n) for n in range(10)])))
    found = list(read_list(path, ListOptions(profile=profile), signals=ours))
    assert {int(r.entry_id): r.category for r in found if isinstance(r, Entry)} == expected
    # what a profile does not name is a bad row, never passed over
    inspection = inspect_list(path, ListOptions(profile=profile), signals=ours)
    assert sum(inspection.entries.values()) + sum(inspection.ignored.values()) + inspection.bad == 10
    assert 9 in {bad.row - 1 for bad in inspection.bad_rows}


def test_all_hashes_of_a_media_object(write, value, with_photodna):
    dna = value("photodna", 1)
    item = media(
        value,
        1,
        1,
        SHA1=value("sha1", 1).hex(),
        PhotoDNA=base64.b64encode(dna).decode(),
        AlternativeHashes=[
            {"HashName": "PhotoDNA", "HashValue": base64.b64encode(dna).decode()},
            {"HashName": "PDQ", "HashValue": value("pdq", 1).hex()},
            {"HashName": "???", "HashValue": "x"},
        ],
        MediaFiles=[{"MD5": value("md5", 1).hex(), "FileName": "a"}, {"MD5": value("md5", 9).hex()}],
    )
    path = write(json.dumps(document([item])))
    found = list(read_list(path, ListOptions(profile="us"), signals=with_photodna))
    assert {(r.signal, r.value) for r in found if isinstance(r, Entry)} == {
        ("md5", value("md5", 1)),
        ("md5", value("md5", 9)),
        ("sha1", value("sha1", 1)),
        ("photodna", dna),
        ("pdq", value("pdq", 1)),
    }
    assert len(found) == 6
    assert BadRow(1, "not the name of a signal") in found


def test_photodna_without_the_plugin_is_kept_as_it_stands(write, value, ours):
    text = base64.b64encode(value("photodna", 1)).decode()
    path = write(json.dumps(document([media(value, 1, 1, PhotoDNA=text)])))
    entry = next(
        r for r in read_list(path, ListOptions(profile="us"), signals=ours) if r.signal == "photodna"
    )
    assert (entry.value, entry.parsed) == (text.encode(), False)
    assert inspect_list(path, ListOptions(profile="us"), signals=ours).not_installed == {"photodna": 1}


def test_known_files_in_caid_form_are_no_hits(write, value, ours):
    items = [
        {"MediaID": n, "Category": 8, "MediaFiles": [{"FileName": "f", "MD5": value("md5", n).hex()}]}
        for n in range(50)
    ]
    content = {"odata.metadata": METADATA.replace("1.3", "1.2"), "value": items}
    found = inspect_list(write(json.dumps(content)), ListOptions(profile="uk"), signals=ours)
    assert (found.entries, found.ignored) == ({}, {"category 8 (known file)": 50})


@pytest.mark.parametrize("bare", ["array", "no metadata", "value first"])
def test_media_objects_never_pass_for_a_plain_list(bare, write, value, ours):
    items = [media(value, n, 8) for n in range(3)]
    content = {
        "array": items,
        "no metadata": {"value": items},
        "value first": {"value": items, "odata.metadata": METADATA},
    }[bare]
    with pytest.raises(ListError, match="category profile"):
        list(read_list(write(json.dumps(content)), signals=ours))


@pytest.mark.parametrize("form", [None, "json", "jsonl"])
def test_media_objects_behind_a_long_start_are_seen_too(form, write, value, ours):
    # given: nothing of the first 64 KiB tells what this is
    item = {"Miniature": "QUJD" * 50_000, **media(value, 1, 8)}
    path = write(json.dumps(item if form == "jsonl" else {"value": [item]}))
    with pytest.raises(ListError, match="profile"):
        list(read_list(path, ListOptions(format=form), signals=ours))


@pytest.mark.parametrize("category", [None, "", True, [], {}, "one", -1, 1e300, "9" * 50])
def test_a_category_that_makes_no_sense_is_a_bad_row(category, write, value, ours):
    path = write(json.dumps(document([media(value, 1, category), media(value, 2, 1.0)])))
    found = list(read_list(path, ListOptions(profile="us"), signals=ours))
    assert [type(r) for r in found] == [BadRow, Entry]


def test_contradicting_flags_do_not_matter(write, value, ours):
    flags = {"IsPrecategorized": False, "TotalMediaFiles": 0, "IsSuspected": "True"}
    path = write(json.dumps(document([media(value, 1, 1, **flags)])))
    assert len(list(read_list(path, ListOptions(profile="us"), signals=ours))) == 1
