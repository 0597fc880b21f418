"""From files to a table: which runs and profiles belong to which table of the paper, and in which format it is written.

CSV holds every field to 12 digits, Markdown shows the best bold and the second best in italics, LaTeX is latex.py's.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.escaping import markdown
from safmn_bench.analysis.stats.entries import Entry, Value, entries_from, with_times
from safmn_bench.analysis.stats.groups import BASELINE, Measured, measure
from safmn_bench.analysis.stats.profiles import Profiles, read_profiles
from safmn_bench.analysis.stats.reading import gather
from safmn_bench.analysis.tabular.ablation_tables import NETWORK_TABLES, build
from safmn_bench.analysis.tabular.latex import to_latex
from safmn_bench.analysis.tabular.notes import notes_for
from safmn_bench.analysis.tabular.profile_tables import table2, table5
from safmn_bench.analysis.tabular.table import Column, Table, cells_of
from safmn_bench.models.errors import UserError, printable
from safmn_bench.models.names import network_key
from safmn_bench.models.variants import TABLE3, TABLE4, VARIANTS
from safmn_bench.profiling.common.files import csv_line

_NAMES = {3: {variant.name for variant in TABLE3}, 4: {variant.name for variant in TABLE4}}


def table_of(
    number: int, *, runs: Path | None = None, profiles: Sequence[Path] = (), scale: int | None = None
) -> Table:
    """Table `number` of the paper. Raises UserError for unusable files, and for a scale that the table has not."""
    if runs is None:
        return tabulate(number, [], read_profiles(profiles), scale)
    below = gather(runs)
    return tabulate(number, below.records, read_profiles(profiles), scale, below.unfinished, below.tuned)


def tabulate(
    number: int,
    records: Sequence[Record],
    profiles: Profiles,
    scale: int | None = None,
    unfinished: Sequence[Record] = (),
    tuned: Sequence[Record] = (),
) -> Table:
    """The same from what was read; only what belongs to the table is taken."""
    if number in (2, 5):
        if scale not in (None, 4):
            raise UserError(f"Table {number} has no scale to choose: leave out --scale {scale}.")
        return table2(profiles) if number == 2 else table5(profiles)
    scales = [scale] if scale else [2, 3, 4] if number in NETWORK_TABLES else [4]
    measured: list[Measured] = [row for at in scales for row in _measured(number, records, at, unfinished, tuned)]
    entries = [entry for entry in entries_from(measured, profiles) if _entry_belongs(entry, number)]
    unfinished = [record for record in unfinished if record.scale in scales and belongs(record, number)]
    times = with_times(entries, profiles) if number == 6 else []
    return build(number, entries, scale, notes_for(number, measured, profiles, unfinished), times)


def _measured(
    number: int, records: Sequence[Record], scale: int, unfinished: Sequence[Record], tuned: Sequence[Record]
) -> list[Measured]:
    """The table's networks; variants of Tables 3 and 4 are compared as one family, wherever they are shown.

    Alone, Table 4 would judge by the scatter of few runs, and a difference could stand in one table and not in the
    other.
    """
    together = (number,) if number in NETWORK_TABLES else (3, 4)
    runs, others, own = (
        [record for record in some if any(belongs(record, table) for table in together)]
        for some in (records, unfinished, tuned)
    )
    rows = measure(runs, scale, unfinished=others, tuned=own)
    return [row for row in rows if belongs(row.records[0], number)]


def belongs(record: Record, number: int) -> bool:
    """Whether a run is shown in Table 1 or 6 (networks), 3 (variants) or 4 (depth); one's own variants not in 4."""
    if number == 4:
        return record.variant in _NAMES[4]
    if record.variant in VARIANTS:
        return record.variant in _NAMES[3] if number == 3 else record.variant == BASELINE
    return number in NETWORK_TABLES or (bool(record.config) and "source" not in record.config)


def _entry_belongs(entry: Entry, number: int) -> bool:
    """Tables 1 and 6 have bicubic and networks; the others have only variants."""
    known = {network_key(name) for name in VARIANTS}
    if number in NETWORK_TABLES:
        return entry.key == BASELINE or entry.key not in known
    return entry.key in {network_key(name) for name in _NAMES[number]} or (number == 3 and "runs" in entry.values)


def to_csv(table: Table) -> str:
    """A line per row, a column per field; an empty cell where there is no value."""
    lines = [[_plain(row.values.get(key)) for key in table.fields] for row in table.rows]
    return "".join(map(csv_line, [table.fields, *lines]))


def stable(value: float) -> float:
    """A computed figure at 10 decimals and 12 significant digits: beyond them another processor rounds sums otherwise.

    Decimals count too: the difference of two scores of 30 dB is no surer than they are, however small it is.
    """
    return float(f"{round(value, 10):.12g}")


def _plain(value: Value) -> Value:
    if isinstance(value, float):
        return stable(value)
    return printable(value) if isinstance(value, str) else value


def to_markdown(table: Table) -> str:
    """A GitHub table; bands stand before the columns' titles, since its header has one line."""
    columns = table.shown()
    heading = f"**{table.heading}** " if table.heading else ""
    lines = [f"{heading}{markdown(table.title)}", ""]
    lines += [_line(markdown(_title(column, banded=len(table.bands) > 1)) for column in columns)]
    lines += [_line("--:" if column.band else ":--" for column in columns)]
    lines += [_line(cells) for cells in cells_of(table, columns, markdown, {1: "**{}**", 2: "*{}*"}, r"\*")]
    notes = [markdown(note) for note in table.notes]
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes)])


def _title(column: Column, *, banded: bool) -> str:
    """A column's header in one line, after its band where there are several."""
    title = f"{column.band.lower()}: {column.title}" if banded and column.band else column.title
    return f"{title} {column.unit}" if column.unit else title


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


WRITERS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "latex": to_latex, "markdown": to_markdown}
