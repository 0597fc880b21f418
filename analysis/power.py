"""How many seeds a difference needs, and what difference a number of seeds finds, from runs or a standard deviation.

python analysis/power.py --runs results/runs --detect 0.03
python analysis/power.py --sd 0.022 --networks 10 --seeds 2 3 5 10 --csv power.csv --figure power
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from safmn_bench.models.errors import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.pilot import networks_of, noises, read_pilot
from safmn_bench.ablations.judging.power import CHANCE, FEW, Line, Noise, lines_of_difference, lines_of_seeds
from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.plots import power_curves
from safmn_bench.analysis.plots.style import save, style
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.console import print_table
from safmn_bench.profiling.common.files import write_csv

SEEDS = (2, 3, 5, 10, 20)
_GIVEN = ("any benchmark", HEADLINE)


@command
def main(argv: list[str] | None = None) -> int:
    """Print the table, and write it and its figure where asked."""
    args = arguments().parse_args(argv)
    networks, known = _known(args)
    lines = []
    for (dataset, metric), noise in known.items():
        if args.detect is not None:
            lines += lines_of_difference(dataset, metric, noise, networks, args.detect, args.chance)
        else:
            lines += lines_of_seeds(dataset, metric, noise, networks, args.seeds, args.chance)
    show(lines, known, args.chance)
    if args.csv:
        write_csv(args.csv, tuple(lines[0].to_row()), [line.to_row() for line in lines])
        print(f"Written: {args.csv}")
    if args.figure:
        shown = {where: noise for where, noise in known.items() if where[1] == HEADLINE} or known
        with style():
            figure = power_curves.draw(shown, networks=networks, chance=args.chance)
            paths = save(figure, args.figure.parent, args.figure.name)
        print(f"Written: {', '.join(map(str, paths))}")
    return 0


def _known(args: argparse.Namespace) -> tuple[int, dict[tuple[str, str], Noise]]:
    """How many networks are planned, and the noise by benchmark and metric. Raises UserError: values out of range."""
    for name, holds, allowed in (
        ("--chance", 0.05 < args.chance < 1, "above 0.05 and below 1"),
        ("--seeds", min(args.seeds) >= 2, "at least 2: one seed tells no noise"),
        ("--detect", args.detect is None or args.detect > 0, "above 0"),
        ("--sd", args.sd is None or args.sd > 0, "above 0"),
        ("--networks", args.networks is None or args.networks >= 2, "at least 2, the baseline among them"),
    ):
        if not holds:
            raise UserError(f"{name} is out of range. Allowed: {allowed}.")
    if args.sd is not None:
        freedom = args.freedom if args.freedom is not None else _EXACT
        return args.networks or 2, {_GIVEN: Noise(run=Deviation(sd=args.sd, freedom=freedom))}
    records = read_pilot(args.runs)
    known = noises(records, args.baseline)
    if args.detect is not None:  # in dB
        known = {where: noise for where, noise in known.items() if METRICS[where[1]].unit == "dB"}
    return args.networks or len(networks_of(records)), known


_EXACT = 10**6  # degrees of freedom of a standard deviation that is taken as known


def show(lines: Sequence[Line], known: dict[tuple[str, str], Noise], chance: float) -> None:
    """The table on the terminal, the deviations that it starts from below it."""
    header = ["benchmark", "metric", "judged", "seeds", "95 %", "difference", "95 %"]
    title = f"What is found in {chance:.0%} of cases, two-sided 5 %, {lines[0].networks} networks"
    print_table(title, header, [_cells(line) for line in lines], text_columns=3)
    for (dataset, metric), noise in known.items():
        low, high = noise.run.interval()
        few = f" Few degrees of freedom (below {FEW}): the figures above are rough." if noise.run.freedom < FEW else ""
        print(
            f"{dataset}, {METRICS[metric].label}: a run scatters by {noise.run.sd:.4f} ({low:.4f} to {high:.4f}, "
            f"{noise.run.freedom} degrees of freedom); a network's taste for single images by {noise.taste_sd:.4f} "
            f"on {noise.images} images.{few}"
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


def arguments() -> argparse.ArgumentParser:
    """The options of power.py."""
    parser = argparse.ArgumentParser(
        prog="power", description="How many seeds a difference needs, and what difference a number of seeds finds."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--runs", type=Path, metavar="DIR", help="what run.py wrote: the noise is estimated from it")
    source.add_argument("--sd", type=float, metavar="DB", help="a run's standard deviation, if it is known")
    parser.add_argument("--freedom", type=int, metavar="N", help="degrees of freedom of --sd (default: it is exact)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--detect", type=float, metavar="DB", help="how many seeds find this difference")
    what.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--networks", type=int, metavar="N", help="that will be run, with the baseline (default: as many as in --runs)"
    )
    parser.add_argument("--baseline", default="baseline", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--chance", type=float, default=CHANCE, metavar="P", help="of the find (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table here as well")
    parser.add_argument("--figure", type=Path, metavar="NAME", help="write NAME.pdf, .svg and .png")
    return parser


if __name__ == "__main__":
    sys.exit(main())
