"""The report in a real browser that has no network: what a reader clicks, drags and reads."""

import json
import os
import shutil
from dataclasses import replace

import pytest

from nvrc_lightning.evaluation.bench.point import read_points
from nvrc_lightning.evaluation.report import write_report
from tests.lightning.evaluation.report.benches import copy_points
from tests.lightning.evaluation.report.browser import choose, click, find, part, resize, shown, until, visible

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    browser, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and chromedriver):
        reason = "needs chromium and chromedriver on the path (Debian: chromium, chromium-driver)"
        (pytest.fail if os.environ.get("NVRC_REQUIRE_BROWSER") else pytest.skip)(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


def with_similarity(point):
    """The point; of the second video with MS-SSIM of luma, which the first is too small for."""
    scores = replace(point.result.scores, ms_ssim_y=0.9) if point.video == "bunny 10:13" else point.result.scores
    return replace(point, result=replace(point.result, scores=scores))


@pytest.fixture(scope="module")
def address(bench, tmp_path_factory):
    return write_report(copy_points(bench, tmp_path_factory.mktemp("shown") / "bench", with_similarity)).as_uri()


@pytest.fixture
def page(driver, address):
    """The report, freshly opened, on a wide light screen; whatever the browser complains of fails the test."""
    resize(driver, 1280)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # of whatever was open before
    driver.get(address)
    until(driver, lambda: "plots-ready" in driver.execute_script("return document.documentElement.className"))
    until(driver, lambda: part(driver, "between").text)
    yield driver
    assert [entry["message"] for entry in driver.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in sent if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_plots_draw_the_points_and_hovering_tells_their_figures(page, bench):
    from selenium.webdriver.common.action_chains import ActionChains

    drawn = page.execute_script(
        "return [...document.querySelectorAll('.plot')].map(p => p.data.map(t => [t.name, [...t.x], [...t.y]]))"
    )
    points = [point for point in read_points(bench) if point.video == "bunny 0:6" and point.codec == "x265"]
    rates = [point.result.rate.bpp for point in points]
    assert ["x265", rates, [point.result.scores.psnr_rgb for point in points]] in drawn[0]
    markers = page.find_elements("css selector", ".plot .scatterlayer .trace:nth-child(3) .points path")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", find(page, ".plot"))
    ActionChains(page).move_to_element(markers[1]).perform()
    until(page, lambda: page.find_elements("css selector", ".hoverlayer .hovertext"))
    words = find(page, ".hoverlayer").text
    rate = points[1].result.rate
    for figure in ("x265", "crf 32", f"{rate.bpp:.4f} bit/pixel", f"{rate.file_bytes:,} bytes", "dB"):
        assert figure in words


def test_the_measure_changes_all_plots_and_matrices(page):
    def titles():
        return page.execute_script(
            "return [...document.querySelectorAll('.plot')].map(p => p.hidden ? null : p.layout.yaxis.title.text)"
        )

    assert titles() == ["PSNR-RGB, dB"] * 2
    click(page, 'input[value="psnr_yuv611"]')
    assert titles() == ["PSNR-YUV 6:1:1, dB"] * 2
    assert all("PSNR-YUV 6:1:1" in item.text for item in visible(page, ".matrices .caption"))
    click(page, 'input[value="ms_ssim_y"]')
    assert titles() == [None, "MS-SSIM-Y"]
    assert "MS-SSIM-Y is not defined for this video" in find(page, ".undefined").text


def test_a_codec_can_be_hidden_and_shown(page):
    from selenium.webdriver.common.keys import Keys

    button = find(page, '[data-curve="1"]')
    state = "return document.querySelector('.plot').data.map(t => t.visible)"
    button.send_keys(Keys.SPACE)
    assert (button.get_attribute("aria-pressed"), page.execute_script(state)) == ("false", [True, False, True])
    button.send_keys(Keys.SPACE)
    assert (button.get_attribute("aria-pressed"), page.execute_script(state)) == ("true", [True, True, True])


def test_the_pixels_shown_have_the_psnr_that_was_measured(page, bench):
    from selenium.webdriver.common.keys import Keys

    scores = {point.name: point.result.scores for point in read_points(bench) if point.video == "bunny 0:6"}
    for codec in ("x264", "x265", "nvrc_lite"):
        choose(page, "right", codec)
        for key in (Keys.HOME, Keys.ARROW_RIGHT):
            before = shown(page)
            part(page, "frame").send_keys(key)
            until(page, lambda before=before: shown(page) >= before)
            frame = int(part(page, "frame-number").text.split()[1])
            codec_name, setting = part(page, "right-name").text.split(", ")
            own = next(s for name, s in scores.items() if name.startswith(codec_name) and name.endswith(setting))
            measured = f"{own.psnr_rgb_per_frame[frame]:.2f} dB"
            assert part(page, "right-frame").text == measured
            until(page, lambda measured=measured: part(page, "between").text.startswith(f"PSNR-RGB {measured}"))
            assert part(page, "right-mean").text == f"{own.psnr_rgb:.2f} dB"


def test_the_divider_moves_by_keyboard_and_by_dragging(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def divider():
        clip = page.execute_script("return getComputedStyle(document.querySelector('.stage .over')).clipPath")
        return clip, part(page, "at").get_attribute("value"), part(page, "at").get_attribute("aria-valuetext")

    assert divider() == ("inset(0px 0px 0px 50%)", "50", "50 % left, 50 % right")
    part(page, "at").send_keys(Keys.ARROW_LEFT)
    assert divider() == ("inset(0px 0px 0px 49%)", "49", "49 % left, 51 % right")
    stage = find(page, ".stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    width = stage.size["width"]
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(
        round(0.25 * width), 0
    ).release().perform()
    assert divider()[1] == "75"


def test_the_difference_is_drawn_and_amplified(page):
    choose(page, "right", "x264")
    pixel = "const context = document.querySelector('.stage canvas').getContext('2d');"
    pixel += "return [...context.getImageData(90, 60, 40, 20).data]"

    def spread():
        return max(abs(value - 128) for at, value in enumerate(page.execute_script(pixel)) if at % 4 < 3)

    click(page, 'input[value="difference"]')
    until(page, lambda: "difference" in find(page, ".stage").get_attribute("class"))
    choose(page, "gain", "× 4")
    four = spread()
    choose(page, "gain", "× 8")
    assert 0 < four < spread() == min(2 * four, 128)
    assert find(page, ".stage .left").text == "source − x264, × 8"
    assert not part(page, "at").is_enabled()
    choose(page, "right", "source")
    assert (spread(), part(page, "between").text) == (0, "identical")


def test_another_video_and_another_rate_show_their_own_pictures(page):
    choose(page, "right", "x264")
    first, name = part(page, "between").text, part(page, "right-name").text
    rates = [option.text for option in part(page, "level").find_elements("css selector", "option")]
    assert len(rates) == 2
    choose(page, "level", rates[1])
    assert part(page, "right-name").text.startswith("x264, crf ")
    assert (part(page, "between").text, part(page, "right-name").text) != (first, name)
    choose(page, "video", "bunny 10:13")
    codecs = [option.text for option in part(page, "right").find_elements("css selector", "option")]
    assert codecs == ["source", "x264"]
    assert part(page, "frame-number").text == "frame 1 of 0–2"


def test_bars_show_shares_or_bytes(page):
    def lengths():
        return page.execute_script("return [...document.querySelectorAll('.bar')].map(b => b.clientWidth)")

    assert len(set(lengths())) == 1
    click(page, 'input[value="bytes"]')
    assert len(set(lengths())) == 2


@pytest.mark.parametrize("width", [360, 768])
def test_small_screens_need_no_sideways_scrolling(page, width):
    resize(page, width)
    page.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
    until(page, lambda: page.execute_script("return document.documentElement.clientWidth") == width)
    until(page, lambda: page.execute_script("return document.documentElement.scrollWidth") == width)
    wide = "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg, .plot')"
    wide += " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    assert page.execute_script(wide) == []


def test_tables_wider_than_a_telephone_say_so_and_keep_their_first_column(page):
    resize(page, 360)
    page.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
    table = "const wide = [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth);"
    hint = f"{table} return wide.map(e => getComputedStyle(e.previousSibling, '::after').content)"
    hints = page.execute_script(hint)
    assert len(hints) > 4
    assert all("scrolls sideways" in words for words in hints)
    cells = f"{table} wide.forEach(e => e.scrollLeft = 999); return wide.map(e => {{"
    cells += "const cells = e.querySelectorAll('tbody tr:not(:has([colspan])) > :first-child');"
    cells += "return [...cells].map(c => c.getBoundingClientRect().left - e.getBoundingClientRect().left) })"
    assert {left for row in page.execute_script(cells) for left in row} == {0}
    resize(page, 1280)
    assert "sideways" not in "".join(page.execute_script(hint))


def test_paper_shows_what_the_screen_lets_one_choose_and_the_maps_of_one_file_of_a_curve(page):
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert len(visible(page, ".matrices > [data-measure]")) == 3
    assert len(visible(page, "img.static")) == 2
    assert len(visible(page, ".sheet img")) == len(page.find_elements("css selector", ".sheet img")) > 10
    assert len(visible(page, ".maps")) == 1 < len(page.find_elements("css selector", ".maps"))
    assert len(visible(page, ".level")) == len(page.find_elements("css selector", ".maps:not(.screen-only) .level"))
    assert visible(page, ".plot, .comparator, .switch, .legend, nav") == []


def test_the_dark_scheme_reaches_page_and_plots(page):
    state = (
        "return [getComputedStyle(document.body).backgroundColor, document.querySelector('.plot').layout.font.color]"
    )
    light = page.execute_script(state)
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    until(page, lambda: page.execute_script(state)[1] != light[1])
    assert light[0] == "rgb(255, 255, 255)"
    assert page.execute_script(state)[0] == "rgb(18, 22, 27)"


def test_without_scripts_the_pictures_and_tables_are_there(driver, address):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(address)
        assert len(visible(driver, "img.static")) == 2
        assert len(visible(driver, ".sheet img")) > 10
        assert visible(driver, ".plot, .comparator, .switch") == []
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
