"""The work of prepare.py: check training sets, pack them, and say what was packed, how fast, and where."""

import time
from collections.abc import Sequence

from safmn_bench.ablations.data.options import PrepareOptions
from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.preflight import lr_choice, notes_of, open_images, prepare_training
from safmn_bench.ablations.data.treatments import image_notes
from safmn_bench.profiling.common.console import print_table, progress, shown_in
from safmn_bench.profiling.common.layout import counted


def prepare(options: PrepareOptions) -> None:
    """Check and pack for every scale that is asked for. Raises UserError for the first offender."""
    lr = lr_choice(options)
    for scale in dict.fromkeys(options.scale):
        started, stages = time.perf_counter(), set[str]()
        sets, benchmarks = open_images(options.train_data, options.benchmarks, scale, lr)
        with progress() as bar:
            packed = prepare_training(
                sets,
                benchmarks,
                scale=scale,
                patch=options.patch,
                cache=options.cache,
                workers=options.workers,
                progress=shown_in(bar, stages),
                verify=options.verify,
            )
        folders = [training_set.folder for training_set in sets]
        show(
            packed,
            [*image_notes(packed.treatments, folders), *notes_of(benchmarks)],
            time.perf_counter() - started,
            fresh="packing" in stages,
            verified=options.verify,
        )


def show(packed: PackedSet, remarks: Sequence[str], seconds: float, *, fresh: bool, verified: bool = False) -> None:
    """Print what is in the pack, and `remarks` on its images; `fresh`: whether it was packed just now."""
    rows = [[s["name"], s["lr"], s["note"], str(s["images"])] for s in packed.sets]
    size = (packed.hr.nbytes + packed.lr.nbytes) / 1e6
    pace = f"packed in {seconds:.1f} s, {len(packed) / seconds:.0f} images/s" if fresh else "packed before"
    pace += ", every pixel verified" if verified and not fresh else ""
    notes = [
        f"{counted(len(packed), 'image')}, {size:.0f} MB, {pace}, in {packed.folder}.",
        *remarks,
    ]
    print_table(f"Packed for x{packed.scale}", ["set", "LR", "note", "images"], rows, notes, text_columns=3)
