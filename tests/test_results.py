"""The results page shows what is stored, and what is stored belongs to the recipes as they are."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_course import cli
from mnist_course.results import STORED, Result, format_results, load_results, table
from mnist_course.speed import GPU, format_speed, load_speed
from mnist_course.speed import STORED as SPEED
from mnist_course.training.models import count_parameters
from mnist_course.training.recipes import RECIPES


@pytest.fixture(scope="module")
def results():
    return load_results()


def test_mean_and_spread_agree_with_numpy():
    accuracies = (97.1, 97.4, 96.2)
    result = Result("x", "a title", 10, 5, 60_000, (0, 1, 2), accuracies, (1.0, 2.0, 9.0), "here")
    assert result.mean == pytest.approx(np.mean(accuracies))
    assert result.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert str(result) == "96.90 ± 0.62 % (3 runs)"
    head, [row] = table({"x": result})
    assert dict(zip(head, row, strict=True)) == {
        "name": "x",
        "what it is": "a title",
        "parameters": "10",
        "epochs": "5",
        "runs": "3",
        "test accuracy": "96.90\xa0±\xa00.62\xa0%",
        "seconds": "2",
    }


# The recognizer's accuracy is stored with its weights (tests/test_recognizer.py).
MEASURED = [name for name in RECIPES if name != "recognizer"]


def test_every_recipe_has_its_result(results):
    assert list(results) == MEASURED


@pytest.mark.parametrize("name", MEASURED)
def test_a_stored_result_belongs_to_the_recipe_as_it_is(results, name):
    result, recipe = results[name], RECIPES[name]
    assert result.title == recipe.title
    assert result.num_epochs == recipe.num_epochs
    assert result.num_parameters == count_parameters(recipe.model())
    assert len(result.seeds) == len(set(result.seeds)) >= 3
    assert len(result.seeds) == len(result.test_accuracy) == len(result.seconds)
    assert all(10 < accuracy <= 100 for accuracy in result.test_accuracy)


def test_the_order_of_merit_is_the_one_that_the_chapters_tell(results):
    assert results["s4"].mean < results["softmax"].mean < results["mlp"].mean
    assert results["s2-published"].mean < results["s2"].mean
    assert results["mlp"].mean < results["cnn-quick"].mean < results["cnn"].mean


def test_the_command_prints_every_row(results):
    done = CliRunner().invoke(cli.main, ["results"])
    assert done.exit_code == 0
    parts = [format_results(results), *(format_speed(load_speed(path)) for path in (SPEED, GPU))]
    assert done.output == "\n\n".join(parts) + "\n"
    assert all(result.title in done.output for result in results.values())


def test_the_stored_file_holds_numbers_of_real_runs():
    for row in json.loads(STORED.read_text()).values():
        assert row["num_examples"] == 60_000
        assert min(row["seconds"]) > 0
