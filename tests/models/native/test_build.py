"""Building the library: once, whole, checked, and in a sentence where it cannot be.

A compiler of our own making stands in for the real one where only the cache is looked at.
"""

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from safmn_bench.models.errors import UserError
from safmn_bench.models.native.build import AVX2, BASELINE, Geometry, build, instructions

GEOMETRY = Geometry(dim=36, hidden=72, levels=4)
INSTEAD = "Or choose the fast form (models.fast.optimise, --implementations fast), which needs no compiler."


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that notes each call in calls.txt and writes a 'library'."""
    script = tmp_path / "fake++"
    script.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "fake 1"; exit; fi\n'
        f'echo "$@" >> {tmp_path}/calls.txt\n'
        "sleep 0.2\n"
        "while [ $# -gt 1 ]; do shift; done\n"
        'echo library > "$1"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    return script


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls.txt").read_text().splitlines()


def test_library_is_compiled_once_for_its_geometry_and_instructions(compiler: Path, tmp_path: Path):
    folder = tmp_path / "cache"
    first = build(GEOMETRY, AVX2, folder)
    assert first.read_text() == "library\n"
    assert build(GEOMETRY, AVX2, folder) == first
    (call,) = calls(tmp_path)
    assert "-mavx2 -mfma -DSAFMN_LANES=8 -DSAFMN_REGISTERS=16" in call
    assert "-DSAFMN_DIM=36 -DSAFMN_HIDDEN=72 -DSAFMN_LEVELS=4" in call
    assert "fast-math" not in call
    others = {build(GEOMETRY, BASELINE, folder), build(Geometry(dim=20, hidden=40, levels=1), AVX2, folder)}
    assert len(others | {first}) == 3
    assert len(calls(tmp_path)) == 3


def test_another_version_of_the_compiler_builds_its_own(compiler: Path, tmp_path: Path):
    first = build(GEOMETRY, AVX2, tmp_path / "cache")
    compiler.write_text(compiler.read_text().replace("fake 1", "fake 2"))
    assert build(GEOMETRY, AVX2, tmp_path / "cache") != first


@pytest.mark.parametrize("damage", ["cut off", "changed"])
def test_damaged_library_is_built_again(damage: str, compiler: Path, tmp_path: Path):
    path = build(GEOMETRY, AVX2, tmp_path / "cache")
    path.write_text("lib" if damage == "cut off" else "libvary\n")
    assert build(GEOMETRY, AVX2, tmp_path / "cache").read_text() == "library\n"
    assert len(calls(tmp_path)) == 2
    assert [p.name for p in (tmp_path / "cache").glob("*.so")] == [path.name]


def test_builds_at_the_same_time_compile_once(compiler: Path, tmp_path: Path):
    with ThreadPoolExecutor(4) as threads:
        built = set(threads.map(lambda _: build(GEOMETRY, AVX2, tmp_path / "cache"), range(4)))
    assert len(built) == 1
    assert len(calls(tmp_path)) == 1


def test_builds_at_the_same_time_do_no_harm_where_there_are_no_locks(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_locks(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with ThreadPoolExecutor(4) as threads:
        built = set(threads.map(lambda _: build(GEOMETRY, AVX2, tmp_path / "cache"), range(4)))
    assert [path.read_text() for path in built] == ["library\n"]


def test_no_compiler_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        build(GEOMETRY, AVX2, tmp_path / "cache")
    assert str(caught.value) == (
        "The native form is compiled at first use, and there is no C++ compiler: install GCC 11 or Clang 15 or newer, "
        f"with OpenMP, or name one in CXX. {INSTEAD}"
    )


def test_a_library_in_the_cache_needs_no_compiler(compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = build(GEOMETRY, AVX2, tmp_path / "cache")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert build(GEOMETRY, AVX2, tmp_path / "cache") == path
    path.write_text("changed")
    with pytest.raises(UserError, match="there is no C\\+\\+ compiler"):
        build(GEOMETRY, AVX2, tmp_path / "cache")


def test_failing_compiler_is_told_with_its_first_error(compiler: Path, tmp_path: Path):
    compiler.write_text("#!/bin/sh\nprintf 'in file x\nx.h:1: error: what is this\nand more\n' >&2; exit 1\n")
    with pytest.raises(UserError) as caught:
        build(GEOMETRY, AVX2, tmp_path / "cache")
    assert str(caught.value) == (
        f"{compiler} could not compile the native form: x.h:1: error: what is this. It needs GCC 11 or Clang 15 or "
        f"newer, with OpenMP; name another compiler in CXX. {INSTEAD}"
    )
    assert not list((tmp_path / "cache").glob("*.so"))


def test_cache_that_cannot_be_written_is_a_sentence(compiler: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written: .* Name another folder in SAFMN_BENCH_CACHE."):
        build(GEOMETRY, AVX2, tmp_path / "file" / "cache")


def test_instructions_follow_what_torch_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for capability, lanes in (("AVX512", 16), ("AVX2", 8), ("DEFAULT", 4)):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda capability=capability: capability)
        assert instructions().lanes == lanes
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert (instructions().lanes, instructions().registers) == (4, 32)


@pytest.mark.slow
def test_two_processes_build_at_once_in_an_empty_cache(tmp_path: Path):
    code = (
        "import torch; from safmn_bench.models.native.form import native_form; "
        "from safmn_bench.models.safmn import SAFMN, SAFMNConfig; torch.manual_seed(0); "
        "print(native_form(SAFMN(SAFMNConfig(n_blocks=1), scale=2))(torch.ones(1, 3, 9, 9)).sum().item())"
    )
    environment = {**os.environ, "SAFMN_BENCH_CACHE": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert said[0] == said[1] != ""
    assert len(list((tmp_path / "native").glob("*.so"))) == 1
