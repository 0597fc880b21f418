"""The user's choice of LR: where it is read from, how its files are called, or that it is made."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LRChoice:
    """The user's choice of LR."""

    folders: tuple[Path, ...] = ()
    """--lr DIR: folders to read it from; each serves the nearest set that its names fit."""
    made: bool = False
    """--lr made: from HR, whatever lies beside it."""
    pattern: str | None = None
    """--lr-pattern: an LR file's name without suffix, from {name} and {scale}."""
    is_bicubic: bool = True
    """False with --lr-is-not-bicubic: given LR is not compared with bicubic of its HR."""

    def __post_init__(self) -> None:
        if self.pattern is not None:
            self.stem("", 2)

    def stem(self, name: str, scale: int) -> str:
        """The LR file's name that the pattern gives. Raises UserError for a pattern without {name}."""
        pattern = self.pattern or ""
        try:
            if "{name}" not in pattern:
                raise KeyError("name")
            return pattern.format(name=name, scale=scale)
        except (KeyError, IndexError, ValueError):
            raise UserError(
                f"--lr-pattern {pattern!r}: allowed are {{name}}, which it must hold, and {{scale}}, such as "
                "'{name}_LR{scale}'."
            ) from None

    def stems(self, name: str, bare: str, scale: int) -> list[str]:
        """Names, without suffix, that the LR file of an HR file may have; `bare` is `name` without its mark of HR."""
        if self.pattern is not None:
            return [self.stem(name, scale), self.stem(bare, scale)]
        ends = [f"x{scale}", f"_x{scale}", f"_LR{scale}", f"_LRx{scale}", f"_LR_x{scale}", f"_SRF_{scale}_LR", "_LR"]
        ends += ["_LQ", "_lr", "_lq"]
        return [f"{stem}{end}" for stem in (name, bare) for end in ends] + [name, bare]


AS_IT_LIES = LRChoice()
