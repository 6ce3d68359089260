"""The page in a real browser: Debian's Chromium, without a window, driven by its own chromedriver."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import npm
import pytest
from harness import SECONDS, Mfhera
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from metaflow_hera.contract.values import encode

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SCREENSHOT = os.environ.get("PAGE_SCREENSHOT")
"""Where to keep a picture of the page, if anywhere: see the session `screenshot`."""

AXE = "4.14.1"
"""The version of axe-core."""
SCHEME = os.environ.get("PAGE_SCHEME", "light")

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-device-scale-factor=1",
)  # fmt: skip
WINDOW = (1280, 900)
WIDE = 10_000
ROW = '[role=treeitem][aria-label^="{}"]'
"""The line of the tree that begins with some words."""
VALUES = [
    *(
        "",
        "null",
        "nulls",
        "base64:x",
        "0.5",
        "{ {",
        "a {{b}}",
        "$HOME",
        "tab\tand\nlines\r\n",
        "\x00\x1f\x7f",
    ),
    *("é ü", "\u20ac", "\U0001f600", "\U000e0001", "\U0010ffff", "[1, 2]"),
]
"""Values of Parameters, some of which travel encoded."""

# One browser at a time: two of them starve each other on a small machine.
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)) and not os.environ.get("CI"),
        reason="there is no Chromium: apt-get install chromium chromium-driver",
    ),
]


class Browser:
    """A browser in which nobody has logged in, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.requests: list[str] = []
        # All else that a page keeps is kept by its address, and each test has a server of its own.
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        before = driver.current_window_handle
        driver.switch_to.new_window("tab")
        tab = driver.current_window_handle
        driver.switch_to.window(before)
        driver.close()
        driver.switch_to.window(tab)
        driver.set_window_size(*WINDOW)
        for kind in ("performance", "browser"):
            driver.get_log(kind)  # what the browser's own first page, or the page before, asked for

    def until(self, test: Callable[[], Any]) -> Any:
        """Wait until something holds; returns it."""
        ignored = [StaleElementReferenceException]
        try:
            return WebDriverWait(self.driver, SECONDS, ignored_exceptions=ignored).until(lambda _: test())
        except TimeoutException as error:
            shown = "nothing that can be read"
            with suppress(WebDriverException):
                shown = self.driver.find_element("css selector", "body").text
            raise AssertionError(f"It did not come true. The page shows:\n{shown}") from error

    def all(self, selector: str) -> list[Any]:
        """The elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        """The first visible element of a selector, when there is one."""
        return self.until(lambda: next((each for each in self.all(selector) if each.is_displayed()), None))

    def text(self, selector: str) -> str:
        """What is to be read in an element."""
        return str(self.one(selector).text)

    def click(self, selector: str) -> None:
        """Click on an element. What is live may be drawn anew between its finding and the click."""
        self.until(lambda: self.one(selector).click() is None)

    def reads(self, selector: str, words: str) -> None:
        """Wait until an element has a text in it."""
        self.until(lambda: any(words in each.text for each in self.all(selector)))

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def focused(self) -> str:
        """What the element in focus is called."""
        name = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
        return str(self.driver.execute_script(f"return {name}"))

    def row(self, words: str) -> Any:
        """The line of the tree that begins with these words."""
        return self.one(ROW.format(words))

    def click_row(self, words: str) -> None:
        """Click on a line of the tree."""
        self.click(ROW.format(words))

    def go(self, place: str) -> None:
        """Show what an address names, from anywhere."""
        self.keys(Keys.ESCAPE)
        self.driver.execute_script("location.hash = arguments[0]", place)

    def resize(self, width: int) -> None:
        """Give the page a width that a window may not have, in pixels."""
        size = {"width": width, "height": WINDOW[1], "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Say that the system is light or dark."""
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)

    def axe(self) -> list[str]:
        """What axe-core finds wrong with the page as it is."""
        if not self.driver.execute_script("return 'axe' in window"):
            self.driver.execute_script(npm.file_of("axe-core", AXE, "axe.min.js").read_text())
        script = "axe.run(document, {resultTypes: ['violations']}).then(arguments[0])"
        told = self.driver.execute_async_script(script)["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in told for node in each["nodes"]]

    def picture(self, file: Path) -> None:
        """Keep a picture of the page."""
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        file.write_bytes(base64.b64decode(picture["data"]))

    def asked(self) -> list[str]:
        """All addresses that were asked for so far."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
        return self.requests

    def complaints(self) -> list[str]:
        """What the browser has to say: errors of scripts, refusals of its content policy."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def log_in(self, mfhera: Mfhera, *verb: str, shows: str = ".overview") -> None:
        """As `mfhera local open`, or another verb, does where there is a browser; what is shown then."""
        # The command `xdg-open` and the like are not there: BROWSER names one that notes what it is to open.
        note = mfhera.folder / "opened"
        script = mfhera.folder / "a_browser"
        script.write_text(f'#!/bin/sh\necho "$1" > {note}\n')
        script.chmod(0o755)
        assert "Opened" in mfhera.ok(*(verb or ("local", "open")), env={"BROWSER": f"{script} %s"})
        mfhera.wait_until(note.exists)
        mfhera.wait_until(lambda: note.read_text().endswith("\n"))
        opened = note.read_text().strip()
        assert opened.startswith("file://")
        assert "code" not in opened
        self.driver.get(opened)
        self.one(shows)
        assert not Path(opened.removeprefix("file://")).exists()

    def in_flows_form(self, values: Sequence[str]) -> list[str]:
        """Values of Parameters as the page would send them."""
        script = (
            "const [values, done] = arguments; "
            "import('/page/static/values.js').then((module) => done(values.map(module.inFlowsForm)))"
        )
        found: list[str] = self.driver.execute_async_script(script, values)
        return found

    def open_form(self, deployment: str) -> None:
        """Open the form that starts a run."""

        def click() -> bool:
            row = next((each for each in self.all(".deployments li") if deployment in each.text), None)
            return row is not None and row.find_element("css selector", "button").click() is None

        self.until(click)

    def start_run(self, deployment: str, **parameters: str) -> str:
        """Fill in the form and start a run; returns its name."""
        self.open_form(deployment)
        for name, value in parameters.items():
            field = self.one(f"#parameter-{name}")
            field.clear()
            field.send_keys(value)
        self.click("dialog [type=submit]")
        self.until(lambda: "#/runs/" in self.driver.current_url)
        return str(self.driver.current_url).rpartition("/")[2]


@pytest.fixture(scope="module")
def _driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests: its start takes longer than most of them."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(_driver: webdriver.Chrome) -> Browser:
    """The browser, in a tab of the test's own."""
    return Browser(_driver)


def test_a_run_from_the_form_to_its_end(own_mfhera: Mfhera, browser: Browser) -> None:
    """Start with a parameter, fail, retry, succeed; all of it without a reload."""
    own_mfhera.take("page_flow.py")
    own_mfhera.ok("create", "page_flow.py")
    gate = own_mfhera.folder / "gate"
    browser.log_in(own_mfhera)
    assert browser.in_flows_form(VALUES) == [encode(value) for value in VALUES]
    name = browser.start_run("PageFlow", alpha="0.75", gate=str(gate), note="$HOME {{it}} é")
    browser.driver.execute_script("window.notReloaded = true")

    # It fails, and says why.
    browser.reads(".run .state", "Failed")
    browser.reads(".failures", "the file is not there <img src=x>")
    # Steps, tasks and runs are called as in the terminal, and said to be in the same state.
    shown = own_mfhera.ok("status", f"argo-{name}")
    assert browser.text(".run h1") == f"argo-{name}"
    assert browser.text(".failures button") == "work/3"
    assert "part 3" in own_mfhera.ok("logs", f"argo-{name}", "work/3")
    for row in browser.all("[role=treeitem]"):
        step, words = (row.find_element("css selector", part).text for part in (".label", ".counts"))
        assert f"{step} {words}" in shown
    browser.click(".failures button")
    browser.reads(".logs .lines", "part 3 with alpha 0.75 <b>as it is</b>")
    browser.keys(Keys.ESCAPE)
    browser.until(lambda: not browser.all(".logs")[0].is_displayed())

    # What a failed run can do is offered, nothing else.
    assert {each.get_attribute("data-verb") for each in browser.all("[data-verb]")} == {"retry", "resubmit"}

    # The tree, by keyboard alone.
    browser.keys("j")
    assert browser.focused().startswith("start, Succeeded")
    browser.keys(Keys.END)
    assert browser.focused().startswith("end")
    browser.keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    browser.row("work/3, Failed")
    browser.keys(Keys.ARROW_RIGHT)
    assert browser.focused().startswith("work/3, Failed")
    browser.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    browser.until(lambda: not browser.all('[role=treeitem][aria-label^="work/3,"]'))
    browser.keys(Keys.ARROW_RIGHT)
    browser.row("work/3, Failed")
    browser.keys(Keys.ARROW_DOWN)
    browser.keys(Keys.ENTER)
    browser.reads(".logs .lines", "the file is not there")
    browser.keys("?")
    browser.reads("dialog", "suspend or resume the run")
    browser.keys(Keys.ESCAPE)

    # Retried, it goes well.
    gate.touch()
    browser.keys("r")
    browser.reads(".run .state", "Succeeded")
    browser.until(lambda: not browser.one("body").find_elements("css selector", ".failures li"))
    browser.click_row("end, Succeeded")
    browser.reads(".logs .lines", "all is well '$HOME {{it}} é'")
    assert own_mfhera.phases("pageflow") == {f"argo-{name}": "Succeeded"}
    browser.click("details summary")
    browser.reads(".parameters", "0.75")
    names = browser.driver.find_elements("css selector", ".parameters dt")
    assert [each.text for each in names] == ["alpha", "gate", "note"]
    browser.reads(".parameters", "$HOME {{it}} é")

    # Back among the runs, from where it is opened by keys.
    browser.keys("g")
    browser.reads(".runs", name)
    browser.keys("j")
    assert browser.focused() == f"argo-{name}"
    browser.keys(Keys.ENTER)
    browser.until(lambda: browser.driver.current_url.endswith(name))

    assert browser.driver.execute_script("return window.notReloaded")
    _asked_nobody_else(browser, own_mfhera)


def test_a_run_and_a_deployment_are_opened_by_their_names(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("single_flow.py")
    own_mfhera.ok("create", "single_flow.py")
    run_id = own_mfhera.run()["run_id"]
    browser.log_in(own_mfhera, "open", run_id, shows=".run .state")
    browser.reads(".run .state", "Succeeded")
    assert browser.driver.current_url.endswith(f"/#/runs/default/{run_id.removeprefix('argo-')}")
    browser.log_in(own_mfhera, "open", "single_flow.py")
    browser.until(lambda: browser.driver.current_url.endswith("/#/deployments/default/singleflow"))
    browser.reads(".runs", run_id.removeprefix("argo-"))
    _asked_nobody_else(browser, own_mfhera)


def test_a_run_is_suspended_resumed_and_terminated(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("gate_flow.py")
    own_mfhera.ok("create", "gate_flow.py")
    browser.log_in(own_mfhera)
    browser.start_run("GateFlow", gate=str(own_mfhera.folder / "gate"))
    browser.reads(".run .state", "Running")
    browser.keys("s")
    browser.reads(".run .state", "Suspended")
    browser.click('[data-verb="resume"]')
    browser.reads(".run .state", "Running")
    browser.keys("x")
    browser.reads("dialog", "Terminate this run?")
    browser.click("dialog [value=no]")
    browser.until(lambda: not browser.all("dialog"))
    assert browser.text(".run .state") == "Running"
    browser.click('[data-verb="terminate"]')
    browser.click("dialog [value=yes]")
    browser.reads(".run .state", "Failed")
    _asked_nobody_else(browser, own_mfhera)


def test_errors_are_told_in_words(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("page_flow.py")
    own_mfhera.ok("create", "page_flow.py")
    browser.log_in(own_mfhera)
    url = browser.driver.current_url
    # A form that was open when its deployment went.
    browser.click(".deployments li button")
    browser.one("#parameter-alpha")
    own_mfhera.ok("delete", "page_flow.py")
    browser.reads(".empty", "Nothing is deployed yet")
    browser.click("dialog [type=submit]")
    browser.reads("dialog .problem", "not found")
    browser.keys(Keys.ESCAPE)
    # A run that is not there.
    browser.driver.execute_script("location.hash = '#/runs/default/nope'")
    browser.reads(".absent", "There is no run nope")
    browser.click(".absent a")
    # A server that is not there, and is again.
    browser.reads("#live", "Live")
    own_mfhera.stop()
    browser.reads("#live", "Not connected")
    browser.reads("#gone", "Start it with: mfhera local start")
    own_mfhera.ok("local", "start")
    browser.reads("#live", "Live")
    browser.until(lambda: not browser.all("#gone")[0].is_displayed())
    # Without the cookie the page says what to do.
    browser.driver.delete_all_cookies()
    browser.driver.execute_script("location.hash = '#/runs/default/nope'")
    browser.reads("#notices", "mfhera local open")
    browser.driver.get(url)
    browser.driver.refresh()
    browser.reads("body", "mfhera local open")
    style = "return getComputedStyle(document.body).display"
    assert browser.driver.execute_script(style) == "grid"


def test_the_form_knows_the_types_of_parameters(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("types_flow.py", "required_flow.py")
    own_mfhera.ok("create", "required_flow.py")
    own_mfhera.ok("create", "types_flow.py")
    browser.log_in(own_mfhera)
    browser.open_form("RequiredFlow")
    assert browser.text(".field .required") == "*"
    browser.keys(Keys.ESCAPE)
    browser.open_form("TypesFlow")
    labels = [each.text.split() for each in browser.all(".field label")]
    assert labels[:4] == [["text", "text"], ["number", "int"], ["ratio", "float"], ["small", "float"]]
    browser.reads(".field", "Any text, even { {workflow.name} } · default: hello")
    # A value of the wrong type starts nothing, and says what is wanted where it was typed.
    for name, words in (("number", "It must be an int."), ("ratio", "It must be a float.")):
        field = browser.one(f"#parameter-{name}")
        right = field.get_attribute("value")
        field.clear()
        field.send_keys("abc")
        browser.click("dialog [type=submit]")
        browser.reads(f"#parameter-{name}-problem", words)
        field.clear()
        field.send_keys(right)
    assert own_mfhera.phases("typesflow") == {}
    # A bool is a switch.
    browser.click("#parameter-flag[role=switch]")
    browser.click("dialog [type=submit]")
    browser.reads(".run .state", "Succeeded")
    browser.click("details summary")
    browser.until(lambda: "flag\ntrue" in browser.text(".parameters"))
    # The next run can begin with what this one was given.
    name = browser.text(".run h1")
    browser.keys("g")
    browser.open_form("TypesFlow")
    browser.reads("#begin", name)
    browser.one("#begin").find_elements("css selector", "option")[1].click()
    browser.until(lambda: browser.one("#parameter-flag").is_selected())
    assert browser.one("#parameter-with-hyphen").get_attribute("value") == "$HOME {{x}}"
    browser.one("#begin").find_elements("css selector", "option")[0].click()
    browser.until(lambda: not browser.one("#parameter-flag").is_selected())
    browser.keys(Keys.ESCAPE)
    _asked_nobody_else(browser, own_mfhera)


def test_what_changed_between_two_versions(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("page_flow.py")
    own_mfhera.ok("create", "page_flow.py", "--max-workers", "5")
    own_mfhera.ok("create", "page_flow.py", "--max-workers", "7")
    browser.log_in(own_mfhera)
    browser.click(".deployments a")
    browser.click(".heading button.quiet")
    browser.reads("dialog.versions", "live")
    assert len(browser.all("dialog.versions li")) == 2
    browser.reads(".difference .removed", "parallelism: 5")
    browser.reads(".difference .added", "parallelism: 7")
    # The other way round.
    older, newer = browser.all("dialog.versions select")
    for select, option in ((older, 0), (newer, 1)):
        select.find_elements("css selector", "option")[option].click()
    browser.reads(".difference .added", "parallelism: 5")
    browser.keys(Keys.ESCAPE)
    _asked_nobody_else(browser, own_mfhera)


def test_results_and_cards(own_mfhera: Mfhera, browser: Browser) -> None:
    """What a task has stored is seen, and what a card tries to do beyond that comes to nothing."""
    own_mfhera.take("results_flow.py")
    own_mfhera.ok("create", "results_flow.py")
    runs = [own_mfhera.run(*given)["run_id"] for given in ((), ("--param", "alpha=0.7", "--tag", "special"))]
    name = runs[1].removeprefix("argo-")
    browser.log_in(own_mfhera)

    # The run is found by what it was given, also after a reload, and by keyboard.
    browser.click(".deployments a")
    browser.until(lambda: len(browser.all(".runs tbody tr")) == 2)
    assert len(browser.all(".durations rect")) == 2
    browser.reads(".schedules", "next starts")
    browser.keys("/", *"alpha=0.7 special")
    browser.until(lambda: len(browser.all(".runs tbody tr")) == 1)
    browser.until(lambda: "q=alpha%3D0.7+special" in browser.driver.current_url)
    browser.driver.refresh()
    browser.until(lambda: len(browser.all(".runs tbody tr")) == 1)
    browser.click(".runs tbody a")
    browser.until(lambda: browser.driver.current_url.endswith(name))

    # What there is to know of it.
    browser.click(".more summary")
    browser.reads(".more", "special")
    browser.reads(".more", f"python results_flow.py resume --origin-run-id argo-{name}")
    browser.until(lambda: browser.all(".more .about > div:last-child button"))[0].click()
    browser.reads("dialog.manifest pre", "METAFLOW_FLOW_NAME")
    browser.keys(Keys.ESCAPE)

    # The artifacts of a task.
    browser.click_row("start, Succeeded")
    browser.one(".logs .tabs")
    browser.keys("a")
    browser.reads(".results", f"ResultsFlow/argo-{name}/start/start")
    told = {
        row.find_element("css selector", "th").text: " ".join(row.text.split())
        for row in browser.all(".artifacts tbody tr")
    }
    assert set(told) >= {"accuracy", "alpha", "html", "own", "text"}
    assert told["accuracy"].endswith("float 21 B 0.875")
    assert "<b>as it is</b>" in told["text"]
    assert "it holds a builtins.print" in told["own"]

    # A card of Metaflow's is what it is anywhere.
    cards = {each.text: each for each in browser.all(".cards button")}
    assert set(cards) == {"usual (default)", "hostile (test_mock_card)"}
    cards["usual (default)"].click()
    with _frame(browser):
        browser.reads("h1", "a usual card")
    browser.click("dialog.card button")

    # One whose script reaches for the page, its cookie or the server gets none of them.
    cards["hostile (test_mock_card)"].click()
    with _frame(browser):
        browser.reads("#fetched", "refused")
        said = browser.text("#said")
    assert said == "cookie SecurityError, page SecurityError, storage SecurityError, top SecurityError"
    address = browser.one("dialog.card iframe").get_attribute("src")
    browser.click("dialog.card button")
    browser.until(lambda: not browser.all("dialog"))
    complaints = browser.complaints()
    assert all(
        "a document whose" in each or "sandbox" in each or "Content Security" in each for each in complaints
    )

    # Nor does it when it is opened by itself, with the cookie.
    browser.driver.get(address)
    browser.reads("#fetched", "refused")
    assert "cookie SecurityError" in browser.text("#said")

    # On a small screen all of it is there.
    browser.driver.set_window_size(420, 800)
    browser.driver.get(address.partition("/page/")[0] + f"/#/runs/default/{name}")
    browser.click_row("start, Succeeded")
    browser.one(".logs .tabs")
    browser.keys("a")
    browser.reads(".artifacts", "0.875")
    width = "return document.documentElement.scrollWidth <= innerWidth"
    assert browser.driver.execute_script(width)
    own_mfhera.ok("emit", "hello")
    browser.driver.execute_script("location.hash = '#/events'")
    browser.reads(".events", "hello")
    browser.reads(".events", "metaflow.ResultsFlow.start")
    assert browser.driver.execute_script(width)


@contextmanager
def _frame(browser: Browser) -> Iterator[None]:
    """Look into the frame of a card."""
    browser.driver.switch_to.frame(browser.one("dialog.card iframe"))
    yield
    browser.driver.switch_to.default_content()


def test_light_and_dark(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.ok("local", "start")
    browser.log_in(own_mfhera)

    def brightness() -> int:
        color = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(","))

    browser.prefer("light")
    light = brightness()
    browser.prefer("dark")
    dark = brightness()
    assert dark < 200 < 600 < light
    browser.keys("t")
    assert brightness() == light
    browser.driver.refresh()
    browser.one(".overview")
    assert brightness() == light


def test_a_wide_run_is_a_few_lines(own_mfhera: Mfhera, browser: Browser) -> None:
    """A foreach of 10,000 tasks, made by hand from one of five, since the page is what is tested."""
    own_mfhera.take("page_flow.py")
    own_mfhera.ok("create", "page_flow.py")
    run = own_mfhera.run()
    name = run["pathspec"].rpartition("argo-")[2]
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    _widen(home, name)
    browser.log_in(own_mfhera)
    browser.driver.execute_script(f"location.hash = '#/runs/default/{name}'")
    work = browser.row("work, Succeeded")
    assert "Succeeded 10000/10000" in work.text
    assert len(browser.all("*")) < 500
    work.click()
    browser.row("work/99, Succeeded")
    assert len(browser.all("[role=treeitem]")) < 120

    # Of the results, those of one task are read: by one process, and kept once.
    browser.driver.execute_script("arguments[0].focus()", browser.row("work/3, "))
    browser.keys(Keys.ENTER)
    browser.one(".logs .tabs")
    browser.keys("a")
    browser.reads(".artifacts", "alpha")
    assert len(list((home / "results").iterdir())) == 1
    browser.keys(Keys.ESCAPE)

    browser.row("work, ")
    browser.click(".pager")
    browser.row("work/199, Succeeded")
    browser.until(lambda: len(browser.all("[role=treeitem]")) < 120)
    assert len(browser.all("*")) < 3000
    browser.keys("g")
    browser.keys("/", *"alpha=0.1")
    browser.until(lambda: len(browser.all(".runs tbody tr")) == 1)
    _asked_nobody_else(browser, own_mfhera)


@pytest.mark.skipif(not SCREENSHOT, reason="no picture is asked for: nox -s screenshot")
def test_screenshot(own_mfhera: Mfhera, browser: Browser) -> None:
    """A picture of a run for the README."""
    assert SCREENSHOT is not None
    own_mfhera.take("train_flow.py")
    own_mfhera.ok("create", "train_flow.py", "--max-workers", "4")
    browser.log_in(own_mfhera)
    browser.prefer(SCHEME)
    browser.start_run("TrainFlow", rate="0.25")
    browser.click_row("fit, ")
    browser.row("fit/4, Succeeded")
    browser.row("fit/5, Failed")
    browser.click_row("fit/7, ")
    browser.reads(".logs .lines", "epoch 3")
    browser.keys("v")
    browser.one(".node")
    browser.picture(Path(SCREENSHOT))


def _asked_nobody_else(browser: Browser, mfhera: Mfhera) -> None:
    """Demand that the browser asked this server alone, and that no script failed."""
    url = mfhera.json("local", "status", "--json")["url"]
    asked = browser.asked()
    assert asked
    assert [each for each in asked if not each.startswith((f"{url}/", "file://"))] == []
    assert browser.complaints() == []


def _widen(home: Path, name: str) -> None:
    """Add copies of one task of a run's fan to the database, until there are 10,000."""
    with sqlite3.connect(home / "argo.db", timeout=SECONDS) as db:
        ((uid, text),) = db.execute(
            "SELECT uid, node FROM nodes WHERE json_extract(node, '$.displayName')='work(0:0)' "
            "AND json_extract(node, '$.name') LIKE ?",
            (f"{name}.%",),
        ).fetchall()
        task, rows = json.loads(text), []
        for number in range(5, WIDE):
            shown = f"work({number}:{number})"
            parameters = [{"name": "step", "value": "work"}, {"name": "path", "value": f"-{number}"}]
            around = task["name"].removesuffix(task["displayName"])
            one = {**task, "id": f"{name}-w{number}", "name": around + shown, "displayName": shown}
            one["inputs"] = {"parameters": parameters}
            rows.append((uid, one["id"], json.dumps(one)))
        db.executemany("INSERT INTO nodes VALUES (?,?,?)", rows)
    db.close()
