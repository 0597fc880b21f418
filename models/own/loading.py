"""Running a network's own code: its module is imported, its class built; whatever goes wrong there is told in a line.

What is loaded runs with the rights of whoever started the command: say so once, and load nothing before it is needed.
"""

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.own.source import SPANDREL, Source, dotted_name

SCALE_ARGUMENTS = ("scale", "upscale", "upscaling_factor", "upscale_factor", "sf", "r")
_told: set[str] = set()


def build_from(source: Source, scale: int, scale_argument: str = "") -> nn.Module:
    """An instance of the source's class for this scale. Raises UserError with the cause and its line."""
    if source.is_spandrel:
        return _from_weights(source.path(), scale)
    process = os.getpid()
    try:
        kind = load_class(source)
        arguments = {**source.arguments, **scale_of(kind, source, scale, scale_argument)}
        with _told_in_a_line(f"{source} cannot be built"):
            network = kind(**arguments)
    finally:
        if os.getpid() != process:
            os._exit(1)  # a copy of this process that the network forked: it must not go on with our work
    if not isinstance(network, nn.Module):
        raise UserError(f"{source} gives a {type(network).__name__}, not a torch.nn.Module.")
    return network


def load_class(source: Source) -> Callable[..., Any]:
    """The class, or the function that makes the network. Raises UserError where it is not there or cannot be loaded."""
    path = source.path()
    if not source.module.startswith("safmn_bench."):
        _say_once(path)
    with _told_in_a_line(f"{path} cannot be loaded"):
        module = _from_file(source) if source.file is not None else _from_module(source.module)
    target: Any = module
    for part in source.attribute.split("."):
        target = getattr(target, part, None)
        if target is None:
            classes = [name for name, value in vars(module).items() if _is_network(value, module)]
            raise UserError(f"{path} has no {source.attribute}. Networks there: {', '.join(classes) or 'none'}.")
    if not callable(target):
        raise UserError(f"{source.attribute} in {path} is a {type(target).__name__}, not a class.")
    return target


def scale_of(kind: Callable[..., Any], source: Source, scale: int, scale_argument: str) -> dict[str, int]:
    """The scale under the constructor's name for it; nothing where it has none.

    Raises UserError where the name given does not exist, or another scale is written in the arguments.
    """
    takes = inspect.signature(kind).parameters
    anything = any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in takes.values())
    name = scale_argument or next((known for known in SCALE_ARGUMENTS if known in takes), "")
    if name and name not in takes and not anything:
        raise UserError(f"{source} takes no `{name}`. Its arguments: {', '.join(takes)}.")
    unknown = [key for key in source.arguments if key not in takes]
    if unknown and not anything:
        raise UserError(f"{source} takes no `{unknown[0]}`. Its arguments: {', '.join(takes)}.")
    if name in source.arguments:
        if source.arguments[name] != scale:
            raise UserError(
                f"{source} says {name}={source.arguments[name]!r}, and scale {scale} is asked for. Leave {name} out, "
                "or give the same --scale."
            )
        return {}
    return {name: scale} if name else {}


def _from_file(source: Source) -> types.ModuleType:
    """The file as a module: under its dotted name where it belongs to a package, else under a name of its own."""
    assert source.file is not None
    path, root = source.file.resolve(), source.root
    name = dotted_name(path)
    with _importing_from(root or path.parent):
        if "." in name:
            return importlib.import_module(name)
        name = f"own_{path.stem}_{source.digest()}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where pickle and torch.compile look for it
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


@contextlib.contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    """Its folder first on the path; modules of another folder under a name that this one has too are forgotten."""
    for name, module in list(sys.modules.items()):
        mine = [root.joinpath(*name.split(".")).with_suffix(".py"), root.joinpath(*name.split("."), "__init__.py")]
        file = getattr(module, "__file__", None)
        if file and any(path.is_file() for path in mine) and Path(file).resolve() not in mine:
            del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        if str(root) not in sys.path:
            sys.path.append(str(root))  # for what is imported later, inside of functions


def _from_module(name: str) -> types.ModuleType:
    if name.split(".")[0] == SPANDREL:
        with _without_torchvision():
            return importlib.import_module(name)
    return importlib.import_module(name)


def _from_weights(path: Path, scale: int) -> nn.Module:
    """The network that spandrel finds in a weight file, with these weights. Raises UserError for another scale."""
    try:
        with _without_torchvision():
            spandrel = importlib.import_module(SPANDREL)
    except ModuleNotFoundError as error:
        raise UserError(
            f"spandrel:{path} needs {error.name}, which is not installed: pip install --no-deps spandrel einops."
        ) from error
    try:
        descriptor = spandrel.ModelLoader(device="cpu").load_from_file(path)
    except Exception as error:
        raise UserError(f"spandrel does not know the network of {path}: {_in_a_line(error)}.") from error
    if descriptor.scale != scale or descriptor.input_channels != 3 or descriptor.output_channels != 3:
        raise UserError(
            f"{path} is {descriptor.architecture.name} x{descriptor.scale} with {descriptor.input_channels} channels, "
            f"and RGB x{scale} is asked for. Give its --scale."
        )
    network = descriptor.model
    needs = descriptor.size_requirements
    network.size_multiple = max(1, needs.multiple_of)
    return network


@contextlib.contextmanager
def _without_torchvision() -> Iterator[None]:
    """Torchvision of a package index fails beside a torch for CPUs; two architectures of spandrel, neither of them of
    super-resolution, import three names of it, which then stand for themselves.
    """
    try:
        importlib.import_module("torchvision")
        yield
        return
    except Exception:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    stand_ins = {name: types.ModuleType(name) for name in names}
    for attribute in ("InterpolationMode", "rotate", "normalize"):
        setattr(stand_ins[names[-1]], attribute, types.SimpleNamespace(NEAREST=None, BILINEAR=None))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _told_in_a_line(what: str) -> Iterator[None]:
    """Turns every exception of foreign code, an exit too, into a UserError of one line."""
    try:
        yield
    except (KeyboardInterrupt, UserError):
        raise
    except BaseException as error:
        raise UserError(f"{what}: {_in_a_line(error)}.") from error


def _in_a_line(error: BaseException) -> str:
    """Kind, message and the line of the error, in the innermost file that is not a library's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "site-packages" not in f.filename and not f.filename.startswith("<")]
    place = own[-1] if own else None
    where = f" ({Path(place.filename).name}:{place.lineno})" if place and place.filename != __file__ else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300] or 'no message'}{where}"


def _is_network(value: object, module: types.ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module.__name__


def _say_once(path: Path) -> None:
    if str(path) not in _told:
        _told.add(str(path))
        print(f"note: {path} is code that runs with your rights.", file=sys.stderr)
