"""The commands that make a study's runs, as their records hold them.

Records of before hold none. Beside such runs a file `commands.txt` may say them; without it the page says that they are
not known, and that each record holds its whole configuration.
"""

from safmn_bench.analysis.findings.runs import Study
from safmn_bench.models.errors import printable

RESULTS = "results/ablation"
FILE = "commands.txt"
UNKNOWN = "# these records hold no command line; each run's config.yaml is its whole configuration"


def run_commands(study: Study) -> list[str]:
    """Each command once, those of full runs first."""
    records = [*study.records, *(record for runs in study.shorter.values() for record in runs)]
    told = dict.fromkeys(printable(record.command) for record in records if record.command)
    if all(record.command for record in records):
        return [*told]
    path = study.folder / FILE
    before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [UNKNOWN]
    return [*map(printable, before), *told]


def study_command(study: Study) -> str:
    """What makes everything else of the folder."""
    return f"python analysis/study.py --runs {RESULTS}/{printable(study.name)}"
