"""JupyterLab, opened as a learner opens it: what she wrote in another front is still there."""

import json
import os
import platform
import re
import shutil

import pytest

from mnist_course.chapters import NOTEBOOKS
from tests.jupyter import TOKEN, copy_course, serve

pytestmark = pytest.mark.browser

EARLIER = "# an answer from another editor\nfirst_answer = 6 * 7"
LATER = "second_answer = 43"
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}  # its first start would ask


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the repository: the server, script and notebook."""
    folder, home = (tmp_path_factory.mktemp(name) for name in ("course", "home"))
    script, notebook = copy_course(folder)
    settings = home / "CONFIG" / "lab" / "user-settings" / "@jupyterlab"
    for name, content in {
        "apputils-extension/notification": NO_NEWS,
        "docmanager-extension/plugin": {"autosaveInterval": 2},
        "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are drawn
    }.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    with serve(folder, home, app="jupyterlab") as server:
        yield server, script, notebook


@pytest.mark.parametrize("newer", ["script", "notebook"])
def test_an_answer_is_shown_and_outlasts_an_autosave(browser, lab, newer):
    server, script, notebook = lab
    source, delivered = script.read_bytes(), notebook.read_bytes()
    try:
        content = json.loads(delivered)
        content["cells"] = content["cells"][:2]  # few enough to be drawn at once
        content["cells"][1].update(cell_type="code", source=EARLIER, outputs=[], metadata={})
        content["cells"][1]["execution_count"] = None
        notebook.write_text(json.dumps(content))
        now = notebook.stat().st_mtime
        time = now + (3600 if newer == "script" else -3600)
        os.utime(script, (time, time))

        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{server.address}lab/tree/notebooks/{notebook.name}?token={TOKEN}&reset")
        cell = page.locator(".jp-CodeCell .cm-content")
        cell.get_by_text("first_answer = 6 * 7").click()
        page.keyboard.press("ControlOrMeta+End")
        page.keyboard.type(f"\n{LATER}")
        until_saved(page, notebook)
        written = "".join(json.loads(notebook.read_text())["cells"][1]["source"])
        assert written == f"{EARLIER}\n{LATER}"
        assert script.read_bytes() == source
        page.close()
    finally:
        script.write_bytes(source)
        notebook.write_bytes(delivered)


def until_saved(page, notebook):
    """Wait for JupyterLab to save by itself."""
    for _ in range(600):
        if LATER in notebook.read_text():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it was not saved within a minute")


RAW = r":::|\{ref\}|\{numref\}|\{cite\}|\{eq\}|\(ch-|\(eq-"


@pytest.mark.parametrize("name", ["03_scores_and_hinge", "06_optimizers"])
def test_a_notebook_looks_like_its_page(browser, lab, name):
    server, script, _ = lab
    shown = script.with_name(f"{name}.ipynb")
    shutil.copy(NOTEBOOKS / shown.name, shown)
    before = shown.read_bytes()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(f"{server.address}lab/tree/notebooks/{shown.name}?token={TOKEN}&reset")
    page.get_by_text("Solutions", exact=True).last.wait_for(state="attached")
    page.locator(".jp-MarkdownCell.jp-mod-rendered").last.wait_for(state="attached")
    page.wait_for_timeout(3000)  # formulas are typeset
    text = page.locator(".jp-Notebook").inner_text()
    assert len(text) > 20_000
    assert not re.findall(RAW, text)
    assert "check_solution(" not in text  # no open solution
    assert not re.findall(r"^assert ", text, re.MULTILINE)  # and no open proof
    assert re.search(rf"Fig\. {int(name[:2])}\.1\.", text)
    made_with = json.loads(before)["metadata"]["language_info"].get("version")
    if made_with == platform.python_version():  # nothing asks to be saved
        assert page.locator(".lm-TabBar-tab.lm-mod-current.jp-mod-dirty").count() == 0
    assert shown.read_bytes() == before
    page.close()
