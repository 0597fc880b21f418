"""Networks to look into: named ones with weights of a file, or those that run.py has trained.

One rule for runs: what is shown of a network is its lowest finished seed. A collapsed run keeps its best
weights before that, which are no result of the network: they are looked into only where they are given as a file. A
failed run has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.scoring.loading import load, needs_weights
from safmn_bench.analysis.stats.reading import find_runs
from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError, normalised, printable
from safmn_bench.models.fast import has_fast_form, optimise
from safmn_bench.models.names import find_candidate, trained_name
from safmn_bench.models.own.network import from_copy
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import Candidate
from safmn_bench.models.weights import load_weights

Run = tuple[RunFolder, Record]


@dataclass(frozen=True)
class Subject:
    """A network to look into: frozen, on its device; `title` names it in figures, `weights` is its file."""

    name: str
    title: str
    network: nn.Module
    weights: str
    file: Path | None = None
    """That of its weights, where it was read from one."""


def freeze(network: nn.Module) -> nn.Module:
    """Evaluation mode, no gradients of weights, and the form whose backward pass is fast where one is known, in place.

    The same maps to rounding; what both gain stands in results/benchmarks/attribution_*.csv. Returns the network.
    """
    network = network.eval().requires_grad_(False)
    return optimise(network, training=True) if has_fast_form(network) else network


def subjects(
    names: Sequence[str], weights: Sequence[Path] | None, runs: Path | None, scale: int, device: torch.device
) -> list[Subject]:
    """The networks, frozen, on the device, with the weights of files (one for each that needs some) or of runs.

    Equal titles are numbered. Raises UserError where files and networks do not pair, or a network has no finished run.
    """
    candidates = [find_candidate(name) for name in names]
    needing = [candidate.name for candidate in candidates if needs_weights(candidate, scale)]
    if weights is not None and len(weights) != len(needing):
        raise UserError(
            f"--weights has {len(weights)} files for {len(needing)} models ({', '.join(needing) or 'none'}). Give one "
            "for each, in their order; bicubic has none."
        )
    files = iter(weights or ())
    frozen = []
    for candidate in candidates:
        needed = candidate.name in needing
        path = next(files, None) or trained_weights(runs, candidate, scale) if needed else None
        loaded = load(candidate, scale, path)
        network = freeze(loaded.network).to(device)
        frozen.append(Subject(candidate.name, candidate.title, network, loaded.weights, path))
    titles = [subject.title for subject in frozen]
    return [
        replace(subject, title=f"{subject.title} ({i})" if titles.count(subject.title) > 1 else subject.title)
        for i, subject in enumerate(frozen, start=1)
    ]


def trained_weights(runs: Path | None, candidate: Candidate, scale: int) -> Path:
    """The weights of the candidate's lowest finished seed. Raises UserError, with the reason, where there are none."""
    name = trained_name(candidate)
    advice = f"Train it (ablations/run.py --variant {name} --scale {scale}), or give a file with --weights."
    if runs is None or not runs.is_dir():
        where = f"{runs} is no folder of runs, and " if runs else ""
        raise UserError(
            f"{where}{candidate.name} x{scale} has no weights. Give --weights FILE, one per model, or --runs DIR with "
            "runs of these models."
        )
    at_scale = [run for run in find_runs(runs) if run[1].scale == scale]
    mine = [run for run in at_scale if normalised(run[1].variant) == normalised(name)]
    if chosen := first_seeds(mine):
        return next(iter(chosen.values()))[0].weights
    if mine:
        raise UserError(f"{runs} has no finished run of {candidate.name} x{scale}: {why_unused(mine)} {advice}")
    known = ", ".join(dict.fromkeys(record.variant for _, record in at_scale)) or "none"
    raise UserError(f"{runs} has no finished run of {candidate.name} x{scale}. There are: {known}. {advice}")


def first_seeds(runs: Sequence[Run]) -> dict[str, Run]:
    """The lowest finished seed of each variant whose weights are kept; `runs` are of one scale."""
    usable = [(f, r) for f, r in runs if r.status == "finished" and f.weights.exists()]
    first: dict[str, Run] = {}
    for folder, record in sorted(usable, key=lambda run: run[1].seed):
        first.setdefault(record.variant, (folder, record))
    return first


def why_unused(runs: Sequence[Run]) -> str:
    """Why no run of one variant serves, in a sentence."""
    _, record = runs[0]
    if all(record.status == "collapsed" for _, record in runs):
        at = (record.collapse or {}).get("iteration", "?")
        return f"every run collapsed (seed {record.seed} at iteration {at}), and its weights are of before that."
    return "no finished run has kept its weights."


def subject_of(folder: RunFolder, record: Record) -> Subject:
    """The network as the record describes it, so that a variant of one's own needs no YAML file here.

    Raises UserError or TypeError where record or weights are not usable.
    """
    if "source" in record.config:
        network = from_copy(record.config, folder.source).build(record.scale)
    elif record.config:
        network = SAFMN(SAFMNConfig(**record.config), scale=record.scale)
    else:
        network = build_model(record.model, record.scale)
    state = load_weights(network, folder.weights).state
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise UserError(f"the weights of seed {record.seed} are not finite.")
    name = printable(record.variant)
    return Subject(name, f"{name} seed {record.seed}", freeze(network), str(folder.weights))
