# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-faster)=
# # 13. Faster and wider: where the seconds go
#
# A tutorial's program goes once through the training digits in about three seconds. The network that it trains needs one of the three. Where do the other two go, and can they be had back?
#
# And when one processor has given all it has: can two train the *same* network, and end with the same weights as one? You will
#
# * take one pass apart with a stopwatch, and find that most of it is not training,
# * make one change at a time, and guess each before you see it,
# * work out what a part that does not get faster costs the whole,
# * prove that two halves of a batch make the gradient of the batch, and find three cases in which they do not,
# * start two processes that train one network, kill one of them, and watch the run go on.
#
# About 40 minutes, without the exercises. New names: `size`, how many processes there are, and `rank`, the number of one of them, from 0.

# %% [markdown]
# ## One pass, taken apart
#
# The program first: a picture object for each digit, `ToTensor` for each picture, a `DataLoader`, and the three-layer network of {ref}`chapter 7 <ch-mlp>`. We measure on the first 6,000 digits and multiply by ten.

# %%
import os
import time

from mnist_course.data import Batches, load_data, to_tensors
from mnist_course.device import describe, pick_device, set_seed
from mnist_course.training import models

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

to_tensor = ToTensor()
digits, device = load_data(), pick_device()
num_some = min(6_000, len(digits.train_labels))
times_all = len(digits.train_labels) / num_some  # 10
print(describe(device), digits.source)


# %%
class Pictures(Dataset):  # as torchvision's MNIST does it
    def __len__(self):
        return num_some

    def __getitem__(self, i):
        picture = Image.fromarray(digits.train_images[i])
        return to_tensor(picture), int(digits.train_labels[i])  # (1, 28, 28)


def make_network(kind=torch.optim.SGD, lr=0.1, **options):
    set_seed(0)
    model = models.three_layer_mlp().to(device)
    return model, kind(model.parameters(), lr=lr, **options)


# %% [markdown]
# A stopwatch for the parts of a pass. On a GPU the clock has to wait: a GPU gets its orders in advance and works them off later, so without `synchronize` we would time the giving of orders.


# %%
class Stopwatch:
    def __init__(self):
        self.spent, self.last = {}, time.perf_counter()

    def lap(self, part):
        if device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.spent[part] = self.spent.get(part, 0) + now - self.last
        self.last = now


def one_pass(batches, model, optimizer, watch):
    for X, y in batches:
        X, y = X.to(device), y.to(device)  # (B, 1, 28, 28), (B,)
        watch.lap("load")
        loss = F.cross_entropy(model(X), y)  # ()
        watch.lap("forward")
        optimizer.zero_grad()
        loss.backward()
        watch.lap("backward")
        optimizer.step()
        watch.lap("step")
    return watch.spent


# %% [markdown]
# **Guess** which of the four takes longest: to load, forward, backward, or the step.

# %% tags=["nbval-ignore-output", "hide-output"]
loader = DataLoader(Pictures(), batch_size=64, shuffle=True)
profile = one_pass(loader, *make_network(), Stopwatch())
whole = sum(profile.values())
for part, seconds in profile.items():
    print(
        f"{part:<9} {times_all * seconds:5.2f} s  {100 * seconds / whole:3.0f} %"
    )

# %% [markdown]
# On the machine that wrote this page more than half goes into loading: 60,000 times small functions are called that wrap 784 bytes in a picture, unwrap it, copy and divide it, and at the end 64 of them are stacked. Nothing of that is learning. **Guess** what remains of it if all pictures lie on the device as one tensor, and a batch is one indexing operation, as {ref}`chapter 2 <ch-batches>` ended.

# %% tags=["nbval-ignore-output", "hide-output"]
X, y = to_tensors(
    digits.train_images[:num_some],
    digits.train_labels[:num_some],
    device,
    normalized=False,
)
resident = Batches(X, y, 64, shuffle=True)
lean = one_pass(resident, *make_network(), Stopwatch())
for part, seconds in lean.items():
    print(
        f"{part:<9} {times_all * seconds:5.2f} s, before {times_all * profile[part]:5.2f} s"
    )

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-profile", "caption": "One pass over all training digits, taken apart: with a loader that makes each picture by itself, and with all pictures on the device. Measured on a tenth of them."}, "image": {"alt": "Two horizontal bars, each cut into loading, forward, backward and step. In the upper one, the loader's, loading is the largest part; in the lower one it has all but vanished and the other three are about as long as before"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
colors = (plots.ORANGE, plots.BLUE, plots.GREEN, plots.GRAY)
figure, ax = plt.subplots(figsize=(7, 2.4))
for row, spent in enumerate((lean, profile)):
    left = 0
    for (part, seconds), color in zip(spent.items(), colors):
        width = times_all * seconds
        ax.barh(row, width, left=left, color=color, label=part if row else None)
        left += width
ax.set(
    yticks=(0, 1),
    yticklabels=("on the device", "loader"),
    xlabel="seconds for one pass",
)
ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.35))
plots.show(figure, "profile")

# %% tags=["remove-cell"]
assert set(profile) == set(lean) == {"load", "forward", "backward", "step"}
seen = [len(y) for _, y in resident]
assert sum(seen) == num_some and len(resident) == len(loader)

# %% [markdown]
# The orange part of {numref}`fig-profile` all but vanishes. The rest is the work that training is.
#
# ## What does not get faster
#
# Say that loading is 60 % of a pass, and that we make it a hundred times as fast. How much faster is the pass? The 60 % shrink to 0.6, the other 40 stay: $100 / 40.6$, two and a half times. With $p$ for the share that gets faster and $s$ for how much:
#
# $$ \text{speedup} = \frac{1}{(1 - p) + p / s} . $$ (eq-amdahl)
#
# In words: *what you leave alone sets the limit*, here $1 / 0.4 = 2.5$, however fast loading becomes. This is **Amdahl's law** {cite}`amdahl1967validity`. It has a cheerful side: measure first, and you know which change is not worth a line of code.
#
# **Your turn.** (Two minutes.) After the loader is gone, half of what remains is the way back. Somebody sells you a processor on which the way back takes a third of the time, and all else as long as before. How much faster is a pass?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...
check("13.amdahl", answer)

# %% tags=["hide-cell"]
check_solution("13.amdahl", 1 / (0.5 + 0.5 / 3))

# %% [markdown]
# ## One change at a time
#
# Every change below gets the same treatment: the same pass with and without it, in turns, three times, and the middle one counts. In turns, because a laptop that grows warm would be unfair to whoever comes last.


# %%
def compare(ways, rounds=3):
    taken = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make_pass in ways.items():
            begun = time.perf_counter()
            make_pass()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken[name].append(times_all * (time.perf_counter() - begun))
    for name, row in taken.items():
        bar = "▇" * round(
            25 * np.median(row) / max(map(np.median, taken.values()))
        )
        print(f"{name:<23} {np.median(row):6.2f} s  {bar}")


# %% [markdown]
# **Workers.** A `DataLoader` can let other processes make the batches: `num_workers=2`. **Guess:** on a machine with two cores, how much faster do two workers make the loader?


# %% tags=["nbval-ignore-output", "hide-output"]
def loading(workers):
    def make_pass():
        for _ in DataLoader(Pictures(), 64, shuffle=True, num_workers=workers):
            pass

    return make_pass


compare(
    {f"{workers} workers": loading(workers) for workers in (0, 1, 2)}, rounds=1
)

# %% [markdown]
# Hardly, if at all: on this page's machine the loader became slower. The workers have to be started, and each batch has to travel from one process to the other. Workers pay where a picture costs *much* to make: a photo to be decoded, not 784 bytes that are there already.
#
# **The size of a batch.** A step has a price of its own: calls from Python, starts of threads, one pass over all weights for the update. The smaller the batch, the more often it is paid. **Guess** the seconds for batches of 16, 64, 256 and 1,024 digits.


# %% tags=["nbval-ignore-output", "hide-output"]
def training(batch_size, **options):
    def make_pass():
        model, optimizer = make_network(**options)
        one_pass(
            Batches(X, y, batch_size, shuffle=True),
            model,
            optimizer,
            Stopwatch(),
        )

    return make_pass


compare({f"batches of {size}": training(size) for size in (16, 64, 256, 1024)})

# %% [markdown]
# The first steps up save most of the time; the last brings little. But faster is not the same as sooner done: with a sixteenth of the steps the network has learned less from the pass, as {ref}`chapter 6 <ch-optimizers>` measured. What counts is the time to an accuracy, and on these digits 128 to 256 is a good place to look for it.
#
# **A fused optimizer.** `torch.optim.SGD` updates one tensor after the other, with several operations for each. With `fused=True` it makes one pass over memory. The numbers are the same. It pays where steps are many and small, and most for optimizers that keep much, such as Adam:

# %% tags=["nbval-ignore-output"]
adam = {"kind": torch.optim.Adam, "lr": 0.001}
compare(
    {
        "Adam": training(64, **adam),
        "Adam, fused": training(64, fused=True, **adam),
    }
)

# %% [markdown]
# **The order of the numbers, and their size.** Now the small convolutional network of {ref}`chapter 9 <ch-cnn>`. `channels_last` puts the channels of a pixel side by side in memory, where a convolution wants them. `bfloat16` has 16 bits instead of 32: eight for the exponent as before, so nothing overflows, and seven instead of 23 for the digits. Recent hardware multiplies several such numbers in the time of one. **Guess** what each is worth here.


# %%
def convolving(memory_format, dtype):
    def make_pass():
        set_seed(0)
        model = models.small_cnn().to(device, memory_format=memory_format)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, fused=True)
        for X_batch, y_batch in Batches(X, y, 128, shuffle=True):
            with torch.autocast(
                device.type, dtype, enabled=dtype is not torch.float32
            ):
                logits = model(X_batch).float()  # (B, 10)
            optimizer.zero_grad()
            F.cross_entropy(logits, y_batch).backward()
            optimizer.step()

    return make_pass


# %% tags=["nbval-ignore-output", "hide-output"]
plain, last = torch.contiguous_format, torch.channels_last
changes = {
    "plain": convolving(plain, torch.float32),
    "channels_last": convolving(last, torch.float32),
    "bfloat16": convolving(plain, torch.bfloat16),
    "both": convolving(last, torch.bfloat16),
}
compare(changes, rounds=1)

# %% [markdown]
# What you see depends on your processor: on one that is made for bfloat16 (AMX on recent servers, every recent GPU) it wins, on another each number has to be converted, and it loses. That is why `fit` asks the hardware first (`device.half_precision`). The loss and the weights stay float32: in bfloat16, 1 plus a step of 0.001 is 1.
#
# **Answers only.** Whoever wants no gradient should say so. `torch.inference_mode()` keeps nothing for a way back:


# %% tags=["nbval-ignore-output"]
def answering(context):
    model = models.small_cnn().to(device).eval()

    def make_pass():
        with context():
            for part in X.split(250):
                model(part)

    return make_pass


compare(
    {
        "with a way back": answering(torch.enable_grad),
        "inference": answering(torch.inference_mode),
    }
)

# %% tags=["remove-cell"]
model = models.small_cnn().eval().to(device)
with torch.inference_mode():
    quiet = model(X[:8])
assert torch.equal(quiet, model(X[:8]).detach()) and not quiet.requires_grad
one = torch.tensor(1.0, dtype=torch.bfloat16)
assert one + 0.001 == one and torch.tensor(1.0) + 0.001 != 1
assert torch.finfo(torch.bfloat16).max > 1e38

# %% [markdown]
# **Threads.** A matrix product is divided among threads, here as many as there are cores. Between two products they wait for each other, and by default some libraries let them *spin*: ask again and again, at full speed. That is quick while nobody else wants the cores. With a second program, or a second pool of threads in the same one, the waiting takes the time from the working, and everything becomes several times slower. The first line of every chapter prevents it: `mnist_course.threads` sets `OMP_WAIT_POLICY=PASSIVE` before torch is loaded, so that who waits sleeps.
#
# **`torch.compile`** turns a model into a program of its own, which has to be written and compiled first. We do not do that on this page, because it needs a C++ compiler and its time; `python -m benchmarks.compiled` does. **Guess** how many seconds the compiler takes, and how much faster a pass becomes, for the three-layer network and for the small convolutional one.

# %% tags=["hide-cell"]
from mnist_course.speed import format_cells, load_speed

for row in format_cells(load_speed()["compiled"]):
    print("  ".join(f"{cell:>15}" for cell in row))

# %% tags=["remove-cell"]
mlp_row, cnn_row = load_speed()["compiled"]
assert mlp_row["ratio"] < 0.95 and cnn_row["ratio"] < 0.95
assert min(mlp_row["compiling_s"], cnn_row["compiling_s"]) > 1

# %% [markdown]
# With `channels_last`, as we train, both became *slower*, and the compiler took its seconds (more when it ran for the first time). It removes calls and passes over memory between small operations, and there were few to remove: nearly all the time is spent inside matrix products and convolutions, for which both use the same library. On a large GPU, where starting an operation may cost as much as the operation, it is another story.
#
# ## Seconds until it is good
#
# A second saved per pass is worth something only if the network ends as good. So here is every recipe of the course that is on the {ref}`results page <results>`: how long the whole run took, from the files to the test, and how many test digits it misreads.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-time-to-accuracy", "caption": "What a run costs and what it brings: seconds of one core against mistakes, both logarithmic. One mark is one run, with another random start. Gray squares: the tutorials' settings; blue dots: ours. Dotted: 92, 97, 98, 99 and 99.5 % right."}, "image": {"alt": "A scatter of some twenty-five dots from 2 to 450 seconds and from 12 to 0.3 % mistakes. For the same kind of network ours lie to the left of and below the tutorials': one layer 2 s and 7.5 %, an MLP 18 s and 1.1 %, a small CNN 6 s and 0.8 %, the best CNN 450 s and 0.33 %"}}
from mnist_course.results import load_results

stored = load_results()
figure, ax = plt.subplots(figsize=(7, 4.2))
for name, result in stored.items():
    ours = name in ("softmax", "mlp-quick", "mlp", "cnn-quick", "cnn")
    wrong = 100 - np.array(result.test_accuracy)
    ax.loglog(
        result.seconds,
        wrong,
        "o" if ours else "s",
        color=plots.BLUE if ours else plots.GRAY,
    )
    at, shift = (
        (np.median(result.seconds), np.median(wrong)),
        {"s2": -14, "s2-published": 6},
    )
    ax.annotate(name, at, (9, shift.get(name, -4)), textcoords="offset points")
for right in (92, 97, 98, 99, 99.5):
    ax.axhline(100 - right, color=plots.GRAY, linewidth=0.8, linestyle=":")
    ax.annotate(f"{right} %", (1.1, 1.03 * (100 - right)), color=plots.GRAY)
ax.set(
    xlabel="seconds of one core",
    title="test digits misread, in %",
    xlim=(1, 2000),
)
ax.set(yticks=(0.3, 1, 3, 10), yticklabels=("0.3", "1", "3", "10"))
plots.show(figure, "time to accuracy")

# %% tags=["remove-cell"]
assert (
    stored["softmax"].mean > 92
    and stored["cnn-quick"].mean > 99
    and stored["cnn"].mean > 99.5
)
assert np.median(stored["cnn-quick"].seconds) < np.median(stored["mlp"].seconds)
assert np.median(stored["s1"].seconds) > 15 * np.median(
    stored["cnn-quick"].seconds
)

# %% [markdown]
# In {numref}`fig-time-to-accuracy` down is better, and left is cheaper. The small convolutional network is done with one pass before the MLP has made a third of its ten, and misreads fewer: knowing that a picture is a picture is worth more than any of the changes above. The tutorial's network of the same kind (`s1`) takes more than fifteen times as long for less. And the last third of a percent costs more than all the rest.
#
# ## Two halves of a batch
#
# Now wider. Two processes have a copy of the network each, and share the work: each takes half of the batch and computes a gradient. Then they take the mean of the two, and both make the same step. Is that the step that one process would have made? In numpy, with a squared error:

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(0)
inputs, targets = rng.normal(size=(8, 3)), rng.normal(size=8)  # (B, D), (B,)
w = rng.normal(size=3)  # (D,)


def mean_gradient(inputs, targets):
    error = inputs @ w - targets  # (B,)
    return inputs.T @ error / len(error)  # (D,)


whole = mean_gradient(inputs, targets)
halves = [mean_gradient(inputs[i::2], targets[i::2]) for i in (0, 1)]
print(np.abs(np.mean(halves, axis=0) - whole).max() < 1e-12)

# %% [markdown]
# It is: a mean over eight is the mean of two means over four. That is all the theory of **data parallelism**. It has small print. **Guess** what happens if the parts are unequal, five examples and three.

# %% tags=["nbval-check-output", "hide-output"]
parts = [slice(0, 5), slice(5, 8)]
of_parts = np.array([mean_gradient(inputs[p], targets[p]) for p in parts])
print("mean of the means:", np.abs(of_parts.mean(axis=0) - whole).max() < 1e-12)

# %% [markdown]
# Each of the three now counts more than each of the five. This is not far-fetched: 60,000 digits in batches of 128 end with a batch of 96, and other sizes end with an odd one.
#
# **Your turn.** (Four minutes.) Repair it: from the gradients of the parts and their sizes, the gradient of the batch.


# %% tags=["your-turn"]
def my_whole_gradient(gradients, sizes):
    return ...  # gradients (P, D), sizes (P,)


check("13.parts", my_whole_gradient)


# %% tags=["hide-cell"]
def whole_gradient(gradients, sizes):
    return np.average(gradients, axis=0, weights=sizes)  # (D,)


check_solution("13.parts", whole_gradient)

# %% tags=["remove-cell"]
assert np.allclose(np.average(of_parts, axis=0, weights=[5, 3]), whole)
assert 60_000 % 128 == 96

# %% [markdown]
# The second case has no repair by weights: **batch normalization** takes mean and variance over the examples that it sees ({ref}`chapter 9 <ch-cnn>`), and each process sees its half. The network computes something else, though usually nothing worse. (`SyncBatchNorm` asks the others for their sums, at every layer, for a price.) The third is chance: if both processes draw the same random numbers for dropout or augmentation, half of the variety is gone; if they draw different ones, no single process could repeat it.
#
# ## Two processes, one network
#
# The engine that everybody uses is `torch.distributed`. Here is a whole program for it. Five lines differ from a program for one process; they are marked.

# %%
PROGRAM = """
import os, sys
import torch, torch.distributed as dist, torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from mnist_course.data import load_data, to_tensors

cuda = torch.cuda.device_count() > 1
dist.init_process_group("nccl" if cuda else "gloo")                 # 1
rank, size = dist.get_rank(), dist.get_world_size()
device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu")
digits = load_data()
X, y = to_tensors(digits.train_images[:6000], digits.train_labels[:6000], device)
data = TensorDataset(X, y)

torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10)).to(device)
team = DistributedDataParallel(model)                               # 2
optimizer = torch.optim.SGD(team.parameters(), lr=0.1)
sampler = DistributedSampler(data, shuffle=True, seed=0)            # 3
loader = DataLoader(data, batch_size=120 // size, sampler=sampler)  # 4
for epoch in range(2):
    sampler.set_epoch(epoch)
    for X, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(team(X), y).backward()
        optimizer.step()
print(f"process {rank} of {size}: {len(sampler)} digits a pass\\n", end="", flush=True)
if rank == 0:                                                       # 5
    torch.save(model.state_dict(), sys.argv[1])
dist.destroy_process_group()
"""

# %% [markdown]
# Line by line. `init_process_group` lets the processes find each other; *gloo* carries their messages between processors, *nccl* between GPUs. `DistributedDataParallel` gives all of them the weights of process 0, and from then on `backward` ends with the mean of all gradients. The sampler deals the shuffled digits out like cards, so each gets its half. The batch is divided, so that both together make a batch of 120 as before; whoever leaves it at 120 has a batch of 240 and half the steps, and has to look for the learning rate again ({ref}`chapter 6 <ch-optimizers>`). And one of them saves.
#
# `torchrun` starts the processes, and tells each its number in environment variables. **Guess** how far the weights of two processes are from those of one.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
(folder / "two.py").write_text(PROGRAM)


environment = {**os.environ, "OMP_NUM_THREADS": "1"}
if torch.cuda.device_count() < 2:  # two processes do not share a GPU
    environment["MNIST_COURSE_DEVICE"] = "cpu"


def torchrun(*arguments):
    """Run `torchrun --standalone ...`; return what it printed, without torchrun's own lines."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        *arguments,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stdout, done.stderr


# %% tags=["nbval-ignore-output", "hide-output"]
weights = {}
for size in (1, 2):
    file = folder / f"{size}.pt"
    code, printed, errors = torchrun(
        f"--nproc-per-node={size}", str(folder / "two.py"), str(file)
    )
    print(printed, end="")
    weights[size] = torch.load(file, weights_only=True)
gap = max(
    (weights[1][name] - weights[2][name]).abs().max().item()
    for name in weights[1]
)
print(f"largest difference of two weights: {gap:.0e}")

# %% tags=["remove-cell"]
assert gap < 1e-5
assert max(t.abs().max() for t in weights[1].values()) > 0.1

# %% [markdown]
# Equal, but for the last digits of the floats: the two halves are added in another order. 159,010 numbers, the same path downhill, by two processes that exchange nothing but gradients.
#
# How much faster is it? Each process has half of the multiplications, and a message of 159,010 numbers after each step. For a network that is small beside its messages, two processes may be *slower* than one. For a convolutional network, which computes much with few weights, the message is little. Our best network, on two cores, two processes against one with one thread (`python -m benchmarks.processes` measures it). **Guess** the ratio, and whether bfloat16 makes it larger or smaller.

# %% tags=["hide-cell"]
for row in format_cells(load_speed()["two_processes"]):
    print("  ".join(f"{cell:>15}" for cell in row[1:]))

# %% tags=["remove-cell"]
two = {
    (r["type"], r["batch"]): r["ratio"] for r in load_speed()["two_processes"]
}
assert two["float32", 256] > 1.7 and two["float32", 256] > two["float32", 128]
assert two["bfloat16", 128] < two["float32", 128] < 2.1

# %% [markdown]
# About 1.8 where there is much to compute for each message, and less where there is not: what bfloat16 makes fast is the computing and not the message, and half of a small batch is computed less efficiently than the whole. It is {eq}`eq-amdahl` again.
#
# ## One of them dies
#
# With a thousand processors something breaks every day. If one process of a team dies, the others wait for its gradient, and wait. So `torchrun` watches: it ends the others and starts all of them again, as often as `--max-restarts` allows. What they begin with is our affair, and {ref}`chapter 10 <ch-checkpoints>` has built it: a checkpoint that can be resumed to the last bit.
#
# The command line of the course does all this. `train` under `torchrun` divides every batch, weighs unequal parts, prints and saves from process 0, and resumes. We start it with two processes, and kill one of them from outside in the middle of the run.

# %%
import psutil

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]


num_epochs = str(round(120_000 / len(digits.train_labels)))  # 2


def train_command(file):
    train = [
        "mnist_course",
        "train",
        "--model",
        "softmax",
        "--epochs",
        num_epochs,
    ]
    keep = ["--checkpoint", str(file), "--resume", "--save-every", "50"]
    return ["--nproc-per-node=2", "--max-restarts=1", "-m", *train, *keep]


def step_of(file):
    try:
        return torch.load(file, weights_only=True)["run"]["step"]
    except FileNotFoundError:
        return 0


# %% tags=["nbval-ignore-output"]
file = folder / "killed.pt"
running = subprocess.Popen(
    TORCHRUN + train_command(file),
    env=environment,
    text=True,
    stdout=-1,
    stderr=-1,
)
while step_of(file) < 100 and running.poll() is None:
    time.sleep(0.02)
victim = psutil.Process(running.pid).children()[-1]
victim.kill()
print(f"killed process {victim.pid} after step {step_of(file)}")
printed, errors = running.communicate()
print(printed.replace(str(folder / "_")[:-1], ""))  # names without their folder

# %% [markdown]
# The last line is a result, and in between stands "resumed". Compare with a run that nobody disturbed. **Guess:** the same accuracy, the same weights to a few digits, or the same bits?

# %% tags=["nbval-check-output", "hide-output"]
code, undisturbed, errors = torchrun(*train_command(folder / "whole.pt"))
ends = [
    torch.load(folder / name, weights_only=True)["model"]
    for name in ("killed.pt", "whole.pt")
]
print(all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0]))

# %% tags=["remove-cell"]
assert code == 0 and running.returncode == 0, errors
assert "resumed after step" in printed and "resumed" not in undisturbed
assert printed.splitlines()[-1] == undisturbed.splitlines()[-1]
assert undisturbed.count("epoch  2") == 1

# %% [markdown]
# The same bits: the same number of processes adds up in the same order, and everything random in a step depends on the seed, the step and the rank. (With another number of processes the run goes on as well, and the last bits differ.)
#
# One trap was in our way, and may be in yours. The list of addresses that torchrun keeps outlives a restart, so a new process may call the number of a dead one, and wait in vain. Our `parallel.joined` gives each start its own name in that list.
#
# ## Several machines
#
# Nothing in the program changes. On each of two machines:
#
# ```
# torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d \
#     --rdzv-endpoint first-machine:29400 --rdzv-id run7 --max-restarts 3 two.py two.pt
# ```
#
# `--nnodes` is how many machines, `--nproc-per-node` how many processes on each, one for a GPU. The *rendezvous* is where they meet: a name and a port of one of them, and a name for the run, so that two runs do not mix. {ref}`Several machines <machines>` has the same for two systems that share clusters among many people, Slurm and Kubernetes, as files to copy, line by line.

# %% tags=["remove-cell"]
import shutil

from mnist_course.progress import headline

shutil.rmtree(folder)
headline(f"two processes train one network: weights equal to within {gap:.0e}")

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-faster-bytes
# (A minute.) The course's best network has 87,490 weights, four bytes each. How many bytes does one process have to tell the other after each step?
# :::

# %%
answer = ...
check("13.bytes", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-share
# (Five minutes.) One process needs 10 s for a pass, two need 6 s. Which share of the pass do the two divide between them, by {eq}`eq-amdahl`?
# :::

# %%
answer = ...
check("13.share", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-dealt
# (Three minutes.) `DistributedSampler` deals ten digits out to three processes, and each has to get equally many. It does not drop any. How many does each get, and how many digits are seen twice? Hand in both numbers. (What would that do to an accuracy over ten thousand test digits and three processes?)
# :::

# %%
answer = ...  # two numbers
check("13.dealt", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-rate
# (Five minutes.) A recipe for one GPU has batches of 128 and a learning rate of 0.1. Somebody starts it on four, leaves 128 for *each*, and finds that the loss falls more slowly per pass. By the rule of thumb of Goyal and colleagues {cite}`goyal2017accurate`, a batch $k$ times as large wants a rate $k$ times as large (after a few slow epochs). Which rate?
# :::

# %%
answer = ...
check("13.rate", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-bug
# (Three minutes; find the bug.) Two processes, no error, and yet: after ten passes each process has seen only *its* half of the digits. Which line is missing a friend, and where does the friend stand? Hand in the number of the line *before* which it has to be inserted.
#
#     1  sampler = DistributedSampler(data, shuffle=True)
#     2  loader = DataLoader(data, batch_size=64, sampler=sampler)
#     3  for epoch in range(10):
#     4      for X, y in loader:
#     5          optimizer.zero_grad()
#     6          F.cross_entropy(team(X), y).backward()
#     7          optimizer.step()
# :::

# %%
answer = ...
check("13.bug", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-deal
# (Ten minutes.) Write the sampler: which of `range(num_examples)` does process `rank` of `size` see in pass `epoch`? All processes must shuffle alike, no two may see the same example, all must get equally many (leave the rest out), and each pass must deal anew.
# :::


# %%
def deal(num_examples, rank, size, epoch):
    return ...  # indices, (num_examples // size,)


check("13.deal", deal)

# %% [markdown]
# :::{exercise}
# :label: ex-faster-evening
# (An evening.) Take the slowest program that you have, from work or from this course. Put the stopwatch around its parts before you change a line, write down what {eq}`eq-amdahl` promises for each change that comes to mind, and make the one that promises most. There is no check for this one: the clock is.
# :::

# %%
summary()

# %% [markdown]
# ## Summary
#
# * Measure before you change. A pass of the tutorial's program spends most of its time on making batches, and batches that lie on the device are nearly free.
# * Change one thing at a time, in turns, and look at the accuracy, too. What does not get faster sets the limit.
# * The gradient of a batch is the mean of the gradients of its parts, weighed by their sizes. Batch normalization and chance are what differs.
# * `torchrun` starts, watches and restarts the processes, `DistributedDataParallel` takes the mean; a checkpoint makes a death cost seconds.
#
# Next: {ref}`what you have built, and where to go from here <next>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-faster-bytes
# :class: dropdown
# :::
#
# The gradient has one number for each weight: $4 \cdot 87{,}490 = 349{,}960$ bytes, a third of a megabyte for each step.

# %%
check_solution("13.bytes", 4 * 87_490)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-share
# :class: dropdown
# :::
#
# The speedup is $10/6$, so $(1 - p) + p/2 = 0.6$, and $p = 0.8$. The other fifth, messages and what both do twice, takes 2 s however many join in.

# %%
check_solution("13.share", 2 * (1 - 0.6))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-dealt
# :class: dropdown
# :::
#
# Three times four is twelve, so two digits are dealt twice. In training that does not matter. In an evaluation it does: 10,000 is no multiple of 3, two test digits would be counted twice, and the accuracy would be one of 10,002 digits. Our package divides a test set without a rest: parts may differ by one, and the sums are added.

# %%
from torch.utils.data import DistributedSampler

dealt = [
    list(
        DistributedSampler(range(10), num_replicas=3, rank=rank, shuffle=False)
    )
    for rank in range(3)
]
print(dealt)
check_solution("13.dealt", [4, 2])

# %% tags=["remove-cell"]
assert [len(part) for part in dealt] == [4, 4, 4]
assert sorted([*dealt[0], *dealt[1], *dealt[2]]) == sorted([*range(10), 0, 1])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-rate
# :class: dropdown
# :::
#
# The whole batch has 512 digits, four times 128, so the rule says 0.4. It is a rule of thumb: the noise of the gradient falls only with the root of the batch ({ref}`chapter 6 <ch-optimizers>`), and beyond some size no rate helps. Or give each process 32, and keep the recipe.

# %%
check_solution("13.rate", 4 * 0.1)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-bug
# :class: dropdown
# :::
#
# `sampler.set_epoch(epoch)` belongs before line 4. Without it the sampler shuffles with the same seed in every pass, so the cards are dealt alike ten times.

# %%
check_solution("13.bug", 4)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-deal
# :class: dropdown
# :::
#
# Every process computes the *same* shuffled order, from the pass alone, and takes its share of it. Nobody has to send a message.


# %%
def deal(num_examples, rank, size, epoch):
    order = np.random.default_rng(epoch).permutation(num_examples)
    return order[: num_examples // size * size][rank::size]


check_solution("13.deal", deal)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-faster-evening
# :class: dropdown
# :::
#
# Most programs that we have looked at spend their time in one of three places: making batches, asking a GPU for a number after every step (`loss.item()`), or writing something to a disk more often than anybody reads it.
#
# :::{solution-end}
# :::
