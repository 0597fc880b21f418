"""The report in headless Chromium: it runs without a complaint, sorts, compares, and asks nobody for anything."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trial_runs import record, write_run

from safmn_bench.analysis.report import main

HOSTILE = "<img src=x onerror=\"document.title='broken into'\"><script>document.title='broken into'</script>"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for index, (name, psnr) in enumerate([("baseline", 30.0), ("w_o_FM", 29.5), ("bn", 9.75), (HOSTILE, 29.0)]):
        for seed in (0, 1):
            write_run(folder / f"v{index}", record(name, seed, psnr, params=1000 * (index + 1)))
    call = ["--runs", str(folder), "--out", str(folder / "out"), "--images", "1", "--steps", "2", "--device", "cpu"]
    assert main(call) == 0
    return folder / "out" / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium at 1280x900, driven by Selenium; skips where either is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (pip install -e '.[dev]')")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver_path = shutil.which("chromedriver")
    if not found or not driver_path:
        pytest.skip("needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver_path)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, report: Path) -> Any:
    """The report, freshly loaded at desktop width in the light scheme."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(report.as_uri())
    return browser


def column(page: Any, index: int) -> list[str]:
    script = "return [...document.querySelectorAll('#x2-table tbody tr')].map(r => r.cells[arguments[0]].innerText)"
    return [text.split()[0] for text in page.execute_script(script, index)]


def visible_names(page: Any) -> list[str]:
    """The names of the overview's rows that are shown, from above."""
    script = """return [...document.querySelectorAll("#x2-table tbody tr")].filter(r => !r.hidden)
                .map(r => r.cells[0].firstChild.textContent.trim())"""
    return page.execute_script(script)


def header(page: Any, index: int) -> Any:
    return page.find_elements("css selector", "#x2-table thead button")[index]


def press(page: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(*keys).perform()


def sides(page: Any) -> list[str]:
    """What is shown left and right, by the pictures' captions."""
    script = """return ["left", "right"].map(side => document.querySelector(`.layer[data-side=${side}] figcaption`))
                .map(caption => caption && caption.textContent.split(": ")[0])"""
    return page.execute_script(script)


def test_page_loads_without_a_complaint_and_asks_nobody(browser: Any, report: Path):
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(report.as_uri())
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert report.as_uri() in asked
    assert [url[:60] for url in asked if url != report.as_uri() and not url.startswith("data:")] == []


def test_hostile_name_is_shown_and_not_run(page: Any):
    assert page.title == "Super-resolution ablations, measured"
    assert HOSTILE in page.execute_script("return document.querySelector('#x2-table').innerText.replaceAll('\\n', ' ')")


def test_sorting_by_click_is_numeric_both_ways_and_keeps_empty_cells_last(page: Any):
    psnr = 4
    header(page, psnr).click()
    assert [float(text) for text in column(page, psnr)] == sorted(float(text) for text in column(page, psnr))
    assert column(page, psnr)[0].startswith("9.7")  # as text, 9.75 would come after 28
    header(page, psnr).click()
    assert [float(text) for text in column(page, psnr)] == sorted(map(float, column(page, psnr)), reverse=True)
    header(page, 1).click()
    assert column(page, 1) == ["1.00", "2.00", "3.00", "4.00", "–"]
    header(page, 1).click()
    assert column(page, 1) == ["4.00", "3.00", "2.00", "1.00", "–"]
    states = [h.get_attribute("aria-sort") for h in page.find_elements("css selector", "#x2-table thead th")]
    assert states.count("descending") == 1
    assert states[1] == "descending"


def test_sorting_by_keyboard(page: Any):
    page.execute_script("arguments[0].focus()", header(page, 0))
    press(page, "\ue007")  # Enter
    assert column(page, 0)[-1] == "w_o_FM"
    press(page, " ")
    assert column(page, 0)[0] == "w_o_FM"
    assert "falling" in page.find_element("id", "status").get_attribute("textContent")


def test_slider_moves_by_keyboard_and_by_pointer(page: Any):
    from selenium.webdriver import ActionChains

    divided = "return document.querySelector('.compare').style.getPropertyValue('--left')"
    page.execute_script("document.querySelector('.divide').focus()")
    press(page, "\ue014", "\ue014")  # two times Right
    assert page.execute_script(divided) == "52%"
    press(page, "\ue011")  # Home
    assert page.execute_script(divided) == "0%"
    stage = page.find_element("css selector", ".stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    quarter = stage.size["width"] // 4
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(quarter, 0).release().perform()
    assert page.execute_script(divided) == "75%"
    right = page.execute_script("return getComputedStyle(document.querySelector('.layer[data-side=right]')).clipPath")
    assert right == "inset(0px 0px 0px 75%)"


def test_choice_of_versions(page: Any):
    from selenium.webdriver.support.select import Select

    assert sides(page)[0] == "baseline seed 0"
    left, right = (Select(page.find_element("css selector", f"select.{side}")) for side in ("left", "right"))
    left.select_by_visible_text("w_o_FM seed 0")
    right.select_by_visible_text("HR")
    assert sides(page) == ["w_o_FM seed 0", "HR"]
    assert page.find_element("css selector", ".caption.right").text == "the original"
    left.select_by_visible_text("HR")
    visible = "l => getComputedStyle(l).visibility != 'hidden'"
    assert page.execute_script(f"return [...document.querySelectorAll('.layer')].filter({visible}).length") == 1


def test_difference_and_enlargement_are_chosen_by_keyboard(page: Any):
    from selenium.webdriver.common.keys import Keys

    for selector, key in ((".difference", " "), (".zoom", "4")):
        page.execute_script("document.querySelector(arguments[0]).focus()", selector)
        press(page, key, Keys.TAB)
    style = "const s = e => getComputedStyle(document.querySelector(e)); return "
    assert page.execute_script(f"{style} s('.layer[data-side=right]').mixBlendMode") == "difference"
    assert page.execute_script(f"{style} s('.layer[data-side=left] img').transform") == "matrix(4, 0, 0, 4, 0, 0)"


def test_the_enlarged_part_is_chosen_by_keyboard_and_escape_shows_the_whole(page: Any):
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.querySelector('.zoom').focus()")
    press(page, "2", Keys.TAB)
    assert page.execute_script("return document.activeElement.className") == "at-x"
    press(page, Keys.HOME, Keys.TAB, Keys.END)
    origin = "return getComputedStyle(document.querySelector('.layer[data-side=left] img')).transformOrigin.split(' ')"
    frame = page.find_element("css selector", ".stage").size
    assert [float(side[:-2]) for side in page.execute_script(origin)] == pytest.approx([0, frame["height"]], abs=1)
    press(page, Keys.ESCAPE)
    assert page.execute_script("return document.querySelector('.compare').classList.contains('zoomed')") is False
    assert page.execute_script("return document.activeElement.className") == "zoom"
    assert not page.find_element("css selector", ".part").is_displayed()


def test_filter_benchmark_and_sides_are_chosen_by_keyboard(page: Any):
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.querySelector('.filter').focus()")
    press(page, "w_o")
    assert visible_names(page) == ["w_o_FM"]
    press(page, Keys.ESCAPE)  # empties a field of search
    assert len(visible_names(page)) == 5
    page.execute_script("document.querySelector('select.right').focus()")
    press(page, "H", Keys.TAB)
    assert sides(page)[1] == "HR"


@pytest.mark.slow
def test_pictures_beside_the_page_are_shown(browser: Any, report: Path, tmp_path: Path):
    call = ["--images", "1", "--no-lam", "--device", "cpu", "--pictures", "beside", "--out", str(tmp_path)]
    assert main(["--runs", str(report.parents[1]), *call]) == 0
    browser.get((tmp_path / "index.html").as_uri())
    widths = "return [...document.querySelectorAll('.layer img')].map(i => i.complete && i.naturalWidth)"
    assert min(browser.execute_script(widths)) > 100
    assert browser.get_log("browser") == []


def serious(page: Any, width: int, scheme: str) -> list[tuple[str, str]]:
    """What axe-core finds against WCAG 2 A and AA: rule and element.

    Its version 3 is older than HTML 5.2's groups in a <dl> and takes them for a fault.
    """
    axe = pytest.importorskip("axe_selenium_python", reason="needs axe-selenium-python (pip install -e '.[dev]')")
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**PHONE, "width": width, "mobile": width < 500})
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    checker = axe.Axe(page)
    checker.inject()
    violations = checker.run(options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}})["violations"]
    known = ("dlitem", "definition-list")
    return [(each["id"], each["nodes"][0]["html"][:120]) for each in violations if each["id"] not in known]


def made_sweep(folder: Path) -> None:
    """24 networks with three seeds each on five benchmarks, one of a long name; eight have weights."""
    names = [*(f"some_variant_{i}_lr1e-4" for i in range(22)), "our_network_with_large_kernels_and_a_name_of_53_chars"]
    sets = ("Set5", "Set14", "B100", "Urban100", "Manga109")
    for index, name in enumerate(["baseline", *names]):
        for seed in range(3):
            made = record(name, seed, 30.0 - 0.02 * index)
            scores = {each: made.scores["Set3"] for each in sets}
            bicubic = {each: made.bicubic["Set3"] for each in sets}
            costs = {"params": 10_000 + 997 * index, "flops": 10**9 * (5 + index)}
            changed = replace(made, scores=scores, bicubic=bicubic, **costs)
            write_run(folder / f"v{index}", changed, weights=seed == 0 and index < 8)


@pytest.mark.slow
def test_72_runs_with_pictures_fit_5_mb_and_every_width(browser: Any, tmp_path: Path):
    made_sweep(tmp_path / "runs")
    out = ["--out", str(tmp_path), "--steps", "2", "--device", "cpu"]
    assert main(["--runs", str(tmp_path / "runs"), *out]) == 0
    page = tmp_path / "index.html"
    assert page.stat().st_size < 5e6
    browser.get(page.as_uri())
    for width in (1280, 768, 390):
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**PHONE, "width": width, "mobile": width < 500})
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert len(visible_names(browser)) == 24 + 1  # and bicubic
    browser.set_script_timeout(200)  # seconds; the default of 30 is too short for a page as long as this
    assert serious(browser, 1280, "dark") == []


def test_filter_and_order_survive_a_reload(page: Any):
    header(page, 4).click()
    header(page, 4).click()
    field = page.find_element("css selector", ".filter")
    field.send_keys("b")
    expected = visible_names(page)
    assert [name for name in expected if "b" not in name.lower()] == []
    assert {"baseline", "bn", "bicubic"} <= set(expected)
    page.get(page.current_url)
    assert visible_names(page) == expected
    assert page.find_element("css selector", ".filter").get_attribute("value") == "b"
    assert page.find_elements("css selector", "#x2-table th[aria-sort=descending]")


def test_a_long_name_leaves_room_on_a_phone(page: Any):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    width = """const cell = document.querySelector("#x2-table tbody th");
               cell.firstChild.textContent = "our_network_with_large_kernels_and_a_name_of_53_chars";
               return cell.getBoundingClientRect().width"""
    assert page.execute_script(width) <= 150


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(page: Any, width: int, scheme: str):
    assert serious(page, width, scheme) == []


def test_phone_width_scrolls_tables_and_never_the_page(page: Any):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    assert page.execute_script("return document.documentElement.scrollWidth") == 390
    heights = """return [...document.querySelectorAll("thead button, select, .divide")]
                 .map(e => e.getBoundingClientRect().height)"""
    assert min(page.execute_script(heights)) >= 24  # CSS pixels: a finger's target by WCAG 2.2


def test_dark_scheme_is_dark_and_readable(page: Any):
    colours = """const [page, text] = ["body", "svg text"].map(s => getComputedStyle(document.querySelector(s)));
                 return [page.backgroundColor, page.color, text.fill]"""
    light = page.execute_script(colours)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    dark = page.execute_script(colours)

    def brightness(colour: str) -> int:
        return sum(int(part) for part in colour[4:-1].split(",")[:3])

    assert [brightness(colour) > 384 for colour in light] == [True, False, False]
    assert [brightness(colour) > 384 for colour in dark] == [False, True, True]


def test_print_shows_all_versions_side_by_side(page: Any):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    script = "return [...document.querySelectorAll('.layer')].map(l => getComputedStyle(l).visibility)"
    assert set(page.execute_script(script)) == {"visible"}
    assert not page.find_element("css selector", ".controls").is_displayed()
