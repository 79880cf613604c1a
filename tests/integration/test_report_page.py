"""The report as a reader gets it: the command, and the page in a headless browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from bigrec.cli.app import main
from bigrec.store.catalog import open_catalog

Capture = pytest.CaptureFixture[str]

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None,
    reason="chromium and chromedriver are not installed (.ci/run installs them)",
)
PHONE_WIDTH = 390
MOST_BYTES = 3_000_000
DATA_FIGURES = 11


@pytest.fixture(scope="module")
def home(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, a split, three runs and a blend, and a page about all of it."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(store_small, folder / "store")
    store = ["--store", str(folder / "store")]
    runs = ["--runs", str(folder / "runs")]
    flags = ["--min-item-ratings", "20", "--min-user-ratings", "5"]
    flags += ["--validation-fraction", "0.2"]
    assert main(["split", "create", "s", *flags, *store]) == 0
    for model in ("matrix-factorization", "autorec", "cosine-knn"):
        epochs = [] if model == "cosine-knn" else ["--epochs", "2"]
        assert main(["train", model, "--split", "s", "--run", model, *epochs, *store, *runs]) == 0
    blended = ["autorec", "cosine-knn", "--run", "a-blend"]
    assert main(["blend", *blended, *store, *runs]) == 0
    page = str(folder / "page.html")
    assert main(["report", "--output", page, *store, *runs]) == 0
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    profile = tmp_path_factory.mktemp("profile")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def page(home: Path, browser: webdriver.Chrome) -> webdriver.Chrome:
    """The page, opened anew on a desktop and drawn."""
    show(browser, home / "page.html", width=1280)
    return browser


def show(browser: webdriver.Chrome, path: Path, *, width: int, dark: bool = False) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    WebDriverWait(browser, 60).until(
        lambda driver: driver.execute_script("return 'ready' in document.documentElement.dataset")
    )


def charts(browser: webdriver.Chrome) -> dict[str, WebElement]:
    found = browser.find_elements(By.CSS_SELECTOR, ".chart")
    return {str(chart.get_attribute("data-figure")): chart for chart in found}


def scroll_to(browser: webdriver.Chrome, element: WebElement) -> None:
    to_centre = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    browser.execute_script(to_centre, element)


def log_of(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What the browser or the network has logged since the last call."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def opacities(chart: WebElement) -> list[float]:
    marks = chart.find_elements(By.CSS_SELECTOR, ".mark-line path, .mark-symbol.role-mark path")
    return [float(mark.get_attribute("opacity") or 1) for mark in marks]


@needs_browser
def test_every_figure_is_drawn_without_a_word_on_the_console(page: webdriver.Chrome) -> None:
    specs = page.execute_script("return document.getElementById('specs').textContent")
    drawn = charts(page)
    assert set(drawn) == set(json.loads(specs))
    assert len(drawn) > DATA_FIGURES
    for name, chart in drawn.items():
        marks = chart.find_elements(By.CSS_SELECTOR, "svg .role-mark path, svg .role-mark line")
        assert marks, name
        assert chart.size["height"] > 80, name
        assert chart.get_attribute("role") == "img"
        assert len(str(chart.get_attribute("aria-label"))) > 10
    assert log_of(page, "browser") == []


@needs_browser
def test_no_request_leaves_the_page(home: Path, browser: webdriver.Chrome) -> None:
    log_of(browser, "performance")
    show(browser, home / "page.html", width=1280)
    events = [json.loads(entry["message"])["message"] for entry in log_of(browser, "performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert (home / "page.html").as_uri() in asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert [url for url in asked if url.startswith("file:")] == [(home / "page.html").as_uri()]


@needs_browser
def test_a_click_in_the_legend_singles_a_model_out(page: webdriver.Chrome) -> None:
    chart = charts(page)["error-by-epoch"]
    assert set(opacities(chart)) == {1}
    label = next(
        text
        for text in chart.find_elements(By.CSS_SELECTOR, ".role-legend-label text")
        if text.text == "AutoRec"
    )
    scroll_to(page, chart)
    ActionChains(page).move_to_element(label).click().perform()
    WebDriverWait(page, 10).until(lambda _: min(opacities(chart)) < 0.5)
    assert max(opacities(chart)) == 1


@needs_browser
def test_a_switch_makes_an_axis_logarithmic(page: webdriver.Chrome) -> None:
    chart = charts(page)["ratings-per-user"]

    def labels() -> list[str]:
        texts = chart.find_elements(By.CSS_SELECTOR, ".role-axis .role-axis-label text")
        return [text.text for text in texts]

    before = labels()
    box = page.find_element(By.CSS_SELECTOR, 'input[data-of="ratings-per-user"]')
    scroll_to(page, box)
    box.click()
    WebDriverWait(page, 10).until(lambda _: labels() and labels() != before)
    assert {"1", "10"} <= set(labels())
    box.click()
    WebDriverWait(page, 10).until(lambda _: labels() == before)
    assert log_of(page, "browser") == []


@needs_browser
def test_pointing_at_a_bar_tells_its_numbers(page: webdriver.Chrome) -> None:
    chart = charts(page)["rating-distribution"]
    scroll_to(page, chart)
    bar = chart.find_element(By.CSS_SELECTOR, ".mark-rect path")
    ActionChains(page).move_to_element(bar).perform()
    tooltip = page.find_element(By.ID, "tooltip")
    WebDriverWait(page, 10).until(lambda _: tooltip.is_displayed())
    assert "per cent" in tooltip.text


@needs_browser
def test_it_follows_the_system_into_the_dark(home: Path, browser: webdriver.Chrome) -> None:
    colours = set()
    for dark in (False, True):
        show(browser, home / "page.html", width=1280, dark=dark)
        colours.add(
            browser.execute_script(
                "const style = (place) => getComputedStyle(document.querySelector(place));"
                "return style('body').backgroundColor + style('.role-axis-label text').fill"
            )
        )
    assert len(colours) == 2


@needs_browser
def test_it_fits_a_phone(home: Path, browser: webdriver.Chrome) -> None:
    show(browser, home / "page.html", width=PHONE_WIDTH)
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE_WIDTH
    for name, chart in charts(browser).items():
        assert chart.find_element(By.TAG_NAME, "svg").size["width"] <= PHONE_WIDTH, name


def test_the_page_holds_its_parts_and_no_address(home: Path) -> None:
    text = (home / "page.html").read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    for anchor in ("data", "split", "models", "recommendations", "reproduce"):
        assert f'id="{anchor}"' in text
        assert f'href="#{anchor}"' in text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "bigrec train matrix-factorization --split s" in text
    assert open_catalog(home / "store").manifest.fingerprint in text


def test_a_blend_is_made_again_after_its_components(home: Path) -> None:
    text = (home / "page.html").read_text(encoding="utf-8")
    assert 'id="weights-of-a-blend"' in text
    made = re.findall(r"^bigrec (?:train|blend) .*$", text, re.MULTILINE)
    assert len(made) == 4
    assert made[-1] == (
        "bigrec blend autorec cosine-knn --run a-blend --seed 0 --store store --runs runs"
    )


def test_items_like_one_are_those_of_the_command(home: Path, capsys: Capture) -> None:
    text = html.unescape((home / "page.html").read_text(encoding="utf-8"))
    block = text[text.index("<h3>Movies like ") :].split("</figure>", 1)[0]
    films = re.search(r"bigrec similar RUN (\d+)", block)
    assert films is not None
    places = ["--store", str(home / "store"), "--runs", str(home / "runs")]
    for title, run in (
        ("Matrix factorization", "matrix-factorization"), ("AutoRec", "autorec"),
        ("User-cosine neighbors", "cosine-knn"), ("Blend", "a-blend"),
    ):  # fmt: skip
        listed = block[block.index(f"<h4>{title}</h4>") :].split("</ol>", 1)[0]
        capsys.readouterr()
        assert main(["similar", run, films[1], "--top", "8", "--json", *places]) == 0
        items = json.loads(capsys.readouterr().out)["items"]
        assert re.findall(r"<li><span>(.*?)</span> <b>(.*?)</b></li>", listed) == [
            (f"{item['title']} ({item['year']})", f"{item['similarity']:.2f}") for item in items
        ]
        assert len(items) == 8


def test_a_store_alone_needs_no_tensorflow(home: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from bigrec.cli.app import main;"
        f"code = main(['report', '--output', {str(tmp_path / 'p.html')!r}, '--store',"
        f" {str(home / 'store')!r}, '--runs', {str(tmp_path / 'none')!r}]);"
        "sys.exit(code or int('tensorflow' in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert 'id="data"' in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_figures_are_written_as_svg_and_png(home: Path, tmp_path: Path, capsys: Capture) -> None:
    capsys.readouterr()
    argv = ["report", "--output", str(tmp_path / "p.html"), "--figures", str(tmp_path / "f")]
    argv += ["--store", str(home / "store"), "--runs", str(tmp_path / "none"), "--split", "s"]
    assert main([*argv, "--json"]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert set(summary) == {"output", "n_figures", "seconds", "n_bytes", "left_out"}
    svgs = sorted((tmp_path / "f").glob("*.svg"))
    pngs = sorted((tmp_path / "f").glob("*.png"))
    assert len(svgs) == len(pngs) == summary["n_figures"] == DATA_FIGURES + 2
    for svg in svgs:
        assert ElementTree.fromstring(svg.read_text(encoding="utf-8")).tag.endswith("svg")
    assert all(png.read_bytes().startswith(b"\x89PNG") for png in pngs)


def test_an_unknown_split_is_said(home: Path, tmp_path: Path, capsys: Capture) -> None:
    argv = ["report", "--output", str(tmp_path / "p.html"), "--split", "nope"]
    assert main([*argv, "--store", str(home / "store")]) == 3
    assert "nope" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()
