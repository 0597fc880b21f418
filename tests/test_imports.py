"""Which way imports run, between folders and between wings; `make check` runs this beside ruff and pyright."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("models", "profiling", "ablations", "analysis")
"""A folder imports itself and those before it."""
WINGS = {
    "models": ("stored", "peers", "rivals", "own", "native"),
    "profiling": ("common", "counting", "runtimes", "timing", "tracing", "checking"),
    "ablations": ("judging", "data", "scoring", "deployment", "training", "runs", "sweeps", "scatter", "card"),
    "analysis": ("stats", "tabular", "plots", "attribution", "comparison", "webpage", "findings"),
}
"""A wing imports itself, those before it, and files at the top of its folder that do not import it in turn."""


def imports_of(root: Path) -> dict[str, set[str]]:
    """Module -> modules of ours that it imports anywhere in its file, all named without `safmn_bench.`."""
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for folder in FOLDERS
        for path in (root / folder).rglob("*.py")
    }
    return {name: set(_imported(path, files)) for name, path in files.items()}


def _imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("safmn_bench."):
            module = str(node.module).removeprefix("safmn_bench.")
            yield from (module if module in known else f"{module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("safmn_bench.") for a in node.names if a.name.startswith("safmn_bench."))


def room(module: str) -> str:
    """The wing of a module, or the module itself where it lies at the top of its folder."""
    return ".".join(module.split(".")[:2])


def upward(imports: dict[str, set[str]]) -> list[str]:
    """Imports of a later folder, or of a later wing of the same folder."""
    found = []
    for module, targets in imports.items():
        for target in targets:
            (folder, wing), (other, other_wing) = (name.split(".")[:2] for name in (module, target))
            order = WINGS[folder]
            wings = other == folder and wing in order and other_wing in order
            if FOLDERS.index(other) > FOLDERS.index(folder) or (wings and order.index(other_wing) > order.index(wing)):
                found.append(f"{module} imports {target}")
    return sorted(found)


def circle(imports: dict[str, set[str]]) -> list[str]:
    """A circle of rooms that import each other, first room last again; empty where there is none."""
    arrows: dict[str, set[str]] = {}
    for module, targets in imports.items():
        arrows.setdefault(room(module), set()).update(room(target) for target in targets)
    done: set[str] = set()

    def search(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in done:
            for target in sorted(arrows.get(name, set()) - {name}):
                if found := search(target, [*trail, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := search(name, []))), [])


def test_no_import_runs_back_up():
    assert upward(imports_of(ROOT)) == []


def test_nothing_imports_the_library_which_stands_on_all():
    names = "|".join(path.stem for path in (ROOT / "library").glob("[!_]*.py"))
    above = re.compile(rf"^\s*(import safmn_bench( as|$)|from safmn_bench import|from safmn_bench\.({names}) )", re.M)
    assert above.search("    from safmn_bench.networks import count")
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        assert not above.search(path.read_text(encoding="utf-8")), path


def test_no_rooms_import_each_other_in_a_circle():
    assert circle(imports_of(ROOT)) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"models/a.py": "from safmn_bench.analysis import tables"}, "models.a imports analysis"),
        ({"profiling/common/a.py": "def f():\n    import safmn_bench.ablations.record"}, "imports ablations.record"),
        ({"analysis/stats/a.py": "from safmn_bench.analysis.plots.style import label"}, "imports analysis.plots.style"),
    ],
)
def test_an_import_that_runs_up_is_found(files: dict[str, str], problem: str, tmp_path: Path):
    write(tmp_path, files)
    assert any(problem in line for line in upward(imports_of(tmp_path)))


def test_a_circle_between_a_wing_and_a_file_beside_it_is_found(tmp_path: Path):
    files = {
        "analysis/escaping.py": "from safmn_bench.analysis.stats import groups",
        "analysis/stats/groups.py": "from safmn_bench.analysis.escaping import printable",
    }
    write(tmp_path, files)
    assert circle(imports_of(tmp_path)) == ["analysis.escaping", "analysis.stats", "analysis.escaping"]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_every_wing_has_its_place_in_the_order():
    for folder, wings in WINGS.items():
        there = {path.parent.name for path in (ROOT / folder).glob("*/*.py")}
        assert there == set(wings), folder


def test_no_wing_bears_the_name_of_a_script_beside_it():
    """`analysis/report.py` and a folder `analysis/report/` cannot both be modules."""
    for folder in FOLDERS:
        names = {path.name for path in (ROOT / folder).iterdir() if path.is_dir()}
        assert not names & {path.stem for path in (ROOT / folder).glob("*.py")}, folder


def test_no_file_or_wing_beside_a_script_shadows_a_standard_module():
    """`python ablations/run.py` puts that folder first on the path."""
    for folder in FOLDERS:
        names = {path.stem for path in (ROOT / folder).iterdir() if path.suffix == ".py" or path.is_dir()}
        assert not names & set(sys.stdlib_module_names), folder


def test_no_folder_holds_more_than_17_files():
    """More than that side by side are no longer of one kind."""
    for folder in FOLDERS:
        for place in [ROOT / folder, *(path for path in (ROOT / folder).rglob("*") if path.is_dir())]:
            assert len(list(place.glob("*.py"))) <= 17, place
