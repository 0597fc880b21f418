"""record.json files that nobody should have written: good ones with something exchanged, taken out or put in."""

import json
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**40, 10**400, 0.5, -1e308, 1e308, "", "text", "\x1b[2J", "\ud800", "<script>", [],
    {}, [1], {"a": 1}, [[[[[]]]]], "NaN", "x" * 3000, {"images": {}}, {"images": 3}, {"images": {"a": {}}},
)  # fmt: skip
TOKENS = (b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 3000, b"\xff\xfe", b"\x00", b"{", b"}", b"null", b'"')


def places(value: Any, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be exchanged: the way to each value, to a depth of six."""
    if not isinstance(value, dict | list) or len(trail) > 6:
        return [trail] if trail else []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return ([trail] if trail else []) + [way for key in keys for way in places(value[key], (*trail, key))]


def junk(good: dict[str, Any], rng: random.Random) -> bytes:
    """One such file."""
    if rng.random() < 0.2:
        return _spoiled(json.dumps(good).encode(), rng)
    values = json.loads(json.dumps(good))
    for _ in range(rng.randint(1, 3)):
        way = rng.choice(places(values))
        at = values
        for key in way[:-1]:
            at = at[key]
        match rng.randrange(5):
            case 0:
                del at[way[-1]]
            case 1 if isinstance(at, dict):
                at[rng.choice(("", "other", "images", "\ud800", *way))] = rng.choice(VALUES)
            case _:
                at[way[-1]] = rng.choice(VALUES)
        if not values:
            break
    return json.dumps(values, allow_nan=True).encode()


def _spoiled(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    match rng.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + rng.choice(TOKENS) + content[at:]
        case 2:
            return rng.choice((b"", b"[]", b"3", b"null", b"{}", b'"text"', b"\x00" * 500)) + content[: at * (at % 2)]
        case _:
            colon = content.find(b": ", at)
            end = content.find(b",", colon)
            return content[: colon + 2] + rng.choice(TOKENS) + content[end:] if colon > 0 < end else content[:at]
