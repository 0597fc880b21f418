"""The score of NTIRE's challenge on efficient super-resolution, from its published figures and from times of our own.

Score = sum over time, FLOPs and parameters of weight x exp(2 x ratio to the year's baseline), lower is better: the
baseline's is e^2 = 7.389. FLOPs and parameters are counted here at the challenge's LR size, 256x256, by fvcore as the
challenge does. Times compare only within one call of latency.py, so each has its own baseline there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safmn_bench.analysis.stats.entries import Value
from safmn_bench.analysis.stats.profiles import Profiles, number
from safmn_bench.analysis.tabular.table import MEASURED, PUBLISHED, Column, Piece, Row, Table
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.errors import UserError, normalised
from safmn_bench.models.names import find_candidate, network_key
from safmn_bench.profiling.common.paper import read_table
from safmn_bench.profiling.counting.flops import Complexity, count, counted_at

_LR_SIDE = 256
_SETTING = ("hardware", "threads", "device", "implementation", "dtype", "protocol", "lr_width", "lr_height")
_SETS = {"valid": "DIV2K_LSDIR_valid", "test": "DIV2K_LSDIR_test"}


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One year's rules, from the organisers' repository."""

    baseline: str
    time: float
    flops: float
    params: float
    """Weights of the three terms; they sum to 1."""
    least_psnr_rgb_db: Mapping[str, float]
    """By set, below which a network is not ranked."""


_LEAST = {"valid": 26.90, "test": 26.99}
CHALLENGES = {
    2025: Challenge(baseline="efdn", time=0.7, flops=0.15, params=0.15, least_psnr_rgb_db=_LEAST),
    2026: Challenge(baseline="span_ntire26", time=0.8, flops=0.1, params=0.1, least_psnr_rgb_db=_LEAST),
}


def score(challenge: Challenge, *, time: float, flops: float, params: float) -> float:
    """The final score of a network by its ratios to the baseline."""
    weighted = ((challenge.time, time), (challenge.flops, flops), (challenge.params, params))
    return sum(weight * math.exp(2 * ratio) for weight, ratio in weighted)


def ntire_table(year: int, profiles: Profiles) -> Table:
    """Published rows of a year, and every network that latency.py timed beside the year's baseline.

    Raises UserError where the baseline was not timed in the same call.
    """
    challenge = CHALLENGES[year]
    rows = [_published_row(row, challenge, year) for row in read_table("ntire.csv") if row["year"] == str(year)]
    settings: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in profiles.latency:
        if row["scale"] == "4" and row["median_ms"]:
            settings.setdefault(tuple(row.get(key) or "?" for key in _SETTING), []).append(row)
    counts = {row["model"]: _counted(row["model"]) for timed in settings.values() for row in timed}
    for i, timed in enumerate(settings.values(), start=1):
        rows += _measured_rows(timed, challenge, counts, profiles, str(i))
    return Table(
        heading=f"NTIRE {year}.",
        title=f"Score of NTIRE {year}'s challenge on efficient super-resolution, x4: published, and measured here.",
        fields=[column.pieces[0].key for column in _columns()],
        columns=_columns(),
        rows=rows,
        notes=[*_rules(challenge), *(_setting(timed) for timed in settings), *_uncounted(counts)],
    )


def _published_row(row: Mapping[str, str], challenge: Challenge, year: int) -> Row:
    (base,) = [
        entry for entry in read_table("ntire.csv")
        if entry["year"] == str(year) and network_key(entry["method"]) == challenge.baseline
    ]  # fmt: skip
    columns = {"time": "avg_time_ms", "flops": "flops_g", "params": "params_m"}
    final = score(challenge, **{term: float(row[c]) / float(base[c]) for term, c in columns.items()})
    figures: dict[str, Value] = {f"paper_{key}": row[key] or None for key in row if key not in ("year", "method")}
    return Row(values={"method": row["method"], **figures, "paper_score": f"{final:.3f}"}, section="0")


def _measured_rows(
    timed: Sequence[Mapping[str, str]],
    challenge: Challenge,
    counts: Mapping[str, Complexity],
    profiles: Profiles,
    section: str,
) -> list[Row]:
    own = [row for row in timed if network_key(row["model"]) == challenge.baseline]
    if not own:
        raise UserError(
            f"The score needs the baseline {challenge.baseline} timed in the same call, in the same form, as "
            f"{timed[0]['model']} ({timed[0].get('implementation') or '?'}): add it to latency.py --models."
        )
    base, base_ms = counts[own[0]["model"]], _ms(own[0])
    rows = []
    for row in timed:
        counted, time = counts[row["model"]], _ms(row)
        ratios = {
            "time": time / base_ms,
            "flops": counted.flops / base.flops,
            "params": counted.params / base.params,
        }
        values: dict[str, Value] = {
            "method": MODELS[row["model"]].label if row["model"] in MODELS else row["model"],
            "measured_implementation": row.get("implementation"),
            "measured_params": counted.params,
            "measured_flops": counted.flops,
            "measured_acts": counted.acts,
            "measured_time_ms": time,
            **{f"measured_{term}_ratio": ratio for term, ratio in ratios.items()},
            "measured_score": score(challenge, **ratios),
            "measured_eligible": _eligible(row["model"], challenge, profiles),
        }
        rows.append(Row(values=values, section=section, ranked_with=section))
    return sorted(rows, key=lambda row: float(str(row.values["measured_score"])))


def _ms(row: Mapping[str, str]) -> float:
    """The time that the row's protocol reports: the challenge's is a mean over images, ours a median."""
    return float((row.get("mean_ms") if row.get("protocol") == "ntire" else None) or row["median_ms"])


def _counted(model: str) -> Complexity:
    return count(*counted_at(find_candidate(model).build(4), _LR_SIDE, _LR_SIDE))


def _eligible(model: str, challenge: Challenge, profiles: Profiles) -> str | None:
    """Yes or no where evaluate.py scored RGB on one of the challenge's sets; None where it did not."""
    reached = [
        psnr >= challenge.least_psnr_rgb_db[key]
        for row in profiles.scores
        for key, name in _SETS.items()
        if network_key(row["model"]) == network_key(model)
        and normalised(row["dataset"]) == normalised(name)
        and (psnr := number(row.get("psnr_rgb_db"))) is not None
    ]
    return None if not reached else "yes" if all(reached) else "no"


def _columns() -> list[Column]:
    published = {
        "valid_psnr_rgb_db": ("PSNR, valid", "RGB [dB]"),
        "test_psnr_rgb_db": ("PSNR, test", "RGB [dB]"),
        "params_m": ("params", "[M]"),
        "flops_g": ("FLOPs (MACs)", "[G]"),
        "acts_m": ("acts", "[M]"),
        "avg_time_ms": ("time", "[ms]"),
        "score": ("score", ""),
    }
    columns = [Column(title="method", pieces=[Piece(key="method")])]
    columns += [
        Column(title=title, unit=unit, pieces=[Piece(key=f"paper_{key}")], band=PUBLISHED)
        for key, (title, unit) in published.items()
    ]
    pieces = [
        ("form", "", Piece(key="measured_implementation")),
        ("params", "[M]", Piece(key="measured_params", digits=3, unit=1e6)),
        ("FLOPs (MACs)", "[G]", Piece(key="measured_flops", digits=2, unit=1e9)),
        ("acts", "[M]", Piece(key="measured_acts", digits=2, unit=1e6)),
        ("time", "[ms]", Piece(key="measured_time_ms", digits=2, better=-1)),
        ("time", "of baseline", Piece(key="measured_time_ratio", digits=3)),
        ("FLOPs", "of baseline", Piece(key="measured_flops_ratio", digits=3)),
        ("params", "of baseline", Piece(key="measured_params_ratio", digits=3)),
        ("score", "", Piece(key="measured_score", digits=3, better=-1)),
        ("PSNR suffices", "", Piece(key="measured_eligible")),
    ]
    return columns + [Column(title=t, unit=u, pieces=[piece], band=MEASURED) for t, u, piece in pieces]


def _rules(challenge: Challenge) -> list[str]:
    least = challenge.least_psnr_rgb_db
    return [
        f"Score: {challenge.time:g} x exp(2 x time) + {challenge.flops:g} x exp(2 x FLOPs) + {challenge.params:g} x "
        f"exp(2 x parameters), each as a ratio to {MODELS[challenge.baseline].label}, whose score is 7.389; lower is "
        f"better. A network is ranked from {least['valid']:.2f} dB on DIV2K_LSDIR_valid and {least['test']:.2f} dB on "
        "DIV2K_LSDIR_test up (RGB); give the CSV of evaluate.py --metrics psnr_rgb_db on them.",
        "Published: the organisers' figures, on an NVIDIA RTX A6000; their score is computed here from them. A "
        "published network may warm up in its constructor (the baseline of 2026 does): its first image is then faster "
        "than another's. Measured: none of ours does, all are warmed up alike, or none (--protocol ntire).",
        "What the score cannot say: operators that fvcore does not count are free in it, and a CUDA operator hides all "
        "that is in it: SPANv2's published 1.59 G are 9.11 G.",
    ]


def _setting(setting: tuple[str, ...]) -> str:
    facts = dict(zip(_SETTING, setting, strict=True))
    return (
        f"Measured on {facts['hardware']}, {facts['threads']} threads, {facts['implementation']} {facts['dtype']}, LR "
        f"{facts['lr_width']}x{facts['lr_height']}, protocol {facts['protocol']}."
    )


def _uncounted(counts: Mapping[str, Complexity]) -> list[str]:
    return [
        f"Not counted in {model}: {', '.join(f'{name} ({calls})' for name, calls in cost.uncounted_ops.items())}."
        for model, cost in counts.items()
    ]
