# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-batches)=
# # 2. From arrays to batches
#
# Here are two lines of Python. Both hand out the same 60,000 digits in a random order, 256 at a time (a **batch**), scaled in the same way.
#
# ```python
# for X, y in DataLoader(dataset, 256, shuffle=True): ...  # seconds
# for X, y in Batches(X_all, y_all, 256, shuffle=True): ...  # hundredths of one
# ```
#
# The first is the line of nearly every tutorial. Train the smallest model of this course with the first, and on the machine on which this page was made one pass over the digits takes more than ten times as long as with the second. The arithmetic is the same. What is the processor busy with? On the way to the answer you will
#
# * write a data set and a loader, and know which parameters of PyTorch's matter,
# * compute two famous numbers, 0.1307 and 0.3081, and see what they do to a picture and what they do not,
# * watch gradient descent stagger down a valley, and walk straight once the data are normalized,
# * see why batches are neither 1 nor 60,000 pictures large, and what happens if they come in the wrong order.
#
# About 40 minutes, without the exercises. New names: `X` $(B, 1, 28, 28)$ or $(B, 784)$, `y` $(B,)$, `batch_size` $B$, `lr` $\eta$.

# %%
from mnist_course.data import load_data

digits = load_data()
print(digits.source, digits.train_images.shape, digits.train_images.dtype)

# %% [markdown]
# ## A data set answers two questions
#
# How many examples are there? What is example number $i$? In Python these are `__len__` and `__getitem__`. `torch` is the Python name of **PyTorch**, the library that most deep learning is written in; its arrays are called *tensors*, and can do two things that numpy's cannot: lie on a GPU, and find slopes by themselves. All that it asks of a data set is an object with these two methods. `__init__` keeps what the answers need.

# %%
from torch.utils.data import Dataset


class DigitDataset(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels = images, labels
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image, label = self.images[index], int(self.labels[index])
        return (self.transform(image) if self.transform else image), label


dataset = DigitDataset(digits.train_images, digits.train_labels)
image, label = dataset[0]
print(len(dataset), image.shape, label)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert len(dataset) == 60_000 and label == 5
assert image.shape == (28, 28) and len(dataset) == len(digits.train_labels)

# %% [markdown]
# `dataset[0]` calls `__getitem__(0)`, and the five of chapter 1 comes back with its label. Nothing says where a picture has to come from: it could be read from a file at the moment when somebody asks for it.
#
# One of the tutorials from which this course grew returns the label as `torch.Tensor(label)`. **Guess** what that is for the label 5.

# %% tags=["nbval-check-output", "hide-output"]
import torch

print(torch.Tensor(5).shape, torch.tensor(5).shape)

# %% [markdown]
# With a capital T, the number is taken for a *size*: five numbers that nobody has set. With a small t it is the value. Labels need no tensor here at all, because the loader makes one.
#
# ## A transform changes one picture
#
# `torchvision` has such a class for MNIST ready. `root` names the folder, `train` chooses between the two parts, `download` may fetch what is missing, and `transform` is applied to each picture when it is asked for. We give it our verified arrays as files:

# %%
import tempfile
from pathlib import Path

from mnist_course.data.idx import write_idx

from torchvision.datasets import MNIST

root = Path(tempfile.mkdtemp())
raw = root / "MNIST" / "raw"
write_idx(raw / "train-images-idx3-ubyte", digits.train_images)
write_idx(raw / "train-labels-idx1-ubyte", digits.train_labels)
write_idx(raw / "t10k-images-idx3-ubyte", digits.test_images)
write_idx(raw / "t10k-labels-idx1-ubyte", digits.test_labels)

# %%
plain = MNIST(root, train=True, download=False, transform=None)
picture, label = plain[0]
print(type(picture).__name__, picture.size, picture.mode, label)

# %% [markdown]
# Without a transform we get an image object of the library PIL, in mode `L`, which means one byte of gray per pixel. A model needs numbers. Two transforms make them:

# %%
from torchvision import transforms

to_tensor = transforms.ToTensor()
normalize = transforms.Normalize((0.1307,), (0.3081,))

tensor = to_tensor(picture)  # (1, 28, 28)
scaled = normalize(tensor)  # (1, 28, 28)
print(tensor.dtype, tuple(tensor.shape))

# %%
row, columns = 7, slice(6, 14)
print("byte      ", *(f"{v:6d}" for v in digits.train_images[0, row, columns]))
print("ToTensor  ", *(f"{v:6.3f}" for v in tensor[0, row, columns]))
print(
    "equal by hand:", bool(torch.allclose(scaled, (tensor - 0.1307) / 0.3081))
)

# %% tags=["remove-cell"]
byte = digits.train_images[0].astype(float)
assert abs(tensor[0].numpy() - byte / 255).max() < 1e-6
assert abs(scaled[0].numpy() - (byte / 255 - 0.1307) / 0.3081).max() < 1e-5

# %% [markdown]
# `ToTensor` makes a float of each byte, divides it by 255 and puts a channel axis in front, because color pictures have three channels. (It divides only bytes; an array of floats passes through unscaled.) *Normalizing* comes next: `Normalize` subtracts its first number and divides by its second, one pair for each channel:
#
# $$ x \mapsto \frac{x - \mathit{mean}}{\mathit{std}} . $$ (eq-normalize)
#
# `Compose` does one after the other. The order matters, and the wrong one fails at the first picture:

# %% tags=["nbval-ignore-output"]
wrong_order = transforms.Compose([normalize, to_tensor])
try:
    wrong_order(picture)
except TypeError as error:
    print(error)

# %% [markdown]
# Here is the right one, as a data set of its own:

# %%
transform = transforms.Compose([to_tensor, normalize])
dataset = MNIST(root, train=True, download=False, transform=transform)
print(torch.equal(dataset[0][0], scaled))

# %% tags=["remove-cell"]
assert torch.equal(dataset[0][0], scaled)

# %% [markdown]
# ## Where 0.1307 and 0.3081 come from
#
# They are the mean and the standard deviation of all pixels of the training set. There are 47,040,000 of them, but only 256 different values, so a table of 256 counts knows everything:

# %%
import numpy as np

images = torch.from_numpy(digits.train_images)  # (N, 28, 28)
counts = torch.bincount(images.flatten(), minlength=256).numpy()  # (256,)
levels = np.arange(256) / 255  # (256,)
share = counts / counts.sum()  # (256,)

mean = (share * levels).sum()
std = np.sqrt((share * (levels - mean) ** 2).sum())
print(f"{counts.sum():,} pixels, mean {mean:.4f}, std {std:.4f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert counts.sum() == 47_040_000
    assert f"{mean:.4f} {std:.4f}" == "0.1307 0.3081"
    assert f"{100 * share[0]:.1f}" == "80.9"
    assert f"{std**2:.3f}" == "0.095"
assert abs(mean - digits.train_images.mean() / 255) < 1e-6
assert abs(std - digits.train_images[:500].std() / 255) < 0.02

# %% [markdown]
# Read the line of `std` aloud: the *variance* is the mean of the squared distances from the mean, and the standard deviation is its square root. One tutorial calls 0.3081 the variance. The variance is 0.095; dividing by it would leave a standard deviation of 3.2 instead of 1.
#
# The same tutorial says that `Normalize` maps the pixels to the range from −1 to 1. **Guess:** what becomes of paper, 0, and of full ink, 1?

# %% tags=["hide-output"]
normalized = (levels - mean) / std  # (256,)
print(f"paper {normalized[0]:.2f}, full ink {normalized[-1]:.2f}")
center = (share * normalized).sum()
spread = np.sqrt((share * (normalized - center) ** 2).sum())
print(f"mean {round(center, 3) + 0:.3f}, std {spread:.3f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{normalized[0]:.2f} {normalized[-1]:.2f}" == "-0.42 2.82"
assert normalized[0] > -1 and normalized[-1] > 1
assert abs(center) < 1e-4 and abs(spread - 1) < 1e-4

# %% [markdown]
# A mean of 0 and a standard deviation of 1 fix two numbers, not the ends of the range. They do not fix the shape either. It is often said that normalizing makes data "normally distributed". Look:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pixel-histogram", "caption": "All pixels of the training set, counted by gray level. Upper scale: before, lower scale: after normalizing. The dashed curve is the normal distribution with the same mean and standard deviation."}, "image": {"alt": "Histogram with a logarithmic count axis: a spike of 38 million at paper, a nearly flat floor of some 20,000 per gray level and a second peak near full ink; a dashed bell curve passes above the floor up to 0.8, below it from there on, and below both peaks"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure, ax = plt.subplots(figsize=(7, 3.4))
ax.bar(levels, counts, width=1 / 255, color=plots.BLUE)
bell = np.exp(-((levels - mean) ** 2) / (2 * std**2)) / (
    std * np.sqrt(2 * np.pi)
)
ax.plot(levels, bell * counts.sum() / 255, "--", color=plots.ORANGE)
ax.annotate("normal distribution", (0.33, 4e5), color=plots.ORANGE)
ax.set(yscale="log", xlabel="pixel / 255", title="pixels per gray level")
ax.grid(axis="x", visible=False)
after = ax.secondary_xaxis(
    -0.3, functions=(lambda v: (v - mean) / std, lambda z: z * std + mean)
)
after.set_xlabel("normalized pixel")
plots.show(figure, "pixel histogram")

# %% [markdown]
# The bars in {numref}`fig-pixel-histogram` are the pixels before and after: normalizing moves and stretches the ruler under them, and no bar changes. Four of five pixels are paper, the rest are spread over all grays with a second heap near full ink. That is no bell, on either ruler.
#
# Two more words that get mixed up: this step is called *standardization* or *normalization*. *Regularization*, as a third tutorial calls it, is something else, a penalty that keeps weights small ({ref}`chapter 3 <ch-scores-and-hinge>`).
#
# ## The same in one line
#
# A transform sees one picture at a time. The arithmetic does not care: it is the same for each pixel, so numpy or torch can do it for all 47 million at once.

# %%
X = (images.float() / 255 - 0.1307) / 0.3081  # (N, 28, 28)
theirs = torch.cat([dataset[i][0] for i in range(1_000)])  # (1000, 28, 28)
print(torch.equal(X[:1_000], theirs))

# %%
print(f"as bytes  {images.nbytes / 1e6:4.0f} MB")
print(f"as floats {X.nbytes / 1e6:4.0f} MB")

# %% tags=["remove-cell"]
from mnist_course import data

assert torch.equal(X[:1_000], theirs)
assert torch.equal(X[:1_000, None], data.normalize(images[:1_000]))
if digits.is_mnist:
    assert f"{images.nbytes / 1e6:.0f} {X.nbytes / 1e6:.0f}" == "47 188"
assert X.nbytes == 4 * images.nbytes

# %% [markdown]
# Equal to the last bit, for the first thousand pictures. "The data cannot all be passed at once", says a tutorial. MNIST can: it takes 47 MB as bytes and 188 MB as floats. So we prepare it once and leave it where the computing happens, on the processor or on the GPU. `to_tensors` does that, and turns the labels into the 64-bit integers that `torch` wants.

# %%
from mnist_course.data import to_tensors
from mnist_course.device import pick_device

device = pick_device()
X, y = to_tensors(digits.train_images, digits.train_labels, device)
print(X.shape, X.dtype, y.shape, y.dtype)

# %% [markdown]
# ## Before anything is trained, set some aside
#
# How good is a program? Here is the nearest neighbor from the exercises of chapter 1: it keeps pictures, and answers with the label of the most similar one. Ask it about the pictures that it keeps, and about others. **Guess** both accuracies.


# %% tags=["hide-output"]
def nearest_label(X, known_X, known_y):
    distances = torch.cdist(X.flatten(1), known_X.flatten(1))  # (B, N)
    return known_y[distances.argmin(dim=1)]  # (B,)


half = min(2_000, len(y) // 2)
known, others = slice(0, half), slice(half, 2 * half)
for name, part in {"kept": known, "other": others}.items():
    hits = nearest_label(X[part], X[known], y[known]) == y[part]
    print(f"{name:<5} pictures: {100 * hits.float().mean():.1f} % right")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.88 < hits.float().mean() < 0.94
assert (nearest_label(X[known], X[known], y[known]) == y[known]).all()
assert hits.float().mean() < 1

# %% [markdown]
# Both numbers belong to the same program. Only the second number says something about digits that it has not seen. A tutorial builds its `test_loader` from `train_dataset`: what it prints as test accuracy is of the first kind.
#
# MNIST brings a *test set*, so why set aside more? Because we choose: learning rates, batch sizes, models. Whoever tries twenty and reports the best on the test set has used the test set for training, with herself as the optimizer. So we choose on a **validation set**, cut from the training set at random, and open the test set once. (This chapter does not open it at all.)

# %%
from mnist_course.data import split_train_valid

num_valid = len(y) // 12  # 5,000 of 60,000
train, valid = split_train_valid(len(y), num_valid, seed=0)
print(len(train), len(valid), len(np.intersect1d(train, valid)))

# %%
train, valid = torch.from_numpy(train), torch.from_numpy(valid)
X_train, y_train = X[train], y[train]
X_valid, y_valid = X[valid], y[valid]

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (len(train), len(valid)) == (55_000, 5_000)
    pixels = digits.train_images[train.numpy()]
    assert abs(pixels.mean() / 255 - 0.1307) < 3e-4
    assert abs(pixels.std() / 255 - 0.3081) < 3e-4
    assert f"{100 * (0.98 * 0.02 / 5_000) ** 0.5:.1f}" == "0.2"
assert len(torch.cat([train, valid]).unique()) == len(y)

# %% [markdown]
# No index is in both. The split is a shuffled `range(60_000)` cut in two, and the *seed* makes it the same on every machine. 5,000 digits are enough to see an accuracy of 98 % to about ±0.2 points (one *standard error*, $\sqrt{0.98 \cdot 0.02 / 5000}$: by about so much the result would vary from one draw of 5,000 digits to the next). Two models that differ by less than twice that may well be equally good. Validation and test pictures are normalized with the two numbers of the *training* data: a pixel must mean the same to the model everywhere.
#
# ## Why normalize: a valley and a bowl
#
# A network has thousands of parameters and a page two dimensions. So here is the smallest model with a weight and a bias: guess each pixel $t$ from the one before it, $x$, in reading order, as $wx + b$. We take the 784,000 pixels of the first thousand digits.

# %%
pixels = digits.train_images[:1_000].ravel() / 255
x, t = pixels[:-1], pixels[1:]  # (N,), (N,): a pixel and the next one
print(f"{len(x):,} pairs")

# %% [markdown]
# The loss is half the mean squared error of the guesses,
#
# $$ L(w, b) = \frac{1}{2N} \sum_{i=1}^{N} (w x_i + b - t_i)^2 . $$ (eq-two-parameter-loss)
#
# By the chain rule its slope in $w$ is the mean of error times input, and its slope in $b$ is the mean error. **Gradient descent** starts somewhere and takes steps against the slope, each as long as the slope times a *learning rate* $\eta$.
#
# **Your turn.** (Two minutes, without the computer.) You stand at $w = 1$ and $b = 0$, the slopes are 0.2 and −0.1, and the learning rate is 0.5. Where are you after one step?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...  # [w, b]
check("02.step", answer)

# %% tags=["hide-cell"]
check_solution("02.step", [1 - 0.5 * 0.2, 0 - 0.5 * -0.1])

# %% [markdown]
# In code:


# %%
def loss_at(w, b, x, t):
    return ((w * x + b - t) ** 2).mean() / 2


def gradient_at(w, b, x, t):
    error = w * x + b - t  # (N,)
    return (error * x).mean(), error.mean()  # dw, db


def descend(w, b, x, t, lr, num_steps):
    path = [(w, b)]
    for _ in range(num_steps):
        dw, db = gradient_at(w, b, x, t)
        w, b = w - lr * dw, b - lr * db
        path.append((w, b))
    return np.array(path)  # (num_steps + 1, 2)


# %% [markdown]
# How long may a step be? {ref}`Chapter 6 <ch-optimizers>` derives it from how steep the valley is along its steepest and its flattest direction. Here the two numbers are an instrument; the code that finds them is folded.


# %% tags=["hide-cell"]
def curvatures(X):
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    return np.linalg.eigvalsh(A.T @ A / len(A))[::-1]  # (D + 1,)


steep, flat = curvatures(x)
print(f"{steep / flat:.1f} times as steep across as along")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{steep / flat:.1f}" == "11.1"
H = np.array([[(x * x).mean(), x.mean()], [x.mean(), 1]])
assert np.allclose(np.linalg.eigvalsh(H), [flat, steep])
h = 1e-4  # finite differences of the loss give the gradient
dw, db = gradient_at(0.3, -0.2, x, t)
rise = loss_at(0.3 + h, -0.2, x, t) - loss_at(0.3 - h, -0.2, x, t)
assert np.isclose(dw, rise / (2 * h), rtol=1e-5)
rise = loss_at(0.3, -0.2 + h, x, t) - loss_at(0.3, -0.2 - h, x, t)
assert np.isclose(db, rise / (2 * h), rtol=1e-5)
assert steep / flat > 3

# %% [markdown]
# Across it is eleven times as steep as along. A step that is good for the flat direction would overshoot in the steep one, so the steep one decides how long a step may be, and the flat one has to live with it. Now do it: the same guess to start from, the best $\eta$ for each, before and after normalizing. **Guess** what the path looks like on either side.


# %% tags=["hide-input"]
def best_lr(x):
    return 2 / curvatures(x).sum()


def normalized_start(w, b):  # the same guesses, in normalized units
    return w, (w * mean + b - mean) / std


xn, tn = (x - mean) / std, (t - mean) / std
valley = descend(-0.7, 0.9, x, t, best_lr(x), 30)  # (31, 2)
bowl = descend(*normalized_start(-0.7, 0.9), xn, tn, best_lr(xn), 30)


# %% tags=["hide-input"]
def loss_surface(w, b, x, t):
    parabola = (w**2 * (x * x).mean() + b**2 + (t * t).mean()) / 2
    return (
        parabola + w * b * x.mean() - w * (x * t).mean() - b * t.mean()
    )  # as w and b


# %% tags=["remove-cell"]
for point in [(-0.7, 0.9), (0.8, 0.0), (2.0, -1.0)]:
    assert np.isclose(loss_surface(*point, x, t), loss_at(*point, x, t))
    there = normalized_start(*point)
    assert np.isclose(
        loss_at(*there, xn, tn) * std**2, loss_at(*point, x, t), rtol=1e-6
    )


# %% tags=["hide-input"]
def draw_descent(ax, path, x, t):
    best = path[-1]  # the minimum, to within a pixel of the figure
    reach = 1.2 * np.abs(path[0] - best).max()
    w_grid, b_grid = np.meshgrid(
        *(c + np.linspace(-reach, reach, 201) for c in best)
    )
    height = loss_surface(w_grid, b_grid, x, t) - loss_surface(*best, x, t)
    steps = height.max() / 2.0 ** np.arange(10, -1, -1)
    ax.contourf(
        w_grid, b_grid, height, steps, cmap="Blues", norm="log", alpha=0.5
    )
    ax.contour(w_grid, b_grid, height, steps, colors="white", linewidths=1)
    ax.plot(*path.T, "o-", color=plots.ORANGE, linewidth=1.5, markersize=4)
    ax.plot(*best, "k*", markersize=12)
    ax.annotate("start", path[0], (6, 4), textcoords="offset points")
    ax.set(xlabel="weight w", ylabel="bias b", aspect="equal")
    ax.grid(False)


# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-contours", "caption": "The loss of the two-parameter model, and gradient descent on it with the best learning rate for each. Both paths start from the same guesses; the star marks the minimum. From one contour to the next one inward the loss, measured from its minimum, halves."}, "image": {"alt": "Two contour plots. Left, pixels 0 to 1: a long, tilted elliptical valley in which the path jumps from side to side more than a dozen times. Right, normalized: concentric circles, and the path goes from the start to the center in one straight step"}}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.9))
draw_descent(axes[0], valley, x, t)
draw_descent(axes[1], bowl, xn, tn)
for ax, name, inputs in zip(
    axes, ["pixels 0 to 1", "normalized"], [x, xn], strict=True
):
    steep, flat = curvatures(inputs)
    ax.set_title(f"{name}: {steep / flat:.1f} times as steep across")
plots.show(figure, "contours")


# %% tags=["hide-cell"]
def distances(path, x, t):
    H = [[(x * x).mean(), x.mean()], [x.mean(), 1]]
    minimum = np.linalg.solve(H, [(x * t).mean(), t.mean()])
    gaps = np.linalg.norm(path - minimum, axis=1)
    return gaps / gaps[0]


in_valley, in_bowl = distances(valley, x, t), distances(bowl, xn, tn)
print("steps to 1 %:", (in_valley > 0.01).sum(), "and", (in_bowl > 0.01).sum())

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (in_valley > 0.01).sum() == 26  # 0..25: within 1 % after 26 steps
    assert (in_bowl > 0.01).sum() == 2 and in_bowl[1] < 0.013
    steep, flat = curvatures(x)
    assert np.isclose((steep - flat) / (steep + flat), 10 / 12, rtol=0.01)
    sides = (
        valley[:15]
        @ np.linalg.eigh([[(x * x).mean(), x.mean()], [x.mean(), 1]])[1][:, 1]
    )
    assert (np.diff(np.sign(np.diff(sides))) != 0).all()  # from side to side
assert (in_valley > 0.01).sum() > 2 * (in_bowl > 0.01).sum()

# %% [markdown]
# Put your finger on the left path of {numref}`fig-contours`: it crosses the valley at every step and creeps along it. Until 1 % of the distance is left, it takes 26 steps. On the right every direction is equally steep, so downhill points at the minimum, and the first step leaves about 1 %. The guesses at the start are the same, and so is the data; only zero and unit of the pixels differ, and with them $b$.
#
# Which half of the cure does more, the shift or the scale? **Guess**, and guess, too, how the bytes do that some programs train on.

# %% tags=["hide-output"]
preparations = {  # what is subtracted, what is divided by
    "bytes 0 to 255": (0, 1 / 255),
    "pixels 0 to 1": (0, 1),
    "only shifted": (mean, 1),
    "only scaled": (0, std),
    "normalized": (mean, std),
}
for name, (shift, scale) in preparations.items():
    steep, flat = curvatures((x - shift) / scale)
    print(f"{name:<15} lr below {2 / steep:7.5f}", end="  ")
    print(f"steep / flat {steep / flat:7.1f}")

# %% tags=["remove-cell"]
kappa = {}
for name, (shift, scale) in preparations.items():
    steep, flat = curvatures((x - shift) / scale)
    kappa[name] = steep / flat
if digits.is_mnist:
    assert round(kappa["bytes 0 to 255"], -2) == 8_400
    assert [f"{k:.1f}" for k in list(kappa.values())[1:]] == [
        "11.1",
        "10.7",
        "2.3",
        "1.0",
    ]
assert kappa["normalized"] < kappa["pixels 0 to 1"] < kappa["bytes 0 to 255"]
assert kappa["normalized"] < 1.1

# %% [markdown]
# The scale does more. A mean of 0 stops weight and bias from pulling at each other; a standard deviation of 1 makes their scales alike. Either alone leaves a valley, both together make a bowl. On bytes every learning rate above 0.0003 explodes.
#
# ## And with 784 pixels?
#
# That was a model in which one shift and one scale are all that can be wrong. A real model looks at 784 pixels, which differ from each other. What does normalizing buy there? Train a small model for one pass and see. `nn.Linear` computes ten scores from 784 pixels, `cross_entropy` turns scores and labels into a loss, and `optimizer.step()` is a step of gradient descent. The next chapters open these boxes one by one; here they are instruments.

# %%
import torch.nn.functional as F
from torch import nn


def new_model():
    linear = nn.Linear(784, 10, device=device)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.Flatten(), linear)


def one_pass(model, batches, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for X, y in batches:
        loss = F.cross_entropy(model(X.to(device)), y.to(device))  # ()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% [markdown]
# Three ways to prepare the pixels, three learning rates, and the loss on the validation digits after one pass. A model that gives every digit the same probability has the loss $\log 10 = 2.30$. **Guess** which learning rate is the best for pixels from 0 to 1, and which for normalized ones.

# %% tags=["nbval-ignore-output", "hide-output"]
from mnist_course.data import Batches

lrs, table = [0.00001, 0.1, 1.0], {}
print(f"{'learning rate':<15}", *(f"{lr:9g}" for lr in lrs))
for name in ["bytes 0 to 255", "pixels 0 to 1", "normalized"]:
    shift, scale = preparations[name]
    inputs = (images.to(device) / 255 - shift) / scale  # (N, 28, 28)
    inputs_train = inputs[train]
    for lr in lrs:
        model = new_model()
        one_pass(model, Batches(inputs_train, y_train, 256, shuffle=True), lr)
        with torch.no_grad():
            loss = F.cross_entropy(model(inputs[valid]), y_valid)
        table[name, lr] = loss.item()
    print(f"{name:<15}", *(f"{table[name, lr]:9.2f}" for lr in lrs))

# %% tags=["remove-cell"]
del inputs, inputs_train
if digits.is_mnist:
    assert lrs[0] == 0.00001 and table["bytes 0 to 255", 0.1] > 100
    good = [("bytes 0 to 255", 0.00001), ("pixels 0 to 1", 1.0)]
    good = [table[key] for key in [*good, ("normalized", 0.1)]]
    assert 0.27 < min(good) < max(good) < 0.4
    assert max(good) < 1.2 * min(good)
    assert table["pixels 0 to 1", 0.1] > 1.2 * table["normalized", 0.1]
    assert table["normalized", 1.0] > 1.2 * table["normalized", 0.1]
    assert table["pixels 0 to 1", 0.00001] > 2.2
    assert table["normalized", 0.00001] > 2.2
assert table["bytes 0 to 255", 0.1] > table["normalized", 0.1]

# %% [markdown]
# Each row has a learning rate that works, and those three results are close, all between 0.3 and 0.4. So normalizing does not make this model much better. It makes 0.1, an ordinary learning rate, a good choice. With the raw bytes the same 0.1 ends at a loss of hundreds or more, and the right one is ten thousand times smaller. That inputs with a mean of 0 and a common scale suit gradient descent was worked out long ago {cite}`lecun1998efficient`.
#
# ## A loader cuts batches
#
# A `DataLoader` walks through a data set and stacks $B$ examples at a time. These are its parameters that you will meet:
#
# | parameter | meaning |
# | --- | --- |
# | `dataset` | any object with `__len__` and `__getitem__` |
# | `batch_size` | $B$, the examples per batch; 1 if you say nothing |
# | `shuffle` | whether to draw a new random order for each pass; `False` if you say nothing |
# | `drop_last` | whether to leave out the last batch if it is not full; fine in training with shuffling, where other digits are left out each time, wrong in an evaluation |
# | `num_workers` | how many processes prepare batches beside the main one; 0 means that it does so itself |

# %%
from torch.utils.data import DataLoader

loader = DataLoader(dataset, batch_size=256, shuffle=True)
X_batch, y_batch = next(iter(loader))
print(X_batch.shape, y_batch.shape, y_batch.dtype)
print(f"{len(loader)} batches, the last of {len(dataset) % 256}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert len(loader) == 235 and len(dataset) % 256 == 96
    assert abs(X_batch.mean()) < 0.1 and abs(X_batch.std() - 1) < 0.1
assert X_batch.shape == (256, 1, 28, 28) and y_batch.shape == (256,)
assert len(DataLoader(dataset, batch_size=256, drop_last=True)) == (
    len(loader) - (len(dataset) % 256 > 0)
)

# %% [markdown]
# 60,000 is not a multiple of 256, so the 235th batch has only 96 digits. That matters when you average: the mean of the batch means is not the mean over the digits.
#
# Workers pay when an example takes long to prepare, such as a large photograph that must be unpacked. Starting them takes time, every batch has to be sent from process to process, and a script that uses them needs the guard `if __name__ == "__main__":` on most systems.
#
# Make it a habit to look at one batch before you train. Here is what is in the first one, and in that of a program which defines the whole `transform` and then passes on only `ToTensor()`, as one of the tutorials does:

# %%
forgotten = MNIST(root, train=True, transform=to_tensor)
for name, data_set in {"ours": dataset, "forgotten": forgotten}.items():
    torch.manual_seed(0)
    first, _ = next(iter(DataLoader(data_set, batch_size=256, shuffle=True)))
    print(f"{name:<10} mean {first.mean():5.2f}  std {first.std():.2f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(first.mean() - 0.13) < 0.02 and abs(first.std() - 0.31) < 0.02
assert first.mean() > 0 and first.max() <= 1

# %% [markdown]
# Both programs run, and both learn something. A mean near 0 and a standard deviation near 1 say that the transform has happened.
#
# ## Why not one at a time, why not all at once?
#
# The *gradient* is the list of the slopes in all 7,850 parameters. The gradient of a batch is a poll: it asks $B$ digits and hopes that they speak for all. As in any poll, four times as many answers halve the noise ({ref}`chapter 6 <ch-optimizers>` measures it). That is a law of diminishing returns: a batch of all 55,000 has no noise at all, and is 215 times the work of a batch of 256.
#
# So the same number of digits buys many rough steps or few exact ones. **Guess** which is the better bargain: batches of 8, of 64, of 512, of 4,096, or all 55,000 in a single step? One pass over the training digits each, with a learning rate that suits the size.

# %% tags=["nbval-ignore-output", "hide-output"]
import time

best_lrs = {8: 0.01, 64: 0.03, 512: 0.1, 4096: 0.1, len(y_train): 0.1}
results = {}
for batch_size, lr in best_lrs.items():
    model, begun = new_model(), time.perf_counter()
    batches = Batches(X_train, y_train, batch_size, shuffle=True)
    one_pass(model, batches, lr)
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        hits = model(X_valid).argmax(dim=1) == y_valid  # (B,)
    results[batch_size] = 100 * hits.float().mean().item(), seconds
    print(
        f"B {batch_size:6,}  {len(batches):5,} steps  {seconds:5.2f} s"
        f"  {results[batch_size][0]:.1f} % right"
    )

# %% tags=["remove-cell"]
if digits.is_mnist:
    correct = {size: share for size, (share, _) in results.items()}
    assert abs(correct[8] - 91) < 2 and abs(correct[64] - 90.8) < 2
    assert abs(correct[512] - 90) < 2 and abs(correct[4096] - 86) < 3
    assert abs(correct[55_000] - 73.5) < 3
    steps = {size: -(-len(y_train) // size) for size in results}
    assert steps[8] == 6_875 and steps[512] == 108
assert results[8][0] > results[len(y_train)][0] - 5

# %% [markdown]
# The single exact step comes last. Batches of 8 and 64 come first, with the same digits. But eight at a time takes more than ten times as long as 512, because every step has a fixed price, whatever its size, and one at a time would take another eight times as many steps. The bargains lie between 64 and 512; four tutorials take 16, 64, 64 and 256. Memory is no reason here: all digits at once fit. Steps are.
#
# ## The order of examples
#
# Batches should be fair samples. What if the digits come sorted, first all zeros, then all ones, up to the nines? **Guess** the accuracy, and what the model answers most.

# %% tags=["hide-output"]
sorted_by_label = y_train.argsort(stable=True)  # (N,)
orders = {
    "sorted": Batches(
        X_train[sorted_by_label], y_train[sorted_by_label], 256, shuffle=False
    ),
    "shuffled": Batches(X_train, y_train, 256, shuffle=True),
}
for name, batches in orders.items():
    model = new_model()
    one_pass(model, batches, lr=0.1)
    with torch.no_grad():
        answers = model(X_valid).argmax(dim=1)  # (B,)
    right = 100 * (answers == y_valid).float().mean()
    print(f"{name:<9} {right:.1f} % right, answers 0 to 9:")
    print(" " * 9, *answers.bincount(minlength=10).tolist())

# %% tags=["remove-cell"]
model = new_model()
one_pass(model, orders["sorted"], lr=0.1)
with torch.no_grad():
    sorted_answers = model(X_valid).argmax(dim=1)
sorted_right = 100 * (sorted_answers == y_valid).float().mean()
if digits.is_mnist:
    assert sorted_right < 45 and abs(right - 90.5) < 2
    assert (sorted_answers == 9).float().mean() > 0.5
    assert sorted_answers.bincount(minlength=10).argmax() == 9
assert sorted_right < 60 and right > sorted_right + 10
del orders

# %% [markdown]
# Same digits, same model, same number of steps. Each batch pulls the model toward its own digit, and the nines pull last.
#
# A tutorial warns that `shuffle` must not be `True` for sequential data. That mixes up two orders. The words *within* a sentence or the rows within a picture keep their order in any loader, because they are one example. The order *of* the examples is what gets shuffled, and for training that is what you want, unless one example continues the one before.
#
# One trip through all examples is an **epoch**, and the next epoch needs a new order. We make the order a function of two numbers, the seed and the epoch:


# %%
def order_of(seed, epoch, num_examples):
    return np.random.default_rng((seed, epoch)).permutation(num_examples)


for epoch in [0, 1, 0]:
    print("epoch", epoch, order_of(0, epoch, len(y))[:6])

# %% tags=["remove-cell"]
assert np.array_equal(order_of(0, 5, 99), order_of(0, 5, 99))
assert not np.array_equal(order_of(0, 5, 99), order_of(0, 6, 99))
assert not np.array_equal(order_of(0, 5, 99), order_of(1, 5, 99))

# %% [markdown]
# Epoch 1 has another order than epoch 0, and epoch 0 can be had again at any time. A run that was interrupted after epoch 4 can go on with the very batches of epoch 5. With one random generator that runs through all epochs, you would have to save its state as well.
#
# ## Ten lines instead of a loader
#
# Everything is in place: normalized tensors where the computing happens, and an order. A batch is one indexing operation.
#
# **Your turn.** (Four minutes.) Write it: batch number $k$, counted from 0, of pictures `X` and labels `y`, in the given `order` $(N,)$ of their indices. The last batch may be shorter.


# %% tags=["your-turn"]
def my_batch(X, y, order, batch_size, k):
    return ...  # X of the batch, y of the batch


check("02.batch", my_batch)


# %% tags=["hide-cell"]
def batch_of(X, y, order, batch_size, k):
    picked = order[k * batch_size : (k + 1) * batch_size]  # (B,)
    return X[picked], y[picked]


check_solution("02.batch", batch_of)

# %% [markdown]
# An object that yields one after the other, in a new order for each epoch:


# %%
class TinyBatches:
    def __init__(self, X, y, batch_size, seed=0):
        self.X, self.y, self.batch_size = X, y, batch_size
        self.seed, self.epoch = seed, 0

    def __iter__(self):
        order = order_of(self.seed, self.epoch, len(self.y))
        self.epoch += 1
        order = torch.from_numpy(order).to(self.y.device)  # (N,)
        for picked in order.split(self.batch_size):  # (B,)
            yield self.X[picked], self.y[picked]


# %% [markdown]
# Does every example come exactly once in an epoch? Number the examples, hand the numbers in as labels, and see what comes out:

# %%
numbers = torch.arange(len(y), device=device)
batches = TinyBatches(X, numbers, batch_size=256)
seen = torch.cat([number for _, number in batches])  # (N,)
print(torch.equal(seen.sort().values, numbers), seen[:6].tolist())

# %% tags=["remove-cell"]
assert torch.equal(seen.sort().values, numbers)
assert seen[:6].tolist() == order_of(0, 0, len(y))[:6].tolist()
part = X[:1_100], y[:1_100], 256
tiny, ours = TinyBatches(*part), Batches(*part, shuffle=True)
for _ in range(2):
    for one, other in zip(tiny, ours, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])

# %% [markdown]
# It does, and in the order of the cell above. `Batches` of our package is this class with a `shuffle` parameter, a length and error messages; a hidden cell compares the two, batch by batch, over two epochs.
#
# ## Where the time goes
#
# Now the question of the first paragraph. Three ways to get batches of 256, first alone, then with the training of our small model around them, in turns, so that whatever else this machine is doing disturbs all of them. The first two are measured on a part of the digits, or this page would take minutes. **Guess** how many times as long the first one takes, alone and with training.


# %%
def load_only(batches):
    for batch in batches:
        _, y = batch
    return y[0].item()  # asking for a number makes a GPU finish first


def train_too(batches):
    model = new_model()
    one_pass(model, batches, lr=0.1)
    return model[1].bias[0].item()


def microseconds(function, argument, num_examples):
    begun = time.perf_counter()
    function(argument)
    return 1e6 * (time.perf_counter() - begun) / num_examples


# %%
from torch.utils.data import Subset, TensorDataset

some = min(4_000, len(y))
tensors = TensorDataset(X[:some].cpu(), y[:some].cpu())
ways = {
    "DataLoader, a transform per picture": Subset(dataset, range(some)),
    "DataLoader, finished tensors": tensors,
}
ways = {k: DataLoader(v, 256, shuffle=True) for k, v in ways.items()}
ways["Batches"] = Batches(X, y, 256, shuffle=True)

# %% tags=["nbval-ignore-output", "hide-output"]
rounds = {name: [] for name in ways}
for _ in range(3):
    for name, batches in ways.items():
        count = len(y) if name == "Batches" else some
        alone = microseconds(load_only, batches, count)
        rounds[name].append((alone, microseconds(train_too, batches, count)))

print(f"{'microseconds per digit':<38} loading  with training")
median = {name: np.median(pairs, axis=0) for name, pairs in rounds.items()}
for name, (alone, whole) in median.items():
    print(f"{name:<38} {alone:7.1f} {whole:14.1f}")

# %% tags=["nbval-ignore-output", "hide-output"]
usual, ours = median["DataLoader, a transform per picture"], median["Batches"]
loading, whole = usual / ours
print(f"loading: {loading:.0f} times, whole pass: {whole:.0f} times")

# %% tags=["remove-cell"]
import sys


def count_calls(batches):  # of all functions, for one batch
    def note(frame, event, argument):
        nonlocal num_calls
        num_calls += event in ("call", "c_call")

    num_calls, before = 0, sys.getprofile()
    sys.setprofile(note)
    try:
        next(iter(batches))
    finally:
        sys.setprofile(before)
    return num_calls


calls = {name: count_calls(batches) for name, batches in ways.items()}
assert calls["DataLoader, a transform per picture"] > 256 * 20
assert calls["DataLoader, a transform per picture"] > 20 * calls["Batches"]
assert (
    calls["DataLoader, finished tensors"]
    < calls["DataLoader, a transform per picture"] / 5
)

# %% [markdown]
# So what is the processor busy with? Take the usual way apart, and time its stages alone on two thousand digits.

# %%
some = min(2_000, len(y))
pictures = [plain[i][0] for i in range(some)]
floats = [to_tensor(picture) for picture in pictures]

stages = {
    "wrap in a picture": lambda _: [plain[i] for i in range(some)],
    "ToTensor": lambda _: [to_tensor(p) for p in pictures],
    "Normalize": lambda _: [normalize(t) for t in floats],
}
costs = {
    name: np.median([microseconds(stage, None, some) for _ in range(3)])
    for name, stage in stages.items()
}
costs["all else"] = max(usual[0] - sum(costs.values()), 0)
costs["train"] = max(ours[1] - ours[0], 0)  # with training, less loading

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-time-per-digit", "caption": "Microseconds per digit, on the machine that made this page. The first three stages are timed alone; *all else* is what the loader takes besides: choosing, calling, stacking."}, "image": {"alt": "Two stacked horizontal bars. The upper, picture by picture, is long: a wrapper, ToTensor and Normalize take most of it, training a sliver at the end. The lower, Batches, is hardly longer than that sliver"}}
figure, ax = plt.subplots(figsize=(7, 2.6))
colors = [plots.GRAY, plots.BLUE, plots.GREEN, plots.PINK, plots.ORANGE]
left = 0.0
for (name, price), color in zip(costs.items(), colors, strict=True):
    ax.barh(1, price, left=left, color=color, edgecolor="white", label=name)
    left += price
ax.barh(0, ours[0], color="black", edgecolor="white", label="pick rows")
ax.barh(0, costs["train"], left=ours[0], color=plots.ORANGE, edgecolor="white")
ax.set_yticks([1, 0], ["picture by picture", "Batches"])
ax.set(xlabel="microseconds per digit")
ax.grid(axis="y", visible=False)
figure.legend(loc="outside upper center", ncols=3, fontsize=10)
plots.show(figure, "time per digit")

# %% tags=["remove-cell"]
import shutil

shutil.rmtree(root)

# %% [markdown]
# {numref}`fig-time-per-digit` is the answer. Each digit, every time it comes, is wrapped in a picture object, unwrapped, copied, divided, shifted and stacked, in many small calls, and a call costs more than the arithmetic on 784 numbers that it asks for. In the next epoch all of it happens again, with the same result. Do it once for all digits, and the training is all that is left.
#
# The middle row of the table says who is *not* to blame: a `DataLoader` over finished tensors asks for one example at a time, too, and is quick. Use the picture-by-picture way where it belongs, with data that do not fit in memory, or that must be changed at random each time. And measure before you believe that you need it.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"{kappa['pixels 0 to 1']:.1f} times as steep across, normalized "
    f"{kappa['normalized']:.1f}; one pass: {right:.1f} % right"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell.
#
# :::{exercise}
# :label: ex-batches-count
# (A minute.) 55,000 digits, batches of 128: how many batches are there in an epoch, and how many digits are in the last one? Hand in both numbers, as a list.
# :::

# %%
answer = ...
check("02.count", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-noise
# (Two minutes.) The gradient of a batch of 256 is too noisy for you. You want a tenth of its noise. How large must the batch be? Hand in its size, and think what it costs, compared with the 55,000 training digits.
# :::

# %%
answer = ...
check("02.noise", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-undo
# (Ten minutes.) To look at what a model saw, you need the way back: a function that takes normalized pictures, $(B, 1, 28, 28)$ floats, and returns the bytes that they were, $(B, 28, 28)$ of type `torch.uint8`. Every byte must be right. The check tries all 256.
# :::


# %%
def to_bytes(X):
    return ...


check("02.undo", to_bytes)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-invert
# (Ten minutes.) Somebody scans the digits as they were written, dark on white: every pixel is $1 - x$. No information is lost, and the range is still 0 to 1. Predict first: will the valley on the left of {numref}`fig-contours` become rounder, longer, or stay as it is? `curvatures(x)` gives two numbers, how steep it is across and along. Compute how many times as steep it is across for the inverted pixels, and hand it in.
# :::

# %%
prediction = ...
answer = ...
check("02.invert", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-own
# (Fifteen minutes, breaking things on purpose.) Why one pair of numbers for all pixels? Give each of the 784 pixels its own: subtract from each its mean over all 60,000 pictures (in `images.flatten(1).float() / 255`), and divide by its standard deviation. Look at what comes out. In how many of the 784 positions is it not a number? Hand in how many, then repair it.
# :::

# %%
answer = ...
check("02.own", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-file
# (Half an hour.) A data set too large for memory stays in its file. Write one that opens a raw, unzipped IDX file of pictures of 28×28 and one of labels, and reads a picture, `(28, 28)` bytes, with its label, an `int`, at the moment when it is asked for. Chapter 1 has the formula ({eq}`eq-idx-offset`). *Hint:* `file.seek(offset)`, then `file.read(784)`.
# :::


# %%
class FileDataset(Dataset):
    def __init__(self, images_path, labels_path):
        self.images_path, self.labels_path = images_path, labels_path

    def __len__(self):
        return ...

    def __getitem__(self, index):
        return ...


check("02.file", FileDataset)

# %% [markdown]
# :::{exercise}
# :label: ex-batches-loader
# (An evening.) Make a `DataLoader` nearly as fast as `Batches`. It may ask its data set only once per batch, for all $B$ examples. Write a function that takes `X`, `y` and a batch size, and returns such a loader, with a new random order in each epoch. *Hint:* read about `batch_size=None` and `BatchSampler` in the documentation of `torch.utils.data`. Then measure yours with `microseconds`, beside the others. Afterwards, in a script with a `__main__` guard, find out how long the preparation of one picture must take (`time.sleep` in a `transform`) before `num_workers=2` pays on your machine.
# :::


# %%
def fast_loader(X, y, batch_size):
    return ...


check("02.loader", fast_loader)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * You can write a `Dataset` and a loader, know what the usual parameters do, and check in one line whether a transform has happened.
# * 0.1307 and 0.3081 are the mean and the standard deviation of the training pixels. They center and scale; they change neither the shape of the distribution nor the information in it. They let weights and biases learn at one pace.
# * A batch is a poll: noise falls with the square root of its size. It must be drawn fairly, so shuffle the training digits, and set some aside for choosing.
# * What does not change from epoch to epoch is best done once.
#
# Next: the batches are ready. How do 784 numbers become ten scores, and what makes a score good? {ref}`Scores, and how wrong they are <ch-scores-and-hinge>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-batches-count
# :class: dropdown
# :::
#
# $429 \cdot 128 = 54{,}912$ digits fill 429 batches, and 88 are left for one more.

# %%
check_solution("02.count", [-(-55_000 // 128), 55_000 % 128])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-noise
# :class: dropdown
# :::
#
# The obvious answer is ten times as large. But noise falls with the square *root* of $B$, so it takes $10^2 = 100$ times as many digits: nearly half the training set, for every single step. There is another way to the same end: a hundred steps with a hundredth of the learning rate. They average the noise of a hundred batches, and look at equally many digits.

# %%
check_solution("02.noise", 256 * 10**2)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-undo
# :class: dropdown
# :::
#
# Run {eq}`eq-normalize` backwards. The trap is the last step: converting a float to an integer cuts off what is behind the point, and 237.99998 becomes 237. So round first.


# %%
def to_bytes(X):
    pixels = (X * 0.3081 + 0.1307) * 255  # (B, 1, 28, 28)
    return pixels.round().to(torch.uint8)[:, 0]  # (B, 28, 28)


check_solution("02.undo", to_bytes)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-invert
# :class: dropdown
# :::
#
# Longer: about three times. The spread of the pixels has not changed, but their mean is now 0.87 instead of 0.13, and the mean is what makes weight and bias pull at each other. Normalize with the new mean, and the bowl is back.

# %%
steep, flat = curvatures(1 - x)
print(f"{steep / flat:.1f}")
check_solution("02.invert", steep / flat)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 2.8 < steep / flat / kappa["pixels 0 to 1"] < 3.4
    assert f"{1 - x.mean():.2f} {x.mean():.2f}" == "0.87 0.13"
inverted = (1 - x - (1 - x).mean()) / (1 - x).std()
assert np.isclose(curvatures(inverted)[0], curvatures(inverted)[1])
assert steep / flat > kappa["pixels 0 to 1"]

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-own
# :class: dropdown
# :::
#
# Corners of the picture are never inked: their mean is 0, their standard deviation is 0, and 0/0 is not a number. One NaN in the input is enough to turn every score into NaN. The repair: divide by `std.clamp(min=0.1)` instead. The smallest deviation must not be tiny either, or a single speck of ink in a corner would enter the model with a value in the hundreds. That is a good reason to leave all pixels their common unit.

# %%
flat_images = images.flatten(1).float() / 255  # (N, 784)
own = (flat_images - flat_images.mean(dim=0)) / flat_images.std(dim=0)
num_broken = own.isnan().any(dim=0).sum()
print(int(num_broken))
check_solution("02.own", num_broken)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert num_broken == 67
    assert own.nan_to_num().max() > 200
assert num_broken > 0
del own, flat_images

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-file
# :class: dropdown
# :::
#
# The file is opened anew for each example, which is slow and safe: an open file cannot be shared by the worker processes of a loader. `np.memmap` is a faster way to the same end.


# %%
class FileDataset(Dataset):
    def __init__(self, images_path, labels_path):
        self.images_path, self.labels_path = images_path, labels_path

    def __len__(self):
        return Path(self.labels_path).stat().st_size - 8

    def read(self, path, offset, size):
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def __getitem__(self, index):
        picture = self.read(self.images_path, 16 + 784 * index, 784)
        label = self.read(self.labels_path, 8 + index, 1)[0]
        return np.frombuffer(picture, dtype=np.uint8).reshape(28, 28), label


check_solution("02.file", FileDataset)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-batches-loader
# :class: dropdown
# :::
#
# With `batch_size=None` a loader passes on what its data set returns, without stacking. And what the sampler yields becomes the index: here a whole list.


# %%
from torch.utils.data import BatchSampler, RandomSampler


class WholeBatches(Dataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, indices):  # a list of B indices
        return self.X[indices], self.y[indices]


def fast_loader(X, y, batch_size):
    examples = WholeBatches(X, y)
    lists = BatchSampler(RandomSampler(examples), batch_size, drop_last=False)
    return DataLoader(examples, sampler=lists, batch_size=None)


check_solution("02.loader", fast_loader)

# %% tags=["nbval-ignore-output"]
fast = microseconds(load_only, fast_loader(X, y, 256), len(y))
print(f"{fast:.1f} microseconds per digit, Batches {ours[0]:.1f}")

# %% tags=["remove-cell"]
assert (
    count_calls(fast_loader(X, y, 256))
    < calls["DataLoader, a transform per picture"] / 20
)

# %% [markdown]
# Nearly as fast as `Batches`: the loader was never the trouble. What it is asked to do for each picture was, and the rest was asking for one example at a time. As for the workers: two of them can at best halve the time of the preparation, and they add the time of sending each batch. That pays only where the preparation of a picture takes much longer than sending it.
#
# :::{solution-end}
# :::
