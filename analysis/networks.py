"""Networks to look into: named ones with their weights, or those that run.py has trained."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.escaping import printable
from safmn_bench.analysis.stats.groups import find_runs
from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.errors import UserError, normalised
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import find_candidate
from safmn_bench.models.weights import load_weights


@dataclass(frozen=True)
class Subject:
    """A network to look into: frozen, on its device; `title` names it in figures, `weights` is its file."""

    name: str
    title: str
    network: nn.Module
    weights: str


def freeze(network: nn.Module) -> nn.Module:
    """Evaluation mode, no gradients of weights (1.5 times faster, same maps); returns the network."""
    return network.eval().requires_grad_(False)


def _weights_in(runs: Path | None, name: str, scale: int) -> Path:
    """The weights of a variant's lowest finished seed."""
    if runs is None:
        raise UserError("Give --weights FILE, one per model, or --runs DIR with runs of these models.")
    found = [(f, r) for f, r in find_runs(runs) if r.scale == scale and r.status == "finished"]
    wanted = find_candidate(name).name
    for folder, record in found:
        if normalised(record.variant) == normalised(wanted) and folder.weights.exists():
            return folder.weights
    known = ", ".join(dict.fromkeys(record.variant for _, record in found)) or "none"
    raise UserError(f"{runs} has no finished run of {name} at scale {scale}. There are: {known}. Or give --weights.")


def subjects(args: argparse.Namespace, device: torch.device) -> list[Subject]:
    """The networks, with their weights, on the device. Raises UserError where files and models do not pair."""
    named = [name for name in args.models if normalised(name) != "bicubic"]
    if args.weights is not None and len(args.weights) != len(named):
        raise UserError(
            f"--weights has {len(args.weights)} files for {len(named)} models ({', '.join(named) or 'none'}). Give one "
            "for each, in their order; bicubic has none."
        )
    files = iter(args.weights or ())
    found = [subject(name, args, next(files, None) if name in named else None) for name in args.models]
    titles = [one.title for one in found]
    return [
        replace(
            one,
            network=one.network.to(device),
            title=f"{one.title} ({i})" if titles.count(one.title) > 1 else one.title,
        )
        for i, one in enumerate(found, start=1)
    ]


def subject(name: str, args: argparse.Namespace, weights: Path | None) -> Subject:
    """One network, frozen, on the CPU; without `weights`, those of the first seed below --runs."""
    if normalised(name) == "bicubic":
        return Subject("bicubic", "Bicubic", freeze(Bicubic(scale=args.scale)), "")
    candidate = find_candidate(name)
    is_safmn = normalised(name) == "safmn"
    title = MODELS[candidate.model].label if is_safmn or candidate.config is None else candidate.name
    path = weights or trained_weights(args.runs, candidate.name, args.scale)
    network = candidate.build(args.scale)
    load_weights(network, path)
    return Subject("safmn" if is_safmn else candidate.name, title, freeze(network), str(path))


def trained_weights(runs: Path, variant: str, scale: int) -> Path:
    """The weights of the lowest seed that run.py has trained. Raises UserError where there are none."""
    seeds = (runs / variant / f"x{scale}").glob("seed*")
    found = [RunFolder(seed).weights for seed in seeds if seed.name[4:].isdigit() and RunFolder(seed).weights.exists()]
    if not found:
        raise UserError(
            f"{variant} x{scale} has no weights below {runs}. Train it (ablations/run.py --variant {variant} --scale "
            f"{scale}), or give a file with --weights: with fresh weights its map would mean nothing."
        )
    return min(found, key=lambda path: int(path.parent.name[4:]))


def subject_of(folder: RunFolder, record: Record) -> Subject:
    """The network as the record describes it, so that a variant of one's own needs no YAML file here.

    Raises UserError or TypeError where record or weights are not usable.
    """
    if record.config:
        network = SAFMN(SAFMNConfig(**record.config), scale=record.scale)
    else:
        network = build_model(record.model, record.scale)
    state = load_weights(network, folder.weights).state
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise UserError(f"the weights of seed {record.seed} are not finite.")
    name = printable(record.variant)
    return Subject(name, f"{name} seed {record.seed}", freeze(network), str(folder.weights))
