"""The graph of a run in a real browser: what is drawn, what it tells while the run goes on, and its keys."""

from __future__ import annotations

from harness import Mfhera
from selenium.webdriver.common.keys import Keys
from test_browser import Browser, _asked_nobody_else, _driver, browser, pytestmark

__all__ = ["_driver", "browser", "pytestmark"]


def step(browser: Browser, words: str) -> None:
    """Wait until a step tells this of itself."""
    browser.until(lambda: browser.all(f'.node[aria-label="{words}"]'))


def ways(browser: Browser, kind: str) -> set[str]:
    """The arrows that were taken, or passed by."""
    return {str(each.get_attribute("data-way")) for each in browser.all(f".way.{kind}")}


def box(browser: Browser, name: str) -> dict[str, float]:
    """Where a step is in the window."""
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    found: dict[str, float] = browser.driver.execute_script(script, f'.node[aria-label^="{name},"]')
    return found


def test_a_graph_of_all_that_a_flow_can_have(own_mfhera: Mfhera, browser: Browser) -> None:
    own_mfhera.take("graph_flow.py")
    own_mfhera.ok("create", "graph_flow.py", "--splits-per-pod", "2")
    gate = own_mfhera.folder / "gate"
    browser.log_in(own_mfhera)
    browser.start_run("GraphFlow", until=str(gate))
    browser.click("[data-view=graph]")

    # While the run waits in the loop: a switch has chosen, two foreachs are through, the rest waits.
    step(browser, "refine, Running, loop")
    step(browser, "start, Succeeded, switch")
    step(browser, "nothing, Skipped")
    step(browser, "outer, Succeeded, foreach")
    step(browser, "middle, 2/2, foreach, Succeeded, in foreach outer")
    step(browser, "inner, 6/6, Succeeded, in foreach outer, middle")
    step(browser, "train, Waiting, @parallel, in foreach spread")
    assert {"start outer", "inner columns_joined", "rows_joined refine"} <= ways(browser, "taken")
    assert ways(browser, "passed") == {"start nothing", "nothing end"}
    sheets = {
        name: len(browser.all(f'.node[aria-label^="{name},"] .box')) for name in ("outer", "middle", "inner")
    }
    assert sheets == {"outer": 1, "middle": 2, "inner": 3}
    browser.driver.execute_script("window.notReloaded = true")

    # The end comes without a reload.
    gate.touch()
    browser.reads(".run .state", "Succeeded")
    step(browser, "refine, Succeeded, loop 3\u00d7")
    step(browser, "train, 2/2, @parallel, Succeeded, in foreach spread")
    step(browser, "end, Succeeded")
    assert {"refine refine", "refine spread", "train gathered"} <= ways(browser, "taken")
    badges = {each.text for each in browser.all(".node .badge")} - {""}
    assert badges == {"foreach", "loop 3\u00d7", "@parallel"}

    # A step shows its tasks in the tree: three that share two pods, for each of two rows.
    browser.click('.node[aria-label^="inner,"]')
    browser.row("inner/1-2, Succeeded")
    assert browser.focused().startswith("inner, Succeeded")

    # By keyboard: to the steps beside it, to the first, nearer and farther.
    browser.driver.execute_script("document.querySelector('.node[tabindex=\"0\"]').focus()")
    browser.keys(Keys.ARROW_DOWN)
    assert browser.focused().startswith("columns_joined,")
    browser.keys(Keys.HOME, Keys.ENTER)
    assert browser.focused().startswith("start, Succeeded")
    browser.driver.execute_script("document.querySelector('.node[tabindex=\"0\"]').focus()")
    before = box(browser, "start")["width"]
    browser.keys("+")
    assert box(browser, "start")["width"] > before
    browser.keys("0")
    frame = browser.driver.execute_script(
        "return document.querySelector('.canvas').getBoundingClientRect().bottom"
    )
    assert box(browser, "end")["bottom"] <= frame

    # On a small screen the steps can be read, and the page is no broader than the screen.
    browser.driver.set_window_size(420, 900)
    browser.driver.refresh()
    step(browser, "start, Succeeded, switch")  # the graph is shown again, as it was chosen
    assert box(browser, "start")["height"] > 30
    inside = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert browser.driver.execute_script(inside)

    # A run that failed: what comes after it was not started.
    browser.driver.set_window_size(1280, 900)
    browser.driver.execute_script("location.hash = '#/'")
    browser.one(".runs")
    browser.start_run("GraphFlow", way="fail")
    browser.reads(".run .state", "Failed")
    step(browser, "nothing, Failed")
    step(browser, "outer, Skipped, foreach")
    step(browser, "inner, Not started, in foreach outer, middle")
    assert ways(browser, "taken") == {"start nothing"}
    browser.keys("v")
    browser.until(lambda: not browser.all(".graph")[0].is_displayed())
    _asked_nobody_else(browser, own_mfhera)
