"""From the command line to plans: which candidates, scales and seeds, on what data, by which recipe."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.benchmarks import embedded_validation
from safmn_bench.ablations.data.lr_options import add_lr_options, lr_choice, notes_of, open_images
from safmn_bench.ablations.data.prefetch import choose_placement
from safmn_bench.ablations.data.preflight import prepare_training, without_small
from safmn_bench.ablations.data.treatments import image_notes
from safmn_bench.ablations.metrics import further_metrics
from safmn_bench.ablations.recipe import Recipe, recipe_for
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.runs.running import Plan
from safmn_bench.ablations.scoring.command import add_metrics_option
from safmn_bench.ablations.sweeps.slurm_options import add_slurm_options, device_of, require_slurm, resources_of
from safmn_bench.ablations.sweeps.sweep import Options
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.mappings import flattened, read_mapping
from safmn_bench.models.names import as_trained, find_candidate
from safmn_bench.models.twins import twins
from safmn_bench.models.variants import SCALES, TABLE3, TABLE4, Candidate
from safmn_bench.profiling.common.console import progress, shown_in


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
    what.add_argument("--sweep", type=Path, metavar="FILE", help="a YAML file that names variants, scales, seeds, ...")
    parser.add_argument(
        "--recipe", metavar="NAME", help="quick, paper, or a YAML file (default: quick on a CPU, paper on a GPU)"
    )
    parser.add_argument("--scale", type=int, nargs="+", default=[4], choices=SCALES, help="one or more (default: 4)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N", help="default: 0")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="folders of images (default: embedded photographs)"
    )
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="folders to score on (default: embedded photographs)"
    )
    add_metrics_option(parser)
    parser.add_argument(
        "--leave-out-small", action="store_true", help="leave out training images that are smaller than the patch"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/runs"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--set", dest="overrides", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="recipe keys to change, such as train.iterations=2000",
    )  # fmt: skip
    many = parser.add_argument_group("many runs")
    many.add_argument(
        "--engine", choices=("local", "slurm"), default="local",
        help="who runs them: this machine, or a Slurm cluster (default: %(default)s)",
    )  # fmt: skip
    many.add_argument(
        "--slots-per-device", type=int, default=1, metavar="N",
        help="runs at a time on each GPU, or on the CPU, whose threads they share (default: %(default)s)",
    )  # fmt: skip
    many.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time, then stop")
    many.add_argument("--skip-failed", action="store_true", help="do not try again what failed before")
    add_lr_options(parser)
    add_slurm_options(parser)
    return parser


def options_of(args: argparse.Namespace) -> Options:
    """How the sweep is run."""
    return Options(
        out=args.out,
        table=args.table,
        slots_per_device=args.slots_per_device,
        dry_run=args.dry_run,
        skip_failed=args.skip_failed,
        slurm=resources_of(args),
    )


def make_plans(args: argparse.Namespace) -> list[Plan]:
    """All runs that the options ask for. Raises UserError for anything that cannot be done, before any work is."""
    if args.sweep:
        apply(args.sweep, args)
    if args.engine == "slurm" and not args.dry_run:
        require_slurm()
    device = device_of(args)
    metrics = further_metrics(args.metrics)
    if any(seed < 0 for seed in args.seeds):
        raise UserError(f"--seeds {min(args.seeds)} is negative. Allowed: whole numbers from 0 up.")
    candidates = named_candidates(args)
    recipes = [recipe_for(candidate, args.recipe, device, args.overrides) for candidate in candidates]
    for line in alike(candidates, [recipe for recipe, _ in recipes]):
        print(f"note: {line}", file=sys.stderr)
    scales = list(dict.fromkeys(args.scale))
    for scale in scales:
        for candidate in candidates:
            require_trainable(candidate, scale)
    plans = []
    for scale in scales:
        images = images_for(args, scale, device, max(recipe.train.patch for recipe, _ in recipes))
        plans += [
            Plan(
                candidate=candidate,
                scale=scale,
                seed=seed,
                recipe=recipe,
                recipe_name=recipe_name,
                device=device,
                folder=RunFolder.of(args.out, candidate.name, scale, seed),
                metrics=metrics,
                **images,
            )
            for candidate, (recipe, recipe_name) in zip(candidates, recipes, strict=True)
            for seed in dict.fromkeys(args.seeds)
        ]
    return plans


def images_for(args: argparse.Namespace, scale: int, device: torch.device, patch: int) -> dict[str, Any]:
    """The part of a plan that holds images, checked and packed: training set, benchmarks and placement."""
    lr = lr_choice(args.lr, args.lr_pattern, is_not_bicubic=args.lr_is_not_bicubic)
    sets, benchmarks = open_images(args.train_data or [], args.benchmarks or [], scale, lr)
    benchmarks = benchmarks or [embedded_validation(scale)]
    if args.leave_out_small:
        sets = without_small(sets, scale, patch)
    with progress() as bar:
        training_set = prepare_training(sets, benchmarks, scale=scale, patch=patch, progress=shown_in(bar, set()))
    for note in [*image_notes(training_set.treatments, [one.folder for one in sets]), *notes_of(benchmarks)]:
        print(f"note: {note}", file=sys.stderr)
    size = training_set.hr.nbytes + training_set.lr.nbytes
    here = torch.device("cpu") if args.engine == "slurm" else device  # a node chooses again, for itself
    placement = choose_placement(size, here, args.slots_per_device)
    return {"training_set": training_set, "benchmarks": benchmarks, "placement": placement}


def alike(candidates: Sequence[Candidate], recipes: Sequence[Recipe]) -> list[str]:
    """A sentence for each candidate that computes, and is trained, as another one before it."""
    networks = {
        one.name: (one.config, recipe)
        for one, recipe in zip(candidates, recipes, strict=True)
        if one.config is not None
    }
    found = twins(networks) if len(networks) > 1 else {}
    return [
        f"{name} computes what {twin} computes: both are run, and counted once among the comparisons."
        for name, twin in found.items()
    ]


def require_trainable(candidate: Candidate, scale: int) -> None:
    """Build the network once, and print its caveats. Raises UserError for a wrong scale, or nothing to train.

    Of a network of one's own only the source is looked at: its code runs in the process of its own run.
    """
    if candidate.own is not None:
        candidate.own.source.digest()
        return
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
    found = {candidate.name: candidate for candidate in map(as_trained, map(find_candidate, names))}
    return list(found.values())


_LR_KEYS = ("lr", "lr_pattern", "lr_is_not_bicubic")
_KEYS = ("variants", "table", "scales", "seeds", "recipe", "set", "train_data", "benchmarks", *_LR_KEYS)


def apply(path: Path, args: argparse.Namespace) -> None:
    """Put what the file says into the options; `--set` on the command line comes after the file's `set:`.

    Raises UserError for an unknown key, or a value of another kind than the key's.
    """
    content = read_mapping(path)
    for key in content:
        match_name(f"key in {path}", str(key), _KEYS)
    if ("variants" in content) == ("table" in content):
        raise UserError(f"{path}: name either `variants:` (a list) or `table:` (3 or 4).")
    args.variants = [str(name) for name in _list(content, "variants", path)] or _table(content["table"], path)
    args.scale = _numbers(content, "scales", path) or args.scale
    args.seeds = _numbers(content, "seeds", path) or args.seeds
    args.recipe = str(content["recipe"]) if "recipe" in content else args.recipe
    args.overrides = [f"{key}={value}" for key, value in flattened(_mapping(content, path)).items()] + args.overrides
    for key in ("train_data", "benchmarks"):
        if key in content:
            setattr(args, key, [Path(folder) for folder in _list(content, key, path)])
    args.lr = [str(folder) for folder in _list(content, "lr", path)] or args.lr
    args.lr_pattern = content.get("lr_pattern", args.lr_pattern)
    args.lr_is_not_bicubic = bool(content.get("lr_is_not_bicubic", args.lr_is_not_bicubic))
    if any(scale not in SCALES for scale in args.scale):
        raise UserError(f"{path}: scales {args.scale}. Allowed: {', '.join(map(str, SCALES))}.")


def _table(number: Any, path: Path) -> list[str]:
    tables = {3: TABLE3, 4: TABLE4}
    if number not in tables:
        raise UserError(f"{path}: table {number!r}. Allowed: 3, 4.")
    return [variant.name for variant in tables[number]]


def _list(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    value = content.get(key, [])
    if not isinstance(value, list) or (key in content and not value):
        raise UserError(f"{path}: `{key}:` is {value!r}, not a list such as [a, b].")
    return value


def _numbers(content: Mapping[str, Any], key: str, path: Path) -> list[int]:
    values = _list(content, key, path)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise UserError(f"{path}: `{key}:` is {values!r}, not a list of whole numbers.")
    return values


def _mapping(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    value = content.get("set", {})
    if not isinstance(value, dict):
        raise UserError(f"{path}: `set:` is {value!r}, not a mapping such as {{train.iterations: 3000}}.")
    return value
