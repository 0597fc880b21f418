"""From the command line to plans: which candidates, scales and seeds, on what data, by which recipe."""

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.benchmarks import embedded_validation
from safmn_bench.ablations.data.prefetch import choose_placement
from safmn_bench.ablations.data.preflight import lr_choice, notes_of, open_images, prepare_training, without_small
from safmn_bench.ablations.data.treatments import image_notes
from safmn_bench.ablations.judging.sequential import Looks
from safmn_bench.ablations.metrics import further_metrics
from safmn_bench.ablations.recipe import Recipe, recipe_for
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.sweeps.engines import open_engine
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.seeds_to_detect import with_seeds
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.mappings import flattened, read_mapping
from safmn_bench.models.names import as_trained, find_candidate
from safmn_bench.models.twins import twins
from safmn_bench.models.variants import SCALES, TABLE3, TABLE4, Candidate
from safmn_bench.profiling.common.console import progress, shown_in
from safmn_bench.profiling.common.layout import say


def make_plans(options: RunOptions) -> list[Plan]:
    """All runs that the options ask for, a sweep file's among them (`with_sweep_file`).

    Raises UserError for anything that cannot be done, before any work is.
    """
    engine = open_engine(options)
    device = engine.device
    metrics = further_metrics(options.metrics)
    candidates = named_candidates(options)
    options = with_seeds(options, candidates)
    recipes = [recipe_for(candidate, options.recipe, device, options.overrides) for candidate in candidates]
    for line in alike(candidates, [recipe for recipe, _ in recipes]):
        say(f"note: {line}", sys.stderr)
    scales = list(dict.fromkeys(options.scale))
    for scale in scales:
        for candidate in candidates:
            require_trainable(candidate, scale)
    plans = []
    for scale in scales:
        images = images_for(options, scale, max(recipe.train.patch for recipe, _ in recipes))
        plans += [
            Plan(
                candidate=candidate,
                scale=scale,
                seed=seed,
                recipe=recipe,
                recipe_name=recipe_name,
                device=device,
                folder=RunFolder.of(options.out, candidate.name, scale, seed),
                metrics=metrics,
                wandb=options.wandb,
                looks=looks_of(options),
                command=shlex.join(["python", "ablations/run.py", *options.typed]) if options.typed else "",
                **images,
            )
            for candidate, (recipe, recipe_name) in zip(candidates, recipes, strict=True)
            for seed in dict.fromkeys(options.seeds)
        ]
    return plans


def looks_of(options: RunOptions) -> Looks | None:
    """When the runs are looked at, where seeds are added until comparisons are decided."""
    if options.seeds_until is None:
        return None
    return Looks(first=len(set(options.seeds)), most=options.max_seeds)


def images_for(options: RunOptions, scale: int, patch: int) -> dict[str, Any]:
    """The part of a plan that holds images, checked and packed: training set, benchmarks, placement on this machine."""
    sets, benchmarks = open_images(options.train_data, options.benchmarks, scale, lr_choice(options))
    benchmarks = benchmarks or [embedded_validation(scale)]
    if options.leave_out_small:
        sets = without_small(sets, scale, patch)
    with progress() as bar:
        training_set = prepare_training(sets, benchmarks, scale=scale, patch=patch, progress=shown_in(bar, set()))
    for note in [*image_notes(training_set.treatments, [opened.folder for opened in sets]), *notes_of(benchmarks)]:
        say(f"note: {note}", sys.stderr)
    size = training_set.hr.nbytes + training_set.lr.nbytes
    placement = choose_placement(size, torch.device("cpu"))
    shared = {"placement": placement, "runs_per_gpu": options.slots_per_device}
    return {"training_set": training_set, "benchmarks": benchmarks, **shared}


def alike(candidates: Sequence[Candidate], recipes: Sequence[Recipe]) -> list[str]:
    """A sentence for each candidate that computes, and is trained, as another one before it."""
    return [
        f"{name} computes what {twin} computes: both are run, and counted once among the comparisons."
        for name, twin in _twins(zip(candidates, recipes, strict=True)).items()
    ]


def twins_among(plans: Sequence[Plan]) -> dict[str, str]:
    """Network -> another one before it that computes the same and is trained alike."""
    return _twins((plan.candidate, plan.recipe) for plan in plans)


def _twins(candidates: Iterable[tuple[Candidate, Recipe]]) -> dict[str, str]:
    networks = {
        candidate.name: (candidate.config, recipe) for candidate, recipe in candidates if candidate.config is not None
    }
    return twins(networks) if len(networks) > 1 else {}


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
        say(f"note: {caveat}", sys.stderr)


def named_candidates(options: RunOptions) -> list[Candidate]:
    """The candidates that --variant, --variants, --table or --model name, each once."""
    if options.table:
        return list(TABLE3 if options.table == 3 else TABLE4)
    names = [options.variant] if options.variant else options.variants or options.model or ()
    named = {candidate.name: candidate for candidate in map(as_trained, map(find_candidate, names))}
    return list(named.values())


_LR_KEYS = ("lr", "lr_pattern", "lr_is_not_bicubic")
_SHARES = ("halve", "seeds_until", "detect")
_RULES = (*_SHARES, "max_seeds", "tune_lr", "pilot", "metrics")
_KEYS = ("variants", "table", "scales", "seeds", "recipe", "set", "train_data", "benchmarks", *_LR_KEYS, *_RULES)


def with_sweep_file(options: RunOptions) -> RunOptions:
    """The options with what the sweep file says in place; `--set` on the command line comes after the file's `set:`.

    Raises UserError for an unknown key, or a value of another kind than the key's.
    """
    path = options.sweep
    if path is None:
        return options
    content = read_mapping(path)
    for key in content:
        match_name(f"key in {path}", str(key), _KEYS)
    if ("variants" in content) == ("table" in content):
        raise UserError(f"{path}: name either `variants:` (a list) or `table:` (3 or 4).")
    variants = _texts(content, "variants", path) or _table(content["table"], path)
    scale = _numbers(content, "scales", path) or options.scale
    if any(number not in SCALES for number in scale):
        raise UserError(f"{path}: scales {[*scale]}. Allowed: {', '.join(map(str, SCALES))}.")
    overrides = [f"{key}={value}" for key, value in flattened(_mapping(content, path)).items()]
    folders = {key: tuple(map(Path, _texts(content, key, path))) for key in ("train_data", "benchmarks")}
    return replace(
        options,
        sweep=None,
        variants=tuple(variants),
        scale=tuple(scale),
        seeds=tuple(_numbers(content, "seeds", path)) or options.seeds,
        recipe=_of_kind(str, "a name", content, "recipe", path) or options.recipe,
        overrides=(*overrides, *options.overrides),
        lr=tuple(_texts(content, "lr", path)) or options.lr,
        lr_pattern=_of_kind(str, "text", content, "lr_pattern", path) or options.lr_pattern,
        lr_is_not_bicubic=bool(_of_kind(bool, "true or false", content, "lr_is_not_bicubic", path))
        or options.lr_is_not_bicubic,
        **{key: given for key, given in folders.items() if given},
        **_rules(content, path),
    )


def _rules(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """How seeds, cuts and learning rates are decided, and what else is scored: keys named as their options are."""
    rules: dict[str, Any] = {key: _number(content[key], key, path) for key in _SHARES if key in content}
    if "max_seeds" in content:
        rules["max_seeds"] = _number(content["max_seeds"], "max_seeds", path, whole=True)
    if "tune_lr" in content:
        rules["tune_lr"] = tuple(_number(value, "tune_lr", path) for value in _list(content, "tune_lr", path))
    if "pilot" in content:
        rules["pilot"] = Path(_of_kind(str, "a folder", content, "pilot", path))
    if "metrics" in content:
        rules["metrics"] = tuple(_texts(content, "metrics", path))
    return rules


def _table(number: Any, path: Path) -> list[str]:
    tables = {3: TABLE3, 4: TABLE4}
    if not isinstance(number, int) or number not in tables:
        raise UserError(f"{path}: table {number!r}. Allowed: 3, 4.")
    return [variant.name for variant in tables[number]]


def _list(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    value = content.get(key, [])
    if not isinstance(value, list) or (key in content and not value):
        raise UserError(f"{path}: `{key}:` is {value!r}, not a list such as [a, b].")
    return value


def _texts(content: Mapping[str, Any], key: str, path: Path) -> list[str]:
    values = _list(content, key, path)
    if not all(isinstance(value, str) and value for value in values):
        raise UserError(f"{path}: `{key}:` is {values!r}, not a list of texts.")
    return values


def _of_kind(kind: type, words: str, content: Mapping[str, Any], key: str, path: Path) -> Any:
    """The value under a key, None where there is none."""
    if key in content and not isinstance(content[key], kind):
        raise UserError(f"{path}: `{key}:` is {content[key]!r}, not {words}.")
    return content.get(key)


def _number(value: Any, key: str, path: Path, *, whole: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UserError(f"{path}: `{key}:` holds {value!r}, not a {'whole ' if whole else ''}number.")
    return value if whole else float(value)


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
