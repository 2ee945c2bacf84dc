# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-checkpoints)=
# # 10. A run that survives: checkpoints
#
# `kill -9` sends a signal that no program can catch. The program saves nothing and says nothing; it ends in the middle of a line. On this page a network is trained by a program that is killed like this three times, and started again each time. Beside it the same network is trained in peace. At the end each has half a million weights, and not a single bit of them differs (on a CPU; what GPUs do comes near the end). It *resumes*, as one says. That takes less than you may think, and more than most programs do. One of the tutorials from which this course grew saves its network every 100 steps, and makes five mistakes with it. You will
#
# * forget one part of a run after the other, and measure how far the weights drift off,
# * replace the memory of the random numbers by arithmetic,
# * kill a program in the middle of `torch.save`, and see what is left of the file,
# * flip bits in a checkpoint, and count who notices,
# * copy a loop of some twenty lines that survives,
# * read what a file from a stranger would have done to your computer,
# * kill a real run, resume it, and compare the bits.
#
# About 45 minutes, without the exercises. New names: `run`, `state`, `fingerprint`, `step_seed`.

# %% [markdown]
# ## What is a run made of?
#
# A small network for a small run: 6,000 digits, 64 hidden units, dropout, momentum, and a learning rate that falls to zero. All of them are old acquaintances of {ref}`chapter 6 <ch-optimizers>` and {ref}`chapter 8 <ch-overfitting>`.

# %%
from mnist_course.data import Batches, load_data, to_tensors
from mnist_course.device import set_seed

import torch
import torch.nn.functional as F
from torch import nn

digits = load_data()
num_train = min(6_000, len(digits.train_labels) // 2)
X, y = to_tensors(digits.train_images, digits.train_labels)  # on the CPU
X_valid, y_valid = X[num_train:][:5_000], y[num_train:][:5_000]
X, y = X[:num_train], y[:num_train]
print(digits.source, tuple(X.shape), tuple(X_valid.shape))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (len(y), len(y_valid)) == (6_000, 5_000)

# %%
NUM_STEPS = 200


def new_run(seed):
    set_seed(seed)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 1 - step / NUM_STEPS
    )
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


# %% [markdown]
# The batches come from `Batches` of {ref}`chapter 2 <ch-batches>`. The order of a pass is a function of a seed and the number of the pass, so "the batch of step 123" means the same today and tomorrow.
#
# **Your turn.** (Two minutes.) A pass has 94 batches. Steps, passes and batches are counted from 0. Which pass, and which batch of it, is step 1,234?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...  # [pass, batch]
check("10.place", answer)

# %% tags=["hide-cell"]
check_solution("10.place", divmod(1234, 94))

# %% [markdown]
# `batches.one_pass(epoch, start)` yields the batches of one pass from number `start` on; `next` takes the first of them. Then `make_steps` trains from one step to another, and keeps the weights after each, for our figure.

# %%
batches = Batches(X, y, 64, shuffle=True, seed=0)


def batch_of(step):
    epoch, number = divmod(step, len(batches))
    return next(batches.one_pass(epoch, start=number))


# %%
def make_steps(run, first, last):
    run["model"].train()  # whoever measured it may have changed the mode
    weights = []
    for step in range(first, last):
        X, y = batch_of(step)
        loss = F.cross_entropy(run["model"](X), y)
        run["optimizer"].zero_grad()
        loss.backward()
        run["optimizer"].step()
        run["scheduler"].step()
        parts = [p.detach().flatten() for p in run["model"].parameters()]
        weights.append(torch.cat(parts))  # (50890,)
    return torch.stack(weights)  # (last - first, 50890)


# %% [markdown]
# To compare two networks bit by bit we do not need to print them. SHA-256, which verified our files in {ref}`chapter 1 <ch-idx-data>`, boils all the bytes down to 64 hexadecimal digits, a *fingerprint*. Change one bit of a weight, and about half of these 256 bits change.

# %%
import hashlib


def fingerprint(model):
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # The same memory, read as bytes: nothing is converted.
        digest.update(
            tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy()
        )
    return digest.hexdigest()


# %% [markdown]
# Train twice from the same seed. Two programs that do the same arithmetic in the same order must get the same result. **Guess:** will they, to the last bit?

# %% tags=["nbval-ignore-output", "hide-output"]
whole = new_run(seed=0)
path_of_whole = make_steps(whole, 0, NUM_STEPS)  # (200, 50890)
print(fingerprint(whole["model"]))
again = new_run(seed=0)
make_steps(again, 0, NUM_STEPS)
print(fingerprint(again["model"]))

# %% tags=["remove-cell"]
assert path_of_whole.shape == (200, 50_890)
assert fingerprint(whole["model"]) == fingerprint(again["model"])
import copy

from mnist_course.training import checkpoint

assert checkpoint.fingerprint(whole["model"]) == fingerprint(whole["model"])
nudged = copy.deepcopy(whole["model"])
with torch.no_grad():
    nudged[1].weight[0, 0] = torch.nextafter(
        nudged[1].weight[0, 0], torch.tensor(9.0)
    )
bits = int(fingerprint(nudged), 16) ^ int(fingerprint(whole["model"]), 16)
assert 80 < bits.bit_count() < 176

# %% [markdown]
# What repeats can be tested. Now interrupt the run after step 100. What must we write down, so that a new process can go on as if nothing had happened? The weights, certainly. Models, optimizers and schedulers of PyTorch hand out what we need as their `state_dict`. It is no copy: its tensors are the weights themselves, and the next step changes them. So copy it (`deepcopy`) if you keep it in memory. What is written to a file is a copy anyway.

# %%
import copy

CUT = 100
first_half = new_run(seed=0)
make_steps(first_half, 0, CUT)

state = {
    name: copy.deepcopy(part.state_dict()) for name, part in first_half.items()
}
state["random numbers"] = torch.get_rng_state()
for name in ("model", "optimizer", "scheduler"):
    print(f"{name:<10}", *list(state[name])[:4])

# %% tags=["remove-cell"]
alias = first_half["model"].state_dict()["1.weight"]
assert alias.data_ptr() == first_half["model"][1].weight.data_ptr()
probe = new_run(seed=99)
velocities = first_half["optimizer"].state_dict()
probe["optimizer"].load_state_dict(velocities)
taken = probe["optimizer"].state[probe["model"][1].weight]["momentum_buffer"]
given = velocities["state"][0]["momentum_buffer"]
assert taken.data_ptr() == given.data_ptr()
assert state["optimizer"]["param_groups"][0]["params"] == [0, 1, 2, 3]
assert state["scheduler"]["lr_lambdas"] == [None]

# %% [markdown]
# A new process starts with other random numbers: `new_run(seed=99)` stands in for it. We let it take over one part, then two, then three, then all four. **Guess first:** which of them can be forgotten without harm?


# %%
def resume(names):
    run = new_run(seed=99)
    for name in names:
        if name == "random numbers":
            torch.set_rng_state(state[name])
        else:
            run[name].load_state_dict(copy.deepcopy(state[name]))
    return run, make_steps(run, CUT, NUM_STEPS)


# %%
def accuracy(model):
    model.eval()
    with torch.no_grad():
        return 100 * (model(X_valid).argmax(dim=1) == y_valid).float().mean()


# %% tags=["nbval-ignore-output", "hide-output"]
names, drift, reached = list(state), {}, {}
for count in range(1, 5):
    run, path = resume(names[:count])
    gap = (path - path_of_whole[CUT:]).abs().amax(dim=1)  # (100,)
    drift[names[count - 1]] = gap
    reached[names[count - 1]] = accuracy(run["model"])
    plus = "  " if count == 1 else "+ "
    print(f"{plus}{names[count - 1]:<15}", end="")
    print(f"off by {gap[-1]:.3f}, {reached[names[count - 1]]:.1f} % right")
print(f"never interrupted: {accuracy(whole['model']):.1f} % right")

# %% tags=["remove-cell"]
ends = [float(drift[name][-1]) for name in names]
assert ends[3] == 0 and drift["random numbers"].max() == 0
assert fingerprint(run["model"]) == fingerprint(whole["model"])
if digits.is_mnist:
    assert ends[0] > 0.2 and ends[1] > 0.2 and 0.05 < ends[2] < ends[1]
    spread = [float(value) for value in reached.values()]
    assert max(spread) - min(spread) < 6 and min(spread) > 86
assert min(ends[:3]) > 0
if digits.is_mnist:
    assert 0.01 < drift["model"][0] < 0.05
    assert drift["model"][0] > 1.3 * drift["optimizer"][0]
for count, lr in ((1, 0.05), (2, 0.05), (3, 0.0), (4, 0.0)):
    run, _ = resume(names[:count])
    assert abs(run["optimizer"].param_groups[0]["lr"] - lr) < 1e-9
probe = new_run(seed=99)
for name in names[:2]:
    probe[name].load_state_dict(copy.deepcopy(state[name]))
make_steps(probe, CUT, CUT + 1)
assert abs(probe["optimizer"].param_groups[0]["lr"] - 0.0995) < 1e-9

# %% [markdown]
# Look at the last column first. All four work, and their accuracies lie close together. Whoever forgets a part will not find out from the accuracy. That is the trouble with this mistake: it is silent. The weights tell.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-drift", "caption": "How far the weights of a resumed run are from those of the run that was never interrupted: the largest of the 50,890 differences after each step."}, "image": {"alt": "Three curves over the 100 steps after the interruption, both scales logarithmic. With the model alone the difference is a few hundredths after one step; with the optimizer too it begins lower, and both end near one half. With the scheduler it stays between one and two tenths. A row of marks at the bottom of the picture says that with the random numbers the difference is exactly zero"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure, ax = plt.subplots(figsize=(7, 3.4))
steps = range(1, NUM_STEPS - CUT + 1)
looks = [(plots.GRAY, ":"), (plots.ORANGE, "--"), (plots.BLUE, "-")]
for name, (color, line) in zip(names, looks):
    label = name if name == "model" else f"+ {name}"
    ax.plot(steps, drift[name], line, color=color, label=label)
    ax.plot(1, drift[name][0], "o", color=color, markersize=4)
floor = drift["model"].min() / 30
ax.plot([1, 2, 5, 10, 20, 50, 100], [floor] * 7, "v", color=plots.GREEN)
text = "+ random numbers: exactly 0, below any scale"
ax.annotate(text, (1, floor * 1.5))
ax.set(xscale="log", yscale="log")
ax.set_xticks([1, 10, 100], ["1", "10", "100"])
ax.set(xlabel="steps after the interruption", ylabel="largest difference")
ax.legend(loc="lower right", bbox_to_anchor=(1, 0.15))
plots.show(figure, "drift")

# %% [markdown]
# Each curve of {numref}`fig-drift` leaves for another reason.
#
# * *The model alone*: the velocity of momentum is gone. The first step after the interruption is made from a standing start, and the learning rate starts from its first value, as if step 101 were step 1. After that one step some weight is off by two or three hundredths, several times as much as with the optimizer.
# * *With the optimizer*: its state holds the velocity, and the learning rate of the moment. But the scheduler counts from zero: after the first step it sets the learning rate back to almost 0.1, and at the end it is 0.05 instead of 0.
# * *With the scheduler*: nearly right. Dropout leaves out other units than it would have.
# * *With the random numbers*: the difference is zero, after one step and after a hundred.
#
# The tutorial saves the state of its optimizer, every 100 steps, and never loads it. By luck this does no harm, because its optimizer is plain gradient descent, and there is nothing in that state:

# %% tags=["nbval-check-output"]
plain = torch.optim.SGD([nn.Parameter(torch.zeros(3))], lr=0.8)
print(plain.state_dict()["state"])

# %% tags=["remove-cell"]
assert plain.state_dict()["state"] == {}

# %% [markdown]
# Its other four mistakes do harm. It saves into a folder that it does not create. It says that the network is loaded before every test, and loads it once, when the program starts. When there is no file yet, it predicts with random weights, without a word. And it writes the new file over the old one, to which we come in a minute.
#
# ## Random numbers without a memory
#
# Saving the state of the random numbers worked. But think of all the places that have one: Python, numpy, PyTorch, every GPU, every `DataLoader` with a generator of its own. Miss one, and you are back on the blue curve. And there is a trap. To resume in the middle of an epoch, many programs begin the epoch again and skip the batches that were done. The order of the digits needs the random state of the epoch's beginning, dropout that of the interruption: both, each at its moment.
#
# There is a better way, which needs no memory at all: make every random number a *function* of the run and the step. Before step 1,234 of run 7, seed the generator from the pair (7, 1234). Whoever comes to that step, by whatever way, draws the same numbers.


# %%
import numpy as np


def step_seed(seed, step):
    return int(np.random.SeedSequence((seed, step)).generate_state(1)[0])


# %% tags=["nbval-check-output"]
print(step_seed(7, 1234), step_seed(7, 1235), step_seed(8, 1234))

# %% tags=["remove-cell"]
from mnist_course.device import seed_step

torch.default_generator.manual_seed(step_seed(7, 1234))
drawn = torch.rand(3)
seed_step(7, 1234)
assert torch.equal(torch.rand(3), drawn)

# %% [markdown]
# `SeedSequence` mixes its numbers so well that neighbors have nothing in common. (The sum `seed + step` would do worse; an exercise shows how.) With this, four parts become three and a whole number.


# %%
def make_seeded_steps(run, first, last, seed=7):
    for step in range(first, last):
        torch.manual_seed(step_seed(seed, step))
        make_steps(run, step, step + 1)


# %%
whole = new_run(seed=0)
make_seeded_steps(whole, 0, NUM_STEPS)
first_half = new_run(seed=0)
make_seeded_steps(first_half, 0, CUT)

second_half = new_run(seed=99)
torch.rand(1234)  # whatever another process may have drawn
for name, part in second_half.items():
    part.load_state_dict(copy.deepcopy(first_half[name].state_dict()))
make_seeded_steps(second_half, CUT, NUM_STEPS)
same = fingerprint(second_half["model"]) == fingerprint(whole["model"])
print("the same to the last bit:", same)

# %% tags=["remove-cell"]
assert same
if digits.is_mnist:
    assert divmod(CUT, len(batches)) == (1, 6)

# %% [markdown]
# Step 100 lies in the second pass over the 6,000 digits, a few batches from its beginning. It does not matter. The number of the step says all: which pass, which batch, which random numbers.
#
# A *checkpoint*, then, must hold the weights, the state of the optimizer and of the scheduler, and the step. Two more things keep a reader of the file honest: what the run was (its settings and its seed), so that nobody resumes it as another, and what had been measured so far, so that the history has no hole.
#
# Two things are *not* in these states, and nobody objects. An optimizer loads the states of its parameters by their place, even if it was told their names: change the order of the layers, and where the shapes agree the velocity of one goes to another. And a `LambdaLR` does not save its function: resume with another `NUM_STEPS`, and the learning rate falls otherwise. Both belong to what the run *was*.
#
# ## A file that is never half
#
# That is what goes in; now to the disk. `torch.save(state, "run.pt")` does what every simple program does: it opens the file, which empties it, and then writes. Between these two moments the old checkpoint is gone and the new one is not there. Let us aim at that gap. A child process saves 128 MB again and again over a good file; we wait until the file is no longer whole, and kill it. **Guess** what is left.

# %% tags=["hide-input"]
import subprocess
import sys
import tempfile
import time
from pathlib import Path

folder = Path(tempfile.mkdtemp())
saver = """
import sys, torch
weights = torch.zeros(32_000_000)
while True:
    torch.save({"weights": weights}, sys.argv[1])
"""


# %% tags=["hide-input"]
def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:  # not there yet, or already renamed
        return 0


def kill_while_saving(code, path, half, size):
    child = subprocess.Popen([sys.executable, "-c", code, path])
    while not 0 < size_of(half) < size and child.poll() is None:
        time.sleep(0.001)
    child.kill()  # SIGKILL, the -9 of kill -9
    child.wait()
    return size_of(half)


# %% tags=["nbval-ignore-output", "hide-output"]
path = folder / "run.pt"
torch.save({"weights": torch.ones(32_000_000)}, path)
before = size_of(path)
after = kill_while_saving(saver, path, half=path, size=before)
print(f"{before:,} bytes before, {after:,} bytes after")
try:
    torch.load(path, weights_only=True)
except Exception as error:
    print(f"{type(error).__name__}: {str(error)[:60]}")

# %% tags=["remove-cell"]
assert 0 <= after < before
path.unlink()

# %% [markdown]
# With both checkpoints the whole run is lost. Nor is this bad luck: the moments at which programs die are not random. A disk fills up while something is being written.
#
# The cure is older than Python. Renaming a file within one file system is a single step of the operating system: whoever looks sees the old file or the new one.
#
# **Your turn.** (Two minutes.) Bring the four steps into the right order: (1) rename the new file to the old name; (2) write all bytes to another name in the same folder; (3) wait until the disk has them (`os.fsync`); (4) hand them to the operating system (`flush`).

# %% tags=["your-turn"]
answer = ...  # such as [1, 2, 3, 4]
check("10.order", answer)

# %% tags=["hide-cell"]
check_solution("10.order", [2, 4, 3, 1])

# %% [markdown]
# In Python:

# %%
import os


def write_safely(path, data):
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()  # out of Python's hands ...
        os.fsync(file.fileno())  # ... and out of the computer's memory
    part.replace(path)


# %% [markdown]
# `os.fsync` waits until the disk has the bytes. Without it some systems rename first and write later, and a power cut leaves an empty file with the right name. No kill can show this: what a killed program has handed to the operating system is still written. Only a power cut tells, and we did not cut ours. A write that leaves the old file or the new one, and nothing between, is called *atomic*.
#
# Aim at `write_safely` in the same way. The child gets its source, writes as fast as it can, and is killed as soon as we see half a file.

# %% tags=["nbval-ignore-output"]
import inspect

safe_saver = f"""
import os, sys
from pathlib import Path
{inspect.getsource(write_safely)}
while True:
    write_safely(Path(sys.argv[1]), bytes(64_000_000))
"""
path.write_bytes(b"the old checkpoint")
part = folder / "run.pt.part"
after = kill_while_saving(safe_saver, path, half=part, size=64_000_000)
print(f"{size_of(path):,} bytes:", path.read_bytes()[:18])
print(f"beside it: {after:,} bytes")

# %% tags=["remove-cell"]
assert path.read_bytes() in (b"the old checkpoint", bytes(64_000_000))
assert 0 <= after <= 64_000_000
for leftover in folder.iterdir():
    leftover.unlink()

# %% [markdown]
# The child ended in the middle of a file of its own, with another name. The checkpoint is whole.
#
# ## A loop to copy
#
# That is all one needs. Here is a loop that survives, made of the pieces of this page.

# %%
import io


def train(path, num_steps, save_every, stop_at=None):
    run, step = new_run(seed=0), 0
    if path.exists():
        saved = torch.load(path, map_location="cpu", weights_only=True)
        step = saved["step"]
        for name, part in run.items():
            part.load_state_dict(saved[name])
    while step < num_steps and step != stop_at:
        torch.manual_seed(step_seed(0, step))
        make_steps(run, step, step + 1)
        step += 1
        if step % save_every == 0:
            states = {name: part.state_dict() for name, part in run.items()}
            buffer = io.BytesIO()
            torch.save({**states, "step": step}, buffer)
            write_safely(path, buffer.getvalue())
    return run["model"]


# %% [markdown]
# Stop it at step 57 of 100, with a checkpoint every ten steps. **Guess** how many steps are made twice, and whether the bits will be those of a run without a stop.

# %% tags=["hide-output"]
in_one_go = train(folder / "whole.pt", 100, save_every=10)
train(folder / "cut.pt", 100, save_every=10, stop_at=57)
print("saved at step", torch.load(folder / "cut.pt", weights_only=True)["step"])
in_two = train(folder / "cut.pt", 100, save_every=10)
print("the same bits:", fingerprint(in_two) == fingerprint(in_one_go))

# %% tags=["remove-cell"]
assert fingerprint(in_two) == fingerprint(in_one_go)
for leftover in folder.iterdir():
    leftover.unlink()

# %% [markdown]
# Seven steps, 50 to 56, are made again, with the same batches and the same dice. Four words to the lines:
#
# * `map_location="cpu"`: a checkpoint remembers the device on which it was made. Without this word a GPU's checkpoint does not open on a laptop. `load_state_dict` then copies to wherever the model is.
# * `weights_only=True`: see below, *A file from a stranger*.
# * *State for going on* is not *weights for use*. Whoever only wants answers needs `saved["model"]`, a third of the file with Adam, and calls `model.eval()`.
# * *Keep the best*, not only the last: when the validation loss is lower than ever, write a second file, `best.pt`. Whoever stops at the best is *stopping early* ({ref}`chapter 8 <ch-overfitting>`).
#
# ## A file that tells when it lies
#
# Disks forget, cables and memory flip bits, copies stop halfway. What does `torch.load` say to a checkpoint with one wrong bit? We flip one random bit in each of 60 copies, and sort what happens. **Guess** how many of the 60 load without a word.

# %%
import random

good = io.BytesIO()
torch.save(whole["model"].state_dict(), good)
good = good.getvalue()


def flipped(data, rng):
    damaged = bytearray(data)
    # 1 << k is a byte with bit k set; ^ flips that bit.
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


# %%
def what_happens(load, data):
    try:
        loaded = load(data)
    except Exception:
        return "refused"
    true = whole["model"].state_dict()
    same = all(torch.equal(loaded[name], true[name]) for name in true)
    return "loaded, right" if same else "loaded, WRONG"


# %% tags=["hide-output"]
from collections import Counter


def plain_load(data):
    return torch.load(io.BytesIO(data), weights_only=True)


rng = random.Random(0)
copies = [flipped(good, rng) for _ in range(60)]
outcomes = Counter(what_happens(plain_load, data) for data in copies)
print(dict(outcomes))

# %% tags=["remove-cell"]
import zipfile

assert outcomes["loaded, WRONG"] >= (60 if digits.is_mnist else 50)
assert zipfile.ZipFile(io.BytesIO(good)).testzip() is None
assert zipfile.ZipFile(io.BytesIO(copies[0])).testzip() == "archive/data/0"
pattern = np.array([0.01], np.float32).view(np.uint32) ^ np.uint32(1 << 30)
assert abs(pattern.view(np.float32)[0] / 3.4e36 - 1) < 0.01

# %% [markdown]
# They load without an error or a warning, with one weight that is not what it was. If the bit was at the end of a number, nobody will ever know. If it was the highest bit of the exponent, a weight of 0.01 is now $3.4 \cdot 10^{36}$.
#
# The remedy is the fingerprint again: store the SHA-256 of the file with the file. But where? A second file gets separated from the first. A file of PyTorch is a zip archive, as you can tell from its first two bytes, `PK`. And a zip archive may end in a comment: seven characters `sha256:` and 64 digits. (Zip's own checksums would find such a bit, too; `torch.load` does not look at them.)

# %%
from mnist_course.training.checkpoint import load_checkpoint, save_checkpoint

path = folder / "run.pt"
save_checkpoint(path, {"weights": torch.arange(4), "step": 100})
data = path.read_bytes()
print(data[:2], data[-71:-50])
print(torch.load(path, weights_only=True))

# %% tags=["remove-cell"]
assert (
    data[-71:] == b"sha256:" + hashlib.sha256(data[:-71]).hexdigest().encode()
)

# %% [markdown]
# `save_checkpoint` puts the sum there; `torch.load` opens the file as before, and `load_checkpoint` looks at the sum first. The same 60 accidents:

# %%
path.unlink()
save_checkpoint(path, whole["model"].state_dict())


def careful_load(data):
    path.write_bytes(data)
    return load_checkpoint(path)


good, rng = path.read_bytes(), random.Random(0)
copies = [flipped(good, rng) for _ in range(60)]
outcomes = Counter(what_happens(careful_load, data) for data in copies)
print(dict(outcomes), what_happens(careful_load, good))

# %% tags=["remove-cell"]
assert outcomes == {"refused": 60}
assert what_happens(careful_load, good) == "loaded, right"

# %% [markdown]
# All 60 are refused, and the good one loads. `save_checkpoint` also keeps what it replaces as `run.pt.previous`: one more save, one more accident, and we are sent there.


# %%
def shorten(error):
    return str(error).replace(f"{folder}{os.sep}", "")


save_checkpoint(path, whole["model"].state_dict())
try:
    careful_load(copies[0])
except ValueError as error:
    print(shorten(error).replace(". ", ".\n"))

# %% tags=["remove-cell"]
advice = ""
try:
    load_checkpoint(path)
except ValueError as error:
    advice = str(error)
assert "run.pt.previous, is whole" in advice
previous = load_checkpoint(folder / "run.pt.previous")
assert all(torch.equal(previous[n], t) for n, t in plain_load(good).items())

# %% [markdown]
# Here are four more kinds of files that end up under the name of a checkpoint:

# %%
import pickle

strangers = [b"", b"<!DOCTYPE html> not found", good[:-1000], pickle.dumps(1)]
for data in strangers:
    try:
        careful_load(data)
    except ValueError as error:
        print(shorten(error).split(". ")[0])

# %% tags=["remove-cell"]
for data in strangers:
    assert what_happens(careful_load, data) == "refused"

# %% [markdown]
# ## A file from a stranger
#
# The last of the four deserves a section. Python's own way to write objects into a file is called *pickle*, and `torch.save` uses it. A pickle is not a description of an object. It is a small *program* that builds the object when the file is read, and that program may call any function on your computer. Here is one that calls `print`. We do not run it; we read it aloud:

# %% tags=["nbval-check-output"]
import pickletools


class Greeting:
    # What pickle asks an object: which function makes you, and of what?
    def __reduce__(self):
        return print, ("This line was printed by a file.",)


program = pickle.dumps(Greeting(), protocol=4)
for opcode, argument, _ in pickletools.genops(program):
    if isinstance(argument, str) or opcode.name == "REDUCE":
        print(f"{opcode.name:<20} {argument or 'call it'}")

# %% [markdown]
# *Of the module builtins take print; take this sentence; call the one with the other.* Put a function that deletes your files in its place, and you have an attack. Files of this kind have been found among the networks that a large site offered for download {cite}`zanki2025nullifai`. Since its version 2.6, `torch.load` by default refuses whatever is not a tensor or a plain value (`weights_only=True`). That guard has been broken at least twice, before version 2.6 and again before 2.10 {cite}`cve202532434,cve202624747`; so keep PyTorch up to date. It can be switched off by an environment variable, too, unless the argument is given; so `load_checkpoint` gives it. It does not open the greeting:

# %% tags=["nbval-check-output"]
archive = io.BytesIO()
torch.save({"model": Greeting()}, archive)
body = archive.getvalue()[:-2] + (71).to_bytes(2, "little")
seal = b"sha256:" + hashlib.sha256(body).hexdigest().encode()
try:
    careful_load(body + seal)
except ValueError as error:
    print(shorten(error).replace(". ", ".\n"))

# %% tags=["remove-cell"]
assert what_happens(careful_load, body + seal) == "refused"

# %% [markdown]
# The checksum of this file is *right*: we computed it ourselves, as any stranger can. A checksum protects against accidents. Against malice only caution helps: load weights, never programs. The format *safetensors* is made for this: a table of names, shapes and types, and then the numbers. There is no program in it that could run.
#
# ## Kill it
#
# `fit` has all of this built in: `seed=` seeds every step, `checkpoint=` names the file, `save_every=` says how often, and `resume=True` goes on if the file is there. So has the command line, and we shall give the same command four times. The four processes are started together, because importing PyTorch takes seconds, and each waits for a line from us.

# %%
run_file = folder / "killed.pt"
num_epochs, save_every = (1, 5) if digits.is_mnist else (10, 3)
arguments = ["train", "--model", "mlp", "--epochs", str(num_epochs), "--seed=1"]
arguments += ["--checkpoint", str(run_file), "--save-every", str(save_every)]
arguments += ["--resume"]
print("python -m mnist_course", *arguments[:6], "\\")
print("   ", shorten(" ".join(arguments[6:])))

# %% tags=["hide-input"]
waiting = (  # the first optimizer imports torch._dynamo, which takes seconds
    "import torch._dynamo; from mnist_course.cli import main; input(); main()"
)
lives = [
    subprocess.Popen(
        [sys.executable, "-c", waiting, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(4)
]

# %% [markdown]
# Meanwhile this process trains the same network in peace: the one of chapter 8 with its recipe, on all the digits.

# %%
from mnist_course.device import pick_device
from mnist_course.training import recipes

device = pick_device()
peace = recipes.train("mlp", num_epochs=num_epochs, seed=1, digits=digits)
print(f"test accuracy {100 * peace.test.accuracy:.2f} %")

# %% tags=["remove-cell"]
num_weights = sum(p.numel() for p in peace.model.parameters())
assert 450_000 < num_weights < 700_000
if digits.is_mnist:
    assert peace.test.accuracy > 0.95

# %% [markdown]
# Three of the four get their line, and are killed: one after a few checkpoints, the next after a few more, the third after a few more still.


# %% tags=["hide-input"]
def kill_after(num_saves, child):
    child.stdin.write("\n")
    child.stdin.close()
    seen = set()
    while len(seen) < num_saves and child.poll() is None:
        time.sleep(0.002)
        if run_file.exists():
            seen.add(run_file.stat().st_mtime_ns)
    time.sleep(random.random() / 50)  # not at the moment of a save, but near
    child.kill()
    return child.wait()


# %% tags=["nbval-ignore-output"]
statuses = []
for num_saves, child in zip((3, 5, 7), lives):
    statuses.append(kill_after(num_saves, child))
    print(f"exit status {statuses[-1]}:", end=" ")
    print(shorten(child.stdout.read()), end="")
    child.stdout.close()

# %% tags=["remove-cell"]
assert not {0, 1, 2} & {*statuses}, "a run was over before it could be killed"

# %% [markdown]
# Each began where the one before it had saved last. (Minus 9 is the number of the signal.) The fourth process may go on to its end. **Guess** how many of the half million weights differ.

# %% tags=["nbval-ignore-output", "hide-output"]
child = lives[3]
print(child.communicate("\n")[0], end="")

# %% tags=["nbval-ignore-output", "hide-output"]
resumed = recipes.RECIPES["mlp"].model().to(device)
resumed.load_state_dict(load_checkpoint(run_file)["model"])
print("in peace      ", fingerprint(peace.model))
print("killed 3 times", fingerprint(resumed))

# %% tags=["remove-cell"]
assert child.returncode == 0
if device.type == "cpu":
    assert fingerprint(peace.model) == fingerprint(resumed)
    rows = load_checkpoint(run_file)["run"]["history"]
    losses = [row["train_loss"] for row in rows]
    assert losses == peace.history["train_loss"]

# %% [markdown]
# The same, to the last bit. The training loss of the epoch is the same, too, because the checkpoint holds the running sum. You lose the time since the last checkpoint and nothing else. `python -m tests.soak.resume` does it with 200 kills, every second one in the middle of a save.
#
# If you press Ctrl-C instead, `fit` finishes its step, saves, and says in which file the run is; the command line also says how to go on. And it never writes over a file that it did not make in this run: without `resume` an existing checkpoint is an error.
#
# ## What breaks it
#
# "To the last bit" has a condition: the same arithmetic in the same order. At school you learned that $(a + b) + c = a + (b + c)$. Your computer did not. **Guess** these two sums.

# %% tags=["nbval-check-output", "hide-output"]
print((0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3))

# %% [markdown]
# Every addition rounds, and another order rounds otherwise. A matrix product adds up thousands of numbers, and in which order is decided by the number of threads, by the kind of processor, by the version of PyTorch. Here is one run with one thread, and again with two.

# %% tags=["nbval-ignore-output"]
num_threads = torch.get_num_threads()
prints = {}
for count in (1, 1, 2, 2):
    torch.set_num_threads(count)
    run = new_run(seed=0)
    make_steps(run, 0, 50)
    print("threads:", count, fingerprint(run["model"])[:32])
    prints.setdefault(count, set()).add(fingerprint(run["model"]))
torch.set_num_threads(num_threads)

# %% tags=["remove-cell"]
assert len(prints[1]) == len(prints[2]) == 1

# %% [markdown]
# Each is repeatable; on most machines the two differ from each other. Both are right, and both networks are as good. So the promise reads: *the same machine, the same versions, the same number of threads*, and of worker processes, if they prepare the data. On a GPU some operations add in whatever order its threads finish; `torch.use_deterministic_algorithms(True)` asks for repeatable ones, and raises an error where there is none. Whoever resumes one of our checkpoints under other conditions is told so in one line, and gets a network that is as good, but not the same.
#
# Why care about bits, if the other network is as good? Because "about the same" cannot be tested. The runs of our table that had forgotten something had accuracies that looked fine. A hash is equal or it is not; and if it is not, on the same machine with the same versions and threads, somebody forgot something.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

equal = fingerprint(peace.model) == fingerprint(resumed)
headline(
    f"killed three times with kill -9, and "
    f"{'not one bit' if equal else 'some bits'} of {num_weights:,} weights differ"
    f"{'s' if equal else ''}"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-ckp-size
# (A minute.) The network of the first sections has 50,890 parameters of four bytes each. It is trained with Adam. How many bytes of tensors does a checkpoint need for the weights and for Adam's two moments?
# :::

# %%
answer = ...
check("10.size", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-velocity
# (Five minutes.) Somebody resumes a long run with momentum 0.9 and forgets the state of the optimizer. Assume that the gradient and the learning rate are the same at every step, before and after. Predict how long the first step is, as a share of the length it should have. Then: from which step on is the length right to within 10 %? (The first step has the number 1.)
# :::

# %%
# share of the first step, number of the step
answer = ...
check("10.velocity", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-loader
# (Ten minutes; most people guess wrong.) A run keeps the state of the random numbers, as in our first table, and seeds no steps. You add one line: every ten steps, go once through a `DataLoader` of the validation digits, with `shuffle=False`, in evaluation mode, without gradients. Does the run still end with the same bits? Predict; then compare `torch.get_rng_state()` before and after such a loop.
#
# a) Yes: nothing in such a loop is random. b) No: the loop draws a random number. c) No: evaluation changes the weights.
# :::

# %%
answer = ...
check("10.loader", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-seeds
# (Ten minutes.) A colleague seeds step `step` of run `seed` with the sum `seed + step`. Step 5 of run 0 then has the random numbers of step 4 of run 1, and of step 3 of run 2: her five runs are not five runs. Write a better one, without `SeedSequence`: a whole number from 0 to $2^{32} - 1$ that is a function of the two alone, and practically never the same for two different pairs.
# :::


# %%
def my_step_seed(seed, step):
    return ...


check("10.seeds", my_step_seed)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-write
# (Twenty minutes.) `write_safely` needs all bytes in advance. Write `save_safely(path, write)`, where `write(file)` is any function that writes into an open binary file. If `write` raises an error in the middle, the old file must be as before, nothing may be left beside it, and the error must reach the caller. Keep `flush` and `fsync`, although no check can see them.
# :::


# %%
def save_safely(path, write):
    return ...


check("10.write", save_safely)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-forge
# (Half an hour, breaking things on purpose.) You are the stranger. Write `forge(data)`: it gets the bytes of a checkpoint of ours, which holds `{"model": {"weight": a tensor}, "step": ...}`, and returns the bytes of another one, in which every weight has the opposite sign, and which `load_checkpoint` accepts without a word.
# :::


# %%
def forge(data):
    return ...


check("10.forge", forge)

# %% [markdown]
# :::{exercise}
# :label: ex-ckp-own
# (An evening.) Take a training program of your own, or one from a tutorial, and make it survive. Let it write a fingerprint at its end. Start it, kill it at random moments from a second program, start it again, until it has survived 20 kills, and compare. There is no check for this one. Expect three or four rounds, and write down each time what you had forgotten.
# :::

# %%
summary()

# %% [markdown]
# ## Summary
#
# * A run is its weights, its optimizer, its scheduler, its random numbers, and its place in the data. Forget one, and the run goes on as if nothing had happened, to another end.
# * Random numbers that are a function of run and step need no memory; then the step is the only number to keep.
# * Write to another name, flush, rename: the file on the disk is the old one or the new one. Seal it with a hash against accidents, and load nothing but tensors, against strangers.
# * "The same" can be tested: hash the weights. It holds on one machine, with the same versions and threads.
#
# Next: the network is trained, and safe on the disk. {ref}`Can it read a digit that you wrote? <ch-your-own-digit>`

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-ckp-size
# :class: dropdown
# :::
#
# Three numbers for every parameter, four bytes each. A checkpoint of Adam is three times as large as the network.

# %%
check_solution("10.size", 3 * 50_890 * 4)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-velocity
# :class: dropdown
# :::
#
# On a steady slope of 1 the velocity should be $1 + 0.9 + 0.9^2 + \dots = 10$ and is 1 at first: a tenth. After $n$ steps it is $10\,(1 - 0.9^n)$, and $0.9^n$ falls below 0.1 at $n = 22$. For 21 steps the run is slow, and then nobody can tell any more; but by then it is somewhere else.

# %%
lengths = 1 - 0.9 ** np.arange(1, 100)  # (99,), as a share of the right one
first_right = 1 + np.argmax(lengths >= 0.9)
print(f"{lengths[0]:.1f}, step {first_right}")
check_solution("10.velocity", [lengths[0], first_right])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-loader
# :class: dropdown
# :::
#
# At the beginning of each pass a `DataLoader` draws a number from the generator of PyTorch, from which the seeds of its workers would be made. It does so without workers, and without shuffling. All later dropout masks are others. With seeded steps it would not matter.

# %%
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(X_valid), batch_size=1_000, shuffle=False)
before = torch.get_rng_state()
for _ in loader:
    pass
print("unchanged:", torch.equal(before, torch.get_rng_state()))
check_solution("10.loader", "b")

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-seeds
# :class: dropdown
# :::
#
# Write both numbers down with something between them, so that (1, 23) and (12, 3) differ, and take four bytes of a hash of it. Two of a million pairs will share a seed now and then (there are only four billion), but not in step with each other.


# %%
def my_step_seed(seed, step):
    digest = hashlib.sha256(f"run {seed}, step {step}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


check_solution("10.seeds", my_step_seed)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-write
# :class: dropdown
# :::


# %%
def save_safely(path, write):
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


check_solution("10.write", save_safely)

# %% [markdown]
# Two processes that save at the same time would still write into the same `.part`; that is why `mnist_course.files.atomic_write` invents a new name each time.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-forge
# :class: dropdown
# :::
#
# Open it as anybody may, change it, save it, and compute the checksum of the result. There is nothing secret in a SHA-256. To keep a stranger out, the sum would have to be made with a key that only you have, or be published at another place, as the sums of the MNIST files are.


# %%
def forge(data):
    content = torch.load(io.BytesIO(data), weights_only=True)
    content["model"]["weight"] *= -1
    archive = io.BytesIO()
    torch.save(content, archive)
    body = archive.getvalue()[:-2] + (71).to_bytes(2, "little")
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


check_solution("10.forge", forge)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-ckp-own
# :class: dropdown
# :::
#
# What people forget, in the order in which they find out: the folder; the optimizer; the place in the middle of the epoch; the scheduler; the generator of the `DataLoader`; the running sum of the printed loss; that the file was empty when the kill came; and the running means of batch normalization, if they saved `parameters()` where they should have saved the `state_dict()`.
#
# :::{solution-end}
# :::

# %% tags=["remove-cell"]
import shutil

shutil.rmtree(folder)
