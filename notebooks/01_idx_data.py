# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-idx-data)=
# # 1. Four files of bytes
#
# Here are the first sixteen bytes of a file from the 1990s:
#
# ```text
# 00 00 08 03  00 00 ea 60  00 00 00 1c  00 00 00 1c
# ```
#
# By the end of this page you can read them aloud: *sixty thousand pictures, 28 by 28, one byte a pixel*. You will
#
# * turn four files into four arrays with nothing but the standard library and numpy,
# * know who wrote the digits, and why some of them are hard,
# * prove that not one bit of your copy is wrong,
# * and recognize most of the digits before you have learned anything about learning.
#
# About 20 minutes, without the exercises. New names: `images`, an array of shape $(N, 28, 28)$, and `labels`, of shape $(N,)$, one number for each of the $N$ pictures. (Here are {ref}`all names <notation>` of the course.)

# %% [markdown]
# ## The files
#
# MNIST is four files: pictures and *labels*, the right answers, for training, and the same for testing. The first line below finds them on your machine, or downloads them, and checks them. The rest of this page does by hand what that line did.

# %%
from mnist_course.data import load_data

digits = load_data()
print(digits.source)

# %%
import gzip

from mnist_course.data import find_file
from mnist_course.data.download import FILES


def unpacked(name):
    content = find_file(digits.folder, name).read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


files = {name: unpacked(name) for name in FILES}
for name, content in files.items():
    print(f"{name:<24} {len(content):>10,} bytes")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert [len(content) for content in files.values()] == [
        47_040_016,
        60_008,
        7_840_016,
        10_008,
    ]
    assert [file.gz_size for file in FILES.values()] == [
        9_912_422,
        28_881,
        1_648_877,
        4_542,
    ]
    zeros = files["train-images-idx3-ubyte"].count(0)
    assert 0.80 < zeros / 47_040_016 < 0.82
assert sum(map(len, files.values())) > 1_000_000

# %% [markdown]
# The files travel gzipped: 9.9 MB instead of 47 MB for the training pictures, because four pixels out of five are the same byte, zero. Gzip has a signature of its own, two bytes that are written `1f 8b` (below you learn to read such numbers), and the function above looks for it instead of trusting the name. (Gzip also notes, in its bytes 4 to 7, when the file inside was last changed: 18 November 1996 for training, 26 January 1998 for testing.)
#
# ## Sixteen bytes, read aloud
#
# Look at the sizes above: 60,008 bytes for 60,000 labels. **Guess** what the other eight could be.

# %% tags=["hide-output"]
content = files["train-images-idx3-ubyte"]
print("images:", content[:16].hex(" "))
print("labels:", files["train-labels-idx1-ubyte"][:8].hex(" "))

# %% [markdown]
# They are a **header**. The first four bytes, the *magic number*, say what follows; then comes one size for each dimension.
#
# | bytes | value | meaning |
# | --- | --- | --- |
# | 0–1 | `00 00` | always zero in this format, which is called **IDX** |
# | 2 | `08` | the type of an element: `08` is an unsigned byte, `0d` would be a 32-bit float |
# | 3 | `03` | the number of dimensions: images, rows, columns |
# | 4–7 | `00 00 ea 60` | the first size |
# | 8–11 | `00 00 00 1c` | the second size |
# | 12–15 | `00 00 00 1c` | the third size |
#
# `1c` is hexadecimal: after 9 the digits go on with `a` = 10 to `f` = 15, and each place is worth 16 times the next. So `1c` is $1 \cdot 16 + 12 = 28$, and a whole byte counts 256 times the byte after it.
#
# **Your turn.** (Two minutes, on paper.) The labels for testing begin with `00 00 08 01 00 00 27 10`. How many are there?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...
check("01.bytes", answer)

# %% tags=["hide-cell"]
check_solution("01.bytes", 0x27 * 256 + 0x10)

# %% [markdown]
# $39 \cdot 256 + 16$. The pictures for training have `ea 60` in that place. In Python, which reads `0xEA` as it is written:

# %% tags=["hide-output"]
size = int.from_bytes(content[4:8], "big")
print(0xEA * 256 + 0x60, size)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert size == 60_000
assert size == len(digits.train_labels)
assert (
    int.from_bytes(content[8:12], "big")
    == int.from_bytes(content[12:16], "big")
    == 28
)

# %% [markdown]
# The most significant byte comes first; this order is called **big-endian**. It was the order of most workstations of the 1990s. Your processor almost certainly stores numbers the other way round, *little-endian*. Read the same four bytes in that order and you get nonsense, but no error. **Guess** whether it is larger or smaller than 60,000.

# %% tags=["hide-output"]
print(f"{int.from_bytes(content[4:8], 'little'):,}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert int.from_bytes(content[4:8], "little") == 1_625_948_160

# %% [markdown]
# A reader that believed this number would ask for far too many pictures. Remember the lesson for later: a program that is wrong does not have to crash.
#
# ## Where is a pixel?
#
# After the header the pixels follow without a gap, row by row, picture by picture. So pixel $(r, c)$ of picture $i$ is the byte at offset
#
# $$ 16 + 784\,i + 28\,r + c . $$ (eq-idx-offset)
#
# In words: skip the header, skip $i$ whole pictures of $28 \cdot 28 = 784$ bytes, skip $r$ whole rows, then take $c$ steps. This order is called *row-major*.
#
# **Your turn.** (Three minutes.) Write it: the value of a pixel, from the `content` of a file of pictures.


# %% tags=["your-turn"]
def my_pixel(content, i, r, c):
    return ...


check("01.pixel", my_pixel)


# %% tags=["hide-cell"]
def pixel(content, i, r, c):
    return content[16 + 784 * i + 28 * r + c]


check_solution("01.pixel", pixel)

# %% [markdown]
# Numpy does this arithmetic for us once we tell it the shape:

# %%
import numpy as np

pixels = np.frombuffer(content, dtype=np.uint8, offset=16)  # (60000 * 784,)
images = pixels.reshape(size, 28, 28)  # (N, 28, 28)
i, r, c = 0, 14, 14
print(images[i, r, c], content[16 + 784 * i + 28 * r + c])

# %% tags=["remove-cell"]
assert images[i, r, c] == content[16 + 784 * i + 28 * r + c]

# %% [markdown]
# The same number twice. Here is a part of the first picture, as the numbers that it is:

# %%
print(
    "\n".join(" ".join(f"{p:3d}" for p in row[8:20]) for row in images[0, 5:15])
)

# %% [markdown]
# 0 is paper, 255 is ink, and the values between are the soft edges of a pen stroke. Draw them as gray levels, 0 black and 255 white (so ink is white here), and the numbers become a digit.

# %%
labels = np.frombuffer(
    files["train-labels-idx1-ubyte"], dtype=np.uint8, offset=8
)  # (N,)
print(labels[:12])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-first-digit", "caption": "The first training picture, and the label that its byte in the other file gives it."}, "image": {"alt": "A handwritten five, white on black, 28 by 28 pixels, with axes that count rows and columns"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure, ax = plt.subplots(figsize=(3.2, 3.2))
ax.imshow(images[0])
ax.set(title=f"picture 0, label {labels[0]}", xlabel="column c", ylabel="row r")
ax.grid(False)
plots.show(figure, "first digit")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert labels[0] == 5
assert (images == digits.train_images).all()
assert (labels == digits.train_labels).all()

# %% [markdown]
# {numref}`fig-first-digit` is a five, even if the bar at its top could pass for the start of a three. The label says so, and the label is all that a program will ever know about it.
#
# :::{living} bytes
# The first bytes of the file beside their pixels. Point at one or the other. Then change the last byte of the header, `1c`: every pixel is still there, and which way does the picture lean if you make it larger?
# :::
#
# ## One function for every IDX file
#
# The header tells everything that a reader needs, so one function reads all four files, and any other IDX file of bytes. `struct` is the standard library's tool for binary headers: `>` means big-endian, `3I` three unsigned 32-bit integers.

# %%
import struct


def parse_idx(content):
    ndim = content[3]
    shape = struct.unpack(f">{ndim}I", content[4 : 4 + 4 * ndim])
    elements = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * ndim)
    return elements.reshape(shape)


for name, content in files.items():
    print(f"{name:<24} {parse_idx(content).shape}")

# %% [markdown]
# Four lines, four arrays. They trust the file completely, though. **Guess** what happens when someone hands them only the first million bytes of it, as a lost connection does.

# %% tags=["hide-output"]
start = files["t10k-images-idx3-ubyte"][:1_000_000]
try:
    parse_idx(start)
except ValueError as error:
    print(error)

# %% [markdown]
# That error is true and no help: it does not say which file, nor what to do. The reader in our package knows all six element types of the format, checks the header before it believes it, and says what a tired person at midnight needs to hear:

# %%
import textwrap

from mnist_course.data import idx

try:
    idx.parse_idx(start, name="t10k-images-idx3-ubyte")
except idx.IdxError as error:
    print(textwrap.fill(str(error), 76))

# %% tags=["remove-cell"]
for content in files.values():
    assert np.array_equal(idx.parse_idx(content), parse_idx(content))

# %% [markdown]
# On the four good files the two agree in every element. (A folded cell checks it. In the notebook such cells read *The numbers of the text, checked*; if you change a line above one, it may fail: then it has done its work, run the next one.) From the next chapter on we use the package's.
#
# ## Writing is reading backwards
#
# To write IDX, turn the steps around: header, then the bytes of the array. A file of your own digits starts here.

# %%
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
idx.write_idx(folder / "three.gz", images[:3])
print(
    (folder / "three.gz").read_bytes()[:2].hex(" "),
    idx.read_idx(folder / "three.gz").shape,
)

# %% tags=["remove-cell"]
assert np.array_equal(idx.read_idx(folder / "three.gz"), images[:3])

# %% [markdown]
# The file begins with `1f 8b`, so it is gzipped, and the same three pictures come back.
#
# ## Is every bit right?
#
# Change one pixel of sixty thousand pictures. The size stays, the header stays, every program still runs. You would not notice.
#
# A **checksum** notices. SHA-256 turns any number of bytes into 64 hexadecimal digits, and nobody knows two inputs that give the same ones. We compare with the checksum of the original file:

# %%
import hashlib

content = files["train-labels-idx1-ubyte"]
print(hashlib.sha256(content).hexdigest())
print(FILES["train-labels-idx1-ubyte"].sha256)

# %% [markdown]
# **Guess** how many of the 64 digits change if one bit of one label does.

# %% tags=["hide-output"]
damaged = bytearray(content)
damaged[1000] ^= 1  # flip the lowest bit of one label
print(hashlib.sha256(damaged).hexdigest())

# %% tags=["remove-cell"]
for name, content in files.items():
    if digits.is_mnist:
        assert hashlib.sha256(content).hexdigest() == FILES[name].sha256
from datetime import datetime, timezone

original = files["train-labels-idx1-ubyte"]
sums = [hashlib.sha256(b).digest() for b in (original, bytes(damaged))]
flipped = int.from_bytes(sums[0], "big") ^ int.from_bytes(sums[1], "big")
assert 90 < bin(flipped).count("1") < 166
for part, day in [("train", "1996-11-18"), ("t10k", "1998-01-26")]:
    packed = find_file(digits.folder, f"{part}-images-idx3-ubyte").read_bytes()[
        :8
    ]
    if digits.is_mnist and packed[:2] == b"\x1f\x8b":
        seconds = int.from_bytes(packed[4:8], "little")
        assert str(datetime.fromtimestamp(seconds, timezone.utc).date()) == day

# %% [markdown]
# All but a few of the 64 digits have changed, and about half of the 256 bits, as if the sum had been drawn anew. `load_data` compares all four sums at every start. This is not pedantry: the reader of a well-known library checks a file when it downloads it, but not when it opens it, so a file that went bad on the disk is trained on without a word.
#
# ## A second opinion
#
# That library, `torchvision`, has its own reader, written by other people. If both give the same arrays, both are probably right. It wants the unpacked files in a folder `MNIST/raw`:

# %%
from torchvision.datasets import MNIST

raw = folder / "MNIST" / "raw"
raw.mkdir(parents=True)
for name, content in files.items():
    (raw / name).write_bytes(content)

theirs = MNIST(root=folder, train=True, download=False)
print(
    np.array_equal(theirs.data.numpy(), images),
    np.array_equal(theirs.targets.numpy(), labels),
)

# %% tags=["remove-cell"]
assert np.array_equal(theirs.data.numpy(), digits.train_images)
assert np.array_equal(theirs.targets.numpy(), digits.train_labels)
theirs = MNIST(root=folder, train=False, download=False)
assert np.array_equal(theirs.data.numpy(), digits.test_images)
assert np.array_equal(theirs.targets.numpy(), digits.test_labels)
import shutil

shutil.rmtree(folder)

# %% [markdown]
# Sixty thousand pictures, sixty thousand labels, no difference. `root` is the folder above `MNIST/raw`, `train` chooses the training or the test pair, and `download=True` would fetch what is missing. One more parameter, `transform`, is a matter for {ref}`the next chapter <ch-batches>`.
#
# ## Who wrote this?
#
# In the early 1990s the American standards institute NIST collected handwriting from two groups: employees of the Census Bureau and high-school students. The employees wrote neatly, the students did not, and NIST had put the neat ones into the training set and the others into the test set. For a fair comparison, LeCun and his colleagues mixed them: half of the training set and half of the test set come from each group, and nobody wrote for both sets {cite}`lecun1998gradient`. (A tutorial says that 250 people wrote the training digits. That counts the students; 289 employees come on top, by the labels of QMNIST {cite}`yadav2019cold`.) They scaled each digit into a box of 20×20 pixels and placed it by its center of mass in a field of 28×28. You will do the same to your own handwriting in {ref}`chapter 11 <ch-your-own-digit>`.
#
# The "M" stands for *modified*. Twenty years later Yadav and Bottou rebuilt the data set from NIST's originals, with the 50,000 test digits that had never been distributed {cite}`yadav2019cold`. Classifiers made slightly more mistakes on these than on the famous 10,000, a difference at the edge of chance.
#
# Here are the first twelve of each digit:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-first-look", "caption": "The first twelve training pictures of each class."}, "image": {"alt": "Ten rows of twelve handwritten digits, one row for each of the digits zero to nine, in many styles of writing"}}
rows = [images[labels == k][:12] for k in range(10)]
plots.show(plots.plot_digits(np.concatenate(rows), columns=12), "first look")

# %% [markdown]
# Look for ones that lean, sevens with and without a bar, nines with a straight and with a curled leg. A program that compares pictures pixel by pixel will have to live with that.
#
# ## Are the classes balanced?
#
# **Guess first:** if there are 60,000 digits and ten classes, how far from 6,000 is the rarest?

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-class-balance", "caption": "How many training pictures each digit has. The dashed line marks an equal share."}, "image": {"alt": "Bar chart of training pictures per digit: between 5,421 for the five and 6,742 for the one, around a dashed line at 6,000"}}
counts = np.bincount(labels, minlength=10)  # (10,)
figure, ax = plt.subplots(figsize=(6, 2.8))
bars = ax.bar(range(10), counts)
ax.bar_label(bars, label_type="center", color="white", fontsize=9)
ax.axhline(len(labels) / 10, color=plots.ORANGE, linestyle="--")
ax.set(xticks=range(10), xlabel="digit", title="training pictures per digit")
ax.grid(axis="x", visible=False)
plots.show(figure, "class balance")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert counts.argmin() == 5 and counts[5] == 5_421
    assert counts.argmax() == 1 and counts[1] == 6_742
    assert round(1000 * counts[1] / len(labels)) == 112
assert (
    counts.min() > 0.8 * len(labels) / 10
    and counts.max() < 1.25 * len(labels) / 10
)

# %% [markdown]
# Ones are the most frequent with 6,742 and fives the rarest with 5,421. The classes are close enough to equal for accuracy to mean something: a program that answers "one" every time is right for 11.2 % of the training pictures. Any result has to be compared with that number first, and not with zero.
#
# ## Ten averages and a ruler
#
# Average all pictures of a class and you get its mean picture.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-mean-digits", "caption": "The mean picture of each class."}, "image": {"alt": "Ten blurred digits from zero to nine; the zero is a sharp ring, the four and the nine look alike"}}
means = np.stack(
    [images[labels == k].mean(axis=0) for k in range(10)]
)  # (10, 28, 28)
plots.show(plots.plot_digits(means, titles=range(10)), "mean digits")

# %% [markdown]
# Where a mean picture is sharp, people agree: everybody's zero is a ring. Where it is blurred, they do not. And the mean four could be a nine.
#
# Now take a picture that nobody has seen, and ask which of the ten means is nearest, where the distance is the sum of the squared differences of the pixels. That is a classifier. This is the one time that this chapter touches the test set, the pictures that are set aside to see how a finished program does.
#
# For a picture $x$ and a mean $m$ that is $|x - m|^2 = |x|^2 - 2\, x \cdot m + |m|^2$, and $|x|^2$, the same for all ten, may be left out. So we need all products of $B$ pictures and ten means: `X @ M.T`, with a row of `X` for each picture and a row of `M` for each mean. `reshape(-1, 784)` lays each picture out as a row and counts the rows itself. And `astype(float)` is needed because bytes wrap around: as bytes, 200 + 100 is 44. **Guess** how often it will be right: one time in ten, in five, in two, or more?


# %% tags=["hide-output"]
def distances_to_means(images):
    X = images.reshape(-1, 784).astype(float)  # (B, 784)
    M = means.reshape(10, 784)  # (10, 784)
    # |x - m|² = |x|² - 2 x·m + |m|²; |x|² is the same for all ten means
    return (M**2).sum(axis=1) - 2 * X @ M.T  # (B, 10)


test_labels = parse_idx(files["t10k-labels-idx1-ubyte"])  # (N,)
test_images = parse_idx(files["t10k-images-idx3-ubyte"])  # (N, 28, 28)
predictions = distances_to_means(test_images).argmin(axis=1)  # (N,)
accuracy = (predictions == test_labels).mean()
print(f"{100 * accuracy:.1f} % of {len(test_labels):,} test pictures")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{100 * accuracy:.1f}" == "82.0"
    assert (predictions != test_labels).sum() == 1_797
assert accuracy > 0.75

# %% [markdown]
# Ten averages and a ruler. (Behind the last line stands $|x - m|^2 = |x|^2 - 2\,x \cdot m + |m|^2$; the first term is the same for all ten means, so it is left out.) Whatever a network does from here on, it has to beat that. This is why we start with a **baseline**: without it, 80 % would have looked like a success.
#
# And the two groups of writers? The first 5,000 test digits are the students', the last 5,000 the employees'. **Guess** which half you would rather be tested on, and by how much.

# %% tags=["hide-output"]
right = predictions == test_labels  # (N,)
half = len(right) // 2
students, employees = 100 * right[:half].mean(), 100 * right[half:].mean()
print(f"first half {students:.1f} %, last half {employees:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{students:.1f} {employees:.1f}" == "77.4 86.6"

# %% [markdown]
# The neat half is the easier one, for every program of this course. A result on "MNIST" is a mean over both.
#
# These are the first pictures that it gets wrong:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-nearest-mean-errors", "caption": "Test pictures that are nearer to the mean of another class than to that of their own."}, "image": {"alt": "Twenty test digits in two rows, each framed and titled with the wrong prediction and the right label"}}
wrong = np.flatnonzero(predictions != test_labels)[:20]
figure = plots.plot_predictions(
    test_images[wrong], test_labels[wrong], predictions[wrong]
)
plots.show(figure, "nearest mean errors")

# %% [markdown]
# You read nearly all of them at a glance. They are slanted, or thin, or open where the mean is closed: their pixels are in other places, and pixels in place are all that a mean knows. A better program must learn *which* pixels matter for *which* digit. {ref}`Chapter 4 <ch-softmax-regression>` keeps the form of this program, one number per pixel and class and one more per class, and learns the numbers instead of averaging them.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"nearest mean picture: {100 * accuracy:.1f} % of the test digits, nothing learned"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-idx-size
# (A minute.) How many bytes would an IDX file hold that has 100 color pictures of 32×32 pixels, with three bytes per pixel, as an array of shape (100, 32, 32, 3)?
# :::

# %%
answer = ...
check("01.size", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-idx-offset
# (Two minutes.) At which offset in `train-images-idx3-ubyte` does the byte of row 3, column 5 of the *last* of the 60,000 pictures stand?
# :::

# %%
answer = ...
check("01.offset", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-idx-ink
# (Five minutes.) Which digit uses the most ink, that is, has the largest mean pixel value over the training pictures? Guess before you compute.
# :::

# %%
guess = ...
answer = ...  # the digit, computed from images and labels
check("01.ink", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-idx-header
# (Ten minutes.) Write a function that takes a shape and returns the header of an IDX file of unsigned bytes with that shape. *Hint:* `struct.pack` is the mirror image of `struct.unpack`; it wants each number as an argument of its own (`*shape`).
# :::


# %%
def idx_header(shape):
    return ...


check("01.header", idx_header)

# %% [markdown]
# :::{exercise}
# :label: ex-idx-break
# (Ten minutes, breaking things on purpose.) Damage a copy of the test labels (`bytearray(files["t10k-labels-idx1-ubyte"])`, because `bytes` cannot be changed), as little as you can, such that `parse_idx` of this chapter returns an array without complaint, but a wrong one. How many kinds of damage can you find? Hand in the damaged bytes of one.
# :::

# %%
answer = ...  # bytes or bytearray
check("01.break", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-idx-neighbor
# (An evening.) Instead of the nearest *mean*, find the nearest *picture* among the training set and answer with its label. Set the last 5,000 training pictures aside and try it on 1,000 of them, so that the test set stays untouched. How much better does it get, and what does it cost? Then let the three nearest pictures vote, then ten. Hand in the function for the single nearest picture: it maps $(B, 784)$ pictures, $(N, 784)$ known pictures and their $(N,)$ labels to $(B,)$ predictions. *Hint:* subtracting 1,000 × 55,000 pictures from each other takes 43 GB even as bytes; the comment in `distances_to_means` shows how to avoid it.
# :::


# %%
def nearest_neighbor(X, known_X, known_labels):
    return ...


check("01.neighbor", nearest_neighbor)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * An IDX file is a magic number, one big-endian size per dimension, and the elements in row-major order. You can read and write it with ten lines.
# * A file can be wrong without looking wrong. A checksum at every load finds it; a size or a header does not.
# * A baseline comes first: always answering "one" is right for 11 %, the nearest mean picture for 82.0 % of the test digits.
#
# Next: the arrays are in memory in less than a second. Why does nearly every tutorial then spend seconds, on each trip through the data, on fetching its pictures one by one? {ref}`From arrays to batches <ch-batches>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-idx-size
# :class: dropdown
# :::
#
# Two zeros, type, number of dimensions: four bytes. Four sizes: sixteen. Then $100 \cdot 32 \cdot 32 \cdot 3$ elements of one byte.

# %%
check_solution("01.size", 4 + 4 * 4 + 100 * 32 * 32 * 3)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-idx-offset
# :class: dropdown
# :::
#
# The last picture has the index 59,999, because we count from 0.

# %%
check_solution("01.offset", 16 + 784 * 59_999 + 28 * 3 + 5)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-idx-ink
# :class: dropdown
# :::
#
# In MNIST it is the zero, not the eight. (In the practice set it may be another.) Every digit was scaled to fit the same box, and the one large loop of the zero leaves more ink in it than the two small ones of the eight.

# %%
ink = [images[labels == k].mean() for k in range(10)]
print(" ".join(f"{k}: {value:.0f}" for k, value in enumerate(ink)))
check_solution("01.ink", int(np.argmax(ink)))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert int(np.argmax(ink)) == 0

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-idx-header
# :class: dropdown
# :::


# %%
def idx_header(shape):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


check_solution("01.header", idx_header)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-idx-break
# :class: dropdown
# :::
#
# Any label byte will do: change it and the array is wrong, without a sign. So does a count that is one smaller together with a missing last label. In the pictures, claim 14×56 instead of 28×28, which keeps the product. What does *not* work is changing the count alone: `reshape` notices. All of these are caught by the checksum.

# %%
damaged = bytearray(files["t10k-labels-idx1-ubyte"])
damaged[8] = (damaged[8] + 1) % 10
check_solution("01.break", damaged)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-idx-neighbor
# :class: dropdown
# :::
#
# The trick of `distances_to_means` works here too: one matrix product replaces all the subtractions.


# %%
def nearest_neighbor(X, known_X, known_labels):
    X = np.asarray(X, dtype=np.float32)  # (B, 784)
    K = np.asarray(known_X, dtype=np.float32)  # (N, 784)
    # |x - k|² without |x|², which is the same for all k
    distances = (K**2).sum(axis=1) - 2 * X @ K.T  # (B, N)
    return known_labels[distances.argmin(axis=1)]  # (B,)


check_solution("01.neighbor", nearest_neighbor)

# %%
flat = images.reshape(-1, 784)
num_known = len(flat) * 11 // 12  # 55,000
num_valid = min(1_000, len(flat) - num_known)
valid = slice(num_known, num_known + num_valid)
found = nearest_neighbor(flat[valid], flat[:num_known], labels[:num_known])
valid_accuracy = (found == labels[valid]).mean()
print(f"{100 * valid_accuracy:.1f} % of {num_valid:,} validation pictures")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert round(1000 * (1 - valid_accuracy)) == 27
    known = labels[:num_known]
    means = np.stack(
        [flat[:num_known][known == k].mean(axis=0) for k in range(10)]
    )
    means_say = distances_to_means(images[valid]).argmin(axis=1)
    assert (means_say != labels[valid]).sum() == 148
    nearest = -(
        2
        * flat[valid].astype(np.float32)
        @ flat[:num_known].astype(np.float32).T
    )
    nearest += (flat[:num_known].astype(np.float32) ** 2).sum(axis=1)
    ten = np.argpartition(nearest, 10, axis=1)[:, :10]
    ten = np.take_along_axis(
        ten, np.take_along_axis(nearest, ten, 1).argsort(1), 1
    )
    for k in (3, 10):
        votes = [
            np.bincount(labels[row[:k]], minlength=10).argmax() for row in ten
        ]
        assert (
            abs((np.array(votes) == labels[valid]).mean() - valid_accuracy)
            <= 0.002
        )
assert valid_accuracy > 0.85

# %% [markdown]
# On these 1,000 pictures the means of the other 55,000 make 148 mistakes and the nearest neighbor 27. The price: the program carries 55,000 pictures with it and compares each new one with all of them. Networks turn this around. They are slow to train, and quick to ask. (Votes do not help here: with three or ten neighbors the result changes by a picture or two.)
#
# :::{solution-end}
# :::
