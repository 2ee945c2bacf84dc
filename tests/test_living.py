"""The figures that move, in a real browser: the numbers of Python, and a hand that moves them."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mnist_course.by_hand import convolution, losses, optimizers
from mnist_course.chapters import ROOT
from mnist_course.data import load_data
from mnist_course.recognizer import Recognizer, find_weights
from tests.test_browser import HTML, Visit

pytestmark = pytest.mark.browser

LIBRARY = ROOT / "book" / "_static" / "living"
PAGES = {
    "hill": "00_arrays_and_slopes",
    "bytes": "01_idx_data",
    "four": "03_scores_and_hinge",
    "lines": "03_scores_and_hinge",
    "neuron": "05_backprop",
    "softmax": "04_softmax_regression",
    "valley": "06_optimizers",
    "kernel": "09_cnn",
    "train": "04_softmax_regression",
    "cover": "11_your_own_digit",
}


@pytest.fixture
def figure(browser):
    """Open a figure's page from a file, wait until it is drawn; nothing may go wrong on it."""
    visits = []

    def open_figure(name, **options):
        visit = Visit(browser, (HTML / "notebooks" / f"{PAGES[name]}.html").as_uri(), **options)
        visits.append(visit)
        visit.figure = visit.page.locator(f"#living-{name}")
        visit.page.wait_for_function(
            f"document.querySelector('#living-{name} .living-numbers')?.textContent"
        )
        return visit

    yield open_figure
    for visit in visits:
        assert visit.errors == [] and visit.external == []
        visit.context.close()


def said(visit):
    """Return the figure's line of numbers, once it is drawn."""
    visit.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    return visit.figure.locator(".living-numbers").inner_text()


def slide(visit, label, value):
    """Put a slider where a hand would."""
    control = visit.figure.get_by_label(label)
    control.evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def test_every_figure_is_tested_and_fits_into_a_screen_or_three():
    figures = {path.stem for path in LIBRARY.glob("*.js")} - {"living"}
    assert figures == set(PAGES)
    for name in figures:
        assert len((LIBRARY / f"{name}.js").read_text().splitlines()) <= 150, name


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_made_heavy_by_its_figures(figure, name):
    page = figure(name).page
    added = page.evaluate(
        "[...document.querySelectorAll('script[src], link')].map((e) => e.src || e.href)"
        ".filter((address) => /_static\\/(living|draw)\\//.test(address))"
    )
    paths = {HTML / address.split("/html/")[1].split("?")[0] for address in added}
    assert len(paths) >= 4
    most = 700_000 if PAGES[name].startswith("04") else 250_000
    assert sum(path.stat().st_size for path in paths) <= most


# The same numbers as Python's --------------------------------------------------------------------


def test_the_hills_slopes_are_those_of_autograd(figure):
    visit = figure("hill")
    for a, b in [(2.0, 1.0), (-0.3, 2.5), (0.0, 0.0)]:
        place = torch.tensor([a, b], dtype=torch.float64, requires_grad=True)
        height = place[0] ** 2 + 3 * place[1] ** 2
        height.backward()
        assert visit.page.evaluate(f"Hill.height({a}, {b})") == pytest.approx(height.item())
        found = visit.page.evaluate(f"Hill.gradient({a}, {b})")
        assert found == pytest.approx(place.grad.tolist(), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 7.0])
def test_probabilities_loss_and_gradient_are_torchs(figure, temperature):
    visit = figure("softmax")
    for logits in ([1.0, 2.0, 4.0], [1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]):
        z = torch.tensor([logits], dtype=torch.float64) / temperature
        z.requires_grad_()
        loss = F.cross_entropy(z, torch.tensor([1]))
        loss.backward()
        ask = f"({logits}, 1, {temperature})"
        probs = visit.page.evaluate(f"SoftmaxFigure.softmax({logits}, {temperature})")
        assert np.allclose(probs, z.softmax(dim=1).detach()[0], atol=1e-12)
        assert np.allclose(probs, losses.softmax(z.detach().numpy())[0], atol=1e-12)
        assert visit.page.evaluate(f"SoftmaxFigure.loss{ask}") == pytest.approx(loss.item())
        found = visit.page.evaluate(f"SoftmaxFigure.gradient{ask}")
        assert np.allclose(found, z.grad[0], atol=1e-12)


def test_the_neurons_gradients_are_those_of_autograd(figure):
    visit = figure("neuron")
    for start in ([2.0, 0.5, -1.0, 1.5, 0.5], [3.0, 3.0, -3.0, -3.0, 1.0]):
        names = ["x1", "w1", "x2", "w2", "b"]
        leaf = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        x1, w1, x2, w2, b = leaf
        loss = (torch.sigmoid(w1 * x1 + w2 * x2 + b) - 1) ** 2 / 2
        loss.backward()
        given = dict(zip(names, start, strict=True))
        assert visit.page.evaluate(f"Neuron.forward({given}).L") == pytest.approx(loss.item())
        found = visit.page.evaluate(f"Neuron.backward(Neuron.forward({given}))")
        assert [found[name] for name in names] == pytest.approx(leaf.grad.tolist(), abs=1e-12)


TORCH = {
    "SGD": lambda q, lr, mu: torch.optim.SGD([q], lr),
    "momentum": lambda q, lr, mu: torch.optim.SGD([q], lr, momentum=mu),
    "Nesterov": lambda q, lr, mu: torch.optim.SGD([q], lr, momentum=mu, nesterov=True),
    "RMSprop": lambda q, lr, mu: torch.optim.RMSprop([q], lr),
    "Adam": lambda q, lr, mu: torch.optim.Adam([q], lr, betas=(mu, 0.999)),
}


@pytest.mark.parametrize("rule", TORCH)
def test_every_optimizer_walks_torchs_path(figure, rule):
    visit = figure("valley")
    H, r = (np.array(visit.page.evaluate(f"Living.data.valley.{name}")) for name in ("H", "r"))
    lr, mu = 0.1, 0.9
    q = torch.tensor([-1.0, -1.0], dtype=torch.float64, requires_grad=True)
    optimizer = TORCH[rule](q, lr, mu)
    path = [q.detach().numpy().copy()]
    for _ in range(60):
        q.grad = torch.from_numpy(H @ q.detach().numpy() - r)
        optimizer.step()
        path.append(q.detach().numpy().copy())
    found = visit.page.evaluate(
        f"Valley.descend('{rule}', Living.data.valley.H, Living.data.valley.r, {lr}, {mu})"
    )
    assert np.allclose(found, path, atol=1e-9)
    if rule == "SGD":  # and the chapter's own
        mine = np.array([-1.0, -1.0])
        steps = optimizers.SGD([mine], lr)
        for _ in range(60):
            steps.step([H @ mine - r])
        assert np.allclose(found[-1], mine, atol=1e-12)


def test_the_map_is_that_of_the_chapters_convolution(figure):
    visit = figure("kernel")
    W = np.random.default_rng(0).normal(size=9)
    digit = np.array(visit.page.evaluate("Living.data.digits[4].map((byte) => byte / 255)"))
    found = visit.page.evaluate(f"Kernel.slide({digit.tolist()}, {W.tolist()})")
    ours = convolution.conv2d(digit.reshape(1, 1, 28, 28), W.reshape(1, 1, 3, 3), np.zeros(1))
    assert np.allclose(found, ours.ravel(), atol=1e-9) and np.ptp(found) > 1


def test_bytes_and_pixels_are_the_files(figure):
    visit = figure("bytes")
    image = load_data().train_images[0]
    shown = visit.page.evaluate("Living.data.file.pixels")
    assert np.array_equal(np.reshape(shown, (28, 28)), image)
    for row, column in [(0, 0), (7, 14), (27, 27)]:
        offset = visit.page.evaluate(f"Bytes.offset({row}, {column}, 28)")
        assert offset == 16 + np.ravel_multi_index((row, column), (28, 28))
        assert visit.page.evaluate(f"Bytes.place({offset}, 28)") == [row, column]
        wrong = np.unravel_index(offset - 16, (40, 30))
        assert visit.page.evaluate(f"Bytes.place({offset}, 30)") == list(wrong)


def test_four_pixels_are_scored_as_by_numpy_and_torch(figure):
    visit = figure("four")
    rng = np.random.default_rng(0)
    for y in range(3):
        weights, x = rng.normal(size=(3, 4)), rng.random(4)
        z = visit.page.evaluate(f"Four.scores({weights.tolist()}, {x.tolist()})")
        assert np.allclose(z, weights @ x + [0, 0.5, -0.5], atol=1e-12)
        loss = F.multi_margin_loss(torch.tensor([z]), torch.tensor([y])) * 3  # torch divides by K
        assert visit.page.evaluate(f"Four.hinge({z}, {y})") == pytest.approx(loss.item())
        assert visit.page.evaluate(f"Four.hinge([3.2, 5.1, -1.7], {y})") == pytest.approx(
            [2.9, 0, 4.9 + 1 + 6.8 + 1][y]
        )


@pytest.mark.parametrize("kind", ["hinge", "softmax"])
def test_losses_of_points_and_their_slopes_are_torchs(figure, kind):
    visit = figure("lines")
    points = np.array(visit.page.evaluate("Living.data.clouds"))
    assert points.shape == (24, 3) and set(points[:, 2]) == {0, 1}
    for w in ([0.3, -0.4, 0.2], [-5.0, 2.0, 1.0]):
        place = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        X, y = torch.from_numpy(points[:, :2]), torch.from_numpy(points[:, 2]).long()
        z = torch.stack([torch.zeros(24, dtype=torch.float64), X @ place[:2] + place[2]], dim=1)
        loss = F.cross_entropy(z, y) if kind == "softmax" else 2 * F.multi_margin_loss(z, y)
        loss.backward()
        ask = f"('{kind}', {w}, Living.data.clouds)"
        assert visit.page.evaluate(f"Lines.loss{ask}") == pytest.approx(loss.item())
        assert np.allclose(visit.page.evaluate(f"Lines.gradient{ask}"), place.grad, atol=1e-9)


def test_a_covered_digit_gets_the_recognizers_answer(figure):
    visit = figure("cover")
    digit = np.array(visit.page.evaluate("Living.data.digits[3]"), np.uint8).reshape(28, 28)
    recognizer = Recognizer(find_weights())
    for row, column, size in [(4, 4, 7), (-2, 20, 9), (0, 0, 0)]:
        patched = digit.copy()
        patched[max(0, row) : row + size, max(0, column) : column + size] = 0
        found = visit.page.evaluate(
            f"""() => {{
              const patch = {{ row: {row}, column: {column}, size: {size} }};
              const image = Cover.covered(Living.data.digits[3], patch);
              const weights = WeightsFile.read(window.MNIST_COURSE_WEIGHTS);
              return [Array.from(image), Cover.probabilities(image, weights)];
            }}"""
        )
        assert np.array_equal(np.reshape(found[0], (28, 28)), patched)
        assert np.allclose(found[1], recognizer.probabilities(patched[None])[0], atol=1e-5)


def test_training_in_the_page_is_training_in_numpy(figure):
    visit = figure("train")
    curve, weights = visit.page.evaluate(
        """async () => {
          const digits = await Living.sprite();
          const [W, b] = [new Float64Array(7840), new Float64Array(10)];
          const order = Living.shuffle(digits.numTrain, 0), losses = [];
          for (let n = 0; n < 1200; n += 64)
            losses.push(Train.step(W, b, digits, order.slice(n, n + 64), 0.2));
          return [losses, Array.from(W)];
        }"""
    )
    order = visit.page.evaluate("Living.shuffle(1200, 0)")
    assert sorted(order) == list(range(1200)) and order != sorted(order)
    digits = load_data()
    X = digits.train_images[:1200].reshape(-1, 784) / 255
    y = digits.train_labels[:1200].astype(np.int64)
    W, b = np.zeros((10, 784)), np.zeros(10)
    for start, loss in zip(range(0, 1200, 64), curve, strict=True):
        batch = order[start : start + 64]
        logits = X[batch] @ W.T + b
        assert loss == pytest.approx(losses.cross_entropy(logits, y[batch]), abs=1e-5)
        dlogits = losses.cross_entropy_gradient(logits, y[batch])
        W -= 0.2 * dlogits.T @ X[batch]
        b -= 0.2 * dlogits.sum(axis=0)
    assert np.allclose(np.reshape(weights, (10, 784)), W, atol=1e-5) and np.abs(W).max() > 0.1


# A hand ------------------------------------------------------------------------------------------


def test_a_point_is_dragged_and_walks_downhill(figure):
    visit = figure("hill")
    assert said(visit).startswith("a 2.00, b 1.00: height 7.000")
    visit.figure.get_by_role("button", name="Step downhill").click()
    assert said(visit).startswith("a 1.60, b 0.40 after 1 steps: height 3.040")
    canvas = visit.figure.locator("canvas")
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    x, y = place["x"] + place["width"] / 6, place["y"] + place["height"] / 2
    visit.page.mouse.move(place["x"] + 5, place["y"] + 5)
    visit.page.mouse.down()
    visit.page.mouse.move(x, y)
    visit.page.mouse.up()
    a, b = map(float, re.match(r"a (\S+), b (\S+):", said(visit)).groups())
    assert (a, b) == (pytest.approx(-2, abs=0.05), pytest.approx(0, abs=0.05))
    canvas.press("ArrowRight")
    assert float(re.match(r"a (\S+),", said(visit))[1]) == pytest.approx(a + 0.1, abs=0.011)


def test_a_pixel_lights_its_byte_and_a_wrong_header_moves_it(figure):
    visit = figure("bytes")
    assert said(visit).startswith("Byte 226 is") and "row 7, column 14" in said(visit)
    picture, dump = visit.figure.locator("canvas").all()
    picture.press("ArrowDown")
    assert "Byte 254 is" in said(visit) and "row 8, column 14" in said(visit)
    dump.press("ArrowLeft")
    assert "Byte 253 is" in said(visit) and "row 8, column 13" in said(visit)
    slide(visit, "last byte of the header", 30)
    row, column = divmod(253 - 16, 30)
    assert "Byte 253 is" in said(visit) and f"row {row}, column {column} of" in said(visit)
    for _ in range(40):
        picture.press("ArrowDown")  # not beyond the picture
    assert "Byte 799 is" in said(visit)
    visit.figure.get_by_role("button", name="28 again").click()
    assert "row 27, column 27 of a picture 28 wide" in said(visit)


def test_four_weights_are_turned(figure):
    visit = figure("four")
    assert said(visit) == "A diagonal: scores 2.0, 0.5, −0.5; hinge loss 0.00"
    slide(visit, "diagonal's top left", -1)
    assert said(visit) == "A diagonal: scores 0.0, 0.5, −0.5; hinge loss 2.00"
    visit.figure.get_by_label("picture", exact=True).select_option("row")
    assert "A row: scores -2.0".replace("-", "−") in said(visit)


def test_a_line_is_found_and_a_point_is_dragged(figure):
    visit = figure("lines", reduced_motion="reduce")
    before = float(re.search(r"loss ([\d.]+)", said(visit))[1])
    visit.figure.get_by_role("button", name="Run").click()
    after = said(visit)
    assert after.startswith("200 steps") and float(re.search(r"loss ([\d.]+)", after)[1]) < before
    visit.figure.get_by_role("button", name="Next point").click()
    canvas = visit.figure.locator("canvas")
    costs = float(said(visit).split("costs ")[1])
    ends = []
    for key, times in (("ArrowRight", 50), ("ArrowDown", 50), ("ArrowLeft", 50), ("ArrowUp", 50)):
        for _ in range(times):
            canvas.press(key)
        ends.append(float(said(visit).split("costs ")[1]))
    assert max(ends) > costs + 1
    visit.figure.get_by_role("button", name="Start again").click()
    assert said(visit).startswith("0 steps")


def test_a_nudge_and_a_step_of_the_neuron(figure):
    visit = figure("neuron")
    assert said(visit).startswith("Loss 0.125. Raise w1 by 0.001: the loss changes by −0.2499")
    assert said(visit).endswith("the gradient says −0.25.")
    visit.figure.get_by_role("button", name="A step downhill").click()
    assert float(said(visit)[5:11]) < 0.06
    slide(visit, "x1", "nonsense")  # a slider without a number stands in its middle
    assert "NaN" not in said(visit)


def test_a_patch_changes_the_answer_or_not(figure):
    visit = figure("cover")
    assert said(visit).startswith("Without the patch a 4, ")
    visit.figure.locator("canvas").first.press("ArrowDown")
    assert "covered at row 5, column 4" in said(visit)
    slide(visit, "width of the patch", 0)
    text = said(visit)
    shares = re.findall(r"([\d.]+) %", text)
    assert len(set(shares)) == 1  # nothing is covered
    slide(visit, "width of the patch", 16)
    assert len(set(re.findall(r"([\d.]+) %", said(visit)))) > 1


def test_scores_turn_into_surprise(figure):
    visit = figure("softmax")
    assert "4.2 %: loss 3.170" in said(visit)
    slide(visit, "temperature", 2)  # 10: nearly even
    assert "28.9 %" in said(visit)
    slide(visit, "score of the seven", 99)  # beyond its end
    slide(visit, "temperature", 0)
    assert "The seven gets 98.0 %" in said(visit)
    visit.figure.get_by_label("it is a").select_option("four")
    assert "The four gets 1.8 %" in said(visit)


def test_sgd_is_made_to_diverge(figure):
    visit = figure("valley")
    assert "off the map" not in said(visit)
    slide(visit, "learning rate", 0.3)  # 10 ** 0.3 is 2.0, the limit is 1.02
    text = said(visit)
    assert "SGD off the map" in text and "Adam off" not in text
    visit.figure.get_by_label("over").select_option("a bowl")
    assert "SGD off the map" not in said(visit)  # there the limit is 2


def test_the_race_runs_and_whoever_wants_no_motion_sees_its_end(figure):
    visit = figure("valley")
    visit.figure.get_by_role("button", name="Race").click()
    visit.page.wait_for_function(
        "document.querySelector('#living-valley .living-numbers').textContent.includes('60 steps')"
    )
    calm = figure("valley", reduced_motion="reduce")
    calm.figure.get_by_role("button", name="Race").click()
    assert "after 60 steps" in said(calm)


def test_a_window_is_moved_and_nonsense_is_zero(figure):
    visit = figure("kernel")
    assert said(visit).startswith("Row 15, column 13:")
    canvas = visit.figure.locator("canvas").first
    canvas.press("ArrowDown")
    assert said(visit).startswith("Row 16, column 13:")
    cells = visit.figure.get_by_role("spinbutton")
    assert cells.count() == 9
    for n in range(9):
        cells.nth(n).fill("")
    assert said(visit).endswith("= 0.000")
    cells.nth(4).fill("1e99")  # the largest weight is 9
    total = float(said(visit).split("= ")[1])
    digit = visit.page.evaluate("Living.data.digits[7].map((byte) => byte / 255)")
    assert total == pytest.approx(9 * digit[17 * 28 + 14], abs=1e-3)
    visit.figure.get_by_label("kernel", exact=True).select_option("mean")
    total = float(said(visit).split("= ")[1])
    window = np.array(digit).reshape(28, 28)[16:19, 13:16]
    assert total == pytest.approx(window.mean(), abs=2e-3)


def test_the_page_learns_to_read(figure):
    visit = figure("train")
    assert said(visit).startswith("0 steps, 0.0 passes over 1200 digits: loss 2.303")
    visit.figure.get_by_role("button", name="Train").click()
    visit.page.wait_for_function(
        """() => {
          const text = document.querySelector('#living-train .living-numbers').textContent;
          return Number(text.match(/([\\d.]+) % of/)[1]) >= 80;
        }""",
        timeout=30_000,
    )
    visit.figure.get_by_role("button", name="Pause").click()
    text = said(visit)
    assert said(visit) == text
    visit.figure.get_by_role("button", name="Forget everything").click()
    assert said(visit).startswith("0 steps")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_finger_and_a_phone(figure, name, scheme):
    visit = figure(name, width=390, scheme=scheme, has_touch=True, device_scale_factor=3)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    before = said(visit)
    canvas = visit.figure.locator("canvas").first
    if "living-hand" in (canvas.get_attribute("class") or ""):
        canvas.tap(position={"x": 40, "y": 60})
        assert said(visit) != before
    for control in visit.figure.locator("button, select, input").all():
        assert control.bounding_box()["height"] >= 30


@pytest.mark.parametrize("name", PAGES)
def test_however_fast_a_hand_moves_there_is_one_picture_a_frame(figure, name):
    visit = figure(name)
    calls = visit.page.evaluate(
        f"""() => {{
          let drawn = 0;
          const real = CanvasRenderingContext2D.prototype.clearRect;
          CanvasRenderingContext2D.prototype.clearRect = function (...box) {{
            drawn++;
            real.apply(this, box);
          }};
          const inputs = document.querySelectorAll("#living-{name} :is(input, select)");
          for (let n = 0; n < 100; n++)
            for (const kind of ["input", "change"])
              inputs[0].dispatchEvent(new Event(kind, {{ bubbles: true }}));
          return new Promise((done) =>
            requestAnimationFrame(() => setTimeout(() => done(drawn), 20)));
        }}"""
    )
    assert 1 <= calls <= 2  # a hundred events, one picture for each canvas


def test_without_javascript_and_in_print_the_still_figures_stand_alone(browser):
    for name, chapter in PAGES.items():
        visit = Visit(
            browser, (HTML / "notebooks" / f"{chapter}.html").as_uri(), java_script_enabled=False
        )
        assert not visit.page.locator(f"#living-{name}").is_visible()
        visit.context.close()
        visit = Visit(browser, (HTML / "notebooks" / f"{chapter}.html").as_uri())
        visit.page.emulate_media(media="print")
        assert not visit.page.locator(f"#living-{name}").is_visible()
        visit.context.close()


def test_no_notebook_shows_the_marks_of_a_figure_that_moves():
    for chapter in PAGES.values():
        assert "{living}" in (ROOT / "notebooks" / f"{chapter}.py").read_text()
        assert "living" not in (ROOT / "notebooks" / f"{chapter}.ipynb").read_text()
