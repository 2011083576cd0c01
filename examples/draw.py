"""Draw examples/pictures/ and examples/known.csv anew: harmless landscapes, as in `nightlamp demo`."""

from __future__ import annotations

from pathlib import Path

from nightlamp.cli.example import make_example

if __name__ == "__main__":
    make_example(Path(__file__).parent)
