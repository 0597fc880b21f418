"""Caveats of measured rows, to be known before comparing them, in one sentence each: for tables, report, study.

Recipe keys that a network changes, networks that are no better than bicubic, benchmarks of one name that hold different
images, networks whose runs scatter far more than the others', and runs that failed or were stopped. Nothing is said
where there is nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.contents import differing
from safmn_bench.analysis.stats.groups import BASELINE, Measured, datasets_of, families
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.mappings import flattened
from safmn_bench.models.safmn import SAFMNConfig
from safmn_bench.models.variants import change_of
from safmn_bench.profiling.common.layout import counted

_NOT_CHANGED = ("name", "version", "train.iterations")
"""Of a recipe: what is told elsewhere, with the setting."""
BELOW = "†"
"""Marks a mean that is not above bicubic's on the same images."""


def caveat_notes(rows: Sequence[Measured], unfinished: Sequence[Record] = ()) -> list[str]:
    """Every such sentence."""
    return [*recipe_notes(rows), *bicubic_notes(rows), *identical_notes(rows), *content_notes(rows),
            *scatter_notes(rows), *ending_notes(rows, unfinished)]  # fmt: skip


def scatter_notes(rows: Sequence[Measured]) -> list[str]:
    """Networks whose runs scatter more than the others' (judging/family.py): those that stand apart, and the rest."""
    unit, digits = METRICS[HEADLINE].unit, METRICS[HEADLINE].digits.table + 1
    found = [(dataset, family) for dataset in datasets_of(rows) for family in families(rows, dataset)]
    apart = [
        f"{name} on {dataset} ({run.sd:.{digits}f} {unit}, {counted(run.freedom, 'degree')} of freedom)"
        for dataset, family in found
        for name in family.networks
        if (run := family.own_run(name)) is not None
    ]
    uneven = dict.fromkeys(name for _, family in found for name in family.uneven)
    notes = []
    if apart:
        notes.append(
            "Runs scatter far more than those of the others (F test, p < 0.001 among all networks), so judged by their "
            f"own scatter, which the others' intervals leave out: {'; '.join(apart)}."
        )
    if uneven:
        notes.append(
            "Runs scatter more than those of the others (F test, p < 0.01), so judged too lightly: "
            f"{', '.join(uneven)}."
        )
    return notes


def recipe_notes(rows: Sequence[Measured]) -> list[str]:
    """Recipe keys in which a network's runs differ from the others of their setting: one note."""
    parts: list[str] = []
    for setting in dict.fromkeys(row.setting for row in rows):
        alike = [row for row in rows if row.setting == setting]
        usual = _usual([row for row in alike if row.name == BASELINE] or alike)
        for row in alike:
            changed = {key: value for record in row.records for key, value in _recipe(record).items()
                       if key in usual and usual[key] != value}  # fmt: skip
            words = [f"{key} {_plain(value)} (others {_plain(usual[key])})" for key, value in changed.items()]
            parts += [f"{row.name} has {', '.join(words)}"] if words else []
    return [f"Recipe keys that differ: {'; '.join(parts)}."] if parts else []


def _recipe(record: Record) -> dict[str, Any]:
    return {key: value for key, value in flattened(record.recipe).items() if key not in _NOT_CHANGED}


def _usual(rows: Sequence[Measured]) -> dict[str, Any]:
    """The value of each key that most runs have."""
    recipes = [_recipe(record) for row in rows for record in row.records]
    usual: dict[str, Any] = {}
    for key in dict.fromkeys(key for recipe in recipes for key in recipe):
        values = [recipe[key] for recipe in recipes if key in recipe]
        most = Counter(map(repr, values)).most_common(1)[0][0]
        usual[key] = next(value for value in values if repr(value) == most)
    return usual


def changed_keys(record: Record, usual: Record) -> str:
    """In what a run was trained otherwise than another, with the other's values in brackets: recipe keys, iterations
    too, and training images, since a larger patch leaves out those that are smaller.
    """
    theirs = flattened(usual.recipe)
    changed = {key: value for key, value in flattened(record.recipe).items()
               if key not in ("name", "version") and theirs.get(key, value) != value}  # fmt: skip
    words = [f"{key} {_plain(value)} ({_plain(theirs[key])})" for key, value in changed.items()]
    images, usually = (one.data.get("train", {}) for one in (record, usual))
    if images.get("content") != usually.get("content"):
        ours, others = images.get("images", "?"), usually.get("images", "?")
        words.append("other training images" if ours == others else f"{ours} training images ({others})")
    return ", ".join(words)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def below_bicubic(row: Measured, dataset: str) -> tuple[float, float] | None:
    """The row's mean PSNR and bicubic's, in dB, where the first is not above the second."""
    score = row.score(dataset, HEADLINE)
    bicubic = [psnr for record in row.records if (psnr := record.bicubic.get(dataset, {}).get(HEADLINE))]
    if score is None or not bicubic or score.mean > bicubic[0]:
        return None
    return score.mean, bicubic[0]


def bicubic_notes(rows: Sequence[Measured]) -> list[str]:
    """Networks that are no better than bicubic on the same images: one note."""
    parts = [
        f"{row.name} on {dataset} ({both[0]:.2f} against {both[1]:.2f} dB)"
        for row in rows
        for dataset in datasets_of([row])
        if (both := below_bicubic(row, dataset))
    ]
    return [f"{BELOW}: no better than bicubic of the same images: {'; '.join(parts)}."] if parts else []


def identical_notes(rows: Sequence[Measured]) -> list[str]:
    """Images that a run reproduces exactly, whose PSNR is no number: one note."""
    parts = []
    for row in rows:
        for dataset in datasets_of([row]):
            images = [list(record.scores[dataset].get("images", {}).values()) for record in row.records
                      if dataset in record.scores]  # fmt: skip
            most = max(sum(image.get(HEADLINE, 0) is None for image in of_run) for of_run in images)
            parts += [f"{row.name} on {dataset} ({most} of {len(images[0])} images)"] if most else []
    return [f"Identical to HR, and left out of the mean PSNR: {'; '.join(parts)}."] if parts else []


def content_notes(rows: Sequence[Measured]) -> list[str]:
    """Benchmarks of one name that are not the same images: one note each."""
    records = [record for row in rows for record in row.records]
    notes = []
    for (dataset, scale), contents in differing(records).items():
        of = []
        for number, alike in enumerate(contents.values(), start=1):
            names = dict.fromkeys(record.variant for record in alike)
            origin = alike[0].data.get("lr", {}).get(dataset, "")
            of.append(f"#{number} {origin + ': ' if origin else ''}{', '.join(names)}")
        notes.append(
            f"{dataset} x{scale} is {len(contents)} different sets of images ({'; '.join(of)}): their scores are not "
            "averaged, compared or ranked together."
        )
    return notes


def ending_notes(rows: Sequence[Measured], unfinished: Sequence[Record]) -> list[str]:
    """How many runs there are, and how those ended that have no result: one note, where there are such."""
    if not unfinished:
        return []
    records = [record for row in rows for record in row.records]
    return [f"{tally(records, unfinished)}."]


def tally(records: Sequence[Record], unfinished: Sequence[Record], at: str = "") -> str:
    """Networks and runs, how many of these ended otherwise, and each without a result with its cause; no full stop."""
    networks = len({record.variant for record in (*records, *unfinished)})
    collapsed = sum(record.status == "collapsed" for record in records)
    counts = {"collapsed": collapsed, **Counter(record.status for record in unfinished)}
    ends = [f"{count} {word}" for word, count in counts.items() if count]
    text = f"{counted(networks, 'network')} in {counted(len(records) + len(unfinished), 'run')}{at}"
    causes = f": {'; '.join(map(failure, unfinished))}" if unfinished else ""
    return text + (f", {' and '.join(ends)}" if ends else "") + causes


def failure(record: Record) -> str:
    """A run without a result, with its cause."""
    return f"{record.variant} x{record.scale} seed {record.seed}: {record.error or 'no cause recorded'}"


def changes_of(record: Record) -> str:
    """The change that makes a network: of a known variant in its words, of one's own by its configuration."""
    if known := change_of(record.variant):
        return known
    if not record.config:
        return f"another network: {MODELS[record.model].label}" if record.model in MODELS else "another network"
    usual = asdict(SAFMNConfig())
    changed = [f"{key} {usual[key]} -> {value}" for key, value in record.config.items()
               if key in usual and usual[key] != value]  # fmt: skip
    return ", ".join(changed)
