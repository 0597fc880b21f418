"""Where measured figures come from, in one line each: recipe, data, seeds, hardware, versions, commit, date."""

from collections.abc import Iterable, Sequence

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.groups import Measured, budget_of, training_images


def origin(records: Sequence[Record]) -> str:
    """Everything but the network that decided these runs; what differs between them is listed."""
    facts = (
        _listed(f"recipe {r.recipe.get('name', '?')}" for r in records),
        _listed(budget_of(r) for r in records),
        "trained on " + _listed(training_images(r) for r in records),
        "seeds " + _listed(str(r.seed) for r in sorted(records, key=lambda r: r.seed)),
        _listed(hardware(r) for r in records),
        "torch " + _listed(r.versions.get("torch", "?") for r in records),
        "commit " + _listed(r.commit[:10] + ("-dirty" if r.commit.endswith("-dirty") else "") for r in records),
        days(records),
    )
    return ", ".join(facts)


def hardware(record: Record) -> str:
    """The GPU's name, or the processor's with its threads."""
    machine = record.machine
    return str(
        machine.get("gpu") or f"{machine.get('name', 'unknown machine')} ({machine.get('threads', '?')} threads)"
    )


def provenance_notes(rows: Sequence[Measured]) -> list[str]:
    """One note per origin, the networks named where there are several origins; then each protocol once."""
    by_origin: dict[str, list[str]] = {}
    for setting in dict.fromkeys(row.setting for row in rows):
        alike = [row for row in rows if row.setting == setting]
        records = [record for row in alike for record in row.records]
        by_origin.setdefault(origin(records), []).extend(row.name for row in alike)
    several = len(by_origin) > 1
    notes = [f"Measured{f' ({_listed(names)})' if several else ''}: {made_on}." for made_on, names in by_origin.items()]
    return notes + list(dict.fromkeys(record.protocol for row in rows for record in row.records))


def collapse_notes(rows: Sequence[Measured]) -> list[str]:
    """Each collapsed run: when, why, and what its scores are of."""
    notes = []
    for record in (record for row in rows for record in row.records if record.status == "collapsed"):
        collapse = record.collapse or {}
        kept = collapse.get("weights_from_iteration")
        scores = f"scores are of the weights at iteration {kept}" if kept else "it has no scores"
        where = f"{record.variant} seed {record.seed}: training collapsed at iteration {collapse.get('iteration', '?')}"
        notes.append(f"* {where} ({collapse.get('reason', 'no reason recorded')}); {scores}.")
    return notes


def _listed(values: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(values))


def days(records: Sequence[Record]) -> str:
    """The day of the runs, or the first and the last."""
    dates = sorted({record.date[:10] for record in records})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def short_commit(commit: str) -> str:
    """Ten digits of a commit, and whether files differed from it."""
    return commit[:10] + ("-dirty" if commit.endswith("-dirty") else "")
