"""The commands `predict` and `weights`: what they print, what they write, how they end."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from mnist_course.cli import main
from mnist_course.recognizer import Recognizer
from mnist_course.recognizer import recognizer as recognizer
from mnist_course.training import recipes


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return invoke


def _draw(path, lines, size=(220, 260), width=16, **options):
    image = Image.new("L", size, 245)
    pen = ImageDraw.Draw(image)
    for line in lines:
        pen.line(line, fill=25, width=width, joint="curve")
    image.save(path, **options)
    return path


SEVEN = [(50, 60), (160, 60), (95, 210)]
ONE = [(110, 50), (105, 215)]


@pytest.fixture
def seven(tmp_path):
    return _draw(tmp_path / "seven.png", [SEVEN])


@pytest.fixture
def one(tmp_path):
    return _draw(tmp_path / "a one, ünïcode.jpg", [ONE], quality=90)


@pytest.fixture
def blank(tmp_path):
    return _draw(tmp_path / "blank.png", [])


def test_a_table_with_a_line_for_every_picture(run, seven, one):
    result = run("predict", seven, one)
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["file", "digit", "probability", "runner-up"]
    assert len(lines) == 2
    for line, path, digit in zip(lines, (seven, one), (7, 1), strict=True):
        assert line.startswith(str(path))
        cells = line[len(str(path)) :].split()
        assert cells[0] == str(digit)
        assert cells[2].isdigit() and cells[2] != cells[0]
        assert cells[3].startswith("(0.0")
        assert line[head.index("digit") + 4] == str(digit)


def test_nothing_is_certain(run, seven):
    """A probability is never printed as 1: none is."""
    line = run("predict", seven).stdout.splitlines()[1]
    assert "1.000" not in line
    assert ">0.999" in line or " 0.9" in line
    [answer] = map(json.loads, run("predict", "--json", seven).stdout.splitlines())
    assert 0.9 < answer["probability"] < 1


def test_json_is_one_object_a_line(run, seven, one, blank, tmp_path):
    result = run("predict", "--json", seven, blank, tmp_path / "missing.png", one)
    assert result.exit_code == 1
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(o) for o in objects] == [["file", "digit", "probability", "reason"]] * 4
    assert [o["digit"] for o in objects] == [7, None, None, 1]
    assert [o["file"] for o in objects][::3] == [str(seven), str(one)]
    assert [o["probability"] is None for o in objects] == [False, True, True, False]
    assert [bool(o["reason"]) for o in objects] == [False, True, True, False]


def test_a_bad_picture_does_not_keep_the_others_from_being_read(run, seven, one, blank, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    result = run("predict", text, tmp_path, blank, tmp_path / "none.jpg", seven, one)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()[1:]
    assert len(lines) == 6
    assert all("      -  " in line and len(line.split("-  ")[-1]) > 10 for line in lines[:4])
    assert " 7 " in lines[4] and " 1 " in lines[5]
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_the_same_file_twice_is_read_twice(run, seven):
    assert len(run("predict", seven, seven).stdout.splitlines()) == 3


def test_an_unsure_answer_is_marked_and_counts_as_read(run, seven, monkeypatch):
    own = recognizer.load_weights(recognizer.OWN)
    monkeypatch.setattr(recognizer, "load_weights", lambda path: replace(own, unsure_below=2.0))
    result = run("predict", seven)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].endswith("unsure")
    [answer] = map(json.loads, run("predict", "--json", seven).stdout.splitlines())
    assert answer["digit"] == 7
    assert answer["reason"].startswith("unsure")


def test_stages_are_drawn_for_what_was_read(run, seven, blank, tmp_path):
    result = run("predict", "--stages", "new/stages.png", blank, seven)
    assert result.exit_code == 1
    assert "stages of 1 picture are in" in result.stderr
    with Image.open(tmp_path / "new" / "stages.png") as drawn:
        drawn.load()
        assert drawn.width > 400
    nothing = run("predict", "--stages", "none.png", blank)
    assert nothing.exit_code == 1
    assert not (tmp_path / "none.png").exists()


def test_stages_that_cannot_be_written_are_an_error_in_one_line(run, seven, tmp_path):
    (tmp_path / "folder").mkdir()
    result = run("predict", "--stages", "folder", seven)
    assert result.exit_code == 1
    assert "folder was not written" in result.stderr
    assert "Traceback" not in result.output
    assert " 7 " in result.stdout  # the answer came first


def test_wrong_use(run, seven, tmp_path):
    assert run("predict").exit_code == 2
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK nonsense")
    result = run("predict", "--weights", bad, seven)
    assert result.exit_code == 2
    assert "bad.npz is not a weights file" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_reading_a_picture_loads_neither_torch_nor_matplotlib(run_python, seven):
    done = run_python(
        "import sys\n"
        "from mnist_course.cli import main\n"
        "from click.testing import CliRunner\n"
        f"result = CliRunner().invoke(main, ['predict', {str(seven)!r}])\n"
        "print(result.exit_code, sorted({'torch', 'matplotlib', 'requests'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "0 []", done.stderr


def test_help_says_what_the_exit_status_means(run):
    text = run("predict", "--help").stdout
    assert "exit status" in text
    assert "--json" in text


# weights ----------------------------------------------------------------------------------------


def test_without_a_checkpoint_the_packages_weights_go_where_they_are_asked_for(run, tmp_path):
    page = tmp_path / "_build" / "html" / "_static" / "draw" / "weights.js"
    result = run("weights", "--page", page)
    assert result.exit_code == 0
    assert f"wrote {page}" in result.stdout
    assert page.read_text().startswith("// Weights")
    assert "test digits right" in result.stdout


def test_without_any_file_nothing_is_written_in_the_folder_where_one_stands(run, tmp_path):
    result = run("weights")
    assert result.exit_code == 2
    assert "Error: name a CHECKPOINT, or, for the package's weights, a --page" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_weights_file_can_be_written_for_the_page(run, tmp_path):
    result = run("weights", recognizer.OWN, "--page", "mine.js")
    assert result.exit_code == 0
    assert (tmp_path / "mine.js").exists()
    assert not list(tmp_path.glob("*.npz"))


def test_files_that_are_no_checkpoints(run, tmp_path):
    (tmp_path / "run.pt").write_text("hello")
    for path, words in (("run.pt", "run.pt is not a checkpoint"),
                        ("no.pt", "There is no checkpoint no.pt. Check the name"),
                        ("no.npz", "no weights file no.npz")):  # fmt: skip
        result = run("weights", path)
        assert result.exit_code == 2
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


@pytest.fixture(scope="module")
def practice():
    """A few hundred digits of the practice set, so that a run takes a second."""
    from mnist_course.data import Digits, cache_dir
    from mnist_course.data.download import FILES
    from mnist_course.data.idx import read_idx
    from mnist_course.data.practice import make_practice_set

    folder = make_practice_set(cache_dir() / "practice")
    arrays = [read_idx(folder / f"{name}.gz")[:400] for name in FILES]
    return Digits(*arrays, "practice set", folder)


@pytest.mark.parametrize("num_valid", [0, 100])
def test_a_run_becomes_weights_that_can_be_used(
    run, seven, practice, tmp_path, monkeypatch, num_valid
):
    monkeypatch.setattr("mnist_course.data.load_data", lambda: practice)
    trained = recipes.train(
        "cnn-quick",
        num_epochs=3,
        num_valid=num_valid,
        digits=practice,
        log=None,
        checkpoint=tmp_path / "mine.pt",
    )
    result = run("weights", "mine.pt", "--page", "mine.js")
    assert result.exit_code == 0, result.output
    mine = Recognizer(tmp_path / "mine.npz")
    assert (tmp_path / "mine.js").exists()
    assert mine.about["command"].endswith(
        f"train --model cnn-quick --epochs 3 --seed 0 --valid {num_valid}"
    )
    assert mine.about["num_valid"] == num_valid
    assert (mine.weights.temperature == 1) == (num_valid == 0)
    assert str(len(practice.train_labels) - num_valid) in mine.about["trained_on"]

    import torch

    from mnist_course.data import normalize
    from mnist_course.training import predict

    images = practice.test_images[:20]
    expected = predict(trained.model.cpu(), normalize(torch.tensor(images))).numpy()
    np.testing.assert_allclose(mine.logits(images), expected, rtol=1e-3, atol=1e-3)
    right = mine.logits(practice.test_images).argmax(axis=1) == practice.test_labels
    assert mine.about["test_accuracy"] == pytest.approx(right.mean())
    assert run("predict", "--weights", "mine.npz", seven).exit_code == 0


def test_a_run_that_is_not_finished_or_of_other_data_is_refused(
    run, practice, tmp_path, monkeypatch
):
    from mnist_course.training.checkpoint import load_checkpoint, save_checkpoint

    recipes.train(
        "cnn-quick", num_epochs=1, digits=practice, log=None, checkpoint=tmp_path / "mine.pt"
    )
    content = load_checkpoint(tmp_path / "mine.pt")
    content["about"]["num_epochs"] = 2
    save_checkpoint(tmp_path / "half.pt", content)
    monkeypatch.setattr("mnist_course.data.load_data", lambda: practice)
    result = run("weights", "half.pt")
    assert result.exit_code == 2
    assert "1 of 2 epochs" in result.stderr
    content["about"]["num_epochs"] = 1
    content["about"]["data"] = "MNIST"
    save_checkpoint(tmp_path / "other.pt", content)
    result = run("weights", "other.pt")
    assert result.exit_code == 2
    assert "trained on MNIST" in result.stderr
    del content["about"]["recipe"]
    save_checkpoint(tmp_path / "own.pt", content)
    result = run("weights", "own.pt")
    assert result.exit_code == 2
    assert "by which recipe" in result.stderr
