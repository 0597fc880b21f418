"""Where a network of one's own comes from: a file and a class, an importable class, or weights that tell their network.

    mynet.py:MyNet              mynet.py:MyNet(dim=48)          package.module:Class          spandrel:weights.pth

Nothing here runs foreign code: names are parsed, arguments are literals (`ast.literal_eval`), and the digest is taken
of the source as it stands on the disk. Loading, which does run it, is in loading.py.
"""

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safmn_bench.models.errors import UserError

SPANDREL = "spandrel"
_NAME = re.compile(r"(?P<place>.+?):(?P<attribute>[A-Za-z_][\w.]*)\s*(?P<arguments>\(.*\))?", re.DOTALL)
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FORMS = "Allowed: FILE.py:Class, package.module:Class, either with (argument=value, ...), or spandrel:WEIGHTS."


@dataclass(frozen=True, kw_only=True)
class Source:
    """A class in a file (`file`) or in an importable module (`module`), or a weight file that spandrel reads."""

    file: Path | None = None
    module: str = ""
    attribute: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """For the constructor, besides the scale."""

    def __str__(self) -> str:
        written = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        if self.is_spandrel:
            return f"{SPANDREL}:{self.file}"
        return f"{self.file or self.module}:{self.attribute}" + (f"({written})" if written else "")

    @property
    def is_spandrel(self) -> bool:
        """Whether the architecture is found from the weight file."""
        return self.module == SPANDREL and not self.attribute

    @property
    def root(self) -> Path | None:
        """The folder that the file's own imports are looked for in: that of its outermost package, or its own."""
        if self.file is None:
            return None
        return package_root(self.file.resolve())

    def path(self) -> Path:
        """The file that the class, or the weights, stand in. Raises UserError where there is none."""
        file = self.file if self.file is not None else _file_of(self.module)
        if file is None:
            raise UserError(f"No module {self.module!r} is installed here. Install its package, or give FILE.py:Class.")
        if not file.is_file():
            raise UserError(f"No file {file}. Check the path; it is taken from the folder that you are in.")
        return file

    def files(self) -> list[Path]:
        """The source file first, then every file of its repository (or package) that it imports, sorted."""
        path = self.path().resolve()
        if self.is_spandrel:
            return [path]
        roots = [self.root or package_root(path), path.parent]
        return [path, *sorted(_imported_files(path, roots) - {path})]

    def digest(self) -> str:
        """A name for the code: 16 hexadecimal digits of SHA-256 over the content of all `files`."""
        total = hashlib.sha256()
        for path in self.files():
            total.update(path.read_bytes())
        return total.hexdigest()[:16]


def parse_source(given: str) -> Source | None:
    """The source that `given` names, or None where it has not the form of one. Raises UserError for a broken one.

    After `spandrel:` there is always a weight file.
    """
    if given.startswith(f"{SPANDREL}:"):
        return Source(module=SPANDREL, file=Path(given.removeprefix(f"{SPANDREL}:")))
    match = _NAME.fullmatch(given.strip())
    if match is None:
        if ":" in given:
            raise UserError(f"{given!r} names no network. {_FORMS}")
        return None
    arguments = parse_arguments(match["arguments"] or "()", given)
    place = match["place"]
    if place.endswith(".py"):
        return Source(file=Path(place), attribute=match["attribute"], arguments=arguments)
    if _MODULE.fullmatch(place):
        return Source(module=place, attribute=match["attribute"], arguments=arguments)
    raise UserError(f"{given!r}: {place!r} is neither a .py file nor a module. {_FORMS}")


def parse_arguments(written: str, given: str) -> dict[str, Any]:
    """'(dim=48, act="gelu")' as a mapping; literals only. Raises UserError, quoting what is none."""
    try:
        call = ast.parse(f"f{written}", mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{given!r}: {written} is not a list of arguments. Write (dim=48, upscale=4).") from error
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        raise UserError(f"{given!r}: give every argument by its name, as (dim=48, upscale=4).")
    arguments: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            arguments[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise UserError(
                f"{given!r}: {keyword.arg}={ast.unparse(keyword.value)} is no literal. Allowed: numbers, quoted "
                "text, True, False, None, and lists, tuples and mappings of these."
            ) from error
    return arguments


def package_root(file: Path) -> Path:
    """The folder above the outermost package that a file belongs to; its own folder where it belongs to none."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def dotted_name(file: Path) -> str:
    """The dotted name under which a file is imported from its `package_root`."""
    parts = file.resolve().relative_to(package_root(file.resolve())).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file_of(module: str) -> Path | None:
    """The file of a module, found without importing it or its packages."""
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        if (file := _module_file(Path(folder), rest)) is not None:
            return file
    # a package without __init__.py in an editable installation: what its finder tells is asked part by part
    try:
        found_spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(found_spec.origin) if found_spec and found_spec.origin else None


def _module_file(folder: Path, parts: list[str]) -> Path | None:
    for candidate in (folder.joinpath(*parts).with_suffix(".py"), folder.joinpath(*parts, "__init__.py")):
        if candidate.is_file():
            return candidate
    return None


def _imported_files(start: Path, roots: list[Path]) -> set[Path]:
    """Every file below the roots that `start` imports, directly or through others, wherever in the file it does."""
    files: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        files.add(path)
        waiting += [file.resolve() for file in _imports(path, roots)]
    return files


def _imports(path: Path, roots: list[Path]) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # the loader will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _imported(alias.name.split("."), roots)
        elif isinstance(node, ast.ImportFrom):
            base = [path.parents[node.level - 1]] if node.level else roots
            parts = node.module.split(".") if node.module else []
            yield from _imported(parts, base)
            for alias in node.names:  # a name may be a module of its own
                yield from _imported([*parts, alias.name], base)


def _imported(parts: list[str], roots: list[Path]) -> Iterator[Path]:
    """The files that importing a dotted name runs: the module's, and the __init__.py of each package on the way."""
    for root in roots:
        file = _module_file(root, parts) if parts else None
        if file is not None:
            packages = [root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts))]
            yield from (package for package in packages if package.is_file())
            yield file
            return
