"""The wheel: every module and every data file, nothing outside safmn_bench/, and it runs outside the repository."""

import os
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest
import yaml

from safmn_bench.models.keeping import package_folder

ROOT = Path(__file__).parents[1]
CODE = ("models", "profiling", "ablations", "analysis")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left in the repository."""
    source = tmp_path_factory.mktemp("source")
    for name in (*CODE, "library", "results/paper"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(source / "dist"), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        f"safmn_bench/{path.relative_to(ROOT)}"
        for folder in CODE
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yaml", ".html", ".css", ".js", ".tex", ".j2", ".txt", ".cpp", ".h")
    }
    wanted |= {f"safmn_bench/{path.name}" for path in (ROOT / "library").iterdir() if path.is_file()}
    wanted |= {f"safmn_bench/paper/{path.name}" for path in (ROOT / "results" / "paper").glob("*.csv")}
    assert held == wanted


@pytest.mark.slow
def test_installed_wheel_runs_outside_the_repository(wheel: Path, tmp_path: Path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import sys, safmn_bench.ablations.cli as cli; assert cli.__file__.startswith(sys.argv[1]), cli.__file__; "
        "raise SystemExit(cli.main(sys.argv[2:]))"
    )
    call = ["run", "--variant", "w_o_FM", "--device", "cpu", "--set", "train.iterations=5"]
    environment = {**os.environ, "PYTHONPATH": str(site), "SAFMN_BENCH_CACHE": str(tmp_path / "cache")}
    work = tmp_path / "elsewhere"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(site), *call], cwd=work, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "w_o_FM seed 0" in done.stdout
    assert (work / "results" / "runs" / "w_o_FM" / "x4" / "seed0" / "record.json").is_file()


def test_package_data_is_found_in_an_editable_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """There the path of a package without __init__.py also holds the name of an import hook."""
    package = types.ModuleType("hooked")
    package.__path__ = ["__editable__.hooked.finder.__path_hook__", str(tmp_path)]
    monkeypatch.setitem(sys.modules, "hooked", package)
    assert package_folder("hooked") == tmp_path
    for path in (path for folder in CODE for path in (ROOT / folder).rglob("*.py")):
        assert 'resources.files("safmn_bench' not in path.read_text(encoding="utf-8"), path


def test_github_runs_what_ci_run_checks():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["check"]["steps"][-1] == {"run": ".ci/run"}
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def docker_commands(name: str) -> list[tuple[str, str]]:
    """(instruction, its argument) of a Dockerfile, continued lines joined."""
    lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    return [(instruction, " ".join(argument.split())) for instruction, _, argument in pairs]


def test_both_dockerfiles_have_the_same_stages_but_for_torchs_index_and_the_driver():
    """Nothing here can build them: they are read."""
    cpu, cuda = docker_commands("Dockerfile"), docker_commands("Dockerfile.cuda")
    assert [instruction for instruction, _ in cpu] == [
        *("FROM", "ARG", "RUN", "COPY", "RUN", "WORKDIR", "COPY", "RUN", "USER", "WORKDIR", "ENTRYPOINT", "CMD"),
    ]
    assert [pair for pair in cuda if pair not in cpu] == [
        ("ARG", "TORCH=https://pypi.org/simple"),
        ("ENV", "NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
    ]
    assert [pair for pair in cpu if pair not in cuda] == [("ARG", "TORCH=https://download.pytorch.org/whl/cpu")]
    copied = {argument.split()[0] for instruction, argument in cpu if instruction == "COPY"}
    assert all((ROOT / path).exists() for path in copied)


@pytest.mark.slow
def test_wheel_installed_by_pip_in_an_environment_of_its_own_trains_by_its_command(wheel: Path, tmp_path: Path):
    """The libraries are lent by this environment; the suite, its command and its metadata are the wheel's alone."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True, timeout=120)
    (site,) = (tmp_path / "env" / "lib").glob("python3*/site-packages")
    (site / "lent.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    scripts = tmp_path / "env" / "bin"
    install = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    call = [str(scripts / "safmn-bench"), "run", "--variant", "w_o_MR", "--device", "cpu"]
    call += ["--set", "train.iterations=2", "--out", str(tmp_path / "out")]
    environment = {"PATH": os.environ["PATH"], "SAFMN_BENCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "w_o_MR" / "x4" / "seed0" / "record.json").is_file()
    where = "import safmn_bench.ablations.cli as cli; print(cli.__file__)"
    found = subprocess.run([str(scripts / "python"), "-c", where], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.startswith(str(site))


def test_study_report_and_evaluate_import_no_compiler_and_no_distributions():
    """torch._dynamo takes a second of every command; torch.compiler.disable is enough to bring it. scipy.stats takes
    0.3 s, where scipy.special has what it computes with.
    """
    parts = ("analysis.findings.command", "analysis.webpage.command", "ablations.scoring.command")
    imports = "; ".join(f"import safmn_bench.{part}" for part in parts)
    code = f"import sys; {imports}; print({{'torch._dynamo', 'scipy.stats'}} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
