"""The built book, opened as a reader opens it: headless Chromium, no network."""

import functools
import http.server
import threading
from urllib.parse import urlsplit

import pytest

from mnist_course.chapters import ROOT

HTML = ROOT / "_build" / "html"

pytestmark = pytest.mark.browser


def _pages():
    return sorted(
        str(path.relative_to(HTML))
        for folder in ("book", "notebooks")
        for path in (HTML / folder).glob("*.html")
    )


@pytest.fixture(scope="session")
def site():
    """Serve the built book on this machine."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=str(HTML))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Visit:
    """A page in a fresh context, and everything that went wrong on it."""

    def __init__(self, browser, address, *, width=1280, scheme="light", **options):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        self.page = self.context.new_page()
        self.external, self.errors = [], []
        self.page.route("**/*", self._route)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(address)

    def _route(self, route):
        """Let through what lies on this machine; note and stop everything else."""
        parts = urlsplit(route.request.url)
        if parts.scheme in ("file", "data", "blob") or parts.hostname == "127.0.0.1":
            route.continue_()
        else:
            self.external.append(route.request.url)
            route.abort()

    def formulas(self):
        """Wait for MathJax and return (sources in the page, typeset formulas, failed ones)."""
        sources = self.page.locator("span.math, div.math").count()
        if sources:
            self.page.wait_for_function("window.MathJax && MathJax.startup.promise", timeout=20_000)
            self.page.evaluate("MathJax.startup.promise.then(() => true)")
        typeset = self.page.locator("mjx-container").count()
        return sources, typeset, self.page.locator("mjx-merror, [data-mjx-error]").count()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def test_there_is_a_book():
    assert len(_pages()) >= 6, "build it first: make book"


@pytest.mark.parametrize("page", _pages())
def test_page_is_whole_from_a_file_without_network(browser, page):
    with Visit(browser, (HTML / page).as_uri()) as visit:
        sources, typeset, failed = visit.formulas()
        assert typeset >= sources
        assert failed == 0
        broken = visit.page.evaluate(
            "[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
        )
        assert broken == []
        mute = visit.page.evaluate(
            "[...document.querySelectorAll('article img')].filter(i => !i.alt).map(i => i.src)"
        )
        assert mute == []
        assert visit.external == []
        assert visit.errors == []


@pytest.mark.parametrize("page", _pages())
def test_page_fits_a_phone(browser, page):
    with Visit(browser, (HTML / page).as_uri(), width=390) as visit:
        visit.formulas()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        # A digit must not be stretched: the displayed shape is that of the picture.
        stretched = visit.page.evaluate(
            """[...document.querySelectorAll('article img')].filter(i => {
                const box = getComputedStyle(i), pad = 2 * parseFloat(box.paddingLeft);
                const ratio = (i.clientWidth - pad) / (i.clientHeight - pad);
                return Math.abs(ratio * i.naturalHeight / i.naturalWidth - 1) > 0.03;
            }).map(i => i.src)"""
        )
        assert stretched == []


def test_chapters_have_formulas_figures_and_copy_buttons(browser, site):
    with Visit(browser, f"{site}/notebooks/04_softmax_regression.html") as visit:
        sources, typeset, _ = visit.formulas()
        assert typeset >= sources >= 20
        assert visit.page.locator("article figure img").count() >= 5
        assert visit.page.locator("button.copybtn").count() >= 10
        assert visit.page.locator("details.dropdown, .solution.dropdown").count() >= 5
        assert visit.external == []
        assert visit.errors == []


def test_theme_switch_works(browser, site):
    with Visit(browser, f"{site}/notebooks/01_idx_data.html", scheme="light") as visit:
        theme = "document.documentElement.dataset.theme"
        background = "getComputedStyle(document.body).backgroundColor"
        seen = {visit.page.evaluate(theme): visit.page.evaluate(background)}
        for _ in range(3):
            visit.page.locator("button.theme-switch-button").first.click()
            seen[visit.page.evaluate(theme)] = visit.page.evaluate(background)
        assert seen.keys() == {"light", "dark"}
        assert seen["light"] != seen["dark"]


def test_dark_follows_the_system(browser, site):
    with Visit(browser, f"{site}/book/index.html", scheme="dark") as visit:
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_search_finds_a_word(browser, site):
    with Visit(browser, f"{site}/search.html?q=checksum") as visit:
        visit.page.wait_for_selector("#search-results li a", timeout=10_000)
        links = visit.page.locator("#search-results li a").evaluate_all("l => l.map(a => a.href)")
        assert any("01_idx_data" in link for link in links)
        assert visit.external == []


def test_all_links_inside_the_book_lead_somewhere(browser, site):
    with Visit(browser, f"{site}/index.html") as visit:
        links = set()
        for page in _pages():
            visit.page.goto(f"{site}/{page}")
            links |= set(visit.page.evaluate("[...document.links].map(a => a.href.split('#')[0])"))
        inside = sorted(link for link in links if link.startswith(site))
        assert len(inside) >= len(_pages())
        for link in inside:
            assert visit.page.request.get(link).ok, link


def test_exercise_solutions_open_on_a_click(browser, site):
    with Visit(browser, f"{site}/notebooks/01_idx_data.html") as visit:
        solution = visit.page.locator(".solution.dropdown").first
        before = solution.bounding_box()["height"]
        solution.locator("button, summary").first.click()
        visit.page.wait_for_timeout(300)
        assert solution.bounding_box()["height"] > before + 20
