"""The door: every command reads its options into a frozen dataclass, at once, and tells a wrong call in a paragraph."""

import dataclasses
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from least_calls import LEAST

from safmn_bench.ablations import cli
from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import SCALES as BUILT_SCALES
from safmn_bench.profiling.checking.checks import CHECKS
from safmn_bench.profiling.checking.options import CHECK_NAMES
from safmn_bench.profiling.common.options import SCALES, Options, Parser, require_at_least

ROOT = Path(__file__).parents[3]
CODE = [path for folder in ("models", "profiling", "ablations", "analysis") for path in (ROOT / folder).rglob("*.py")]
LAST = " --help tells all options."
PARSERS = {
    parser.prog: parser
    for path in CODE
    if path.name == "options.py" and path.parent.name != "common"
    for module in [importlib.import_module(f"safmn_bench.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}")]
    for name, make in vars(module).items()
    if name.endswith("arguments")
    for parser in [make()]
}
TYPED = [name for name in cli.SCRIPTS if name in PARSERS]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(Options):
    number: int = 3
    names: tuple[str, ...] = ("a",)
    window: tuple[tuple[int, int], ...] = ()


def made_up() -> Parser[Given]:
    parser = Parser(Given, prog="made", description="")
    parser.add_argument("--number", type=int, choices=(3, 4), help="default: %(default)s")
    parser.add_argument("--names", nargs="+", action="extend")
    parser.add_argument("--window", type=int, nargs=2, action="append")
    return parser


def test_defaults_are_the_dataclass_s_and_lists_become_tuples():
    assert made_up().read([]) == Given()
    assert "default: 3" in made_up().format_help()
    words = ["--number", "4", "--names", "b", "--window", "1", "2", "--window", "3", "4"]
    assert made_up().read(words) == Given(number=4, names=("a", "b"), window=((1, 2), (3, 4)), typed=tuple(words))
    assert made_up().read([]).names == ("a",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--widnow", "a"], "made has no option '--widnow'. Did you mean '--window'?"),
        (["--widnow=a"], "made has no option '--widnow'. Did you mean '--window'?"),
        (["--zzz"], "made has no option '--zzz'."),
        (["stray"], "made: unrecognized arguments: stray."),
        (["--number", "5"], "made: argument --number: invalid choice: 5 (choose from 3, 4)."),
        (["--number", "x"], "made: argument --number: invalid int value: 'x'."),
    ],
)
def test_a_wrong_call_is_one_sentence(words: list[str], message: str):
    with pytest.raises(UserError, match=f"^{re.escape(message + LAST)}$"):
        made_up().read(words)


def test_a_misspelt_option_is_named_before_what_it_leaves_missing(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["run", "--devise", "cpu"]) == 2
    said = capsys.readouterr().err
    assert said == f"error: run has no option '--devise'. Did you mean '--device'?{LAST}\n"


@pytest.mark.parametrize("name", TYPED)
def test_every_command_refuses_an_unknown_option_in_one_line(name: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([name, "--helpp"]) == 2
    assert (
        capsys.readouterr().err
        == f"error: {name} has no option '--helpp'. Did you mean '--help'? --help tells all options.\n"
    )


@pytest.mark.parametrize("name", PARSERS)
def test_options_are_the_fields_of_a_frozen_dataclass(name: str):
    options = PARSERS[name].read(LEAST.get(name, []))
    assert {f.name for f in dataclasses.fields(options)} - {"typed"} == {
        action.dest for action in PARSERS[name]._actions if action.dest not in ("help", "==SUPPRESS==")
    }
    assert options.typed == tuple(LEAST.get(name, []))
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.typed = ()  # type: ignore[misc]


def test_help_of_every_command_imports_nothing_heavy():
    """Nor does a wrong call: torch alone takes a second and more."""
    code = (
        "import sys\n"
        "from safmn_bench.ablations import cli\n"
        "for name in sys.argv[1:]:\n"
        "    for words in (['--help'], ['--no-such-option']):\n"
        "        try: cli.main([name, *words])\n"
        "        except SystemExit: pass\n"
        "        heavy = {'torch', 'scipy', 'matplotlib', 'numpy', 'pandas', 'rich', 'yaml'} & set(sys.modules)\n"
        "        assert not heavy, (name, words, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *TYPED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_is_typed():
    assert [name for name in cli.SCRIPTS if name not in PARSERS] == []
    doors = {path for path in CODE if re.search(r"\bNamespace\b", path.read_text(encoding="utf-8"))}
    assert doors == {ROOT / "profiling" / "common" / "options.py"}


def test_scales_are_those_that_networks_are_built_for():
    assert SCALES == BUILT_SCALES


def test_checks_are_those_that_check_names():
    assert tuple(CHECKS) == CHECK_NAMES


def test_numbers_below_the_least_are_refused():
    require_at_least(0, runs=0, threads=None)
    with pytest.raises(UserError, match=r"^--step-batch 0 is not a whole number of at least 1\.$"):
        require_at_least(1, step_batch=0)


@pytest.mark.parametrize("words", [["--version"], ["run", "--version"]])
def test_version_is_told(words: list[str], capsys: pytest.CaptureFixture[str]):
    try:
        status = cli.main(words)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 0
    assert re.fullmatch(r"safmn-bench \d+\.\d+\.\d+\n", capsys.readouterr().out)
