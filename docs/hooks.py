"""Pages of the documentation that are made when it is built: of README files, parsers, recipes and the library.

mkdocs calls `on_files`; a page here is a function that returns Markdown. Links of the README files lead to files of the
repository: those that are pages here lead to the page, pictures come along, and of all others the path stays as text.
"""

import ast
import importlib
import inspect
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "results/README.md": "results.md",
}
"""Files outside docs/ that are pages of the site."""
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made, and the pictures that they show."""
    File = importlib.import_module("mkdocs.structure.files").File  # installed by `make docs` alone

    made = {page: from_repository(source) for source, page in PAGES.items()}
    made |= {"reference/commands.md": commands(), "reference/recipes.md": recipes(), "reference/library.md": library()}
    made["gallery.md"] = gallery()
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    for picture in pictures_in("".join(made.values())):
        source = ROOT / picture.removeprefix("pictures/")
        files.append(File.generated(config, picture, abs_src_path=str(source)))
    return files


def pictures_in(text: str) -> list[str]:
    """The site's paths of pictures that Markdown shows, each once; a word that only looks like one is none."""
    return sorted(set(re.findall(r"\]\((pictures/[^)\s]+)\)", text)))


def from_repository(source: str) -> str:
    """A README file as a page: its links as the module says."""
    here = PurePosixPath(source).parent

    def led(match: re.Match[str]) -> str:
        mark, label, target, anchor = match.groups()
        if "://" in target:
            return match[0]
        path = os.path.normpath(here / target)
        if mark:
            return f"![{label}](pictures/{path})"
        if path in PAGES:
            return f"[{label}]({PAGES[path]}{anchor or ''})"
        if path.startswith("docs/"):
            return f"[{label}]({path.removeprefix('docs/')}{anchor or ''})"
        return label if label == path else f"{label} (`{path}`)"

    return _LINK.sub(led, (ROOT / source).read_text(encoding="utf-8"))


def commands() -> str:
    """Every command with its help, as `safmn-bench NAME --help` prints it."""
    from safmn_bench.ablations import cli

    os.environ["COLUMNS"] = "92"  # which argparse asks for; what a page's width holds
    parts = ["# Commands", "Each is a script as well: `safmn-bench run` is `python ablations/run.py`."]
    parsers = parsers_by_name()
    for name, (_, purpose) in cli.SCRIPTS.items():
        parts += [f"## {name}", f"{purpose[0].upper()}{purpose[1:]}.", f"```text\n{parsers[name].format_help()}```"]
    return "\n\n".join(parts) + "\n"


def parsers_by_name() -> dict[str, Any]:
    """Command -> its parser, out of every wing's options.py."""
    found = {}
    for path in sorted(ROOT.glob("*/*/options.py")):
        if path.parent.name == "common":
            continue
        module = importlib.import_module(".".join(("safmn_bench", *path.relative_to(ROOT).with_suffix("").parts)))
        for name, make in vars(module).items():
            if name.endswith("arguments"):
                parser = make()
                found[parser.prog] = parser
    return found


def recipes() -> str:
    """The packaged recipes, and what each key means."""
    from safmn_bench.ablations import recipe

    parts = ["# Recipes", "`--recipe NAME`, or a YAML file of your own with all keys; `--set KEY=VALUE` changes one."]
    for name in recipe.packaged_recipes():
        text = (ROOT / "ablations" / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
        parts += [f"## {name}", f"```yaml\n{text}```"]
    parts += ["## Keys", "| key | meaning |\n|---|---|\n" + "\n".join(_keys(inspect.getsource(recipe)))]
    return "\n\n".join(parts) + "\n"


def _keys(source: str) -> list[str]:
    """A row per key: its dotted name and the string that stands below it in the dataclass."""
    sections = {"TrainKeys": "train.", "OptimizerKeys": "optimizer.", "LossKeys": "loss.", "EmaKeys": "ema."}
    sections |= {"ComputeKeys": "compute."}
    rows = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef) or node.name not in sections:
            continue
        for field, text in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                said = ast.literal_eval(text.value) if isinstance(text, ast.Expr) else _said_of_class(node)
                cell = " ".join(said.split()).replace("|", "\\|")
                rows.append(f"| `{sections[node.name]}{ast.unparse(field.target)}` | {cell} |")
    return rows


def _said_of_class(node: ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def library() -> str:
    """Every public name of `import safmn_bench`, with its signature and docstring."""
    import safmn_bench as sb

    parts = ["# The library", "```python\n" + inspect.cleandoc(sb.__doc__ or "") + "\n```"]
    for name in sb.__all__:
        thing = getattr(sb, name)
        if not callable(thing):
            continue
        try:
            signature = str(inspect.signature(thing))
        except ValueError:
            signature = "(...)"
        parts += [f"## {name}", f"```python\n{name}{signature}\n```", f"```text\n{inspect.getdoc(thing) or ''}\n```"]
    return "\n\n".join(parts) + "\n"


def gallery() -> str:
    """Every figure in results/, with the command that made it."""
    table = (ROOT / "results/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \| (.*) \|$", table, re.MULTILINE)
    parts = ["# Gallery", "Figures of `results/`; the commands are those of [its table](results.md#made-by)."]
    for path in sorted((ROOT / "results").rglob("*.png")):
        name = path.relative_to(ROOT / "results").as_posix()
        made_by = next((command for files, command in rows if _names(files, name) and "`python " in command), "")
        parts += [f"## {name}", f"![{name}](pictures/results/{name})", *([made_by] if made_by else [])]
    return "\n\n".join(parts) + "\n"


def _names(files: str, name: str) -> bool:
    """Whether a cell such as '`quick/figure7*.*`', or '`ablation/*/`' for all below, means the file."""
    path = PurePosixPath(name)
    return any(
        path.match(pattern) or (pattern.endswith("/") and any(above.match(pattern) for above in path.parents))
        for pattern in re.findall(r"`([^`]+)`", files)
    )
