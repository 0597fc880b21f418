"""Records that do not say the same, told apart or told of: a table of what goes in and the sentence that comes out."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from made_records import IMAGES, made_record, scores_of, write_run

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.escaping import markdown
from safmn_bench.analysis.findings.readme import readme
from safmn_bench.analysis.findings.runs import read_study
from safmn_bench.analysis.stats.caveats import caveat_notes, changes_of, tally
from safmn_bench.analysis.stats.contents import fingerprint
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.stats.reading import find_runs, find_unfinished
from safmn_bench.analysis.tabular.command import WRITERS, table_of, tabulate
from safmn_bench.analysis.webpage.command import lead
from safmn_bench.models.errors import UserError


def run(
    variant: str = "baseline", seed: int = 0, db: float = 30.0, bicubic_db: float = 24.89, **changes: Any
) -> Record:
    """On Manga109; another bicubic score means other images or other LR."""
    scores = {"scores": {"Manga109": scores_of(db + 0.01 * seed)}, "bicubic": {"Manga109": scores_of(bicubic_db)}}
    return made_record(variant, seed, **{**scores, "config_hash": f"{variant}{seed}", **changes})


def with_recipe(variant: str, **optimizer: float) -> Record:
    recipe = {"name": "quick", "train": {"iterations": 100, "patch": 16, "batch": 8, "sampling": "image"}}
    return run(variant, recipe={**recipe, "optimizer": {"lr": 0.005, **optimizer}})


MANGA = "no better than bicubic of the same images"
OOM = {"status": "failed", "error": "out of memory: 3 GiB", "scores": {}, "bicubic": {}}
# name: (records, failed runs, what is said)
SAID: dict[str, tuple[list[Record], list[Record], list[str]]] = {
    "nothing odd": ([run(), run("w_SE")], [], []),
    "another learning rate": (
        [with_recipe("baseline"), with_recipe("w_o_LN_lr1e-4", lr=1e-4)], [],
        ["Recipe keys that differ: w_o_LN_lr1e-4 has optimizer.lr 0.0001 (others 0.005)."],
    ),
    "two keys": (
        [with_recipe("baseline", clip=1.0), with_recipe("mine", lr=0.1, clip=2.0)], [],
        ["Recipe keys that differ: mine has optimizer.lr 0.1 (others 0.005), optimizer.clip 2 (others 1)."],
    ),
    "without a baseline, most decide": (
        [with_recipe("a"), with_recipe("b"), with_recipe("c", lr=1e-3)], [],
        ["Recipe keys that differ: c has optimizer.lr 0.001 (others 0.005)."],
    ),
    "below bicubic": (
        [run(), run("w_o_CCM", db=24.5)], [], [f"†: {MANGA}: w_o_CCM on Manga109 (24.50 against 24.89 dB)."],
    ),
    "as good as bicubic": ([run(db=24.89)], [], [f"†: {MANGA}: baseline on Manga109 (24.89 against 24.89 dB)."]),
    "one failed": (
        [run(), run(seed=1)], [run("w_SE", 2, **OOM)],
        ["2 networks in 3 runs, 1 failed: w_SE x4 seed 2: out of memory: 3 GiB."],
    ),
    "one collapsed, one failed": (
        [run(), run("bn", status="collapsed")], [run("w_SE", 2, **OOM)],
        ["3 networks in 3 runs, 1 collapsed and 1 failed: w_SE x4 seed 2: out of memory: 3 GiB."],
    ),
    "a failure without a cause": (
        [run()], [run("w_SE", 2, status="failed")],
        ["2 networks in 2 runs, 1 failed: w_SE x4 seed 2: no cause recorded."],
    ),
    "one whose runs scatter": (
        [*(run(name, seed) for name in ("baseline", "w_SE", "w_o_FM", "w_o_MR") for seed in range(3)),
         *(run("bn", seed, db) for seed, db in enumerate((30.0, 33.0, 27.0)))], [],
        ["Runs scatter far more than those of the others (F test, p < 0.001 among all networks), so judged by their "
         "own scatter, which the others' intervals leave out: bn on Manga109 (3.0000 dB, 2 degrees of freedom)."],
    ),
    "one whose runs scatter a little more": (  # an F of 10.3 with 2 and 8 degrees of freedom: p is 0.006
        [*(run(name, seed) for name in ("baseline", "w_SE", "w_o_FM", "w_o_MR") for seed in range(3)),
         *(run("bn", seed, db) for seed, db in enumerate((30.0, 30.04, 29.97)))], [],
        ["Runs scatter more than those of the others (F test, p < 0.01), so judged too lightly: bn."],
    ),
    "other images under one name": (
        [run(), run("w_SE", bicubic_db=25.5)], [],
        ["Manga109 x4 is 2 different sets of images (#1 baseline; #2 w_SE): their scores are not averaged, compared or "
         "ranked together."],
    ),
    "other LR, told by its origin": (
        [
            run(data={"train": {}, "lr": {"Manga109": "LR made from HR by MATLAB-style bicubic"}}),
            run("w_SE", bicubic_db=25.5, data={"train": {}, "lr": {"Manga109": "LR read from M/LR_x4"}}),
        ], [],
        ["Manga109 x4 is 2 different sets of images (#1 LR made from HR by MATLAB-style bicubic: baseline; "
         "#2 LR read from M/LR_x4: w_SE): their scores are not averaged, compared or ranked together."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_differs_is_said_under_the_tables(name: str):
    records, failed, said = SAID[name]
    assert caveat_notes(measure(records, 4), failed) == said
    notes = list(tabulate(3, records, Profiles(), unfinished=failed).notes)
    assert [note for note in notes if note in said] == said


# name: (two runs of one variant; whether they are one row)
ONE_ROW: dict[str, tuple[Record, Record, bool]] = {
    "the same images": (run(), run(seed=1), True),
    "other HR or LR": (run(), run(seed=1, bicubic_db=25.0), False),
    "an image more": (
        run(), run(seed=1, bicubic={"Manga109": scores_of(24.89, images=(*IMAGES, "another"))}), False,
    ),
    "the last digits of another processor": (run(), run(seed=1, bicubic_db=24.89 + 1e-9), True),
    "another protocol": (run(), run(seed=1, protocol="Protocol x4: another."), False),
    "LR read from files or made, of the same pixels": (
        run(protocol="A, LR by MATLAB-style bicubic; B."),
        run(seed=1, protocol="A, LR by MATLAB-style bicubic (read from files: Manga109); B."), True,
    ),
    "LR that is not bicubic": (
        run(protocol="A, LR by MATLAB-style bicubic; B."),
        run(seed=1, protocol="A, LR of Manga109 as given (not bicubic), else by MATLAB-style bicubic; B."), False,
    ),
    "no bicubic known": (run(), run(seed=1, bicubic={}), True),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_ROW)
def test_runs_on_other_images_are_never_averaged(name: str):
    first, second, together = ONE_ROW[name]
    assert len(measure([first, second], 4)) == (1 if together else 2)


def test_runs_on_other_images_are_never_compared_or_ranked():
    records = [run(), run(seed=1), run("w_SE", db=35, bicubic_db=25.5), run("w_SE", 1, db=35, bicubic_db=25.5)]
    rows = measure([*records, run("n4"), run("n4", 1)], 4)
    compared = {row.name: bool(row.comparisons) for row in rows}
    assert compared == {"baseline": False, "w_SE": False, "n4": True}
    table = tabulate(3, [*records, run("mine", db=20), run("mine", 1, db=20)], Profiles())
    shown = WRITERS["markdown"](table)
    assert "**35." not in shown  # the highest score, of other images, is not marked as the best
    [bicubic] = [row for row in tabulate(1, records, Profiles()).rows if row.values.get("method") == "Bicubic"
                 and row.values["scale"] == "4"]  # fmt: skip
    assert bicubic.values["measured_Manga109_psnr_db"] == 24.89


def test_marks_stand_where_networks_are_compared():
    shown = WRITERS["markdown"](tabulate(3, [run(), run("w_o_CCM", db=24.5)], Profiles()))
    [row] = [line for line in shown.splitlines() if "24.500" in line]
    assert "0.8000" in row.split("†")[0]
    assert shown.count("†") == 2  # there, and in the note that says what it means


# name: (variant, configuration, model, what it changes)
CHANGES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a known variant": ("w_o_FM", {"modulate": False}, "safmn", "no feature modulation: phi(X^) is the output"),
    "one's own": ("mine", {"dim": 48, "n_blocks": 8}, "safmn", "dim 36 -> 48"),
    "two fields": ("mine", {"dim": 48, "n_blocks": 4}, "safmn", "dim 36 -> 48, n_blocks 8 -> 4"),
    "nothing of the network": ("mine", {"dim": 36, "n_blocks": 8}, "safmn", ""),
    "another network": ("carn", {}, "carn", "another network: CARN"),
    "a network of elsewhere": ("theirs", {}, "theirs", "another network"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_told_from_the_record(name: str):
    variant, config, model, told = CHANGES[name]
    assert changes_of(run(variant, config=config, model=model)) == told


def test_a_variants_counts_are_not_compared_with_safmns_printed_row():
    mine = run("mine", params=1_000_000, config={"dim": 72})
    assert not [note for note in tabulate(1, [mine], Profiles()).notes if note.startswith("Counted otherwise")]
    wrong = run("baseline", params=1_000_000)
    assert [note for note in tabulate(1, [wrong], Profiles()).notes if note.startswith("Counted otherwise")]


def test_a_copied_seed_folder_is_refused(tmp_path: Path):
    folder = write_run(tmp_path, run())
    write_run(tmp_path, run(seed=1))
    assert len(find_runs(tmp_path)) == 2
    shutil.copytree(folder.path, folder.path.with_name("seed2"))
    with pytest.raises(UserError, match=r"hold one run: the same configuration and seed 0. One is a copy"):
        find_runs(tmp_path)


def test_failed_runs_are_counted_and_named_in_table_report_and_study(tmp_path: Path):
    for one in (run(), run("w_o_FM"), run("w_SE", 2, **OOM)):
        write_run(tmp_path, one)
    said = "3 networks in 3 runs, 1 failed: w_SE x4 seed 2: out of memory: 3 GiB."
    assert said in table_of(3, runs=tmp_path).notes
    failed = find_unfinished(tmp_path)
    assert lead([record for _, record in find_runs(tmp_path)], failed) == said.replace("runs,", "runs at x4,")
    assert markdown(said) in readme(read_study(tmp_path), [], [], [], None, [])
    assert tally([], failed) == "1 network in 1 run, 1 failed: w_SE x4 seed 2: out of memory: 3 GiB"


def test_a_folder_of_failures_alone_names_one(tmp_path: Path):
    write_run(tmp_path, run("w_SE", 2, **OOM))
    with pytest.raises(UserError, match=r"holds no finished run .* 1 failed, such as w_SE: out of memory: 3 GiB"):
        find_runs(tmp_path)


def test_fingerprint_is_of_bicubics_score_on_each_image():
    assert fingerprint(run(), "Manga109") == fingerprint(run("w_SE", 3), "Manga109")
    assert fingerprint(run(), "Manga109") != fingerprint(run(bicubic_db=24.8901), "Manga109")
    assert fingerprint(run(), "Set5") == ""
