"""Whether two records were scored on the same images: told by what bicubic scores on each image, which records hold.

Plain bicubic of the same LR against the same HR has the same PSNR on every machine; of other images, or of other LR, it
has another. So records from before digests were kept are told apart as well.
"""

import hashlib
import os
import re
from collections.abc import Sequence

from safmn_bench.ablations.record import Record

_PART = re.compile(r"; [^;]* as images #\d+")
_DECIMALS = 4  # of a PSNR in dB: sums in another order differ in the twelfth


def fingerprint(record: Record, dataset: str) -> str:
    """A name for the images of a benchmark as a record knows them; empty where it does not."""
    scores = record.bicubic.get(dataset)
    if not scores:
        return ""
    images = scores.get("images") or {"mean": scores}
    lines = [f"{name} {_rounded(images[name].get('psnr_y_db'))}" for name in sorted(images)]
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()[:12]


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.{_DECIMALS}f}"


Contents = dict[tuple[str, int], dict[str, list[Record]]]
"""(Dataset, scale) -> fingerprint -> its records, in the order met."""


def differing(records: Sequence[Record]) -> Contents:
    """Benchmarks of one name and scale with several contents."""
    seen: Contents = {}
    for record in records:
        for dataset in record.scores:
            if digest := fingerprint(record, dataset):
                seen.setdefault((dataset, record.scale), {}).setdefault(digest, []).append(record)
    return {benchmark: contents for benchmark, contents in seen.items() if len(contents) > 1}


def contents_of(record: Record, several: Contents) -> str:
    """Which of the contents a record has, in words, of the benchmarks that have several; else empty."""
    parts = []
    for (dataset, scale), contents in several.items():
        digest = fingerprint(record, dataset)
        if scale == record.scale and dataset in record.scores and digest in contents:
            parts.append(f"; {dataset} as images #{list(contents).index(digest) + 1}")
    return "".join(parts)


def contents_part(setting: str) -> str:
    """The part of a setting that tells contents, as `contents_of` wrote it: scores rank among equal ones only."""
    return "".join(_PART.findall(setting))
