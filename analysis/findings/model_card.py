"""A finished run as files for a model hub: README.md (the card), model.safetensors, config.json.

The card's head is the hub's metadata (https://huggingface.co/docs/hub/model-cards): YAML with the scores as a
`model-index`. Every figure is the record's; nothing is asked of a network here.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from safetensors.torch import save

from safmn_bench.ablations.metrics import METRICS, metrics_in
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.analysis.escaping import markdown
from safmn_bench.analysis.stats.caveats import changes_of
from safmn_bench.analysis.stats.provenance import hardware, short_commit
from safmn_bench.models.errors import UserError
from safmn_bench.models.keeping import package_folder
from safmn_bench.models.weights import read_weights
from safmn_bench.profiling.common.files import write_atomically, write_json, write_text

_TASK = "image-to-image"  # the hub's name of the task that super-resolution belongs to


def write_card(run: Path, out: Path) -> list[Path]:
    """The three files in `out`. Raises UserError for a folder without a finished run or its weights."""
    folder = RunFolder(run)
    record = read_record(folder)
    if record is None or record.status != "finished":
        state = "holds no record.json" if record is None else f"is of a run that {record.status}"
        raise UserError(f"{run} {state}. A card is of a finished run: name its folder, such as RUNS/w_o_MR/x4/seed0.")
    if not folder.weights.exists():
        raise UserError(f"{folder.weights} is gone: start the run again, which makes it anew.")
    state = {name: tensor.contiguous() for name, tensor in read_weights(folder.weights).state.items()}
    card, weights, config = (out / name for name in ("README.md", "model.safetensors", "config.json"))
    write_atomically(weights, lambda handle: handle.write(save(state, metadata={"format": "pt"})))
    write_json(config, config_of(record))
    write_text(card, card_of(record))
    return [card, weights, config]


def config_of(record: Record) -> dict[str, Any]:
    """What builds the network again: `safmn_bench.create_model(variant, scale)`, and the whole recipe."""
    return {
        "variant": record.variant, "model": record.model, "scale": record.scale, "network": dict(record.config),
        "recipe": dict(record.recipe),
    }  # fmt: skip


def card_of(record: Record) -> str:
    """The card in Markdown, after its YAML head."""
    metrics = metrics_in(metric for scores in record.scores.values() for metric in scores)
    rows = [
        [name, *(_shown(scores.get(metric.name), metric.name) for scores in (own, record.bicubic.get(name, {}))
                 for metric in metrics)]
        for name, own in record.scores.items()
    ]  # fmt: skip
    template = (package_folder("safmn_bench.analysis") / "templates" / "card.md.j2").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["md"] = lambda value: markdown(str(value))
    return environment.from_string(template).render(
        head=yaml.safe_dump(head_of(record), sort_keys=False, allow_unicode=True),
        record=record,
        changes=changes_of(record),
        metrics=metrics,
        rows=rows,
        hardware=hardware(record),
        commit=short_commit(record.commit),
        settings=json.dumps(dict(record.recipe), indent=2, sort_keys=True, default=str).replace("`", r"\u0060"),
    )


def head_of(record: Record) -> dict[str, Any]:
    """The hub's metadata: tags, and the scores of every benchmark."""
    title = f"{record.variant} x{record.scale}"
    results = [
        {
            "task": {"type": _TASK, "name": f"Super-resolution x{record.scale}"},
            "dataset": {"type": name, "name": name},
            "metrics": [
                {"type": METRICS[metric].published or metric, "name": METRICS[metric].label, "value": value}
                for metric, value in scores.items() if metric in METRICS and value is not None
            ],
        }
        for name, scores in record.scores.items()
    ]  # fmt: skip
    return {
        "pipeline_tag": _TASK,
        "tags": ["super-resolution", "safmn-bench", record.model],
        "library_name": "safmn-bench",
        "model-index": [{"name": title, "results": results}],
    }


def _shown(value: float | None, metric: str) -> str:
    return "–" if value is None else f"{value:.{METRICS[metric].digits.table}f}"
