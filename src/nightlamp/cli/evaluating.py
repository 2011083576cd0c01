"""``nightlamp origin evaluate``: what detectors and measurements are worth on pictures of known origin."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import NoInputError, table, tell
from nightlamp.cli.options import limit_options, limits_of
from nightlamp.cli.preparing import preparing

if TYPE_CHECKING:
    from nightlamp.examine import Workers
    from nightlamp.origin.evaluation import Evaluation, Point
    from nightlamp.values import Assessment, Examination

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MARK = "watermark"


@click.command()
@click.option(
    "--real",
    type=_FOLDER,
    required=True,
    metavar="DIR",
    help="Pictures known to be no machine's, with all below.",
)
@click.option("--made", type=_FOLDER, required=True, metavar="DIR", help="Pictures known to be made by AI.")
@click.option(
    "--detector",
    "detectors",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="MANIFEST",
    help="A detector to evaluate. May be repeated.",
)
@click.option("--signals", is_flag=True, help="Evaluate watermarks and forensic measurements.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes.  [default: one a core]"
)
@limit_options
def evaluate(
    real: Path,
    made: Path,
    detectors: tuple[Path, ...],
    signals: bool,
    as_json: bool,
    workers: int | None,
    detail: Any,
    **limits: Any,
) -> None:
    """Say what detectors and measurements are worth on your own pictures, before they are relied on.

    For each: how often a made picture scores above a real one (AUC), what is found at which rate of false
    alarms, with 95 % intervals, and whether probabilities are what they say (calibration). Pictures that
    could not be examined are left out and counted; the exit status is 2 then.

    \b
    nightlamp origin evaluate --real photos/ --made generated/ --detector model.toml
    nightlamp origin evaluate --real photos/ --made generated/ --signals --json
    """
    from nightlamp.cli.origin import detectors_named
    from nightlamp.examine import Workers
    from nightlamp.origin import Asked
    from nightlamp.origin.evaluation import evaluate as evaluated

    if not detectors and not signals:
        raise click.UsageError("Missing option '--detector' or '--signals': what to evaluate")
    labels = {f"{m.name}_{m.made}" for m in detectors_named(detectors) if m.made}
    if len(labels) < len(detectors):
        raise click.UsageError("each manifest must have its own name, and say which label means made")
    scores: list[dict[str, list[float]]] = []
    counts: list[dict[str, int]] = []
    with (
        preparing(),
        Workers(workers, limits_of(limits), detail, Asked(forensics=signals, detectors=detectors)) as pool,
    ):
        for folder in (real, made):
            found: dict[str, list[float]] = {}
            count = {"pictures": 0, "not examined": 0, "not pictures": 0}
            for examination in _examined(pool, folder):
                assert examination.origin is not None, "it was asked for"
                if not examination.media_type.startswith("image/"):
                    count["not pictures"] += 1
                    continue
                given = _scores(examination.origin, labels, signals=signals)
                count["pictures"] += 1
                count["not examined"] += _incomplete(examination.origin)
                for name, score in given.items():
                    found.setdefault(name, []).append(score)
            if not found:
                raise NoInputError("no picture in it could be examined", where=str(folder))
            scores.append(found)
            counts.append(count)
    results = {
        name: evaluated(scores[0][name], scores[1][name], probabilities=name in labels)
        for name in scores[0]
        if name in scores[1]
    }
    if as_json:
        told = {name: result.to_json() for name, result in results.items()}
        click.echo(json.dumps({"real": counts[0], "made": counts[1], "scores": told}))
    else:
        for name, result in results.items():
            _show(name, result)
    missed = counts[0]["not examined"] + counts[1]["not examined"]
    if missed:
        tell(f"nightlamp: {missed} pictures were not examined, or not wholly, and are left out there")
        raise click.exceptions.Exit(2)


def _examined(pool: Workers, folder: Path) -> Iterator[Examination]:
    waiting = deque[Any]()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            waiting.append(pool.examine(path))
        if len(waiting) >= 32:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _scores(found: Assessment, labels: set[str], *, signals: bool) -> dict[str, float]:
    """A picture's scores, each so that a higher one means "made"."""
    from nightlamp.origin.forensics import MEASURES

    scores: dict[str, float] = {}
    for said in found.statements:
        if said.source == "detector":
            scores |= {n: v for n, v in said.fields if n in labels and isinstance(v, float)}
        elif said.source == "forensics" and said.says == "measured":
            for name, value in said.fields:
                if isinstance(value, float):
                    scores[name] = -value if MEASURES[name].below else value
    missed = {u.what for u in found.unchecked}
    if signals and not missed & {_MARK, "content"}:
        scores[_MARK] = float(any(said.source == _MARK for said in found.statements))
    return scores


def _incomplete(found: Assessment) -> bool:
    return any(u.what in (_MARK, "forensics", "detector", "content") for u in found.unchecked)


def _show(name: str, result: Evaluation) -> None:
    low, high = result.auc_between
    click.echo(f"{name}: {result.real} real, {result.made} made")
    click.echo(f"  AUC {result.auc:.3f} ({low:.3f} to {high:.3f}); 0.5 is chance")
    table(
        [(f"  {point.allowed:.1%}", *_cells(point)) for point in result.points],
        ("  false alarms allowed", "threshold", "false alarms", "found"),
    )
    if result.error is not None:
        click.echo(f"  calibration error {result.error:.3f}")
        table(
            [
                (f"  {b.low:.1f} to {b.high:.1f}", b.count, f"{b.score:.3f}", f"{b.made:.3f}")
                for b in result.bins
            ],
            ("  score", "pictures", "mean score", "share made"),
        )
    for note in result.notes:
        click.echo(f"  {note}")
    click.echo()


def _cells(point: Point) -> tuple[str, str, str]:
    def share(value: float, between: tuple[float, float]) -> str:
        return f"{value:.1%} ({between[0]:.1%} to {between[1]:.1%})"

    threshold = "none" if point.threshold == float("inf") else f"{point.threshold:.4g}"
    return (
        threshold,
        share(point.false_alarms, point.false_alarms_between),
        share(point.found, point.found_between),
    )
