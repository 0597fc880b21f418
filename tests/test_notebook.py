"""docs/own_network.ipynb runs from its first cell to its last, and is kept without outputs."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "own_network.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def run(cell: str, names: dict[str, Any]) -> str:
    """Run a cell; what a notebook would show of its last line, if that is an expression."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if not isinstance(last, ast.Expr):
        return ""
    value = eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    return value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)


def test_notebook_is_kept_without_outputs_and_small():
    assert [cell["outputs"] for cell in CELLS if cell["cell_type"] == "code" and cell["outputs"]] == []
    assert NOTEBOOK.stat().st_size < 20_000
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)


@pytest.mark.slow
def test_notebook_runs_from_file_to_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)  # which is put back; the notebook goes to a folder of its own
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run("".join(cell["source"]), names) for cell in CELLS if cell["cell_type"] == "code"]
    assert any("<td>5x" in one or "80x45" in one for one in shown)
    assert any("data:image/png;base64" in one for one in shown)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| network", "| :--", "| MyNet", "| SAFMN", "| Bicubic"]
