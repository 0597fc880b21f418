"""Tables 2 and 5: memory and time, and the runtime of meta-operations; published, and measured from CSV files."""

from collections.abc import Mapping

from safmn_bench.analysis.stats.entries import Value
from safmn_bench.analysis.stats.profiles import Profiles, Rows, number
from safmn_bench.analysis.tabular.table import MEASURED, PUBLISHED, Column, Piece, Row, Table
from safmn_bench.models.errors import normalised
from safmn_bench.models.names import network_key
from safmn_bench.profiling.common.paper import read_table

_PAPER_MACHINE = "Published: NVIDIA GeForce RTX 3090."  # Section 4.1
_LATENCY = ("implementation", "device", "dtype", "lr_height", "lr_width", "runs")
_FIGURES = ("peak_memory_mib", "median_ms", "p10_ms", "p90_ms")


def table2(profiles: Profiles) -> Table:
    """Memory and time at x4, LR 320x180: the paper's networks, then others; one row per measurement."""
    measured = [row for row in profiles.latency if row["scale"] == "4"]
    rows: list[Row] = []
    for paper in read_table("table2.csv"):
        figures: dict[str, Value] = {f"paper_{key}": paper[key] for key in ("gpu_memory_m", "avg_time_ms")}
        own = [row for row in measured if network_key(row["model"]) == network_key(paper["method"])]
        rows.append(Row(values={"method": paper["method"], **figures, **(_latency(own[0]) if own else {})}))
        rows += [Row(values={"method": paper["method"], **_latency(row)}) for row in own[1:]]
    known = {network_key(paper["method"]) for paper in read_table("table2.csv")}
    others = [row for row in measured if network_key(row["model"]) not in known]
    rows += [Row(values={"method": row["model"], **_latency(row)}) for row in others]
    return Table(
        heading="Table 2.",
        title="Memory and running time at x4: published, and measured here.",
        fields=[
            *("method", "paper_gpu_memory_m", "paper_avg_time_ms"),
            *(f"measured_{key}" for key in (*_LATENCY, *_FIGURES)),
        ],
        columns=_columns2(),
        rows=rows,
        notes=_notes2(measured),
    )


def _latency(row: Mapping[str, str]) -> dict[str, Value]:
    named: dict[str, Value] = {f"measured_{key}": row.get(key) or None for key in _LATENCY}
    size = f"{row.get('lr_width') or '?'}x{row.get('lr_height') or '?'}"
    return {**named, "measured_lr_size": size, **{f"measured_{key}": number(row.get(key)) for key in _FIGURES}}


def _columns2() -> list[Column]:
    time = [
        Piece(key="measured_median_ms", digits=2, better=-1),
        Piece(key="measured_p10_ms", before=" / ", digits=2),
        Piece(key="measured_p90_ms", before=" / ", digits=2),
    ]
    named = {"implementation": "implementation", "device": "device", "dtype": "number format", "lr_size": "LR size"}
    return [
        Column(title="method", pieces=[Piece(key="method")]),
        Column(title="GPU memory", unit="[M]", pieces=[Piece(key="paper_gpu_memory_m", better=-1)], band=PUBLISHED),
        Column(title="time", unit="[ms]", pieces=[Piece(key="paper_avg_time_ms", better=-1)], band=PUBLISHED),
        *(Column(title=what, pieces=[Piece(key=f"measured_{k}")], band=MEASURED) for k, what in named.items()),
        Column(
            title="peak memory",
            unit="[MiB]",
            pieces=[Piece(key="measured_peak_memory_mib", digits=2, better=-1)],
            band=MEASURED,
        ),
        Column(title="time, median / p10 / p90", unit="[ms]", pieces=time, band=MEASURED),
    ]


def _notes2(measured: Rows) -> list[str]:
    sizes = sorted({f"{row.get('lr_width')}x{row.get('lr_height')}" for row in measured} - {"320x180"})
    notes = [_PAPER_MACHINE + " LR 320x180, mean of 50 images; memory by torch.cuda.max_memory_allocated()."]
    if sizes:
        notes.append(f"Measured on other LR sizes too ({', '.join(sizes)}): they do not compare with the published.")
    return notes + list(dict.fromkeys(_made_on(row) for row in measured if row.get("hardware")))


def _made_on(row: Mapping[str, str]) -> str:
    """The origin that latency.py writes in each row."""
    facts = [row["hardware"], f"torch {row.get('torch', '?')}"]
    facts += [f"CUDA {row['cuda']}"] if row.get("cuda") else []
    return f"Measured: {', '.join(facts)}, commit {row.get('commit', '?')[:10]}, {row.get('date', '?')[:10]}."


def table5(profiles: Profiles) -> Table:
    """Self time of the meta-operations of the SAFM, in microseconds: a measured column per operators.py file."""
    published = read_table("table5.csv")
    by_file = {name: {normalised(row["operation"]): row for row in rows} for name, rows in profiles.operators.items()}
    names = {normalised(row["meta_operation"]): row["meta_operation"] for row in published}
    names |= {key: row["operation"] for rows in by_file.values() for key, row in rows.items() if key not in names}
    paper = {normalised(row["meta_operation"]): row["runtime_us"] for row in published}
    rows = [Row(values=_operation(key, name, paper, by_file), section=str(key in paper)) for key, name in names.items()]
    return Table(
        heading="Table 5.",
        title="Runtime of meta-operations: published, and measured here.",
        fields=[
            *("operation", "paper_us"),
            *(f"measured_{name}_{part}" for name in by_file for part in ("calls", "self_time_us", "share")),
        ],
        columns=_columns5(_labels(profiles.operators)),
        rows=rows,
        notes=[
            _PAPER_MACHINE + " By torch.profiler; the paper does not say over how many calls.",
            *dict.fromkeys(
                _made_on(rows[0]) for rows in profiles.operators.values() if rows and rows[0].get("hardware")
            ),
        ],
    )


def _labels(operators: Mapping[str, Rows]) -> dict[str, str]:
    """The heading of each file's columns: its network's form where that tells them apart, else the file's name."""
    forms = {name: rows[0].get("implementation", "") if rows else "" for name, rows in operators.items()}
    apart = len(set(forms.values())) == len(forms) and all(forms.values())
    return forms if apart else {name: name for name in operators}


def _operation(key: str, name: str, paper: Mapping[str, str], by_file: Mapping[str, Mapping[str, dict]]) -> dict:
    values: dict[str, Value] = {"operation": name, "paper_us": paper.get(key)}
    for file, rows in by_file.items():
        row = rows.get(key, {})
        for part in ("calls", "self_time_us", "share"):
            values[f"measured_{file}_{part}"] = number(row.get(part))
    return values


def _columns5(labels: Mapping[str, str]) -> list[Column]:
    columns = [
        Column(title="operation", pieces=[Piece(key="operation")]),
        Column(title="time", unit="[µs]", pieces=[Piece(key="paper_us")], band=PUBLISHED),
    ]
    for file, label in labels.items() or [("", "")]:
        of = f"{label}: " if len(labels) > 1 else ""
        time, calls = f"measured_{file}_self_time_us", f"measured_{file}_calls"
        columns.append(Column(title=f"{of}self time", unit="[µs]", pieces=[Piece(key=time, digits=1)], band=MEASURED))
        columns.append(Column(title=f"{of}calls", pieces=[Piece(key=calls, digits=0)], band=MEASURED))
    return columns
