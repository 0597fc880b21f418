"""README.md of a study: every sentence follows by rule from the records, and no figure is typed.

The words are in templates/study.md.j2; here is what they are about, as text that needs no more escaping.
"""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from safmn_bench.ablations.judging.power import CHANCE
from safmn_bench.ablations.metrics import HEADLINE, METRICS, Metric
from safmn_bench.analysis.escaping import markdown
from safmn_bench.analysis.findings import findings as study_findings
from safmn_bench.analysis.findings.cells import DASH, chance, coefficient, correlation, judged, signed, with_interval
from safmn_bench.analysis.findings.findings import SIZE_OF_EFFECT
from safmn_bench.analysis.findings.lam import di_differences, di_scores
from safmn_bench.analysis.findings.rows import MEAN
from safmn_bench.analysis.findings.runs import Study, published, run_commands, study_command
from safmn_bench.analysis.findings.structure import ByStructure
from safmn_bench.analysis.findings.trainings import Elsewhere, Order
from safmn_bench.analysis.stats.caveats import BELOW, below_bicubic, caveat_notes, changes_of
from safmn_bench.analysis.stats.groups import BASELINE, Measured, budget_of
from safmn_bench.analysis.stats.provenance import origin
from safmn_bench.analysis.webpage.page import template

TEMPLATE = "study.md.j2"
Rows = Sequence[dict[str, Any]]


def readme(
    study: Study,
    ranking: Rows,
    budgets: Rows,
    lam: Rows,
    structure: ByStructure | None,
    figures: Sequence[str],
    others: Sequence[Elsewhere] = (),
    orders: Sequence[Order] = (),
) -> str:
    """The page, from the study, the rows of its CSV files, its figures' names, and what other trainings give."""
    headline = study_findings.headline(study)
    on_headline = [row for row in others if row.dataset == headline]
    environment = Environment(
        loader=FunctionLoader(template), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"md": markdown, "signed": signed, "names": names, "r": coefficient}
    return environment.get_template(TEMPLATE).render(
        study=study,
        recipe=study.records[0].recipe.get("name", "?"),
        budget=budget_of(study.records[0]),
        origin=origin(study.records),
        caveats=caveat_notes(study.rows, study.unfinished),
        protocols=sorted({record.protocol for record in study.records}),
        commands=run_commands(study),
        study_command=study_command(study),
        figures=figures,
        headline=headline,
        overview=compact_table(study),
        verdicts=study_findings.verdicts(study),
        decided=[row.name for row in study.rows if _stands(row, headline)],
        undecided=study_findings.undecided(study),
        chance=CHANCE,
        differences=difference_table(study),
        bicubic=study_findings.against_bicubic(study),
        worst=study_findings.worst(study),
        ranking=ranking_lines(ranking),
        order=order(ranking),
        small=study_findings.among_small(study),
        budget_table=budget_table(study, budgets),
        stability=stability(budgets),
        collapsing=study_findings.collapsing(study),
        structure=structure,
        structure_table=structure_lines(structure),
        trainings=training_words(on_headline),
        training_table=training_lines(on_headline),
        order_table=order_lines([order for order in orders if order.dataset == headline]),
        scattered=[row for row in on_headline if row.gain is not None and row.gain.own is not None],
        lone=[row.variant for row in on_headline if row.lone],
        moved=[row for row in on_headline if row.change is not None and row.change.verdict == ""],
        changes=max((row.change.family for row in on_headline if row.change is not None), default=0),
        lam=lam_lines(lam),
        lam_maps=len({(row["image"], row["window_x"], row["window_y"]) for row in lam}),
        lam_images=list(dict.fromkeys(row["image"] for row in lam)),
        lam_row=lam[0] if lam else {},
        wanted=study_findings.wanted(study),
    )


def names(values: Iterable[str]) -> str:
    """Names in a sentence."""
    marked = [f"`{value}`" if "`" not in value else markdown(value) for value in values]
    return " and ".join([", ".join(marked[:-1]), marked[-1]]) if len(marked) > 1 else "".join(marked)


def _stands(row: Measured, dataset: str) -> bool:
    comparison = row.comparisons.get((dataset, HEADLINE))
    return comparison is not None and comparison.verdict == ""


def compact_table(study: Study) -> list[list[str]]:
    """Header and rows: costs, PSNR on each benchmark, the difference on the headline one, and the published one."""
    dataset, paper = study_findings.headline(study), published(SIZE_OF_EFFECT, collapsed=True)
    header = ["variant", "params [K]", "FLOPs (MACs) [G]", "seeds"]
    header += [f"{markdown(name)} [dB]" for name in study.datasets]
    lines = [[*header, f"Δ on {markdown(dataset)} [dB]", "published Δ, DIV2K\\_val [dB]"]]
    for row in study.rows:
        record = row.records[0]
        delta = paper[row.name] - paper[BASELINE] if row.name in paper and row.name != BASELINE else None
        lines.append(
            [
                _marked(row, dataset), f"{record.params / 1e3:.2f}",
                f"{record.flops / 1e9:.2f}", str(len(row.records)), *(_mean(row, name) for name in study.datasets),
                judged(row.comparisons.get((dataset, HEADLINE))), signed(delta, 2),
            ]
        )  # fmt: skip
    return [*lines, _bicubic_line(study)]


def _marked(row: Measured, dataset: str) -> str:
    """A network's name, with what is odd about its runs."""
    return markdown(row.name) + (r"\*" if row.collapsed else "") + (BELOW if below_bicubic(row, dataset) else "")


def _mean(row: Measured, dataset: str) -> str:
    score = row.score(dataset, HEADLINE)
    return f"{score.mean:.3f}" if score else DASH


def _bicubic_line(study: Study) -> list[str]:
    bicubic = {name: scores.get(HEADLINE) for record in study.records for name, scores in record.bicubic.items()}
    scores = [DASH if (mean := bicubic.get(name)) is None else f"{mean:.3f}" for name in study.datasets]
    return ["bicubic, same images", DASH, DASH, DASH, *scores, DASH, DASH]


def difference_table(study: Study) -> list[list[str]]:
    """Header and rows: each network's PSNR minus the baseline's on every benchmark."""
    lines = [["variant", "changes", *(f"{markdown(name)} [dB]" for name in study.datasets)]]
    for row in study.rows:
        if comparisons := study_findings.headline_comparisons(row):
            cells = (judged(comparisons.get(dataset)) for dataset in study.datasets)
            lines.append([markdown(row.name), markdown(changes_of(row.records[0])), *cells])
    return lines


def structure_lines(structure: ByStructure | None) -> list[list[str]]:
    """Header and rows: each network's PSNR minus the baseline's where images repeat themselves, and elsewhere."""
    header = ["variant", "most repeated structure [dB]", "the rest [dB]"]
    return [header, *([markdown(n), judged(a), judged(b)] for n, a, b in (structure.compared if structure else ()))]


def training_words(others: Sequence[Elsewhere]) -> dict[str, dict[str, list[str]]]:
    """Training -> what differs there -> the networks that it does for."""
    words: dict[str, dict[str, list[str]]] = {}
    for row in others:
        words.setdefault(row.training, {}).setdefault(row.differs, []).append(row.variant)
    return words


def training_lines(others: Sequence[Elsewhere]) -> list[list[str]]:
    """Header and rows: what another training gains, each difference there and in the study, and how far it moves."""
    paper = published(SIZE_OF_EFFECT, collapsed=True)
    lines = [["training", "variant", "seeds", "gained", "Δ there", "Δ in the study", "moved by", "published Δ"]]
    for row in others:
        known = row.variant in paper and row.variant != BASELINE
        name = markdown(row.variant) + (r"\*" if row.status != "finished" else "")
        gain = DASH if row.gain is None else with_interval(row.gain)
        lines.append(
            [
                markdown(row.training), name, str(row.seeds), gain,
                *map(judged, (row.difference, row.study, row.change)),
                signed(paper[row.variant] - paper[BASELINE] if known else None, 2),
            ]
        )  # fmt: skip
    return lines


def order_lines(orders: Sequence[Order]) -> list[list[str]]:
    """Header and rows: how each training orders its networks, beside the study's order of the same; none where none."""
    lines = [["training", "networks", "Spearman there", "in the study", "there with the study"]]
    for order in orders:
        found = (order.there, order.study, order.both)
        lines.append([markdown(order.training), str(order.there.n), *map(correlation, found)])
    return lines if orders else []


def ranking_lines(ranking: Rows) -> list[list[str]]:
    """Header and rows of the correlation with the paper's columns."""
    lines = [["measured", "published", "variants", "Spearman", "95 % interval", "p", "one seed alone"]]
    for row in ranking:
        interval = f"{coefficient(row['ci95_low'])} to {coefficient(row['ci95_high'])}"
        alone = f"{coefficient(row['lowest_of_a_seed'])} to {coefficient(row['highest_of_a_seed'])}"
        lines.append(
            [
                f"{markdown(row['dataset'])} {METRICS[row['metric']].title}",
                markdown(_spaced(row["paper_column"], METRICS[row["metric"]])),
                str(row["variants"]), coefficient(row["spearman"]), interval if row["ci95_low"] is not None else DASH,
                chance(row["p"]), alone if row["lowest_of_a_seed"] is not None else DASH,
            ]
        )  # fmt: skip
    return lines


def _spaced(column: str, metric: Metric) -> str:
    """A column of the paper in words: `DIV2K_val_psnr` -> `DIV2K_val PSNR`."""
    return f"{column.removesuffix(f'_{metric.published}')} {metric.title}"


def order(ranking: Rows) -> dict[str, Any]:
    """How many correlations of PSNR there are, and how many lie above, below or on both sides of zero for sure."""
    intervals = [row for row in ranking if row["metric"] == HEADLINE and row["ci95_low"] is not None]
    rs = [row["spearman"] for row in ranking if row["metric"] == HEADLINE and row["spearman"] is not None]
    return {
        "compared": len(intervals),
        "above": sum(row["ci95_low"] > 0 for row in intervals),
        "below": sum(row["ci95_high"] < 0 for row in intervals),
        "least": min(rs, default=None),
        "most": max(rs, default=None),
        "variants": max((row["variants"] for row in ranking), default=0),
    }


def budget_table(study: Study, budgets: Rows) -> list[list[str]]:
    """Header and rows: Spearman of PSNR on each benchmark, by length and what it is compared with."""
    header = ["iterations", "share", "seed", "compared with", "variants", *map(markdown, study.datasets)]
    lines = [[*header, "largest change of place", "training [s]", "share of the time"]]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in budgets:
        if row["metric"] == HEADLINE:
            groups.setdefault((row["iterations"], row["seed"], row["compared_with"]), []).append(row)
    for (iterations, seed, other), rows in groups.items():
        rs = {row["dataset"]: coefficient(row["spearman"]) for row in rows}
        most = max(rows, key=lambda row: row["largest_change_of_place"])
        moved = f"{most['largest_change_of_place']:g}"
        if most["by_variant"]:
            moved += f" ({markdown(most['by_variant'])} on {markdown(most['dataset'])})"
        lines.append(
            [
                str(iterations), f"{rows[0]['share']:g}", str(seed), f"full length, {other}", str(rows[0]["variants"]),
                *(rs.get(dataset, DASH) for dataset in study.datasets), moved, f"{rows[0]['train_seconds']:.0f}",
                f"{100 * rows[0]['share_of_seconds']:.0f} %" if rows[0]["share_of_seconds"] is not None else DASH,
            ]
        )  # fmt: skip
    return lines


def stability(budgets: Rows) -> dict[str, Any]:
    """Mean coefficient over benchmarks: of each length with the mean of seeds, and of two full seeds."""
    psnr = [row for row in budgets if row["metric"] == HEADLINE and row["spearman"] is not None]
    shorter = {row["iterations"]: row["share"] for row in psnr if row["share"] < 1}
    means = {
        iterations: statistics.fmean(
            row["spearman"] for row in psnr if row["iterations"] == iterations and row["compared_with"] == MEAN
        )
        for iterations in shorter
        if any(row["iterations"] == iterations and row["compared_with"] == MEAN for row in psnr)
    }
    seeds = [row["spearman"] for row in psnr if row["share"] == 1]
    between = statistics.fmean(seeds) if seeds else None
    enough = [n for n, r in means.items() if between is not None and r >= between]
    return {"means": means, "shares": shorter, "between_seeds": between, "enough": min(enough, default=None)}


def lam_lines(lam: Rows) -> list[list[str]]:
    """Header and rows: the DI of each network over windows and seeds, and its difference from the baseline's."""
    scores = di_scores(list(lam))
    against = di_differences(scores)
    lines = [["variant", "seeds", "maps", "DI, mean", "standard deviation over maps", "each seed", "Δ DI"]]
    for name, seeds in scores.items():
        values = [value for run in seeds.values() for value in run.values()]
        each = ", ".join(f"{statistics.fmean(seeds[seed].values()):.2f}" for seed in sorted(seeds))
        spread = f"{statistics.stdev(values):.2f}" if len(values) > 1 else DASH
        counts = [str(len(seeds)), str(len(values)), f"{statistics.fmean(values):.2f}"]
        lines.append([markdown(name), *counts, spread, each, judged(against.get(name))])
    return lines
