"""The work of power.py: the noise that is known, and the table of seeds or of differences that follows from it."""

from collections.abc import Sequence

from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.pilot import networks_of, noises, read_pilot
from safmn_bench.ablations.judging.power import FEW, Line, Noise, lines_of_difference, lines_of_seeds
from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.stats.options import PowerOptions
from safmn_bench.profiling.common.console import print_table
from safmn_bench.profiling.common.layout import counted, say

_GIVEN = ("any benchmark", HEADLINE)


def lines_of(options: PowerOptions, networks: int, known: dict[tuple[str, str], Noise]) -> list[Line]:
    """The table: a difference's seeds, or the differences that numbers of seeds find, on each benchmark."""
    lines = []
    for (dataset, metric), noise in known.items():
        if options.detect is not None:
            lines += lines_of_difference(dataset, metric, noise, networks, options.detect, options.chance)
        else:
            lines += lines_of_seeds(dataset, metric, noise, networks, options.seeds, options.chance)
    return lines


def known_noise(options: PowerOptions) -> tuple[int, dict[tuple[str, str], Noise]]:
    """How many networks are planned, and the noise by benchmark and metric."""
    if options.sd is not None:
        freedom = options.freedom if options.freedom is not None else _EXACT
        return options.networks or 2, {_GIVEN: Noise(run=Deviation(sd=options.sd, freedom=freedom))}
    assert options.runs is not None  # or --sd, says the parser
    records = read_pilot(options.runs)
    known = noises(records, options.baseline)
    if options.detect is not None:  # in dB
        known = {where: noise for where, noise in known.items() if METRICS[where[1]].unit == "dB"}
    return options.networks or len(networks_of(records)), known


_EXACT = 10**6  # degrees of freedom of a standard deviation that is taken as known


def show(lines: Sequence[Line], known: dict[tuple[str, str], Noise], chance: float) -> None:
    """The table on the terminal, the deviations that it starts from below it."""
    header = ["benchmark", "metric", "judged", "seeds", "95 %", "difference", "95 %"]
    title = f"What is found in {chance:.0%} of cases, two-sided 5 %, {counted(lines[0].networks, 'network')}"
    print_table(title, header, [_cells(line) for line in lines], text_columns=3)
    for (dataset, metric), noise in known.items():
        low, high = noise.run.interval()
        few = f" Few degrees of freedom (below {FEW}): the figures above are rough." if noise.run.freedom < FEW else ""
        say(
            f"{dataset}, {METRICS[metric].label}: a run scatters by {noise.run.sd:.4f} ({low:.4f} to {high:.4f}, "
            f"{counted(noise.run.freedom, 'degree')} of freedom); a network's taste for single images by "
            f"{noise.taste_sd:.4f} on {counted(noise.images, 'image')}.{few}"
        )


def _cells(line: Line) -> list[str]:
    judged = "alone" if line.comparisons == 1 else f"among {line.comparisons} (Holm)"
    asked = line.detectable_low is None
    seeds = "no number" if line.seeds is None else str(line.seeds)
    ends = [line.seeds_low, line.seeds_high] if asked else [line.detectable_low, line.detectable_high]
    between = " to ".join("none" if each is None else f"{each:.4g}" for each in ends)
    shown = f"{line.detectable:.4f}" if line.detectable is not None else "-"
    return [
        line.dataset, METRICS[line.metric].label, judged, seeds, between if asked else "", shown,
        "" if asked else between,
    ]  # fmt: skip
