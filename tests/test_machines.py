"""The files for several machines: their form, and every option that they give to torchrun."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from torch.distributed.run import get_args_parser

from mnist_course.chapters import ROOT
from mnist_course.cli import train

FOLDER = ROOT / "book" / "cluster"
PAGE = (ROOT / "book" / "machines.md").read_text("utf-8")


def in_the_page():
    block = re.search(r"```\n(torchrun .*?)```", PAGE, re.S)[1]
    return shlex.split(block.replace("\\\n", " "))


def for_slurm():
    text = (FOLDER / "train.slurm").read_text("utf-8").replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("srun "))
    line = line.replace('"$SLURM_NNODES"', "2").replace('"$PER_NODE"', "4")
    return shlex.split(line)[1:]


def for_kubernetes():
    _, job = yaml.safe_load_all((FOLDER / "job.yaml").read_text("utf-8"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return [*container["command"], *container["args"]]


@pytest.mark.parametrize("command", [in_the_page, for_slurm, for_kubernetes])
def test_torchrun_and_the_course_understand_the_command(command):
    words = command()
    assert words[0].endswith("torchrun")
    read = get_args_parser().parse_args(words[1:])
    assert (read.nnodes, read.rdzv_backend, read.max_restarts) == ("2", "c10d", 3)
    assert read.rdzv_endpoint.endswith(":29400") and read.rdzv_id
    assert read.module and read.training_script == "mnist_course"
    assert read.training_script_args[0] == "train"
    options = train.make_context("train", list(read.training_script_args[1:])).params
    assert options["resume"] and options["checkpoint"] and options["model"] == "cnn"


def test_every_option_of_the_command_is_explained():
    for option in in_the_page():
        if option.startswith("--") and option != "--model":
            assert f"`{option}" in PAGE or f" {option}`" in PAGE, option


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_slurm_is_a_script():
    subprocess.run(["bash", "-n", FOLDER / "train.slurm"], check=True)
    asked = re.findall(r"^#SBATCH --([\w-]+)", (FOLDER / "train.slurm").read_text("utf-8"), re.M)
    assert {"nodes", "ntasks-per-node", "cpus-per-task", "time"} <= set(asked)


def test_the_containers_find_each_other():
    service, job = yaml.safe_load_all((FOLDER / "job.yaml").read_text("utf-8"))
    pod = job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    first = f"{job['metadata']['name']}-0.{pod['subdomain']}"
    assert f"--rdzv-endpoint={first}:29400" in for_kubernetes()
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
