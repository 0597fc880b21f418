"""The conditions for a record to be shown: kinds of values, finite numbers, and scores that are those of their images.

A check is a function of a value and its place (`scores.Set5.psnr_y_db`); it raises ValueError with what is wrong there.
What is not named here may be anything that JSON has: later versions add to a record.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from safmn_bench.ablations.metrics import METRICS, finite_mean

Check = Callable[[Any, str], None]
_LARGEST = 2**63  # counts beyond it fit in no data frame
_HIGHEST_SCORE = 1e6
_DEEPEST = 12  # containers in each other
_OFF = 0.01  # by how much a mean may differ from that of its images, in the metric's unit
_PLAIN = (str, int, bool, type(None))
_SHOWN = 60  # characters of a wrong value, or of its place


def _wrong(value: Any, at: str, allowed: str) -> ValueError:
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return ValueError(f"{at[:_SHOWN]} is {shown}; allowed: {allowed}")


def text(value: Any, at: str) -> None:
    """Any text that can be written down."""
    if not isinstance(value, str):
        raise _wrong(value, at, "text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _wrong(value, at, "text of whole characters") from error


def name(value: Any, at: str) -> None:
    """Text that is not empty."""
    text(value, at)
    if not value.strip():
        raise _wrong(value, at, "a name")


def count(value: Any, at: str) -> None:
    """A whole number from 0 up."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        raise _wrong(value, at, "a whole number from 0 up")


def number(value: Any, at: str) -> None:
    """A finite number from 0 up."""
    if not _is_number(value) or not 0 <= value < _LARGEST:
        raise _wrong(value, at, "a finite number from 0 up")


def score(value: Any, at: str) -> None:
    """A finite number, or None where the score is not finite (the PSNR of equal images)."""
    if value is not None and not (_is_number(value) and abs(value) <= _HIGHEST_SCORE):
        raise _wrong(value, at, "a finite number or null")


def anything(value: Any, at: str, depth: int = 0) -> None:
    """Anything that JSON has, its numbers finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(value, at, "finite numbers")
    if depth > _DEEPEST:
        raise ValueError(f"{at} is nested more than {_DEEPEST} deep")
    if isinstance(value, list | dict):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            kind = type(inner)  # most are plain: a call for each would take half of the time of reading a record
            if kind not in _PLAIN and not (kind is float and math.isfinite(inner)):
                anything(inner, f"{at}.{key}" if at else str(key), depth + 1)


def among(*allowed: Any) -> Check:
    """One of these."""

    def check(value: Any, at: str) -> None:
        if isinstance(value, bool) or value not in allowed:
            raise _wrong(value, at, ", ".join(map(str, allowed)))

    return check


def maybe(kind: Check) -> Check:
    """None, or a value of that kind."""
    return lambda value, at: None if value is None else kind(value, at)


def each(kind: Check) -> Check:
    """An object whose values are all of one kind."""

    def check(value: Any, at: str) -> None:
        for key, inner in _object(value, at).items():
            kind(inner, f"{at}.{key}")

    return check


def listed(kind: Check) -> Check:
    """A list of one kind."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, list | tuple):
            raise _wrong(value, at, "a list")
        for index, inner in enumerate(value):
            kind(inner, f"{at}.{index}")

    return check


def fields(needed: Mapping[str, Check] | None = None, **known: Check) -> Check:
    """An object with the needed keys; the known ones, where they are there, are of their kinds."""

    def check(value: Any, at: str) -> None:
        _object(value, at)
        for key in needed or {}:
            if key not in value:
                raise ValueError(f"{at or 'it'} has no {key}")
        for key, kind in {**(needed or {}), **known}.items():
            if key in value:
                kind(value[key], f"{at}.{key}" if at else key)

    return check


def dataset(value: Any, at: str) -> None:
    """Scores on one benchmark: a mean per metric, and each image's; the mean is that of the finite images."""
    if "images" not in _object(value, at):
        raise ValueError(f"{at} has no images")
    images = _object(value["images"], f"{at}.images")
    for image, values in images.items():
        if not _all_plain_scores(values):  # most are: calls for each number would take a fifth of a study's reading
            each(score)(values, f"{at}.images.{image}")
    for metric in (metric for metric in METRICS if metric in value):
        score(value[metric], f"{at}.{metric}")
        if without := [image for image, values in images.items() if metric not in values]:
            raise ValueError(f"{at}.images.{without[0][:_SHOWN]} has no {metric}")
        mean = finite_mean(values[metric] for values in images.values())
        if value[metric] is not None and math.isfinite(mean) and abs(value[metric] - mean) > _OFF:
            raise ValueError(f"{at}.{metric} is {value[metric]!r}, and the mean of its images {mean!r}")


def _all_plain_scores(values: Any) -> bool:
    return type(values) is dict and all(
        type(value) is float and -_HIGHEST_SCORE <= value <= _HIGHEST_SCORE for value in values.values()
    )


def _object(value: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(value, at, "an object")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


_TRAINING = fields(sets=listed(fields(name=text)), images=count, content=text)
_COLLAPSE = fields({"iteration": count, "reason": text}, weights_from_iteration=maybe(count))
_RECORD = fields(
    {
        "variant": name,
        "model": name,
        "scale": among(2, 3, 4),
        "seed": count,
        "status": among("finished", "collapsed", "failed", "stopped"),
        "iterations": count,
        "recipe": fields({"train": fields({"iterations": count})}, name=text, optimizer=fields()),
        "config": fields(),
        "scores": each(dataset),
        "bicubic": each(dataset),
        "params": count,
        "flops": count,
        "acts": count,
        "uncounted_ops": each(count),
        "train_seconds": number,
        "images_per_second": number,
        "protocol": text,
        "data": fields(train=_TRAINING, lr=each(text), placement=text),
        "machine": fields(name=text),
        "versions": each(text),
        "commit": text,
        "date": name,
    },
    collapse=maybe(_COLLAPSE),
    stopped=maybe(fields(iteration=count, dataset=text, score=score)),
    error=text,
    last_lines=listed(text),
    config_hash=text,
    compile_seconds=number,
    graph=text,
    scored_form=text,
    sittings=count,
    command=text,
    variant_file=text,
    extra=fields(),
)


def check_record(values: Any) -> None:
    """Check what record.json holds. Raises ValueError with what is wrong, and where."""
    anything(values, "")
    _RECORD(values, "")
