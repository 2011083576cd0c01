"""Feeds of lists in files, added over the API: only from the folder that is meant for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.server.conftest import Start


@pytest.mark.parametrize(
    ("kind", "config", "status"),
    [
        ("list", {"url": "file:///etc/passwd"}, 422),
        ("list", {"url": "FILE:///etc/passwd"}, 422),
        ("vics", {"path": "/etc", "profile": "uk"}, 422),
        ("nsrl", {"path": "FOLDER/../x"}, 422),
        ("pytx-state", {"path": "/etc/x.pickle"}, 422),
        ("nsrl", {"path": "FOLDER/nsrl.db"}, 201),
        ("list", {"url": "file://FOLDER/list.txt"}, 201),
        ("list", {"url": "https://lists.example/x"}, 201),
    ],
)
def test_a_list_is_read_from_the_folder_for_lists_alone(
    kind: str, config: dict[str, str], status: int, start: Start, sqlite_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    service = start(sqlite_url, feeds={"lists_dir": folder})
    given = {key: text.replace("FOLDER", str(folder)) for key, text in config.items()}

    answer = service.post("/v1/feeds", json={"name": "x", "kind": kind, "bank": "x", "config": given})

    assert answer.status_code == status, answer.text


def test_without_such_a_folder_from_none(start: Start, sqlite_url: str, tmp_path: Path) -> None:
    service = start(sqlite_url)
    given = {"name": "x", "kind": "nsrl", "bank": "x", "config": {"path": str(tmp_path / "x.db")}}

    assert service.post("/v1/feeds", json=given).status_code == 422
