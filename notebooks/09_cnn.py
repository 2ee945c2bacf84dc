# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-cnn)=
# # 9. Images are not vectors: convolutions
#
# Take the 60,000 training digits and shuffle the pixels of each, every one by the same shuffle. You can read none of the results. The MLP of {ref}`chapter 8 <ch-overfitting>` can: trained on shuffled digits, it is right as often as before.
#
# So it never knew that they were pictures. To it, a digit is a list of 784 numbers, and any other order of the list would do. What does a network gain that *knows*? By the end of this page you can put a number on it. You will
#
# * slide a small window over a digit by hand, and get PyTorch's numbers,
# * work out on paper the shape of every layer of a published network, and find where its million parameters sit,
# * look at what its filters learned, and shift digits to see who notices,
# * change the training digits on every pass, and measure what that buys,
# * train the course's own network, with a reason for each line of its recipe, and read its worst mistakes.
#
# About 45 minutes, without the exercises. New names: channels $C$, `kernel` and its size $k$, `stride`, `padding`, `augment`. The weights `W` of a convolution have four axes here, $(O, C, k, k)$, with $O$ channels that come out.

# %% [markdown]
# ## Digits that nobody can read
#
# Five thousand of the training digits are set aside for validation, as always. `order` is one random order of the 784 pixels.

# %%
from mnist_course.data import load_data, split_train_valid, to_tensors
from mnist_course.device import pick_device

import numpy as np
import torch

device = pick_device()
digits = load_data()
images, labels = digits.train_images, digits.train_labels
X, y = to_tensors(images, labels, device)  # (N, 1, 28, 28), (N,)
train_part, valid_part = split_train_valid(len(y), num_valid=len(y) // 12)
X_valid, y_valid = X[valid_part], y[valid_part]
print(digits.source, tuple(X.shape), len(train_part), len(valid_part))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (len(train_part), len(valid_part)) == (55_000, 5_000)
    assert len(digits.train_labels) + len(digits.test_labels) == 70_000

# %%
order = np.random.default_rng(0).permutation(784)


def shuffle_pixels(X):
    return X.flatten(1)[:, order].reshape(-1, 1, 28, 28)  # (B, 1, 28, 28)


# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-shuffled-digits", "caption": "Ten training digits, and the same ten with their pixels in another order. All were shuffled alike."}, "image": {"alt": "Two rows of ten pictures: above, the handwritten digits from zero to nine; below, ten squares of scattered gray dots in which no digit can be seen"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
first = np.array([np.flatnonzero(labels == k)[0] for k in range(10)])
pairs = torch.cat([X[first], shuffle_pixels(X[first])]).cpu()  # (20, 1, 28, 28)
plots.show(plots.plot_digits(pairs), "shuffled digits")

# %% [markdown]
# The lower row of {numref}`fig-shuffled-digits` holds the same numbers as the upper one. Only their places differ, and the same pixel went to the same place in all ten.
#
# Train the MLP of chapter 8 on both, from the same starting weights. The recipe is explained at the end of this page, line by line. Until then only one thing matters: all networks of this page are trained in this way, except for the tutorial's.

# %%
from mnist_course.data import Batches
from mnist_course.device import half_precision, set_seed
from mnist_course.training import evaluate, fit
from mnist_course.training.recipes import NESTEROV, one_cycle

half = half_precision(device)


def train(make_model, X, num_epochs=1, augment=None, picked=train_part):
    set_seed(0)
    model = make_model().to(device, memory_format=torch.channels_last)
    optimizer = NESTEROV(model.parameters())
    batches = Batches(X[picked], y[picked], 128, shuffle=True)
    scheduler = one_cycle(optimizer, num_epochs * len(batches))
    fit(
        model,
        optimizer,
        batches,
        num_epochs=num_epochs,
        scheduler=scheduler,
        augment=augment,
        half=half,
        log=None,
    )
    return model


# %%
def accuracy(model, X, y):
    batches = Batches(X, y, 1000, shuffle=False)
    return 100 * evaluate(model, batches, half=half).accuracy


# %% [markdown]
# (`half` is a 16-bit number format in which some processors and most recent GPUs multiply several times as fast; where the hardware lacks it, `half` is `None` and nothing changes. `channels_last` is an order of the numbers in memory that suits convolutions. Neither changes what is computed, beyond rounding.) **Guess:** how many points does the MLP lose when the pixels are shuffled?

# %% tags=["nbval-ignore-output", "hide-output"]
from mnist_course.training import models

X_shuffled = shuffle_pixels(X)
mlp = train(models.mlp, X)
mlp_shuffled = train(models.mlp, X_shuffled)
mlp_in_place = accuracy(mlp, X_valid, y_valid)
mlp_in_disorder = accuracy(mlp_shuffled, shuffle_pixels(X_valid), y_valid)
print(f"in place {mlp_in_place:.1f} %, shuffled {mlp_in_disorder:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(mlp_in_place - 97) < 0.8 and abs(mlp_in_disorder - 97) < 0.8
    assert abs(mlp_in_place - mlp_in_disorder) < 0.7
assert mlp_in_place > 30

# %% [markdown]
# Nothing is lost, and one could have known. Look at the first layer. Each hidden unit is a sum over the pixels, and a sum does not care in which order it is added up. So take the trained network, put the *columns of its first weight matrix* into the same order, and show it shuffled digits:

# %%
import copy

twin = copy.deepcopy(mlp)
with torch.no_grad():
    twin[1].weight.copy_(mlp[1].weight[:, order])  # (512, 784)
twin.eval()
mlp.eval()
X_few = X_valid[:100]  # (100, 1, 28, 28)
with torch.no_grad():
    gap = (twin(shuffle_pixels(X_few)) - mlp(X_few)).abs().max()
print("same logits:", bool(gap < 1e-3))

# %% tags=["remove-cell"]
assert gap < 1e-3
assert tuple(twin[1].weight.shape) == (512, 784)

# %% [markdown]
# Whatever the network does with pictures, a twin does with shuffled ones. And random starting weights are as likely in one order as in another, so training finds the twin as often. To a network of dense layers, and to its training, neighbors are two pixels like any other two.
#
# ## Two things that are true of pictures
#
# You know two things that the list does not say. **Neighbors belong together**: a stroke is made of pixels that touch. And **a stroke is a stroke wherever it stands**: what helps to see a bar in the top left corner helps in the middle, too.
#
# Build both into a layer. Each unit sees one small window and nothing else. And all units use the same few weights, each on its own window. These shared weights are called a **kernel** or a **filter**, and sliding them over the picture is called a **convolution**. Networks of such layers, trained by gradients, read zip codes in 1989 {cite}`lecun1989backpropagation`; they are called CNNs. What a layer takes for granted before it has seen a single picture is its *inductive bias*. It is a bet, and at the end of this page we count what it is worth.
#
# ## One window
#
# Here is a kernel of 3×3 weights. It adds the ink of its right column and takes away that of its left. **Guess** what it says on blank paper, inside a broad stroke, and in the window below, at the left edge of one. (Pixels are scaled to 0..1 here, so paper is 0 and ink is 1.)

# %% tags=["hide-output"]
digit = images[first[7]] / 255  # (28, 28)
kernel = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]) / 3  # (3, 3)
u, v = 15, 13  # row and column
window = digit[u : u + 3, v : v + 3]  # (3, 3)
print(window.round(1))
print(f"weighted sum {(window * kernel).sum():.2f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (window * kernel).sum() > 0.3
assert (np.ones((3, 3)) * kernel).sum() == 0

# %% [markdown]
# On paper it says 0, and in the middle of a stroke as well: right and left cancel. Here paper is on the left and ink on the right, and it answers. It measures one thing: how much more ink is on the right than on the left. At a left edge that is positive, at a right edge negative. Now slide it to every place where it fits, with two plain loops:


# %%
def slide(image, kernel):
    k = len(kernel)
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    Z = np.zeros((rows, columns))
    for u in range(rows):
        for v in range(columns):
            Z[u, v] = (image[u : u + k, v : v + k] * kernel).sum()
    return Z


print(slide(digit, kernel).shape)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-one-window", "caption": "A seven with the window of the text; the kernel; its answers at every place; and the answers of the same kernel turned by 90 degrees. Red is positive, blue negative."}, "image": {"alt": "Four pictures: a handwritten seven with a small square marked on its stem; a 3 by 3 kernel with minus signs on the left and plus signs on the right; a map of the seven in which left edges of the strokes are red and right edges blue; a map in which upper edges are red and lower edges blue"}}
figure, axes = plt.subplots(1, 4, figsize=(8.8, 2.5))
plots.show_image(axes[0], digit, "digit")
corner = (v - 0.5, u - 0.5)
axes[0].add_patch(
    plt.Rectangle(corner, 3, 3, fill=False, ec=plots.ORANGE, lw=2)
)
colors = {"cmap": plots.DIVERGING, "vmin": -1, "vmax": 1}
axes[1].imshow(kernel, **colors)
for (i, j), weight in np.ndenumerate(3 * kernel):
    axes[1].text(j, i, f"{weight:+.0f}" if weight else "0", ha="center")
axes[2].imshow(slide(digit, kernel), **colors)
axes[3].imshow(slide(digit, kernel.T), **colors)
names = ("kernel, times 3", "left edges", "upper edges")
for ax, name in zip(axes[1:], names):
    ax.set_title(name, loc="center", fontsize=10)
    ax.set_axis_off()
plots.show(figure, "one window")

# %% [markdown]
# Follow the stem of the seven in {numref}`fig-one-window`: red on its left side, blue on its right, and white inside. The same nine numbers did this everywhere. Turned by 90 degrees, they find the upper and lower edges instead. Such a picture of answers is called a **feature map**.
#
# :::{living} kernel
# Change the nine weights; point at the digit or its map, and read nine products and their sum.
# :::
#
# ## All windows at once
#
# A layer has several filters, and its input may have several *channels*, for instance the maps of the layer before. A filter then has a square of weights for each input channel, and adds everything up:
#
# $$ Z_{o,u,v} = b_o + \sum_{c} \sum_{i} \sum_{j} W_{o,c,i,j} \; X_{c,\,u+i,\,v+j} $$ (eq-convolution)
#
# In words: *output channel $o$ at row $u$ and column $v$ is the window there, times the weights of filter $o$, summed over the input channels $c$ and the $k \times k$ places of the window, plus a bias*. With the function that we have, that is one `slide` for each filter and each channel:


# %%
def conv_by_slides(image, W, b):  # (C, H, W), (O, C, k, k), (O,)
    maps = []
    for filter_o, bias in zip(W, b):
        maps.append(bias + sum(slide(x, w) for x, w in zip(image, filter_o)))
    return np.stack(maps)  # (O, rows, columns)


W_few = np.random.default_rng(0).normal(size=(4, 2, 3, 3))
pair = np.stack([digit, digit.T])  # (2, 28, 28): two channels
by_slides = conv_by_slides(pair, W_few, np.zeros(4))
print(by_slides.shape)

# %% [markdown]
# Right, and slow. Numpy can show us all windows of a batch without copying a pixel, and `einsum` writes the sums as the formula does: letters that are missing on the right of the arrow are summed over. (The letter `b` in its text is the place in the batch, not the bias.)

# %%
from numpy.lib.stride_tricks import sliding_window_view


def windows(X, size, stride=1):
    views = sliding_window_view(X, (size, size), axis=(2, 3))
    return views[:, :, ::stride, ::stride]


def conv2d(X, W, b, stride=1, padding=0):
    edge = (padding, padding)
    X = np.pad(X, ((0, 0), (0, 0), edge, edge))
    views = windows(X, W.shape[2], stride)  # (B, C, rows, columns, k, k)
    Z = np.einsum("bcuvij,ocij->bouv", views, W)  # (B, O, rows, columns)
    return Z + b[:, None, None]


# %% [markdown]
# The same numbers as by slides:

# %%
print(np.allclose(conv2d(pair[None], W_few, np.zeros(4))[0], by_slides))

# %% tags=["remove-cell"]
assert np.allclose(conv2d(pair[None], W_few, np.zeros(4))[0], by_slides)

# %% [markdown]
# A *stride* lets the window jump by more than one pixel, and *padding* puts zeros around the picture, so that it also fits over the edge. PyTorch's `nn.Conv2d` is this layer. Give it ten filters, and compare:

# %% tags=["nbval-check-output"]
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
layer = nn.Conv2d(3, 10, kernel_size=5, stride=2, padding=2).double()
X_random = torch.randn(4, 3, 28, 28, dtype=torch.float64)  # (B, C, 28, 28)
W, b = (part.detach().numpy() for part in layer.parameters())
ours = conv2d(X_random.numpy(), W, b, stride=2, padding=2)
gap = np.abs(ours - layer(X_random).detach().numpy()).max()
print(W.shape, ours.shape, "equal:", gap < 1e-12)

# %% tags=["remove-cell"]
from mnist_course.by_hand import convolution

from scipy import signal

assert gap < 1e-12
assert np.allclose(
    slide(digit, kernel), signal.correlate2d(digit, kernel, "valid")
)
assert np.allclose(
    slide(digit, kernel[::-1, ::-1]), signal.convolve2d(digit, kernel, "valid")
)
one = digit[None, None]
assert np.allclose(
    conv2d(one, kernel[None, None], np.zeros(1))[0, 0], slide(digit, kernel)
)
assert np.array_equal(
    convolution.conv2d(X_random.numpy(), W, b, stride=2, padding=2), ours
)

# %% [markdown]
# (A mathematician would turn the kernel by 180 degrees before sliding it, and call what we do a *cross-correlation*. All libraries of deep learning leave the turn out and keep the name. As the weights are learned, nothing is lost: training would find the turned kernel.)
#
# ## How large is the result?
#
# A window of 5 fits into a row of 28 at 24 places: it may begin at pixel 0, 1, …, 23. In general, with $n$ pixels, a kernel of $k$, a padding of $p$ on both sides and a stride of $s$, the number of places is
#
# $$ \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 . $$ (eq-conv-size)
#
# In words: *how far the window can travel, in steps of $s$, and one more for the place where it begins*. The brackets mean rounding down, because a step that does not fit is not made.
#
# **Your turn.** (Two minutes.) Write it in Python.


# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary


def my_size(n, k, p, s):
    return ...


check("09.places", my_size)


# %% tags=["nbval-check-output", "hide-cell"]
def size_after(n, k, p=0, s=1):
    return (n + 2 * p - k) // s + 1


check_solution("09.places", size_after)

print(size_after(28, 5), size_after(28, 5, p=2), size_after(28, 5, p=2, s=2))

# %% tags=["remove-cell"]
assert [size_after(28, 5), size_after(28, 5, p=2)] == [24, 28]
for n in (5, 6, 7, 28):
    for k in (1, 2, 3, 5):
        for p in (0, 1, 2):
            for s in (1, 2, 3):
                made = F.conv2d(
                    torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), None, s, p
                )
                assert made.shape[-1] == size_after(n, k, p, s)

# %% [markdown]
# With an odd $k$ and a stride of 1, a padding of $(k-1)/2$ keeps the size; with the same padding, a stride of 2 halves it, rounded up. The second common way to halve it is **max pooling**: keep the largest number of each block of 2×2. If a filter found its edge anywhere in the block, the block says so; where exactly is forgotten.
#
# **Your turn.** (Four minutes.) Max pooling by 2 of one map `Z` $(H, W)$, with even $H$ and $W$. (`Z.reshape(H // 2, 2, W // 2, 2)` has an axis for each side of a block; or use two loops.)


# %% tags=["your-turn"]
def my_pool(Z):
    return ...  # (H // 2, W // 2)


check("09.pool", my_pool)

# %% [markdown]
# For any size, it is the same windows once more, with a stride as long as the window:


# %% tags=["nbval-check-output", "hide-cell"]
def max_pool2d(X, size):
    return windows(X, size, stride=size).max(axis=(4, 5))


check_solution("09.pool", lambda Z: max_pool2d(Z[None, None], 2)[0, 0])
block = np.array([[1.0, 5.0, 0.0], [2.0, 3.0, 9.0], [4.0, 0.0, 7.0]])
print(max_pool2d(block[None, None], 2)[0, 0], max_pool2d(ours, 2).shape)

# %% tags=["remove-cell"]
assert max_pool2d(block[None, None], 2).tolist() == [[[[5.0]]]]
assert np.array_equal(
    max_pool2d(ours, 2), F.max_pool2d(torch.from_numpy(ours), 2).numpy()
)

# %% [markdown]
# A row of three has room for one block, and the rest is dropped, as in PyTorch.
#
# ## What sharing saves
#
# Is a convolution still a linear layer? Yes: every output is a weighted sum of pixels. So there must be a matrix that does the same to the list of pixels. To find it, send pictures through that have a single pixel of 1: each answers with one column of the matrix. For pictures of 6×6 and our kernel of 3×3:

# %%
pixels = np.eye(36).reshape(36, 1, 6, 6)  # 36 pictures with one pixel each
columns = conv2d(pixels, kernel[None, None], np.zeros(1))  # (36, 1, 4, 4)
matrix = columns.reshape(36, 16).T  # (16, 36)
picture = np.random.default_rng(0).random((6, 6))
same = np.allclose(matrix @ picture.reshape(36), slide(picture, kernel).ravel())
print(matrix.shape, same)

# %% tags=["remove-cell"]
assert same and matrix.shape == (16, 36)
assert ((matrix != 0).sum(axis=1) == 6).all()  # three of the nine are 0 anyway
some_kernel = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
full = conv2d(pixels, some_kernel, np.zeros(1)).reshape(36, 16).T
assert ((full != 0).sum(axis=1) == 9).all() and len(np.unique(full)) == 10

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-conv-matrix", "caption": "The convolution as a matrix: 16 outputs (rows) by 36 pixels (columns). Red is +1/3, blue −1/3, white 0."}, "image": {"alt": "A matrix of 16 rows and 36 columns, nearly all white; in each of four groups of four rows stand six short diagonals, three blue and three red, and each group lies six pixels to the right of the one above"}}
figure, ax = plt.subplots(figsize=(7, 3.2))
ax.imshow(matrix, cmap=plots.DIVERGING, vmin=-0.4, vmax=0.4)
ax.set(xlabel="pixel", ylabel="output", xticks=range(0, 36, 6))
ax.set_yticks(range(0, 16, 4))
ax.grid(False)
plots.show(figure, "conv matrix")

# %% [markdown]
# Every row of {numref}`fig-conv-matrix` holds the same nine numbers, moved along; you see six, because the middle column of the kernel is 0. All other entries are zero because each output sees one window only. That the rows repeat is the sharing. A dense layer would have to learn each of these 576 entries on its own, and would have to learn a left edge 16 times.
#
# On a real picture the difference is large. Ten filters of 5×5 turn 28×28 pixels into ten maps of 24×24. **Guess** how many parameters that layer has, and how many a dense one between the same numbers.

# %% tags=["nbval-check-output", "hide-output"]
shared = 10 * (1 * 5 * 5) + 10
dense = (28 * 28) * (10 * 24 * 24) + 10 * 24 * 24
print(f"convolution {shared}, dense {dense:,}")

# %% tags=["remove-cell"]
assert (shared, dense) == (260, 4_521_600)
assert shared == models.count_parameters(nn.Conv2d(1, 10, 5))
assert dense == models.count_parameters(nn.Linear(784, 5760))

# %% [markdown]
# ## A tutorial's network
#
# One of our sources builds this: a convolution to 10 channels with $k = 5$, pooling, a convolution to 20 channels with $k = 3$, then two dense layers. **Guess** the shapes on paper first, with {eq}`eq-conv-size`, and where most of the parameters sit; then let a digit walk through.

# %% tags=["hide-output"]
source = models.two_conv_cnn()
Z = X[:1].cpu()  # (1, 1, 28, 28)
for layer in source:
    Z = layer(Z)
    num_parameters = models.count_parameters(layer)
    kind, shape = type(layer).__name__, " × ".join(map(str, Z.shape[1:]))
    print(f"{kind:<10} {shape:<13} {num_parameters:>9,}")

# %% tags=["remove-cell"]
assert models.count_parameters(source) == 1_007_590
assert models.count_parameters(source[6]) == 1_000_500
assert models.count_parameters(source[0]) == 260
assert models.count_parameters(source[3]) == 1_820
assert size_after(28, 5) // 2 == 12 and size_after(12, 3) == 10
assert 20 * 10 * 10 == 2_000

# %% [markdown]
# $28 - 5 + 1 = 24$; half of it is 12; $12 - 3 + 1 = 10$; and $20 \cdot 10 \cdot 10 = 2{,}000$ numbers go into the first dense layer. The tutorial has all of these right.
#
# Look at the last column. The network has 1,007,590 parameters, and 1,000,500 of them sit in one dense layer. The two convolutions, which make it what it is, have 2,080 together.
#
# The tutorial trains with Adam ({ref}`chapter 6 <ch-optimizers>`) at its default rate of 0.001, in batches of 16, for ten epochs. We keep Adam and its rate, and change two things to save time: batches of 128, and a single epoch.

# %% tags=["nbval-ignore-output"]
set_seed(0)
source = models.two_conv_cnn().to(device, memory_format=torch.channels_last)
adam = torch.optim.Adam(source.parameters(), fused=True)
batches = Batches(X[train_part], y[train_part], 128, shuffle=True)
fit(source, adam, batches, num_epochs=1, half=half, log=None)
source_accuracy = accuracy(source, X_valid, y_valid)
print(f"{source_accuracy:.1f} % of the validation digits")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 96.3 < source_accuracy < 98.8
assert source_accuracy > 20

# %% [markdown]
# 97 or 98 % after one pass, where the MLP had about 97 %. What it reaches in batches of 16 stands on the {ref}`results page <results>`, after five of its ten epochs.
#
# ## What the filters see
#
# Nobody told the ten filters what to look for. To see what they found, ask each for its answer to a horizontal bar and to a vertical one, and line them up by the difference. (`PAPER` is what paper, 0, becomes by normalizing.)

# %% tags=["nbval-ignore-output", "hide-input"]
from mnist_course.data import STD
from mnist_course.training.augment import PAPER

bar = torch.full((1, 1, 28, 28), PAPER, device=device)  # PAPER is −0.424
bar[..., 13:16, 6:22] = PAPER + 1 / STD  # full ink, three pixels thick


@torch.no_grad()
def by_lean(layers):
    # .mT exchanges rows and columns, so the bar stands upright
    answers = [layers(b)[0].mean(dim=(1, 2)) for b in (bar, bar.mT)]
    lean = answers[0] - answers[1]  # (O,), one number per filter
    return lean, lean.argsort(descending=True)  # horizontal first


lean, filter_order = by_lean(source[:3])
print(filter_order.tolist())

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert lean.max() > 0.08 and lean.min() < -0.08
    assert len(batches) == 430

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-filters-and-maps", "caption": "What 430 steps made of the first two layers. Right, from the top: the ten filters of 5×5, sorted from horizontal to vertical; their maps of the four, after ReLU and pooling; the twenty maps of the second convolution, after ReLU, sorted in the same way. Each map has a scale of its own, from black, 0, to white, its largest answer."}, "image": {"alt": "A handwritten four on the left. Beside it four rows of ten small pictures: 5 by 5 filters in red and blue; ten maps, in the first of which the crossbar of the four is brightest and in the last of which its uprights are; two rows of coarser maps in which single strokes and corners are bright"}}
shown = X[first[4]][None]  # (1, 1, 28, 28)
with torch.no_grad():
    maps_1 = source[:3](shown)[0, filter_order].cpu()  # (10, 12, 12)
    maps_2 = source[:5](shown)[0, by_lean(source[:5])[1]].cpu()  # (20, 10, 10)
filters = source[0].weight.detach()[filter_order, 0].cpu()  # (10, 5, 5)

figure, axes = plt.subplots(4, 12, figsize=(8.8, 3.1))
for ax in axes.flat:
    ax.set_axis_off()
grid = axes[0, 0].get_gridspec()
plots.show_image(figure.add_subplot(grid[1:3, :2]), shown.cpu())
limit = filters.abs().max()
for ax, picture in zip(axes[0, 2:], filters):
    ax.imshow(picture, cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
for ax, picture in zip(axes[1:, 2:].flat, [*maps_1, *maps_2]):
    ax.imshow(picture, vmin=0)
plots.show(figure, "filters and maps")

# %% [markdown]
# Start with the maps, in the second row of {numref}`fig-filters-and-maps`. The first shows the crossbar of the four and hardly its uprights; in the last it is the other way round. One likes horizontal strokes, the other vertical ones: we wrote such a pair by hand. A gray background means that the filter answers to blank paper, too. The maps of the second layer look at all ten of the first at once. They are coarser and choosier, and some answer to a single stroke.
#
# ## What it looked at
#
# How much of the digit can one number of the maps see? Ask autograd: where does its gradient reach in the picture? That region is its *receptive field*.

# %%
for name, part in {"convolution": source[:2], "both": source[:5]}.items():
    probe = torch.rand(1, 1, 28, 28, device=device, requires_grad=True)
    maps = part(probe)
    maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum().backward()
    seen = (probe.grad[0, 0] != 0).any(dim=0).sum().item()
    print(f"{name:<12} sees {seen} pixels across")

# %% tags=["remove-cell"]
assert 5 <= seen <= 10

# %% [markdown]
# Behind the first convolution 5, behind the second up to 10: each layer looks through the windows of the one before. And what in the digit does the answer hang on? Cover a patch of 7×7 with paper, at every place, and note the probability of the right answer. This is called *occlusion*. **Guess** where a four may not be covered.

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-occlusion", "caption": "Four digits, and below each the probability of the right answer when a patch of 7×7 around a place is covered with paper. Dark places are those on which the answer hangs."}, "image": {"alt": "Above, a four, an eight, a seven and a three. Below, for each a map that is mostly bright, with dark spots where covering a part of the strokes changes the answer"}}
figure, axes = plt.subplots(2, 4, figsize=(7.6, 4))
lowest = {}
for (above, below), k in zip(axes.T, (4, 8, 7, 3)):
    shown = X_valid[y_valid == k][:1]  # (1, 1, 28, 28)
    covered = shown.repeat(22 * 22, 1, 1, 1)  # (484, 1, 28, 28)
    for place in range(22 * 22):
        r, c = divmod(place, 22)
        covered[place, 0, r : r + 7, c : c + 7] = PAPER
    with torch.no_grad():
        probs = source(covered).softmax(dim=1)  # (484, 10)
    lowest[k] = probs[:, k].min().item()
    plots.show_image(above, shown.cpu())
    below.imshow(probs[:, k].reshape(22, 22).cpu(), vmin=0, vmax=1, cmap="gray")
    below.set(xticks=[], yticks=[])
    other = probs[probs[:, k].argmin()].argmax().item()
    below.set_title(f"at worst: {other}", loc="center", fontsize=10)
plots.show(figure, "occlusion")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert min(lowest.values()) < 0.5

# %% [markdown]
# In {numref}`fig-occlusion` most of each digit may be covered, one patch at a time, and the answer stays. It hangs on few places, and the titles say what is read there at worst. They are the places at which you would look, too.
#
# ## Shift a digit
#
# A convolution has a property that a dense layer has not. Shift the digit, and its maps shift along, unchanged. Shift by two rows and two columns, and compare the maps where both have values:


# %%
def shift(X, down, right):
    # left, right, top, bottom; a number below 0 cuts off
    edges = (right, -right, down, -down)
    return F.pad(X, edges, value=PAPER)  # (B, 1, 28, 28)


# %%
with torch.no_grad():
    maps = source[:2](X_few)  # (100, 10, 24, 24)
    moved_maps = source[:2](shift(X_few, 2, 2))
same = torch.allclose(moved_maps[..., 2:, 2:], maps[..., :-2, :-2], atol=1e-3)
print("maps of the shifted digits = shifted maps:", same)

# %% tags=["remove-cell"]
assert same
strided = nn.Conv2d(1, 3, 5, stride=2)
with torch.no_grad():
    maps = strided(X_few.cpu())
    moved_maps = strided(shift(X_few.cpu(), 2, 2))
assert torch.allclose(moved_maps[..., 1:, 1:], maps[..., :-1, :-1], atol=1e-4)

# %% [markdown]
# This is called **equivariance**, and it is exact. (In the interior, that is: near the border, padding disturbs it. Behind a stride or a pooling of 2 it holds for even shifts, behind two of them for multiples of four.) Many texts go on to say that a convolutional network does not care where a digit stands. **Guess** the accuracy for digits shifted by four pixels, for the MLP and for this network. Each number below is a mean over shifts up, down, left and right of the same 1,000 validation digits. (Even five pixels cut off only about 2 % of the ink.)

# %% tags=["hide-input"]
X_some, y_some = X_valid[:1000], y_valid[:1000]
distances = range(6)


def accuracy_by_shift(model):
    rows = []
    for d in distances:
        moves = (d, 0), (-d, 0), (0, d), (0, -d)
        rows.append([accuracy(model, shift(X_some, *m), y_some) for m in moves])
    return np.mean(rows, axis=1)  # (6,)


# %% tags=["nbval-ignore-output", "hide-output"]
by_shift = {
    "MLP": accuracy_by_shift(mlp),
    "tutorial's CNN": accuracy_by_shift(source),
}
print(f"{'pixels':<15}", *(f"{d:5}" for d in distances))
for name, row in by_shift.items():
    print(f"{name:<15}", *(f"{value:5.1f}" for value in row))

# %% tags=["remove-cell"]
if digits.is_mnist:
    cut = images[..., :5], images[..., -5:], images[:, :5], images[:, -5:]
    cut = [part.sum(dtype=float) / images.sum(dtype=float) for part in cut]
    assert 0.015 < np.mean(cut) < 0.025
    assert abs(by_shift["MLP"][4] - 26) < 8
    assert abs(by_shift["tutorial's CNN"][4] - 48) < 12
for row in by_shift.values():
    assert row[5] < row[0]

# %% [markdown]
# Both fall, and far. The maps did move along. But behind them stands a dense layer with weights of its own for each of 10×10 places, and it has only ever seen digits in the middle. **Convolutions carry a shift through; they do not take it away.** To become indifferent to it, a network has to forget where things are, or it has to be shown.
#
# ## Change the digits, keep the labels
#
# Show it, then. A five that is shifted by a pixel, turned by five degrees or written a little larger is still a five. So change every training digit a little, at random, each time it is used: no two passes show the same pictures. This is called **augmentation**.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-augmented", "caption": "Four training digits (left column), and nine versions of each that training may see instead."}, "image": {"alt": "Four rows of ten digits. In each row the same digit, slightly turned, slanted, larger or smaller, and shifted, always still readable as the same digit"}}
from mnist_course.training.augment import RandomAffine

augment = RandomAffine(degrees=10, scale=0.1, shear=0.1, shift=1.5)
torch.manual_seed(0)
chosen = X[first[[2, 4, 5, 9]]]  # (4, 1, 28, 28)
versions = torch.stack([chosen, *(augment(chosen) for _ in range(9))], dim=1)
plots.show(plots.plot_digits(versions.flatten(0, 1).cpu()), "augmented")

# %% tags=["remove-cell"]
assert augment == RandomAffine()
assert torch.equal(versions[:, 0], chosen)
still = RandomAffine(degrees=0, scale=0, shear=0, shift=0)
assert torch.allclose(still(chosen), chosen, atol=1e-4)

# %% [markdown]
# Each row of {numref}`fig-augmented` is one digit. `RandomAffine` draws five random numbers per picture: a turn of up to 10 degrees either way, a size between about 90 and 110 %, a slant of up to 0.1 pixels sideways per pixel of height, and a shift of up to 1.5 pixels along each axis. It then computes, for each new pixel, where in the old picture it comes from, and mixes the four pixels there. Whatever comes in from outside is paper.
#
# The rule for choosing: *the label must survive*. Six degrees are fine; 180 turn a six into a nine. Mirror a two, and nobody would call it a two.
#
# What does it buy? Suppose that you had labeled a thousand digits and no more. The course's own small network, whose parts come further down, gets 40 passes over them, as they are and changed anew each time. **Guess** how many of ten mistakes go away.

# %% tags=["nbval-ignore-output", "hide-output"]
thousand = train_part[: len(train_part) // 55]
gains = {}
print(f"{'':<10} training  validation")
for name, change in {"plain": None, "augmented": augment}.items():
    model = train(models.small_cnn, X, 40, change, picked=thousand)
    seen = accuracy(model, X[thousand], y[thousand])
    unseen = accuracy(model, X_valid, y_valid)
    gains[name] = seen, unseen
    print(f"{name:<10} {seen:6.1f} %  {unseen:8.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert len(thousand) == 1_000
    assert gains["plain"][0] > 99.8 and gains["augmented"][0] > 99
    assert 95 < gains["plain"][1] < 97.2
    assert 97.2 < gains["augmented"][1] < 98.6
    left = (100 - gains["augmented"][1]) / (100 - gains["plain"][1])
    assert 0.35 < left < 0.8
assert gains["plain"][0] > 50

# %% [markdown]
# Both know their thousand digits by heart. On digits that they have not seen, nearly half of the mistakes are gone, and nobody had to label a single digit for it.
#
# With 55,000 digits there is less to gain, because the writers have supplied most of the variety themselves. One pass over all of them, plain and augmented, and then the shifts again:

# %% tags=["nbval-ignore-output"]
plain = train(models.small_cnn, X)
augmented = train(models.small_cnn, X, augment=augment)
by_shift["small CNN"] = accuracy_by_shift(plain)
by_shift["small, augmented"] = accuracy_by_shift(augmented)
for name, model in {"plain": plain, "augmented": augmented}.items():
    unseen = accuracy(model, X_valid, y_valid)
    print(f"{name:<10} {unseen:.1f} % of the validation digits")

# %% tags=["remove-cell"]
two = [accuracy(m, X_valid, y_valid) for m in (plain, augmented)]
if digits.is_mnist:
    assert abs(two[0] - 98.8) < 0.5 and abs(two[1] - 98.8) < 0.5
    assert abs(two[0] - two[1]) < 0.6 and len(y_valid) / 1000 == 5
    assert 70 < by_shift["small CNN"][4] < 90
    assert 84 < by_shift["small, augmented"][4] < 96
    assert by_shift["small CNN"][4] - by_shift["tutorial's CNN"][4] > 15
    for d in (3, 4, 5):
        heights = [row[d] for row in by_shift.values()]
        assert heights == sorted(heights)
assert min(two) > 30


# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-shift-accuracy", "caption": "Accuracy on 1,000 validation digits against the distance by which they are shifted, mean of four directions. Above: one of the digits, shifted to the right by as many pixels."}, "image": {"alt": "Four falling curves over shifts of 0 to 5 pixels, all starting near 99 percent. At four pixels the MLP is near 25, the tutorial's network near 50, the small network near 80 and the augmented one near 90 percent. Above them six pictures of a zero that moves to the right"}}
figure, ax = plt.subplots(figsize=(7.4, 4))
styles = ("s--", "D:", "^-.", "o-")
for (name, row), style in zip(by_shift.items(), styles):
    ax.plot(distances, row, style)
    ax.annotate(name, (5.12, row[-1]), va="center")
ax.spines.left.set_bounds(0, 100)
ax.set(xlabel="shift in pixels", ylim=(0, 130), xlim=(-0.4, 7.3))
ax.set(xticks=distances, yticks=range(0, 101, 20), ylabel="accuracy in %")
zero = X_some[y_some == 0][:1]  # (1, 1, 28, 28)
for d in distances:
    inset = ax.inset_axes([d - 0.35, 104, 0.7, 26], transform=ax.transData)
    plots.show_image(inset, shift(zero, 0, d).cpu())
plots.show(figure, "shift accuracy")

# %% [markdown]
# On digits that stand where they should, augmentation has bought nothing here: nearly 99 % with and without. (A tenth of a point more or less is five digits, and a difference as small as that 5,000 digits cannot show.) What it costs is time: a little for every batch, and more passes, because it pays where the same digits come back often, as in the forty passes above. The course's best network makes 32.
#
# On shifted digits the picture is another. In {numref}`fig-shift-accuracy` the augmented network still reads about 90 % at four pixels, although no digit was shifted by more than about 1.5 along each axis in training. But look at the curve below it. The small network *without* augmentation keeps about 80 %, where the tutorial's keeps about 50. One reason is that in front of its dense layer stand maps of 3×3, where the tutorial has 10×10: it has forgotten more of where things are.
#
# ## Batch normalization
#
# The small network has a part that we have not met. Here it is, with its shapes:

# %%
small = models.small_cnn()
Z = X[:2].cpu()  # (2, 1, 28, 28)
for layer in small:
    Z = layer(Z)
    num_parameters = models.count_parameters(layer)
    kind, shape = type(layer).__name__, " × ".join(map(str, Z.shape[1:]))
    print(f"{kind:<12} {shape:<13} {num_parameters:>6,}")
print(f"{models.count_parameters(small):,} parameters")

# %% tags=["remove-cell"]
assert models.count_parameters(small) == 29_434
assert (
    round(1_007_590 / 29_434) == 34
    and models.count_parameters(small[12]) == 5_770
)

# %% [markdown]
# Three stages, each with one convolution, and a single dense layer of 5,770 parameters at the end. All together are a thirty-fourth of the tutorial's. The first convolution has a stride of 2: it computes a quarter of the places, where pooling would compute all and drop most. Pooling stands before the rest of its stage, because what comes after it then has a quarter of the work. The new part is `BatchNorm2d`.
#
# Normalizing the *input* made the valley of the loss rounder ({ref}`chapter 2 <ch-batches>`). The input of the second layer is the output of the first, and its mean and scale change with every step. **Batch normalization** {cite}`ioffe2015batch` normalizes there, too. For every channel it takes the mean $\bar z$ and the variance over the batch and over all places of the map:
#
# $$ \hat z = \frac{z - \bar z}{\sqrt{\mathrm{var}(z) + \varepsilon}} , \qquad h = \gamma \hat z + \beta . $$ (eq-batch-norm)
#
# In words: *give every channel mean 0 and variance 1 over the batch; then let training choose another scale $\gamma$ and mean $\beta$ if it wants*. Both are learned, one number each per channel, `(C,)` (this $\beta$ has nothing to do with Adam's); $\varepsilon = 10^{-5}$ keeps us from dividing by 0 where a channel is constant. A bias in the convolution before it would be subtracted again at once, so those convolutions have none. That training gets faster is beyond doubt; why it does is still debated {cite}`santurkar2018how`.


# %%
def batch_norm(Z, gamma, beta, eps=1e-5):
    axes = (0, 2, 3)  # the batch, the rows, the columns
    mean = Z.mean(dim=axes, keepdim=True)  # (1, C, 1, 1)
    # correction=0: divide by the number of values, not by one less
    variance = Z.var(dim=axes, correction=0, keepdim=True)
    Z_hat = (Z - mean) / (variance + eps).sqrt()  # (B, C, rows, columns)
    return gamma[:, None, None] * Z_hat + beta[:, None, None]


# %% [markdown]
# PyTorch calls $\gamma$ `weight` and $\beta$ `bias`. They start as 1 and 0; fill them with random numbers, so that a slip would show.

# %%
norm = nn.BatchNorm2d(16)
nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
Z = small[0](X[:64].cpu())  # (64, 16, 14, 14)
gap = (batch_norm(Z, norm.weight, norm.bias) - norm(Z)).abs().max()
print("equal:", bool(gap < 1e-4))

# %% tags=["remove-cell"]
assert gap < 1e-4
with torch.no_grad():
    normed = batch_norm(Z, torch.ones(16), torch.zeros(16))
    assert normed.mean(dim=(0, 2, 3)).abs().max() < 1e-4
biased = nn.Conv2d(1, 16, 5)
with torch.no_grad():
    before = batch_norm(biased(X[:8].cpu()), torch.ones(16), torch.zeros(16))
    biased.bias += 3
    after = batch_norm(biased(X[:8].cpu()), torch.ones(16), torch.zeros(16))
assert torch.allclose(before, after, atol=1e-3)

# %% [markdown]
# Equal; but think of what it means. The answer for one digit now depends on *which other digits are in its batch*. During training that is a little noise. When the network is used it will not do, least of all for a single picture. So the layer keeps running means of $\bar z$ and of the variance while it trains, and in evaluation mode it uses those. **Guess** what happens to a batch of nothing but ones if you forget `model.eval()`.

# %% tags=["nbval-ignore-output", "hide-output"]
ones = X_valid[y_valid == 1]
read = {}
for mode in ("train", "eval"):
    model = copy.deepcopy(augmented).train(mode == "train")
    with torch.no_grad():
        answers = [model(part).argmax(dim=1) for part in ones.split(64)]
    read[mode] = 100 * (torch.cat(answers) == 1).float().mean().item()
    print(f"{mode:<5} {read[mode]:5.1f} % of the ones are read as ones")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert read["eval"] > 98 and 35 < read["train"] < 92
model = copy.deepcopy(augmented).train()
with torch.no_grad():
    answers = [model(part).argmax(dim=1) for part in X_some.split(64)]
mixed = 100 * (torch.cat(answers) == y_some).float().mean().item()
model = copy.deepcopy(augmented).train()
with torch.no_grad():
    answers = [model(part).argmax(dim=1) for part in X_some.split(1)]
alone = 100 * (torch.cat(answers) == y_some).float().mean().item()
if digits.is_mnist:
    assert abs(mixed - by_shift["small, augmented"][0]) < 1.2
    assert mixed - 16 < alone < mixed - 1
assert mixed > 30

# %% [markdown]
# A batch of nothing but ones, normalized by its own mean, does not look like ones any more: a good part of them is misread, and none of the weights is wrong. The treacherous part is that in a well-mixed batch of 64 you would notice nothing, the accuracy is about the same in both modes. Then comes the first single picture, and several answers in a hundred more are wrong. `fit`, `evaluate` and `predict` of our package switch the mode by themselves.
#
# ## The recipe, line by line
#
# All parts are on the table. This is the network that the course is proud of, and how it is trained:

# %% tags=["hide-cell"]
best = models.best_cnn()
convolutions = [layer for layer in best if isinstance(layer, nn.Conv2d)]
print(*(f"{c.in_channels}→{c.out_channels}" for c in convolutions))
print(f"{models.count_parameters(best):,} parameters")

# %% tags=["remove-cell"]
assert [c.kernel_size[0] for c in convolutions] == [5, 3, 3, 3, 3]
assert [c.out_channels for c in convolutions] == [24, 24, 48, 48, 96]


# %%
def train_best(X, y, num_epochs):
    set_seed(0)
    model = models.best_cnn().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        fused=True,
    )
    batches = Batches(X, y, 128, shuffle=True)
    scheduler = one_cycle(optimizer, num_epochs * len(batches), warmup=0.2)
    fit(
        model,
        optimizer,
        batches,
        num_epochs=num_epochs,
        scheduler=scheduler,
        augment=RandomAffine(),
        half=half,
    )
    return model


# %% tags=["remove-cell"]
assert NESTEROV.keywords == {
    "fused": True,
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
}
assert augment == RandomAffine() and -(-60_000 // 128) == 469
wider = copy.deepcopy(small)
with torch.no_grad():
    wider[0].weight *= 2
    gap = (wider(X[:64].cpu()) - small(X[:64].cpu())).abs().max()
assert gap < 1e-2

# %% [markdown]
# * `best_cnn`: five convolutions instead of three. It is the small network, half as wide again, with a second convolution of 3×3 at 14×14 and another at 7×7. Two of 3×3 in a row see a window of 5×5 with 18 weights per pair of channels instead of 25, and there is a ReLU between them. Where maps get smaller there are more of them: 24, 48, 96.
# * `channels_last`, `fused`, `half`: speed. They change rounding only. (`fused` updates all weights in one pass over memory.)
# * `SGD` with Nesterov's momentum of 0.9: {ref}`chapter 6 <ch-optimizers>`.
# * `lr=0.1`: at most. `one_cycle` lets the rate rise from near 0 during the first fifth of the steps, and then fall to 0 in a straight line. The rise keeps the first, wild gradients from throwing the weights far off; the fall lets them settle.
# * `weight_decay=5e-4`: every step also shrinks the weights a little. In front of a batch normalization the size of a filter has no effect on the output, because it is divided out; but large filters turn more slowly, so the shrinking keeps them learning {cite}`vanlaarhoven2017l2`.
# * `128` digits per batch: large enough for the mean and variance of a channel, small enough for 469 steps per pass.
# * `RandomAffine()`: the amounts shown above; no two passes alike.
#
# What is each line worth? Leave one out, train for four passes, and count the mistakes among 10,000 validation digits, three seeds each. **Guess** which line is worth most, and which nothing.

# %% tags=["hide-cell"]
import json

from mnist_course import results

# Measured by `python -m benchmarks.ablation`: a quarter of an hour.
ablation = json.loads(results.STORED.with_name("ablation.json").read_text())
mistakes = {name: np.array(row) for name, row in ablation["mistakes"].items()}
for name, row in mistakes.items():
    print(f"{name:<24} {row.mean():.2f} ± {row.std(ddof=1):.2f} %")

# %% tags=["remove-cell"]
worth = {
    name: row.mean() / mistakes["the recipe"].mean()
    for name, row in mistakes.items()
}
assert ablation["epochs"] == 4 and len(mistakes["the recipe"]) == 3
assert max(worth, key=worth.get) in (
    "a constant lr of 0.1",
    "the same, lr 0.01",
)
assert (
    worth["a constant lr of 0.1"] > 2 and worth["no batch normalization"] > 1.4
)
for name in ("no momentum", "the small network", "1,024 digits per batch"):
    assert 1.2 < worth[name] < 1.4
for name in ("no weight decay", "no augmentation"):
    assert abs(worth[name] - 1) < 0.05

# %% [markdown]
# The rate that rises and falls is worth most: at a constant 0.1 the weights never settle, and the mistakes more than double. Without batch normalization there are half as many again (and lowering the rate to 0.01 makes that worse); momentum, the two extra convolutions and the small batches each save a quarter to a third. Weight decay and augmentation change nothing that four passes show; what they are worth in thirty-two we have not measured.
#
# All of this was chosen on validation digits. Now that the choice is made, train on all 60,000, and look at the test set. (This page was run many times while it was written; no choice was made by what those runs showed.) The full recipe makes 32 passes; its result over several seeds is on the {ref}`results page <results>`. Here is one pass.

# %% tags=["nbval-ignore-output"]
best = train_best(X, y, num_epochs=1)

# %% tags=["nbval-ignore-output"]
X_test, y_test = to_tensors(digits.test_images, digits.test_labels, device)
test_accuracy = accuracy(best, X_test, y_test)
num_wrong = round((1 - test_accuracy / 100) * len(y_test))
print(
    f"{test_accuracy:.2f} %, {num_wrong} of {len(y_test):,} test digits wrong"
)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 99.1 < test_accuracy < 99.6
    assert round(100 * np.sqrt(0.994 * 0.006 / 10_000), 2) == 0.08
assert test_accuracy > 30

# %% [markdown]
# About 99.4 %, some sixty mistakes in 10,000 digits, from 87,490 parameters and a single pass. (Which 10,000 digits happen to be in the test set is worth $\pm\sqrt{0.994 \cdot 0.006 / 10^4}$, or ±0.08 points, one standard error. Keep that in mind when two networks are compared in the second decimal.)
#
# Here are nine of the mistakes, those of which it was most certain. Read them yourself first.

# %% tags=["nbval-ignore-output", "hide-input"] mystnb={"figure": {"name": "fig-cnn-mistakes", "caption": "The nine mistakes of which the network was most certain: what it reads, and the label."}, "image": {"alt": "Nine framed test digits, each with the wrong prediction and its label; most are badly written, cut, or between two digits"}}
from mnist_course.training import predict

probs = predict(best, X_test).softmax(dim=1)  # (N, 10)
certainty, predictions = probs.max(dim=1)  # (N,), (N,)
wrong = (predictions != y_test).nonzero()[:, 0]
worst = wrong[certainty[wrong].argsort(descending=True)][:9].cpu()
figure = plots.plot_predictions(
    digits.test_images[worst],
    digits.test_labels[worst],
    predictions.cpu()[worst],
    columns=9,
)
plots.show(figure, "mistakes")

# %% tags=["remove-cell"]
second = probs.topk(2, dim=1)[1][:, 1]  # (N,)
unsure = certainty < 0.9
if digits.is_mnist:
    assert len({2130, 2597, 6576} & {*wrong.tolist()}) >= 2
    assert (second[wrong] == y_test[wrong]).float().mean() > 0.75
    assert unsure[wrong].float().mean() > 0.6
    assert 0.004 < unsure[predictions == y_test].float().mean() < 0.03

# %% [markdown]
# Cover the labels in {numref}`fig-cnn-mistakes` and try. Some are cut, some badly written, some lie between two digits; for one or two you may side with the network against the label. Other runs agree about many of them: a four with its top closed, a five that could be a three, a seven whose bar has all but vanished (test digits 2130, 2597 and 6576), in every run of this page so far at least two of these three were misread. In most of the mistakes, eight or nine of ten, the right digit was its second choice. And it tends to know: most of its wrong answers, but only one or two in a hundred of its right ones, have a probability below 0.9.
#
# ## What it is worth to know
#
# Back to the question of the beginning. Take the pixels' places away from the convolutional network, too: the same small network, the same single pass, on shuffled digits. It is still free to learn whatever it can. **Guess** how it compares with the MLP.

# %% tags=["nbval-ignore-output", "hide-output"]
cnn_shuffled = train(models.small_cnn, X_shuffled)
table = {
    "MLP": (mlp_in_place, mlp_in_disorder),
    "CNN": (
        accuracy(plain, X_valid, y_valid),
        accuracy(cnn_shuffled, shuffle_pixels(X_valid), y_valid),
    ),
}
for name, (in_place, in_disorder) in table.items():
    print(f"{name}  in place {in_place:.1f} %, shuffled {in_disorder:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    (a, b), (c, d) = table.values()
    assert abs(100 - a - 3) < 0.8 and abs(100 - b - 3) < 0.8
    assert abs(100 - c - 1.2) < 0.5 and abs(100 - d - 4) < 0.9
    assert d < b and 0.18 < (100 - c) / (100 - d) < 0.45
    assert round(models.count_parameters(mlp) / 29_434) == 18
assert table["CNN"][0] > 30

# %% [markdown]
# There is the number. The MLP misreads as many digits in whatever order their pixels come. The convolutional network, with an eighteenth of the parameters, misreads less than half as many; take the places away, and it misreads *more* than the network that assumed nothing.
#
# It has not learned a secret that the other missed. It made a bet before it saw the first digit: neighbors belong together, and a stroke is a stroke everywhere. To see what the bet is worth, compare the network with itself, the same layers from the same starting weights: with the places kept, where the bet is right, it makes about a third of the mistakes that it makes with the places shuffled, where neighbors mean nothing.
#
# A second way to count: in digits. How many examples does each network need for the same accuracy? One layer, the MLP and the small CNN learn from 300, 3,000 and 30,000 digits. **Guess** which of the nine results are about equal.

# %% tags=["hide-input"]
kinds = {
    "one layer": models.softmax_regression,
    "MLP": models.mlp,
    "CNN": models.small_cnn,
}
passes = {300: 20, 3_000: 8, 30_000: 2}


def learning_curve(make_model):
    row = []
    for size, num_epochs in passes.items():
        model = train(make_model, X, num_epochs, picked=train_part[:size])
        row.append(100 - accuracy(model, X_valid, y_valid))
    return row  # mistakes in %, (3,)


# %% tags=["nbval-ignore-output", "hide-output"]
curves = {name: learning_curve(make) for name, make in kinds.items()}
print(f"{'mistakes in %':<14}", *(f"{size:7,}" for size in passes))
for name, row in curves.items():
    print(f"{name:<14}", *(f"{value:7.1f}" for value in row))

# %% tags=["remove-cell"]
if digits.is_mnist:
    for few, many in zip(curves["CNN"], curves["MLP"]):
        assert few < 0.75 * many
    assert curves["CNN"][0] < 1.25 * curves["one layer"][2]
    assert curves["CNN"][1] < 1.2 * curves["MLP"][2]

# %% [markdown]
# Read along the diagonals of this *learning curve*. Seen as pictures, 300 digits are worth about as much as 30,000 seen as a list by one layer, and 3,000 as much as 30,000 to the MLP. A good bet replaces a lot of labels.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"five convolutions, augmented digits, one pass: "
    f"{test_accuracy:.1f} % of the test digits (one run)"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-cnn-size
# (A minute.) Pictures of 28×28 go through a convolution with $k = 7$, a stride of 2 and a padding of 3, and then through max pooling by 2. How many rows has the result?
# :::

# %%
answer = ...
check("09.size", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-lenet
# (Five minutes.) LeNet-5 {cite}`lecun1998gradient`, the network with which this data set became famous, in the form in which it is built today: 28×28, convolution to 6 channels with $k = 5$ and a padding of 2, pooling by 2, convolution to 16 channels with $k = 5$, pooling by 2, then dense layers with 120, 84 and 10 outputs, all with biases. How many parameters has it? (Build it, train it with `train`, and compare with the 0.95 % of mistakes of 1998.)
# :::

# %%
answer = ...
check("09.lenet", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-count
# (Two minutes.) How many parameters has a convolution from 32 to 64 channels with $k = 3$ and biases?
# :::

# %%
answer = ...
check("09.count", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-frame
# (Five minutes; most people guess wrong.) A blank page, normalized as everywhere in this course, so that every pixel is −0.424. It goes through `nn.Conv2d(1, 1, 3, padding=1, bias=False)`, all of whose nine weights are 1/9: a plain mean. What comes out in the top left corner?
# :::

# %%
answer = ...
check("09.frame", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-unpooled
# (Ten minutes.) Someone thinks that the small network loses too much by pooling, and takes the pooling of its *last* stage out. Look at the table of its layers above: which other row must change, and how many parameters has the network then? Predict first; then build it, and hand in the number. *Hint:* `layers = list(models.small_cnn())` is a list that you can cut and mend, and `nn.Sequential(*layers)` is a network again.
# :::

# %%
answer = ...
check("09.unpooled", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-merge
# (Half an hour, breaking things on purpose.) Take the ReLU between two convolutions out, and the second one is wasted: `slide(slide(image, first), second)` equals `slide(image, merged)` with a single larger kernel. Write the function that finds it, for square kernels of any two sizes. *Hint:* how large is `merged`? What comes out if the picture is a single 1 in a sea of zeros, wide enough that a window of that size fits all around the 1? It need not be the kernel itself.
# :::


# %%
def merge(first, second):
    return ...


check("09.merge", merge)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-turn
# (Half an hour.) Why does `RandomAffine` stop at 10 degrees? Turn the validation digits by 180 (`torch.rot90(X, 2, dims=(2, 3))`) and ask `augmented` to read them. (`best` has seen them in training.) Which digits does it still read right, and what does it take the others for? Predict the answer for every digit before you look. Then explain what training with `degrees=180` could do to the sixes and nines.
# :::
#
# :::{exercise}
# :label: ex-cnn-gradient
# (An hour.) The gradients of {eq}`eq-convolution`. Write a function that gets `dZ` (B, O, rows, columns), the gradient of the loss with respect to the output, with `X` (B, C, height, width) and `W` (O, C, k, k), and returns `dX`, `dW` and `db`, for stride 1 and no padding. *Hint:* every product $W_{o,c,i,j} X_{c,u+i,v+j}$ hands each of its two factors `dZ` at $(o, u, v)$ *times the other factor*; add up all that arrives. `dW` is one `einsum` with `windows(X, k)`. For `dX`, pad `dZ` with $k - 1$ zeros and turn the kernel.
# :::


# %%
def conv2d_gradient(dZ, X, W):
    return ...


check("09.gradient", conv2d_gradient)

# %% [markdown]
# :::{exercise}
# :label: ex-cnn-neighbors
# (An evening.) A friend gives you the shuffled digits: no labels, and not the order. Can you find out which pixels were neighbors? Write a function that takes $(N, D)$ pixels and returns, for each of the $D$ pixels, the number (0 to $D - 1$) of the other pixel whose ink is most correlated with its own, and −1 for a pixel that never changes. (The *correlation* of two pixels is the mean of the product of their values, after each has been normalized to mean 0 and standard deviation 1: near 1 if ink in one goes with ink in the other. It is not the cross-correlation from above.) *Hint:* `np.corrcoef` takes one *row* per pixel, and gives NaN for a pixel that never changes. How often is the partner a true neighbor, diagonals included? Then go on: can you put the picture together again?
# :::


# %%
def partners(pixels):
    return ...


check("09.neighbors", partners)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * A convolution is a linear layer that sees small windows and uses the same weights for all of them: 260 parameters where a dense layer has 4.5 million. You can write one in a few lines, and work out its shape: $(n + 2p - k) / s$, rounded down, plus 1.
# * Maps move along with the digit. Indifference to where it stands comes from elsewhere, such as pooling and augmentation. Change the training digits as you like, as long as the label survives.
# * Batch normalization behaves differently in training and in use; `model.eval()` decides.
# * After one pass the small network reads nearly 99 % of the validation digits, where the MLP reads about 97 %; the course's network, augmented, about 99.4 % of the test digits.
#
# Next: the full recipe makes 32 such passes, and takes its time. What if the power fails in the thirty-first? {ref}`A run that survives <ch-checkpoints>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-cnn-size
# :class: dropdown
# :::
#
# $(28 + 6 - 7) // 2 + 1 = 13 + 1 = 14$, and half of it is 7.

# %%
check_solution("09.size", size_after(28, 7, p=3, s=2) // 2)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-lenet
# :class: dropdown
# :::
#
# The maps are 28, 14, 10 and 5 wide, so $16 \cdot 5 \cdot 5 = 400$ numbers go into the first dense layer. It holds most of the parameters, here too.

# %%
lenet = nn.Sequential(
    *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
    *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
    nn.Linear(84, 10),
)
check_solution("09.lenet", models.count_parameters(lenet))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-count
# :class: dropdown
# :::
#
# Each of the 64 filters has a square of 9 weights for each of the 32 channels that come in, and one bias. The size of the picture plays no part.

# %%
check_solution("09.count", 64 * (32 * 3 * 3) + 64)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-frame
# :class: dropdown
# :::
#
# Not −0.424. In the corner, four places of the window lie on the page and five on the padding, and the padding is 0. After normalizing, 0 is not paper but a trace of ink, the mean pixel. So padding draws a gray frame around every picture.

# %%
page = torch.full((1, 1, 28, 28), PAPER)
mean_of_nine = torch.full((1, 1, 3, 3), 1 / 9)
corner = F.conv2d(page, mean_of_nine, padding=1)[0, 0, 0, 0].item()
print(f"{corner:.4f}")
check_solution("09.frame", corner)

# %% tags=["remove-cell"]
assert abs(corner - 4 / 9 * PAPER) < 1e-6 and f"{PAPER:.3f}" == "-0.424"

# %% [markdown]
# Does it hurt? Here hardly: it is the same in every picture, so it says nothing about the digit. The bias of the convolution cannot take it back, because it acts at every place alike; later layers can. They can also use it: a filter that answers to the frame knows that it stands at the edge.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-unpooled
# :class: dropdown
# :::
#
# Pooling has no parameters, and yet the number nearly doubles: the maps stay at 7×7, so the dense layer needs 64 · 49 inputs in place of 64 · 9, and its line must change. Pooling is what keeps the dense layer small.

# %%
unpooled = nn.Sequential(*(small[i] for i in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)))
unpooled.extend([nn.Flatten(), nn.Linear(64 * 7 * 7, 10)])
print(tuple(unpooled(X[:2].cpu()).shape))
check_solution("09.unpooled", models.count_parameters(unpooled))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-merge
# :class: dropdown
# :::
#
# A picture with a single 1, large enough for every window, answers with the merged kernel turned by 180 degrees: the window that has the 1 at its *end* comes first.


# %%
def merge(first, second):
    first, second = np.asarray(first), np.asarray(second)
    size = len(first) + len(second) - 1
    spark = np.zeros((2 * size - 1, 2 * size - 1))
    spark[size - 1, size - 1] = 1
    return slide(slide(spark, first), second)[::-1, ::-1]  # (size, size)


check_solution("09.merge", merge)

# %% [markdown]
# Two kernels of 3×3 make one of 5×5: the second layer has bought nothing but a larger window, as two linear layers in a row are one. What makes the depth worth its price is the ReLU.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-turn
# :class: dropdown
# :::

# %% tags=["nbval-ignore-output"]
turned = torch.rot90(X_valid, 2, dims=(2, 3))  # (5000, 1, 28, 28)
read_as = predict(augmented, turned).argmax(dim=1)
for k in range(10):
    counts = torch.bincount(read_as[y_valid == k], minlength=10)
    percent = 100 * counts / counts.sum()
    top = percent.argsort(descending=True)[:3].tolist()
    print(f"{k}:", ", ".join(f"{percent[j]:.0f} % as {j}" for j in top))

# %% tags=["remove-cell"]
shares = [
    torch.bincount(read_as[y_valid == k], minlength=10)
    / (y_valid == k).sum().item()
    for k in range(10)
]
if digits.is_mnist:
    assert min(shares[k][k] for k in (0, 1, 8)) > 0.7 and shares[5][5] > 0.5
    assert shares[6][9] > 0.6 and shares[9][6] > 0.6

# %% [markdown]
# Most zeros, ones and eights look the same upside down, and so do most fives. Sixes are read as nines and nines as sixes. Train with `degrees=180`, and the network gets nearly the same pictures with the label 6 and with the label 9. The best that it can do then is to look for the small differences between a nine and a six upside down, and to be unsure where there are none. The label did not survive. Somewhere between 10 and 180 degrees the labels stop surviving, and 10 is on the safe side.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-gradient
# :class: dropdown
# :::


# %%
def conv2d_gradient(dZ, X, W):
    k = W.shape[2]
    dW = np.einsum("bouv,bcuvij->ocij", dZ, windows(X, k))
    edge = (k - 1, k - 1)
    views = windows(np.pad(dZ, ((0, 0), (0, 0), edge, edge)), k)
    dX = np.einsum("bouvij,ocij->bcuv", views, W[:, :, ::-1, ::-1])
    return dX, dW, dZ.sum(axis=(0, 2, 3))


check_solution("09.gradient", conv2d_gradient)

# %% tags=["remove-cell"]
tests = [
    torch.randn(s, dtype=torch.float64) for s in ((2, 3, 8, 9), (4, 3, 3, 3), 4)
]
for test in tests:
    test.requires_grad_()
made = F.conv2d(*tests)
back = torch.randn_like(made)
made.backward(back)
mine = conv2d_gradient(
    back.numpy(), tests[0].detach().numpy(), tests[1].detach().numpy()
)
for test, found in zip(tests, mine):
    assert np.allclose(test.grad.numpy(), found)

# %% [markdown]
# The gradient of a convolution is two convolutions. The kernel is turned by 180 degrees in one of them: here is the mathematician's convolution after all.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-cnn-neighbors
# :class: dropdown
# :::


# %%
def partners(pixels):
    pixels = np.asarray(pixels, dtype=float)  # (N, D)
    alive = np.flatnonzero(pixels.std(axis=0) > 0)
    correlation = np.corrcoef(pixels[:, alive].T)  # (alive, alive)
    np.fill_diagonal(correlation, -2)
    found = np.full(pixels.shape[1], -1)
    found[alive] = alive[correlation.argmax(axis=1)]
    return found  # (D,)


check_solution("09.neighbors", partners)

# %%
shuffled = images[:10_000].reshape(-1, 784)[:, order]
found = partners(shuffled)
known = found >= 0
a, b = order[known], order[found[known]]  # true places of pixel and partner
rows, columns = np.abs(a // 28 - b // 28), np.abs(a % 28 - b % 28)
touching = np.maximum(rows, columns) == 1
print(f"{known.sum()} pixels, {touching.sum()} of them next to their partner")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (known.sum(), touching.sum()) == (673, 669)
assert touching.mean() > 0.5

# %% [markdown]
# 669 of the 673 pixels that change in these digits. So the shuffled digits still hold the picture, in their statistics. A network of dense layers could find it, but nothing in it makes it look. To go on, take all correlations as closeness and draw the pixels as a map, nearest partners nearest; any method that makes maps out of distances will do. The result is the picture, perhaps turned or mirrored and somewhat bent, without the pixels that never change.
#
# :::{solution-end}
# :::
