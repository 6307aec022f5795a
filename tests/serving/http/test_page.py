"""The page, in a real browser: skipped where Chromium is not installed."""

import re
import shutil
from importlib import resources

import pytest

from tests.waiting import wait_until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# No display, no sandbox (tests may run as root), no connection to anywhere else.
FLAGS = [
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
]
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver"
)


def test_the_page_holds_all_it_needs():
    page = (resources.files("textgen.serving.http") / "page.html").read_text("utf-8")
    # No other file, no other host, nothing that the content security policy forbids.
    assert not re.findall(r"""(?:src|href)=["']https?:""", page)
    assert not re.findall(r"""<[^>]*\s(?:style|on\w+)=["']""", page)
    assert page.count("<script>") == page.count("<style>") == 1


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("chromium")
    downloads = {"download.default_directory": str(profile)}
    options.add_experimental_option("prefs", downloads)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS, f"user-data-dir={profile / 'profile'}"]:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, Service(DRIVER))
    driver.downloads = profile
    yield driver
    driver.quit()


class Page:
    """The page, as someone at the keyboard sees it."""

    def __init__(self, browser, server):
        self.browser = browser
        self.server = server
        self.open()

    def open(self, fresh=True):
        """Load the page."""
        self.browser.get(self.server.url)
        if fresh:
            self.browser.execute_script("localStorage.clear(); onbeforeunload = null")
            self.browser.execute_script("text.value = ''")
            self.browser.get(self.server.url)
        self.until("document.querySelector('#model').options.length > 0")

    def run(self, script):
        """Evaluate an expression."""
        return self.browser.execute_script(f"return {script}")

    def until(self, script):
        """Wait until an expression is true."""
        wait_until(lambda: self.run(script))

    def element(self, name):
        """The element with this id."""
        return self.browser.find_element("id", name)

    def click(self, name):
        """Click, then wait until the page is idle."""
        self.element(name).click()
        self.idle()

    def idle(self):
        """Wait until nothing runs."""
        self.until("!document.body.hasAttribute('aria-busy')")

    @property
    def text(self):
        """What stands in the text area."""
        return self.run("document.querySelector('#text').value")

    @property
    def status(self):
        """What the page says."""
        return self.element("status").text

    def set(self, name, value):
        """Move a slider."""
        script = "const s = document.querySelector(arguments[0]); s.value = arguments[1];"
        script += "s.dispatchEvent(new Event('input'))"
        self.browser.execute_script(script, f"#s-{name}", value)


@pytest.fixture
def page(browser, server):
    return Page(browser, server)


@needs_browser
def test_a_text_is_continued_undone_and_had_again(page, generator):
    page.element("text").send_keys("ab")
    page.set("max_tokens", 30)
    page.element("seed").send_keys("5")
    page.click("go")
    wanted = generator.generate("ab", max_new_tokens=30, seed=5).text
    assert page.text == "ab" + wanted
    assert "seed 5" in page.element("last").text
    page.click("undo")
    assert page.text == "ab"
    page.click("redo")
    assert page.text == "ab" + wanted
    page.click("undo")
    page.click("go")
    assert page.text == "ab" + wanted


@needs_browser
def test_the_keyboard_starts_and_stops(page, server, slow_decoder):
    from selenium.webdriver.common.keys import Keys

    page.set("max_tokens", 600)
    page.browser.execute_script("settings.max_tokens = 4096")
    page.element("text").send_keys("a", Keys.CONTROL, Keys.ENTER, Keys.NULL)
    page.until("document.querySelector('#text').value.length > 5")
    page.element("text").send_keys(Keys.ESCAPE)
    page.idle()
    assert page.status == "Stopped."
    engine = server.shelf.models["transformer"].engine
    wait_until(lambda: engine.num_running == 0)


@needs_browser
def test_a_proposal_is_chosen(page):
    page.element("text").send_keys("a")
    page.set("max_tokens", 20)
    page.click("propose")
    boxes = page.browser.find_elements("css selector", "#proposals button span")
    assert len({box.text for box in boxes}) == 3
    chosen = page.run("document.querySelectorAll('#proposals button span')[1].textContent")
    page.browser.switch_to.active_element.send_keys("2")
    assert page.text == "a" + chosen


@needs_browser
def test_a_token_is_replaced_by_another(page):
    page.set("max_tokens", 5)
    page.element("text").send_keys("ab字 c")
    page.click("heat")
    spans = page.browser.find_elements("css selector", "#tokens [role=button]")
    assert [span.get_attribute("textContent") for span in spans] == list("ab字 c")
    assert "%" in spans[2].get_attribute("aria-label")
    spans[2].click()
    items = page.browser.find_elements("css selector", "#menu button")
    assert len(items) >= 5
    items[0].click()
    page.idle()
    assert page.text.startswith("ab")
    assert len(page.text) == 8


@needs_browser
def test_the_text_survives_and_can_be_saved(page):
    page.element("text").send_keys("床前明月光 مرحبا")
    page.open(fresh=False)
    assert page.text == "床前明月光 مرحبا"
    page.element("save").click()
    file = page.browser.downloads / "床前明月光 مرحبا.txt"
    wait_until(file.exists)
    assert file.read_text("utf-8") == page.text
    page.browser.execute_script("text.value = ''")
    page.element("file").send_keys(str(file))
    page.until("document.querySelector('#text').value.length > 0")
    assert page.text == "床前明月光 مرحبا"


@needs_browser
def test_the_card_of_the_chosen_model_is_shown(page):
    page.run("document.querySelector('#about').open = true")
    page.browser.execute_script(
        "const m = document.querySelector('#model'); m.value = 'lstm';"
        "m.dispatchEvent(new Event('change'))"
    )
    page.until("document.querySelector('#card').textContent.includes('lstm')")


@needs_browser
def test_an_error_is_shown_in_words(page):
    page.browser.execute_script("settings.top_p = 7")
    page.element("text").send_keys("a")
    page.click("go")
    assert "top_p must be" in page.status
    assert page.text == "a"


@needs_browser
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_wider_than_the_screen(page, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.element("text").send_keys("a" * 500)
    page.click("heat")
    assert page.run("document.documentElement.scrollWidth") <= width
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@needs_browser
def test_everything_has_a_name_for_screen_readers(page):
    unnamed = page.run(
        "[...document.querySelectorAll('button, input, select, textarea')].filter(e => "
        "!(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label') || e.hidden))"
        ".map(e => e.id)"
    )
    assert unnamed == []


@needs_browser
def test_the_console_is_silent(page):
    page.browser.get_log("browser")
    page.open()
    page.click("go")
    assert [entry["message"] for entry in page.browser.get_log("browser")] == []
