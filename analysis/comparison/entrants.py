"""The networks that are compared: each with its weights or without, and what is measured of it, step by step.

Everything that can be wrong with a name, a file or a folder is found here, before anything is measured. What fails
later, in one network's own code, empties that network's cells and says why; the others are measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from safmn_bench.ablations.scoring.loading import Loaded, built, load, needs_weights
from safmn_bench.analysis.comparison.options import CompareOptions
from safmn_bench.analysis.stats.entries import Value
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError, printable
from safmn_bench.models.names import find_candidate, written
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.variants import Candidate


@dataclass(kw_only=True)
class Entrant:
    """One row: `values` by field of the table, `remarks` for under it, `failures` for what could not be measured."""

    title: str
    given: str
    candidate: Candidate
    network: nn.Module | None
    """As it is deployed, on the device, with its weights; None where it is not trained."""
    values: dict[str, Value] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """A step that may fail: of our networks by a UserError alone, anything else is a defect of ours."""
        try:
            yield
        except UserError as error:
            self.failures.append(f"{self.title} was not {what}: {error}")
        except Exception as error:
            if self.candidate.own is None:
                raise
            self.failures.append(f"{self.title} was not {what}: {type(error).__name__}: {' '.join(str(error).split())}")


def entrants_of(options: CompareOptions, device: torch.device) -> list[Entrant]:
    """Every network, built, with its weights where there are some.

    Raises UserError for an unknown name, a network that cannot be built, and weights that do not fit.
    """
    entrants = []
    for given, path in zip(options.models, options.weight_files, strict=True):
        candidate = find_candidate(given)
        if path is None and needs_weights(candidate, options.scale):
            network, trained = built(candidate, options.scale), None
        else:
            trained = load(candidate, options.scale, path)
            network = trained.network
        entrant = Entrant(
            title=printable(candidate.title),
            given=written(given),
            candidate=candidate,
            network=inference_form(network).to(device) if trained else None,
            remarks=caveats_of(network),
        )
        entrant.values["weights"] = _weights(trained)
        if trained and trained.weights:
            entrant.remarks.insert(0, f"weights are those of {entrant.values['weights']}, {printable(trained.picked)}.")
        entrants.append(entrant)
    _tell_apart(entrants)
    return entrants


def _weights(trained: Loaded | None) -> str:
    if trained is None:
        return "untrained"
    if trained.weights:
        return printable(trained.weights.rpartition("/")[2])
    return trained.picked and "its own"


def _tell_apart(entrants: list[Entrant]) -> None:
    titles = [entrant.title for entrant in entrants]
    for number, entrant in enumerate(entrants, start=1):
        if titles.count(entrant.title) > 1:
            entrant.title = f"{entrant.title} ({number})"
