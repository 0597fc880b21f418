"""The documentation as a site: every command, recipe, key, public name and figure has its place, and links lead on."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import safmn_bench
from safmn_bench.ablations import cli
from safmn_bench.ablations.recipe import packaged_recipes, recipe_keys

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("material") is None or importlib.util.find_spec("mkdocs") is None:
        pytest.skip("needs mkdocs-material: make docs installs it")
    out = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run([*call, "--site-dir", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_site_has_every_command_recipe_key_name_and_figure(site: Path):
    def page(name: str) -> str:
        return (site / name / "index.html").read_text(encoding="utf-8")

    commands, recipes, library, gallery = map(
        page, ("reference/commands", "reference/recipes", "reference/library", "gallery")
    )
    assert [name for name in cli.SCRIPTS if f'id="{name}"' not in commands] == []
    assert [name for name in packaged_recipes() if f'id="{name}"' not in recipes] == []
    assert [key for key in recipe_keys() if key != "version" and f"<code>{key}</code>" not in recipes] == []
    names = [name for name in safmn_bench.__all__ if callable(getattr(safmn_bench, name))]
    assert [name for name in names if f'id="{name.lower()}"' not in library] == []
    pictures = [path.relative_to(ROOT).as_posix() for path in (ROOT / "results").rglob("*.png")]
    assert [path for path in pictures if path not in gallery or not (site / "pictures" / path).exists()] == []
    assert gallery.count("<code>python ") >= len(pictures)


@pytest.mark.slow
def test_no_page_asks_anybody_else(site: Path):
    """No font, script or picture from another host."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert "fonts.googleapis" not in text, page


def test_pictures_of_the_site_are_files_and_words_like_their_paths_are_none():
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    text = "".join([*(hooks.from_repository(source) for source in hooks.PAGES), hooks.gallery(), "`index_pictures/`."])
    pictures = hooks.pictures_in(text)
    assert len(pictures) >= 10
    assert [path for path in pictures if not (ROOT / path.removeprefix("pictures/")).is_file()] == []
