"""From the command line to plans: which candidates, scales and seeds, on what data, by which recipe."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from safmn_bench.ablations.benchmarks import embedded_validation, open_benchmarks
from safmn_bench.ablations.devices import choose_device
from safmn_bench.ablations.placement import choose_placement
from safmn_bench.ablations.preflight import prepare_training
from safmn_bench.ablations.preparation import shown_in
from safmn_bench.ablations.recipe import Recipe, load_recipe
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.running import Plan
from safmn_bench.ablations.training_sets import open_training_sets
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import TABLE3, TABLE4, Candidate, find_candidate
from safmn_bench.profiling.display import progress


def arguments() -> argparse.ArgumentParser:
    """The options of run.py."""
    parser = argparse.ArgumentParser(
        prog="run", description="Train, score and profile variants of SAFMN and its peers."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--variant", metavar="NAME", help="one variant: a name of Tables 3 and 4, or a YAML file")
    what.add_argument("--variants", nargs="+", metavar="NAME", help="several")
    what.add_argument("--table", type=int, choices=(3, 4), help="all variants of a table of the paper")
    what.add_argument("--model", nargs="+", metavar="NAME", help="networks of Table 1, such as carn")
    parser.add_argument(
        "--recipe", metavar="NAME", help="quick, paper, or a YAML file (default: quick on a CPU, paper on a GPU)"
    )
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N", help="default: 0")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="folders of images (default: embedded photographs)"
    )
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="folders to score on (default: embedded photographs)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/runs"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--set", dest="overrides", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="recipe keys to change, such as train.iterations=2000",
    )  # fmt: skip
    return parser


def make_plans(args: argparse.Namespace) -> list[Plan]:
    """All runs that the options ask for. Raises UserError for anything that cannot be done, before any work is."""
    device = choose_device(args.device)
    candidates = named_candidates(args)
    recipes = [recipe_for(candidate, args.recipe, device, args.overrides) for candidate in candidates]
    for candidate in candidates:
        require_trainable(candidate, args.scale)
    if any(seed < 0 for seed in args.seeds):
        raise UserError(f"--seeds {min(args.seeds)} is negative. Allowed: whole numbers from 0 up.")
    benchmarks = open_benchmarks(args.benchmarks, args.scale) if args.benchmarks else [embedded_validation(args.scale)]
    patch = max(recipe.train.patch for recipe, _ in recipes)
    sets = open_training_sets(args.train_data or [], args.scale)
    with progress() as bar:
        training_set = prepare_training(sets, benchmarks, scale=args.scale, patch=patch, progress=shown_in(bar, set()))
    placement = choose_placement(training_set.hr.nbytes + training_set.lr.nbytes, device)
    return [
        Plan(
            candidate=candidate,
            scale=args.scale,
            seed=seed,
            recipe=recipe,
            recipe_name=recipe_name,
            training_set=training_set,
            benchmarks=benchmarks,
            device=device,
            placement=placement,
            folder=RunFolder.of(args.out, candidate.name, args.scale, seed),
        )
        for candidate, (recipe, recipe_name) in zip(candidates, recipes, strict=True)
        for seed in dict.fromkeys(args.seeds)
    ]


def require_trainable(candidate: Candidate, scale: int) -> None:
    """Build the network once, and print its caveats. Raises UserError for a wrong scale, or nothing to train."""
    with torch.random.fork_rng(devices=[]):
        network = candidate.build(scale)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(
            f"{candidate.name} has nothing to train. Score it as it is: evaluate --model {candidate.name} "
            f"--scale {scale}."
        )
    for caveat in caveats_of(network):
        print(f"note: {caveat}", file=sys.stderr)


def named_candidates(args: argparse.Namespace) -> list[Candidate]:
    """The candidates that --variant, --variants, --table or --model name, each once."""
    if args.table:
        return list(TABLE3 if args.table == 3 else TABLE4)
    names = [args.variant] if args.variant else args.variants or args.model
    found = {candidate.name: candidate for candidate in map(find_candidate, names)}
    return list(found.values())


def recipe_for(
    candidate: Candidate, name: str | None, device: torch.device, overrides: Sequence[str]
) -> tuple[Recipe, str]:
    """The effective recipe of one candidate, and its name: without one, `quick` on a CPU and `paper` on a GPU."""
    chosen = name or ("paper" if device.type == "cuda" else "quick")
    return load_recipe(chosen, candidate.recipe, overrides), chosen
