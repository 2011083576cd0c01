"""Banks in the database, and each node's searchable view of them.

Promises: a change is in force on the node that made it as soon as ``applied`` returns, on the others with
their next ``poll``, without a pause in matching; what a node could not load or cannot ask for, its view's
``unchecked`` names. Takes changes as functions of a connection in the caller's transaction, and list files.
Gives immutable views that a ``Screener`` asks. Must never show a value or a source's id in a message, a log
or a ``repr``, and never answer from banks that it knows to be out of date without saying so.

``docs/banks.md`` tells operators; ``docs/decisions/live-banks-*.md`` why it is built so.
"""

from nightlamp.banks.live.counter import Mark, current_generation, current_mark, next_generation
from nightlamp.banks.live.editing import (
    StoredBank,
    all_banks,
    count_entries,
    create_bank,
    delete_bank,
    disable_bank,
    enable_bank,
    find_bank,
    get_bank,
    rename_bank,
    set_trust,
)
from nightlamp.banks.live.entries import (
    Added,
    StoredEntry,
    add_entries,
    find_entries,
    get_entries,
    page_entries,
    remove_entries,
    set_disputed,
    still_stand,
)
from nightlamp.banks.live.lists import Imported, export_bank, import_list
from nightlamp.banks.live.node import LiveBanks, Status
from nightlamp.banks.live.owned import GONE, Kept, Value, Wanted, owned_rows, set_owned, weakens
from nightlamp.banks.live.view import View

__all__ = [
    "GONE",
    "Added",
    "Imported",
    "Kept",
    "LiveBanks",
    "Mark",
    "Status",
    "StoredBank",
    "StoredEntry",
    "Value",
    "View",
    "Wanted",
    "add_entries",
    "all_banks",
    "count_entries",
    "create_bank",
    "current_generation",
    "current_mark",
    "delete_bank",
    "disable_bank",
    "enable_bank",
    "export_bank",
    "find_bank",
    "find_entries",
    "get_bank",
    "get_entries",
    "import_list",
    "next_generation",
    "owned_rows",
    "page_entries",
    "remove_entries",
    "rename_bank",
    "set_disputed",
    "set_owned",
    "set_trust",
    "still_stand",
    "weakens",
]
