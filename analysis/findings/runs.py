"""The input of a study: its folder's runs, those below `budget/` and `trainings/`, the paper's columns, commands."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safmn_bench.ablations.metrics import Metric
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.records import RECORDS
from safmn_bench.analysis.stats.contents import fingerprint
from safmn_bench.analysis.stats.entries import main_setting
from safmn_bench.analysis.stats.groups import (
    BASELINE,
    Measured,
    datasets_of,
    grouped,
    measure,
    metrics_of,
)
from safmn_bench.analysis.stats.reading import Gathered, find_trials, gather
from safmn_bench.models.errors import UserError, printable
from safmn_bench.models.variants import paper_order
from safmn_bench.profiling.common.paper import read_table

SCALE = 4  # that of Tables 3 and 4
BUDGETS = "budget"
TRAININGS = "trainings"
PAPER_DATASETS = ("DIV2K_val", "Manga109")
"""Those of Tables 3 and 4, whose columns the measured scores are ranked against."""
_RESULTS = "results/ablation"
_COMMANDS = "commands.txt"  # beside runs whose records, of before 0.2.0, hold no command line: it may say them
UNKNOWN = "# these records hold no command line; each run's config.yaml is its whole configuration"


@dataclass(frozen=True, kw_only=True)
class Study:
    """A folder of runs, read."""

    folder: Path
    runs: Sequence[tuple[RunFolder, Record]]
    """All of the folder, in the paper's order."""
    rows: Sequence[Measured]
    """One per network, of the setting that most runs have."""
    shorter: Mapping[int, Sequence[Record]]
    """Iterations -> the runs below `budget/`."""
    trainings: Mapping[str, Sequence[Measured]] = field(default_factory=dict)
    """Label -> the rows of the runs below `trainings/<label>/`: longer ones, of other patches or rates."""
    unfinished: Sequence[Record] = ()
    """Runs of the folder without a result."""
    tuned: Sequence[Record] = ()
    """Those at their network's own learning rate."""
    trials: Sequence[Record] = ()
    """Those that learning rates were chosen by."""

    @property
    def name(self) -> str:
        """The folder's own name, whatever path it was given by."""
        return self.folder.resolve().name

    @property
    def records(self) -> list[Record]:
        """Those of the rows."""
        return [record for row in self.rows for record in row.records]

    @property
    def elsewhere(self) -> list[Record]:
        """Runs by other trainings: shorter ones, those of `trainings`, at own learning rates, and trials of rates.

        Each once: a rate's runs may stand below `trainings/` and `tuned/`.
        """
        shorter = [record for runs in self.shorter.values() for record in runs]
        others = [record for rows in self.trainings.values() for row in rows for record in row.records]
        own = [record for record in self.tuned if record.tuned != 1]
        seen = {record.config_hash for record in self.records} - {""}
        found = []
        for record in [*shorter, *others, *own, *self.trials]:
            if record.config_hash not in seen:
                found.append(record)
                seen |= {record.config_hash} - {""}
        return found

    @functools.cached_property
    def datasets(self) -> list[str]:
        """The benchmarks that the runs were scored on."""
        return datasets_of(self.rows)

    @functools.cached_property
    def metrics(self) -> list[Metric]:
        """The metrics that they were scored by."""
        return metrics_of(self.rows)

    @property
    def baseline(self) -> Measured | None:
        """Its row, where it was run."""
        return next((row for row in self.rows if row.name == BASELINE), None)


def read_study(folder: Path) -> Study:
    """Read everything below the folder.

    Raises UserError where it has no finished run at the paper's scale, for a run by another training that was scored on
    other images, and where one folder of `trainings/` holds two trainings.
    """
    below = gather(folder)
    runs = _in_order(below)
    measured = measure([record for _, record in runs], SCALE, unfinished=below.unfinished, tuned=below.tuned)
    if not measured:
        raise UserError(
            f"{folder} has no run at scale {SCALE}, that of Tables 3 and 4. Give another folder with --runs."
        )
    setting = main_setting(measured)
    rows = [row for row in measured if row.setting == setting]
    shorter: dict[int, list[Record]] = {}
    for _, _, record in _below(folder / BUDGETS, rows):
        shorter.setdefault(planned_iterations(record), []).append(record)
    trainings: dict[str, list[Record]] = {}
    for label, _, record in _below(folder / TRAININGS, rows):
        trainings.setdefault(label, []).append(record)
    return Study(
        folder=folder, runs=runs, rows=rows, shorter=dict(sorted(shorter.items())), unfinished=below.unfinished,
        tuned=below.tuned, trials=find_trials(folder),
        trainings={label: _alike(folder / TRAININGS / label, records) for label, records in trainings.items()},
    )  # fmt: skip


def _below(folder: Path, rows: Sequence[Measured]) -> Iterator[tuple[str, RunFolder, Record]]:
    """The runs of each folder below this one, by its name."""
    for runs in sorted(folder.glob("*/")):
        for run, record in _in_order(gather(runs)) if any(runs.glob(RECORDS)) else ():
            _require_same_images(run, record, rows)
            yield runs.name, run, record


def _alike(folder: Path, records: Sequence[Record]) -> list[Measured]:
    """The rows of one training. Raises UserError where its runs do not compare."""
    rows = grouped(records, SCALE)
    settings = dict.fromkeys(row.setting for row in rows)
    if len(settings) > 1:
        raise UserError(
            f"{folder} holds runs that do not compare ({'; '.join(settings)}). Give each training a folder of its own "
            f"below {TRAININGS}/."
        )
    return rows


def _require_same_images(run: RunFolder, record: Record, rows: Sequence[Measured]) -> None:
    """Runs by another training are held against the study's, so their benchmarks are the same by content."""
    full = rows[0].records[0]
    for dataset in record.scores:
        theirs, ours = fingerprint(record, dataset), fingerprint(full, dataset)
        if theirs and ours and theirs != ours:
            raise UserError(
                f"{run.path} was scored on other images, or other LR, under the name {dataset} than the full runs, so "
                f"they do not compare. Take it out of {run.path.parents[3].name}/, or train it again on the full runs' "
                "benchmarks."
            )


def _in_order(below: Gathered) -> list[tuple[RunFolder, Record]]:
    """The runs of a folder in the paper's order."""
    return sorted(below.runs, key=lambda run: (paper_order(run[1].variant), run[1].scale, run[1].seed))


def planned_iterations(record: Record) -> int:
    """How long the run was to be; a collapsed one ended before."""
    return int(record.recipe["train"]["iterations"])


def published(column: str, *, collapsed: bool = False) -> dict[str, float]:
    """Variant -> its figure in a column of Tables 3 and 4; rows with the paper's asterisk only where asked for."""
    rows = [*read_table("table3.csv"), *read_table("table4.csv")]
    return {row["variant"]: float(row[column]) for row in rows if collapsed or row.get("collapsed") != "yes"}


def starred() -> list[str]:
    """The variants whose training collapsed in the paper."""
    return [row["variant"] for row in read_table("table3.csv") if row["collapsed"] == "yes"]


def seed_means(rows: Sequence[Measured], dataset: str, metric: str) -> dict[str, float]:
    """Network -> mean over its seeds, of the networks of which no run collapsed."""
    scores = {row.name: row.score(dataset, metric) for row in rows if not row.collapsed}
    return {name: score.mean for name, score in scores.items() if score is not None}


def of_seed(records: Iterable[Record], seed: int, dataset: str, metric: str) -> dict[str, float]:
    """Network -> the score of its run with this seed, of those that finished."""
    return {
        record.variant: score
        for record in records
        if record.seed == seed
        and record.status == "finished"
        and (score := record.scores.get(dataset, {}).get(metric)) is not None
    }


def seeds_of(records: Iterable[Record]) -> list[int]:
    """All seeds, in order."""
    return sorted({record.seed for record in records})


def run_commands(study: Study) -> list[str]:
    """Each command once, those of full runs first."""
    records = [*study.records, *study.tuned, *study.elsewhere]
    told = dict.fromkeys(printable(record.command) for record in records if record.command)
    if all(record.command for record in records):
        return [*told]
    path = study.folder / _COMMANDS
    before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [UNKNOWN]
    return [*map(printable, before), *told]


def study_command(study: Study) -> str:
    """The command that makes everything else of the folder."""
    return f"python analysis/study.py --runs {_RESULTS}/{printable(study.name)}"
