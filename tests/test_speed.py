"""What is stored of the course's speed is complete and agrees with itself.

No test asks how fast it is: that depends on the machine, and on who else works on it.
"""

import pytest
from torch import nn

from benchmarks.floor import training_flops
from benchmarks.processes import SETTINGS
from benchmarks.programs import PROGRAMS
from mnist_course.results import load_results
from mnist_course.speed import GPU, format_speed, load_speed
from mnist_course.training import models
from mnist_course.training.recipes import RECIPES

TORCH = ["S4", "S2", "S0", "S1"]


@pytest.fixture(scope="module")
def speed():
    return load_speed()


def rows(table, threads):
    return [row["program"] for row in table if row["threads"] == threads]


def test_every_source_program_is_stored_in_all_tables(speed):
    assert list(PROGRAMS) == TORCH
    assert rows(speed["same_work"], 1) == [*TORCH, "S3"]
    assert rows(speed["same_work"], 2) == TORCH
    assert [row["program"] for row in speed["same_accuracy"]] == [*TORCH, "S3"]
    assert rows(speed["floor"], 1) == [*TORCH, "S3", "softmax", "mlp-quick", "cnn-quick"]
    assert rows(speed["floor"], 2) == TORCH
    assert [row["threads"] for row in speed["rates"]] == [1, 2]
    assert len(speed["reading"]) == 1
    assert [(row["type"], row["batch"]) for row in speed["two_processes"]] == SETTINGS


def test_the_ratios_are_those_of_the_stored_times(speed):
    for row in speed["same_work"]:
        assert row["ratio"] == pytest.approx(row["source_s"] / row["ours_s"], rel=1e-3)
    for row in [*speed["same_work"], *speed["same_accuracy"]]:
        assert row["cpu_ratio"] == pytest.approx(row["source_cpu_s"] / row["ours_cpu_s"], rel=1e-3)
    [row] = speed["reading"]
    assert row["ratio"] == pytest.approx(row["ours_s"] / row["gunzip_s"], rel=1e-3)
    for row in speed["compiled"]:
        assert row["ratio"] == pytest.approx(row["plain_s"] / row["compiled_s"], rel=1e-2)
    for row in speed["two_processes"]:
        both = row["one_process_s"] / row["two_processes_s"]
        assert row["ratio"] == pytest.approx(both, rel=1e-2)
    for row in speed["floor"]:
        floor = max(row["compute_s"], row["memory_s"])
        assert row["gap"] == pytest.approx(row["ours_s"] / floor, rel=1e-3)


def test_the_floors_are_those_of_the_stored_rates(speed):
    rates = {row["threads"]: row for row in speed["rates"]}
    for row in speed["floor"]:
        rate = rates[row["threads"]]
        assert row["compute_s"] == pytest.approx(row["gflop"] / rate[row["type"]], rel=1e-3)
        assert row["memory_s"] == pytest.approx(2 * 4 * 784 * 60_000 / 1e9 / rate["copy"], rel=1e-3)


def test_the_floors_belong_to_the_stored_times(speed):
    ours = {
        (row["program"], row["threads"]): min(row["ours_s"], row["ours_cpu_s"])
        for row in speed["same_work"]
    }
    floors = {(row["program"], row["threads"]): row["ours_s"] for row in speed["floor"]}
    assert {key: floors[key] for key in ours} == ours


def test_the_course_is_as_good_as_the_program_it_is_compared_with(speed):
    assert all(row["our_accuracy"] >= row["accuracy"] for row in speed["same_accuracy"])
    published = {name: program.num_epochs for name, program in PROGRAMS.items()}
    assert {row["program"]: row["epochs"] for row in speed["same_accuracy"]} == {
        **published,
        "S3": 1,
    }


def test_the_tables_of_the_gpu_agree_with_themselves():
    speed = load_speed(GPU)
    assert "cuda" in speed["machine"]
    for row in speed["recipes_on_a_gpu"]:
        recipe = RECIPES[row["recipe"]]
        assert row["epochs"] == recipe.num_epochs
        assert row["ratio"] == pytest.approx(row["cpu_pass_s"] / row["gpu_pass_s"], rel=1e-3)
        assert row["whole_run_s"] > 0.9 * row["epochs"] * row["gpu_pass_s"]
        # A GPU draws other starting weights, and learns as much from them.
        result = load_results()[row["recipe"]]
        assert row["test_accuracy"] == pytest.approx(result.mean, abs=4 * (row["sd"] + result.sd))
    seconds = [row["small_cnn_s"] for row in speed["changes_on_a_gpu"]]
    assert seconds == sorted(seconds, reverse=True)


def test_operations_are_counted_as_by_hand():
    assert training_flops(nn.Sequential(nn.Flatten(), nn.Linear(784, 10))) == 2 * 2 * 784 * 10
    # Convolutions: outputs x weights of one filter. The first layer hands no gradient back.
    first, second = 10 * 24 * 24 * 25, 20 * 10 * 10 * 90
    dense = 2000 * 500 + 500 * 10
    assert training_flops(models.two_conv_cnn()) == 2 * (2 * first + 3 * (second + dense))


def test_the_text_shows_every_row_and_the_machine(speed):
    text = format_speed(speed)
    assert text.endswith(f"Measured on {speed['machine']}.")
    tables = [table for name, table in speed.items() if name != "machine"]
    blank_and_heads = 3 * len(tables)
    assert len(text.splitlines()) == sum(map(len, tables)) + blank_and_heads + 1
    assert "source cpu s" in text and "softmax, batch 256, SGD" in text


def test_the_text_of_a_small_table():
    speed = {"machine": "abacus", "same_work": [{"program": "S9", "ours_s": 0.25, "n": 60_000}]}
    assert format_speed(speed).splitlines() == [
        "same work",
        "program  ours s       n",
        "S9         0.25  60,000",
        "",
        "Measured on abacus.",
    ]
