"""The door of every command: what its surroundings do to it ends in a status and at most one line, without a trace."""

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from least_calls import LEAST

from safmn_bench.ablations import cli
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.door import command

ROOT = Path(__file__).parents[3]
LONG = "a" * 300

# what happens within a command -> (status, what is said)
ENDS: dict[str, tuple[BaseException, int, str]] = {
    "wrong input": (UserError("No variant 'x'."), 2, "error: No variant 'x'.\n"),
    "terminal escapes in a name": (UserError("No file \x1b[31mred\x07.png."), 2, "error: No file  [31mred .png.\n"),
    "bytes that are no text": (UserError("No file caf\udce9.png."), 2, "error: No file caf?.png.\n"),
    "missing library": (
        ModuleNotFoundError("no", name="onnx"),
        2,
        "error: onnx is needed here and not installed: run `make setup`.\n",
    ),
    "Ctrl-C": (KeyboardInterrupt(), 130, "interrupted\n"),
    "reader gone": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
    "full disk": (
        OSError(errno.ENOSPC, "No space left on device", "/dev/shm/torch_1"),
        2,
        "error: /dev/shm/torch_1: No space left on device. Make room, allow it, or choose another place.\n",
    ),
    "path too long": (
        OSError(errno.ENAMETOOLONG, "File name too long", LONG),
        2,
        f"error: {'a' * 80}... (300 bytes): File name too long. Make room, allow it, or choose another place.\n",
    ),
    "stdout is full": (
        OSError(errno.ENOSPC, "No space left on device"),
        2,
        "error: The output: No space left on device. Make room, allow it, or choose another place.\n",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_happens_within_is_a_status_and_at_most_a_line(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    error, status, said = ENDS[name]
    monkeypatch.setattr("safmn_bench.profiling.common.door._drop_output", lambda: None)  # it would close pytest's

    @command
    def main(argv: list[str] | None) -> int:
        raise error

    assert main([]) == status
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("error", [ValueError("a defect"), ModuleNotFoundError("no", name="safmn_bench.zzz")])
def test_a_defect_keeps_its_trace(error: Exception):
    @command
    def main(argv: list[str] | None) -> int:
        raise error

    with pytest.raises(type(error)):
        main([])


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "tkagg", ""])
def test_a_backend_of_matplotlib_s_for_windows_does_not_count(backend: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MPLBACKEND", backend)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    seen = []

    @command
    def main(argv: list[str] | None) -> int:
        seen.append(os.environ["MPLBACKEND"])
        return 0

    assert main([]) == 0
    assert seen == ["agg"]
    assert os.environ["MPLBACKEND"] == backend


@pytest.mark.parametrize("name", cli.SCRIPTS)
def test_a_script_imports_nothing_of_ours_before_its_main_but_the_door(name: str):
    """An interrupt of an import outside `main` would end in a trace."""
    tree = ast.parse((ROOT / cli.SCRIPTS[name][0] / f"{name}.py").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.Try))
    plain = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in guarded.body if isinstance(node, ast.ImportFrom)] == [
        "safmn_bench.profiling.common.door"
    ]
    names = {getattr(node, "module", None) or node.names[0].name for node in plain}
    assert names <= {"sys", "pathlib", "collections.abc"}


INTERRUPTED_IMPORTS = """
import os, signal, sys
from importlib.abc import MetaPathFinder

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in its background

class CtrlC(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("torch", "numpy", "scipy", "rich"):
            try: signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt: pass  # as libraries do
            os.write(1, b"went on\\n")

sys.meta_path.insert(0, CtrlC())
from safmn_bench.ablations import cli
for name, *words in CALLS:
    if (child := os.fork()) == 0:
        sys.argv = ["safmn-bench", name, *words]
        os._exit(cli.main())
    print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_ctrl_c_while_libraries_are_imported_ends_every_command_at_once():
    calls = [[name, *LEAST.get(name, [])] for name in cli.SCRIPTS]
    code = INTERRUPTED_IMPORTS.replace("CALLS", repr(calls))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [f"{name} 130" for name in cli.SCRIPTS]
    assert done.stderr == "interrupted\n" * len(cli.SCRIPTS)


STREAMS = """
import sys
from safmn_bench.profiling.common.door import command
@command
def main(argv=None):
    print("caf\\udce9 \\u00d7 4")
    return 0
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("shell", "status", "out", "err"),
    [
        ("{}", 0, r"caf\udce9 × 4", ""),
        ("PYTHONIOENCODING=ascii {}", 0, r"caf\udce9 \xd7 4", ""),
        ("{} >/dev/full", 2, "", "error: The output: No space left on device. Make room, allow it, or choose another"),
        ("{} >&-", 0, "", ""),
    ],
)
def test_an_output_that_takes_no_text_or_all_bytes_is_no_trace(shell: str, status: int, out: str, err: str):
    call = shell.format(f"'{sys.executable}' -c \"$CODE\"")
    done = subprocess.run(
        ["bash", "-c", call],
        env={**os.environ, "CODE": STREAMS, "PYTHONUTF8": "1"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (status, out)
    assert done.stderr.startswith(err)
    assert len(done.stderr.splitlines()) == bool(err)
