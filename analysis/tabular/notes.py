"""Notes under Tables 1, 3, 4 and 6: how to read the figures, where they come from, and what is odd about them."""

import re
from collections.abc import Sequence

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.caveats import caveat_notes
from safmn_bench.analysis.stats.entries import main_setting
from safmn_bench.analysis.stats.groups import BASELINE, Measured, looks_of, twins_of
from safmn_bench.analysis.stats.profiles import Profiles, file_name
from safmn_bench.analysis.stats.provenance import collapse_notes, provenance_notes
from safmn_bench.analysis.tabular.ablation_tables import NETWORK_TABLES, PAPER_COSTS, UNITS
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.names import network_key
from safmn_bench.profiling.common.paper import compare

_PUBLISHED = (
    "Published: as printed; trained for 500,000 iterations on DIV2K and Flickr2K. Scores of other training, or on "
    "other images, do not compare with them. A dash: not measured, or not published."
)
_RIVALS = (
    "Published: costs that their authors print, for HR 1280x720. A dash: not measured, or not published. Networks that "
    "re-parameterise are counted, scored and timed as they are deployed, SPANv2 without its authors' CUDA operator."
)
_COSTS = "FLOPs are multiply-adds (MACs) as fvcore counts them; activations are the outputs of all convolutions."

INTERVAL = "Mean over runs ± half the 95 % t interval over seeds."
DEVIATION = "Mean over runs ± standard deviation over seeds."
_ASTERISK = "*: training collapsed; the scores are of weights from before."
OF_ANY_ROW = (_COSTS, _ASTERISK)
"""What holds of published figures as well."""


def notes_for(
    number: int, measured: Sequence[Measured], profiles: Profiles, unfinished: Sequence[Record] = ()
) -> list[str]:
    """All notes of a table, the general ones first."""
    general = _RIVALS if number == 6 else _PUBLISHED
    notes = [general, _COSTS, *([_ASTERISK] if number == 3 else []), *_intervals(measured), *_verdicts(measured)]
    notes += _rates(measured) + _looks(measured) + _noise_floor(measured) + _twins(measured)
    notes += provenance_notes(measured) + caveat_notes(measured, unfinished) + collapse_notes(measured)
    notes += _times(profiles) if number == 6 else []
    return notes + _scored_weights(number, profiles) + _differing_counts(number, measured, profiles)


def _scored_weights(number: int, profiles: Profiles) -> list[str]:
    """Weights that were scored as they are: not trained by a run of this table."""
    files = [
        f"{row['model']} x{row['scale']} with {file_name(row['weights'])}" for row in profiles.scores if row["weights"]
    ]
    if number not in NETWORK_TABLES or not files:
        return []
    return [f"Scored with weights from a file, by evaluate.py: {', '.join(dict.fromkeys(files))}."]


def _times(profiles: Profiles) -> list[str]:
    """The machines that the times were measured on."""
    facts = {
        f"{row.get('hardware') or '?'}, {row.get('threads') or '?'} threads, LR {row.get('lr_width')}x"
        f"{row.get('lr_height')}, torch {row.get('torch') or '?'}, {(row.get('date') or '?')[:10]}"
        for row in profiles.latency
    }
    return [f"Times: medians of interleaved rounds on {'; '.join(sorted(facts))}."] if facts else []


def _intervals(measured: Sequence[Measured]) -> list[str]:
    if not any(len(row.records) > 1 for row in measured):
        return []
    return [INTERVAL]


def _verdicts(measured: Sequence[Measured]) -> list[str]:
    """How differences from the baseline were judged, and over how many at once."""
    family = max((comparison.family for row in measured for comparison in row.comparisons.values()), default=0)
    if not family:
        return []
    return [
        "Δ: minus the baseline of the same setting, ± half the 95 % interval of a test paired over seeds and images "
        "(crossed random effects, scatter over seeds pooled over all networks of that setting). n.s. (d): p >= 0.05; "
        "a difference of d would have been found by itself in 80 % of cases. "
        "(alone): p < 0.05 by itself, not so once corrected for all of them on that benchmark "
        f"({family} compared; Holm). untested: one seed only."
    ]


def _rates(measured: Sequence[Measured]) -> list[str]:
    """The meaning of the columns at own rates, where there are such."""
    rates = {row.name: row.rate for row in measured if row.rate is not None}
    if not rates:
        return []
    told = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
    return [
        f"At own rates: each network, the baseline too, at the multiple of the recipe's learning rate ({told}) that "
        "did best on training images held out for that, with a seed that is not judged; no benchmark was read for it."
    ]


def _looks(measured: Sequence[Measured]) -> list[str]:
    """That seeds were added by what was found, and what p values are then."""
    looks = looks_of([row for row in measured if row.setting == main_setting(measured)])
    if looks is None:
        return []
    return [
        f"Seeds were added, from {looks.first} up to {looks.most}, to networks not told from the baseline yet. p and "
        "verdicts hold for all these looks together (level spent by O'Brien and Fleming's rule, Lan & DeMets 1983); "
        "intervals are those of the last look by itself."
    ]


def _noise_floor(measured: Sequence[Measured]) -> list[str]:
    """A run's standard deviation on each benchmark, of the setting of most runs."""
    rows = [row for row in measured if row.setting == main_setting(measured)]
    deviations = {
        dataset: comparison.run
        for row in rows
        for (dataset, metric), comparison in row.comparisons.items()
        if metric == HEADLINE and comparison.run is not None
    }
    if not deviations:
        return []
    unit, digits = METRICS[HEADLINE].unit, METRICS[HEADLINE].digits.table + 1
    parts = [
        f"{run.sd:.{digits}f} {unit} on {dataset} (95 %: {run.interval()[0]:.{digits}f} to "
        f"{run.interval()[1]:.{digits}f}; {run.freedom} degrees of freedom)"
        for dataset, run in deviations.items()
    ]
    return [f"Noise floor: the standard deviation of a run, its network and seed apart, is {', '.join(parts)}."]


def _twins(measured: Sequence[Measured]) -> list[str]:
    """Networks that compute the same, within the setting of most runs."""
    twin_of = twins_of([row for row in measured if row.setting == main_setting(measured)])
    same = [f"{name} computes what {twin} computes, to rounding" for name, twin in twin_of.items()]
    return [f"Counted once among the comparisons: {'; '.join(same)}."] if same else []


def _differing_counts(number: int, measured: Sequence[Measured], profiles: Profiles) -> list[str]:
    """Counts that do not print as published, with the reason where one is known: one note, equal reasons together."""
    scales: dict[tuple[str, str], dict[str, None]] = {}
    for name, scale, reason in [*_from_complexity(profiles), *_from_runs(number, measured)]:
        scales.setdefault((name, reason), {})[f"x{scale}"] = None
    parts = [f"{name} {', '.join(at)}: {in_words(reason)}" for (name, reason), at in scales.items()]
    return [f"Counted otherwise than published: {'; '.join(parts)}."] if parts else []


_REASONS = re.compile(rf"; (?=(?:{'|'.join(PAPER_COSTS.values())}): )")  # between reasons, not within one


_WORDS = {"params_k: ": "parameters: ", "flops_g: ": "FLOPs: ", "acts_m: ": "activations: "}


def in_words(reason: str) -> str:
    """A reason with the count's name for people, in place of its CSV column."""
    for column, words in _WORDS.items():
        reason = reason.replace(column, words)
    return reason


def _from_complexity(profiles: Profiles) -> list[tuple[str, str, str]]:
    """(name, scale, reason) of complexity.py's rows."""
    rows = [row for row in profiles.complexity if row.get("note")]
    return [(row["model"], row["scale"], reason) for row in rows for reason in _REASONS.split(row["note"])]


def _from_runs(number: int, measured: Sequence[Measured]) -> list[tuple[str, str, str]]:
    """(name, scale, reason) of trained networks."""
    differences = []
    for network in measured:
        record = network.records[0]
        name = MODELS[record.model].label if number in NETWORK_TABLES and record.model in MODELS else network.name
        if number in NETWORK_TABLES and record.model == "safmn" and network_key(network.name) != BASELINE:
            continue  # a variant's counts are not those of SAFMN's printed row
        counts = {"params": record.params, "flops": record.flops, "acts": record.acts}
        for cost, column in PAPER_COSTS.items():
            if reason := compare(number, name, network.scale, column, counts[cost] / UNITS[cost]):
                differences.append((name, str(network.scale), reason))
    return differences
