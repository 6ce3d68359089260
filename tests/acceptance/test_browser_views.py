"""Each view of the page in a real browser: that everybody can use it, and what it looks like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness import Mfhera
from test_browser import AXE, WINDOW, Browser, _driver, browser, pytestmark

__all__ = ["_driver", "browser", "pytestmark"]

VIEWS = os.environ.get("PAGE_VIEWS")
"""A folder for a picture of each view, if they are wanted."""
FITS = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LABELS_FIT = (
    "return [...document.querySelectorAll('.line .label')].every((e) => e.scrollWidth <= e.clientWidth)"
)


def test_each_view_is_accessible_in_light_and_dark_and_on_a_small_screen(
    own_mfhera: Mfhera, browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    """axe-core finds nothing anywhere. With PAGE_VIEWS a picture of each view is kept in that folder."""
    own_mfhera.take("page_flow.py", "gate_flow.py", "types_flow.py")
    gate = own_mfhera.folder / "gate"
    for file in ("types_flow.py", "gate_flow.py", "page_flow.py"):
        own_mfhera.ok("create", file)
    running = own_mfhera.json("trigger", "gate_flow.py", "--param", f"gate={gate}", "--json")["run_id"]
    good = own_mfhera.json("trigger", "page_flow.py", "--json")["run_id"]
    bad = own_mfhera.json("trigger", "page_flow.py", "--param", "gate=/nowhere", "--json")["run_id"]
    browser.log_in(own_mfhera)
    url = str(browser.driver.current_url).partition("#")[0]

    def run(id: str, state: str, *more: str) -> None:
        browser.go(f"#/runs/default/{id.removeprefix('argo-')}")
        browser.reads(".run h1", id)
        browser.reads(".run .state", state)
        for selector in more:
            browser.click(selector)

    def deployment(name: str, *more: str) -> None:
        browser.go(f"#/deployments/default/{name}")
        browser.reads(".overview h1", name)
        for selector in more:
            browser.click(selector)

    def refused_form() -> None:
        deployment("typesflow", ".heading .primary")
        browser.one("#parameter-ratio").clear()
        browser.one("#parameter-ratio").send_keys("abc")
        browser.click("dialog [type=submit]")
        browser.reads("#parameter-ratio-problem", "It must be a float.")

    def log() -> None:
        run(bad, "Failed", ".failures button")
        browser.reads(".logs .lines", "part 3")

    def graph() -> None:
        run(bad, "Failed", "[data-view=graph]")
        browser.one(".node")

    def results() -> None:
        run(good, "Succeeded", "[data-view=tree]", '[role=treeitem][aria-label^="start,"]')
        browser.one(".logs .tabs")
        browser.keys("a")
        browser.one(".artifacts")

    def details() -> None:
        run(good, "Succeeded")
        browser.click(".more summary")
        browser.reads(".more", "resume")

    def keys() -> None:
        browser.go("#/")
        browser.click("#help")

    def unknown() -> None:
        browser.go("#/runs/default/nope")
        browser.reads(".absent", "There is no run nope")

    def gone() -> None:
        run(good, "Succeeded")
        own_mfhera.stop()
        browser.reads("#gone", "Start it with: mfhera local start")

    def login() -> None:
        own_mfhera.ok("local", "start")
        browser.driver.delete_all_cookies()
        browser.driver.get(url)
        browser.reads("main", "mfhera local open")

    views: dict[str, Callable[[], object]] = {
        "running": lambda: run(running, "Running"),
        "question": lambda: run(running, "Running", '[data-verb="terminate"]'),
        "good": lambda: run(good, "Succeeded", "summary"),
        "failed": lambda: run(bad, "Failed"),
        "tasks": lambda: run(bad, "Failed", '[role=treeitem][aria-label^="work,"]'),
        "log": log,
        "graph": graph,
        "results": results,
        "details": details,
        "events": lambda: browser.go("#/events"),
        "nothing found": lambda: browser.go("#/?q=nosuch"),
        "overview": lambda: browser.go("#/"),
        "deployment": lambda: deployment("pageflow"),
        "form": refused_form,
        "versions": lambda: deployment("pageflow", ".heading button.quiet"),
        "keys": keys,
        "unknown": unknown,
        "gone": gone,
        "login": login,
    }
    found: list[str] = []
    for name, show in views.items():
        browser.resize(WINDOW[0])
        show()
        for width in (1440, 420):
            browser.resize(width)
            assert browser.driver.execute_script(FITS), (name, width)
            for scheme in ("light", "dark"):
                browser.prefer(scheme)
                if VIEWS:
                    browser.picture(Path(VIEWS, f"{name}-{width}-{scheme}.png"))
                found += [f"{name}, {width} px, {scheme}: {each}" for each in browser.axe()]
        if name == "question":
            gate.touch()
        if name == "failed":  # what has not begun will not begin, and says so
            browser.row("end, Not started")
            assert browser.driver.execute_script(LABELS_FIT)
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    record_property("says", f"axe-core {AXE}: {len(found)} findings in {4 * len(views)} views")
    assert found == []
