"""Check a network before it is trained or measured: what holds, what does not, why, and how to mend it.

python profiling/check.py mynet.py:MyNet --scale 4
python profiling/check.py --new mynet.py
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.models.folders import package_folder
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.checking.checks import CHECKS, FAILS, run_checks
from safmn_bench.profiling.common.files import write_text

TEMPLATE = "network.py.txt"


@command
def main(argv: list[str] | None = None) -> int:
    """Print a line per check; status 1 where one fails."""
    args = _parser().parse_args(argv)
    if (args.model is None) == (args.new is None):
        raise UserError("Give the network to check, such as mynet.py:MyNet, or --new FILE.py for a template.")
    if args.new is not None:
        return _write_template(args.new)
    wanted = [name for name in CHECKS if name not in args.without]
    failed = 0
    for finding in run_checks(find_candidate(args.model), args.scale, wanted):
        print(f"{finding.state:5}  {finding.check}: {finding.reason}", flush=True)
        if finding.mend:
            print(f"       -> {finding.mend}")
        failed += finding.state == FAILS
    print(f"{failed} of the checks fail." if failed else "Nothing fails: it can be trained, scored and measured.")
    return 1 if failed else 0


def _write_template(path: Path) -> int:
    """A network that passes, to begin from. Raises UserError where the file is there already."""
    if path.exists():
        raise UserError(f"{path} is there already; choose another name.")
    write_text(path, (package_folder("safmn_bench.profiling") / "templates" / TEMPLATE).read_text(encoding="utf-8"))
    print(f"Written: {path}. Check it: safmn-bench check {path}:MyNet")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="check", description="Check what holds of a network, and what does not.")
    parser.add_argument("model", nargs="?", metavar="NAME", help="FILE.py:Class, package.module:Class, or any name")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--without", nargs="+", default=[], choices=tuple(CHECKS), metavar="CHECK",
                        help=f"leave out some of: {', '.join(CHECKS)}")  # fmt: skip
    parser.add_argument("--new", type=Path, metavar="FILE.py", help="write a small network to begin from, and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main())
