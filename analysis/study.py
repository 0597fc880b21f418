"""One folder of ablation runs, told whole: tables, figures, ranking against the paper, budgets, collapses, README.

python analysis/study.py --runs results/ablation/cpu-reduced_cpu
python analysis/study.py --runs results/ablation/cpu-reduced_cpu --records-only --out /tmp/again
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Write every file of the study and say where they are."""
    import os

    from safmn_bench.analysis.findings.options import arguments

    options = arguments().read(argv)
    # before numpy is imported: its matrices are small here, and threads that wait for work are a tenth of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from safmn_bench.analysis.findings.command import make

    for path in make(options):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
