"""The commands that make a study's runs, told from the records: what was run is what is printed."""

from collections.abc import Iterable, Mapping, Sequence

from safmn_bench.ablations.recipe import load_recipe, packaged_recipes
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.escaping import printable
from safmn_bench.analysis.findings.runs import BUDGETS, Study, seeds_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common.sample_images import NAME as EMBEDDED

RESULTS = "results/ablation"


def run_commands(study: Study) -> list[str]:
    """One command for all networks that have the same seeds and the same changes of their recipe; full runs first."""
    out = f"{RESULTS}/{printable(study.name)}"
    commands = _commands(study.records, out)
    for iterations, records in study.shorter.items():
        commands += _commands(records, f"{out}/{BUDGETS}/{iterations}")
    return commands


def study_command(study: Study) -> str:
    """What makes everything else of the folder."""
    return f"python analysis/study.py --runs {RESULTS}/{printable(study.name)}"


def _commands(records: Sequence[Record], out: str) -> list[str]:
    by_variant: dict[str, list[Record]] = {}
    for record in records:
        by_variant.setdefault(record.variant, []).append(record)
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, runs in by_variant.items():
        alike.setdefault(_options(runs), []).append(printable(name))
    return [
        " ".join(["python ablations/run.py --variants", *names, *options, f"--out {out}"])
        for options, names in alike.items()
    ]


def _options(runs: Sequence[Record]) -> tuple[str, ...]:
    """Everything but the network and the folder that the command of these runs, all of one network, says."""
    first = runs[0]
    seeds = " ".join(map(str, seeds_of(runs)))
    sets = first.data.get("train", {}).get("sets", ())
    train = (one.get("name") for one in sets)
    changes = (f"{key}={value}" for key, value in changed(first).items())
    lists = {"--train-data": train, "--benchmarks": first.scores or first.bicubic, "--set": changes}
    given = [f"{option} {words}" for option, values in lists.items() if (words := _words(values))]
    if any("left out" in one.get("note", "") for one in sets):
        given.append("--leave-out-small")
    return (f"--recipe {printable(str(first.recipe.get('name', '?')))}", f"--seeds {seeds}", *given)


def _words(values: Iterable[object]) -> str:
    """Names as they are typed; the embedded photographs are what is taken where none are named."""
    return " ".join(printable(str(value)) for value in values if value != EMBEDDED)


def changed(record: Record) -> dict[str, object]:
    """Recipe keys of a run that are neither the recipe's of its name nor the variant's own."""
    name = str(record.recipe.get("name", ""))
    if name not in packaged_recipes():
        return {}
    own: Mapping[str, object] = VARIANTS[record.variant].recipe if record.variant in VARIANTS else {}
    try:
        usual = flattened(load_recipe(name, own).to_dict())
    except UserError:
        return {}
    mine = flattened({key: value for key, value in record.recipe.items() if key != "name"})
    return {key: value for key, value in mine.items() if key in usual and usual[key] != value}
