"""Check a network before it is trained or measured: what holds, what does not, why, and how to mend it.

python profiling/check.py mynet.py:MyNet --scale 4
python profiling/check.py --new mynet.py
"""

import sys
from pathlib import Path

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)

TEMPLATE = "network.py.txt"


@command
def main(argv: list[str] | None = None) -> int:
    """Print a line per check; status 1 where one fails."""
    from safmn_bench.profiling.checking.options import arguments

    options = arguments().read(argv)
    from safmn_bench.models.names import find_candidate
    from safmn_bench.profiling.checking.checks import CHECKS, FAILS, run_checks
    from safmn_bench.profiling.checking.isolation import checked

    if options.new is not None:
        return _write_template(options.new)
    assert options.model is not None  # or --new, as the options say
    wanted = [name for name in CHECKS if name not in options.without]
    candidate = find_candidate(options.model)
    if options.limit:
        findings = checked(options.model, options.scale, wanted, options.limit)
    else:
        findings = run_checks(candidate, options.scale, wanted)
    failed = 0
    for finding in findings:
        print(f"{finding.state:5}  {finding.check}: {finding.reason}", flush=True)
        if finding.mend:
            print(f"       -> {finding.mend}")
        failed += finding.state == FAILS
    print(f"{failed} of the checks fail." if failed else "Nothing fails: it can be trained, scored and measured.")
    return 1 if failed else 0


def _write_template(path: Path) -> int:
    """A network that passes, to begin from. Raises UserError where the file is there already."""
    from safmn_bench.models.errors import UserError
    from safmn_bench.models.keeping import package_folder
    from safmn_bench.profiling.common.files import write_text

    if path.exists():
        raise UserError(f"{path} is there already; choose another name.")
    write_text(path, (package_folder("safmn_bench.profiling") / "templates" / TEMPLATE).read_text(encoding="utf-8"))
    print(f"Written: {path}. Check it: safmn-bench check {path}:MyNet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
