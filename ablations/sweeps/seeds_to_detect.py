"""How many seeds a sweep needs to find a difference, by the noise of other runs: `--detect 0.03 --pilot DIR`."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from safmn_bench.ablations.judging.pilot import noises, read_pilot
from safmn_bench.ablations.judging.power import CHANCE, FEW, Line, lines_of_difference
from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common.layout import counted, say


def with_seeds(options: RunOptions, candidates: Sequence[Candidate]) -> RunOptions:
    """The options with seeds 0, 1, ... as many as the difference needs among all candidates; says so on stderr.

    Raises UserError where the pilot runs tell no noise, or no number of seeds finds the difference.
    """
    if options.detect is None or options.pilot is None:
        return options
    known = {dataset: noise for (dataset, metric), noise in noises(read_pilot(options.pilot)).items()
             if metric == HEADLINE}  # fmt: skip
    dataset = max(known, key=lambda name: known[name].images)
    networks, unit = max(2, len(candidates)), METRICS[HEADLINE].unit
    lines = lines_of_difference(dataset, HEADLINE, known[dataset], networks, options.detect)
    family = lines[-1]
    if family.seeds is None:
        raise UserError(
            f"--detect {options.detect:g}: no number of seeds finds {options.detect:g} {unit} on {dataset} "
            f"({known[dataset].images} images), where other images would give other differences. Score on more images, "
            "or ask for a larger difference."
        )
    say(f"note: {_told(options.detect, lines, unit)}", sys.stderr)
    return replace(options, seeds=tuple(range(family.seeds)), detect=None, pilot=None)


def _told(difference: float, lines: Sequence[Line], unit: str) -> str:
    family, alone = lines[-1], lines[0]
    most = "over a thousand" if family.seeds_high is None else family.seeds_high
    few = ", few runs, so it may be off by half or double" if family.freedom < FEW else ""
    text = (
        f"{difference:g} {unit} on {family.dataset} is found in {CHANCE:.0%} of cases with "
        f"{counted(family.seeds or 0, 'seed')} of each network ({family.seeds_low} to {most} by the interval of the "
        f"pilot's noise, {family.run_sd:.4f} {unit} on {family.freedom} degrees of freedom{few})"
    )
    if family.comparisons > 1:
        text += f" among {family.comparisons} comparisons; one by itself needs {alone.seeds}"
    return f"{text}. Planned are seeds 0 to {(family.seeds or 1) - 1}."
