# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-scores-and-hinge)=
# # 3. Scores, and how wrong they are: a linear classifier
#
# A program looks at a photo of a cat. It gives 3.2 points to *cat*, 5.1 to *car* and −1.7 to *frog*. So it is wrong. *How* wrong? We want one number, and then a way to make it smaller.
#
# On this page that number gets a formula, and the formula a slope. Following the slope turns 7,850 zeros into a program that reads more than nine out of ten digits. You will
#
# * turn a picture into ten scores, with one template for each digit,
# * work out the hinge loss of three photos by hand, and find the mistake in a tutorial that did the same,
# * derive the gradient of that loss by counting, and check it in two ways,
# * train a linear support vector machine with numpy alone, and watch what a penalty on the weights does to it.
#
# About 35 minutes, without the exercises. New names: `W` $(K, D)$, `b` $(K,)$, `scores` $(B, K)$, `dW` $(K, D)$, `lr`, `weight_decay`.

# %% [markdown]
# ## A picture is a row of numbers
#
# {ref}`Chapter 1 <ch-idx-data>` ended with arrays of bytes. We set one twelfth of the training pictures aside, chosen at random, for decisions that we have to take on the way.

# %%
from mnist_course.data import load_data, split_train_valid

import numpy as np

digits = load_data()
images = digits.train_images  # (N, 28, 28)
labels = digits.train_labels.astype(np.int64)  # (N,)
train, valid = split_train_valid(len(labels), len(labels) // 12)
print(f"{len(train):,} pictures to learn from, {len(valid):,} to choose by")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (len(train), len(valid)) == (55_000, 5_000)
assert len(train) + len(valid) == len(labels)

# %% [markdown]
# A picture is a matrix of 28×28 numbers. Write its rows one after the other and it becomes a single row of 784. Divide by 255, and 0 is paper and 1 is ink.


# %%
def as_rows(images):
    return images.reshape(-1, 784) / 255  # (B, 784)


X_valid, y_valid = as_rows(images[valid]), labels[valid]
print(X_valid.shape, X_valid.min(), X_valid.max())

# %% [markdown]
# The row has forgotten who was whose neighbor: number 28 was right below number 0. Nothing in this chapter will miss that; a later one will.
#
# {ref}`Chapter 2 <ch-batches>` went on to subtract the mean and to divide by the standard deviation. We leave that out here. Then paper stays exactly 0, and you will be able to *see* what the program has learned.
#
# ## Ten templates, ten scores
#
# A **linear classifier** holds one *template* for every class: a weight for each pixel, and one more number, the *bias*. With $K = 10$ classes and $D = 784$ pixels, the templates are the rows of a matrix $W$ $(K, D)$, the biases a vector $b$ $(K,)$, and the **scores** of a picture $x$ $(D,)$ are
#
# $$ z = W x + b . $$ (eq-linear-scores)
#
# In words: lay a template over the picture, multiply pixel by pixel, add everything up, add the bias. Do so for all classes; the largest score is the answer.
#
# **Your turn.** (Three minutes, by hand.) A picture has four pixels, $x = (1, 0, 0, 1)$: ink in the top left and in the bottom right corner. Three classes hold a weight for each pixel, and a bias. What are the three scores, and which class wins?
#
# | class | weights | bias |
# | --- | --- | --- |
# | diagonal | 1, −1, −1, 1 | 0 |
# | column | 1, −1, 1, −1 | 0.5 |
# | row | 1, 1, −1, −1 | −0.5 |

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...  # [diagonal, column, row]
check("03.four", answer)

# %% tags=["hide-cell"]
W_four = np.array([[1, -1, -1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])  # (3, 4)
print(W_four @ [1, 0, 0, 1] + [0, 0.5, -0.5])
check_solution("03.four", W_four @ [1, 0, 0, 1] + [0, 0.5, -0.5])

# %% [markdown]
# The diagonal wins, because all of its ink lies where its template has a plus.
#
# :::{living} four
# Turn the four weights of the first template. What is the least that you have to change until the column wins for the diagonal's picture? (The loss is that of the next section.)
# :::
#
# Now 784 pixels. (The color photos of the CIFAR-10 collection have $32 \cdot 32 \cdot 3 = 3{,}072$ numbers each, so there $W$ is 10×3,072 {cite}`krizhevsky2009learning`. Nothing else changes.)
#
# You already know one such classifier. In chapter 1 the nearest mean picture won, that is, the smallest $|x - m|^2 = |x|^2 - 2\,m \cdot x + |m|^2$. Since $|x|^2$ is the same for all ten means $m$, this is the largest $m \cdot x - \frac{1}{2} |m|^2$: a score, with $m$ for a template and $-\frac{1}{2}|m|^2$ for a bias.

# %%
W = np.stack(
    [as_rows(images[train[labels[train] == k]]).mean(axis=0) for k in range(10)]
)  # (10, 784)
b = -0.5 * (W**2).sum(axis=1)  # (10,)
print("numbers to choose:", W.size + b.size)

# %% [markdown]
# For a batch, one picture a row, formula {eq}`eq-linear-scores` becomes the first line of this cell. For a closer look we take the first picture of a one that is read as a one.

# %%
scores = X_valid @ W.T + b  # (5000, 10)
read_as_one = scores.argmax(axis=1) == 1  # (5000,)
i = np.flatnonzero(read_as_one & (y_valid == 1))[0]
first, runner_up = scores[i].argsort()[::-1][:2]  # largest, second
print("scores:", scores[i].round(1))
print("largest:", first, "  label:", y_valid[i])

# %% tags=["remove-cell"]
assert W.size + b.size == 7_850
assert first == scores[i].argmax() == y_valid[i] == 1

# %% [markdown]
# Look inside two of the ten: the largest score and the one after it.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-score-products", "caption": "One validation picture, two templates, and the products pixel by pixel. Each score is the sum of 784 products, plus the bias."}, "image": {"alt": "Two rows of three gray pictures: the same digit, the mean picture of a class, and their product; the product with the template of its own class is brighter"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure, axes = plt.subplots(2, 3, figsize=(5.4, 4))
for row, k in zip(axes, [first, runner_up], strict=True):
    products = X_valid[i] * W[k]  # (784,)
    plots.show_image(row[0], X_valid[i], "picture x")
    plots.show_image(row[1], W[k], f"× template {k}")
    total = f"sum {products.sum():.1f}, bias {b[k]:.1f}\nscore "
    total += f"{scores[i, k]:.1f}"
    plots.show_image(row[2], products, total)
plots.show(figure, "score products")

# %% tags=["remove-cell"]
assert np.isclose((X_valid[i] * W[1]).sum() + b[1], scores[i, 1])
if digits.is_mnist:
    assert b.argmax() == 1 and W.sum(axis=1).argmin() == 1

# %% [markdown]
# In {numref}`fig-score-products` the stroke runs along the middle of template 1 and meets the other template only in places. The bias makes up for templates that hold a lot of ink, and costs the one least, which holds least: without it, a fat template would win too often. **Guess** how many of the validation pictures these ten templates read.

# %% tags=["hide-output"]
accuracy = (scores.argmax(axis=1) == y_valid).mean()
print(f"{100 * accuracy:.1f} % of {len(valid):,} validation pictures")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(accuracy - 0.80) < 0.02
assert accuracy > 0.75

# %% [markdown]
# Those were 7,850 *parameters*, numbers that training may change, and nobody has tuned them. There are better ones. To search for them we need a measure of how wrong the present ones are. *Accuracy*, the share of right answers, will not do: move one weight a little, and most likely not a single answer changes. It is a staircase, and a staircase has no slope that says where down is.
#
# ## How wrong is one answer?
#
# Back to the cat. Here are the scores of three photos. The right class of each is set in bold.
#
# | | photo of a cat | photo of a car | photo of a frog |
# | --- | --- | --- | --- |
# | score of *cat* | **3.2** | 1.3 | 2.2 |
# | score of *car* | 5.1 | **4.9** | 2.5 |
# | score of *frog* | −1.7 | 2.0 | **−3.1** |
#
# We make a demand: the right class shall lead every other class by at least 1. Each class that comes closer costs what is missing. With $z_j$ for the score of class $j$ and $y$ for the right class,
#
# $$ L = \sum_{j \ne y} \max(0,\; z_j - z_y + 1) . $$ (eq-hinge)
#
# In words: for each *wrong* class, take its score, minus the right score, plus 1; if that is negative, take 0; add up. This is the **hinge loss** for several classes, in the form of Weston and Watkins {cite}`weston1999support` (who set the margin to 2; only its unit differs). The 1 is called the *margin*. A linear classifier trained with this loss, and with a penalty that comes further down, is a *linear support vector machine*, SVM for short.
#
# The cat: *car* costs $5.1 - 3.2 + 1 = 2.9$, and *frog* costs nothing, because $-1.7 - 3.2 + 1 = -3.9$ is negative. Together 2.9. The car: $1.3 - 4.9 + 1$ and $2.0 - 4.9 + 1$ are both negative, so its loss is 0.
#
# **Your turn.** (Three minutes, on paper.) The frog is yours. What is its loss?

# %% tags=["your-turn"]
answer = ...
check("03.frog", answer)

# %% tags=["hide-cell"]
check_solution("03.frog", (2.2 + 3.1 + 1) + (2.5 + 3.1 + 1))

# %% [markdown]
# The same with numpy. In the cell, two lists as an index go in step: row 0 with column 0, row 1 with column 1, row 2 with column 2, so we get the right score of each photo. `[:, None]` stands these three up as a column, so that each row has its own number subtracted.

# %% tags=["nbval-check-output"]
three_scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
three_labels = np.array([0, 1, 2])  # cat, car, frog

right_scores = three_scores[np.arange(3), three_labels]  # (3,)
gaps = three_scores - right_scores[:, None] + 1  # (3, 3)
print(gaps.round(1))

# %% [markdown]
# One row per photo. On the diagonal each right class is compared with itself, which always gives the margin, 1. The sum leaves it out. **Guess** their mean.

# %% tags=["nbval-check-output", "hide-output"]
terms = np.maximum(0, gaps)  # (3, 3)
terms[np.arange(3), three_labels] = 0
print(terms.sum(axis=1).round(1), "  mean", terms.sum(axis=1).mean().round(2))

# %% tags=["remove-cell"]
assert np.allclose(terms.sum(axis=1), [2.9, 0, 12.9])
assert round(terms.sum(axis=1).mean(), 2) == 5.27
assert np.allclose(gaps[2], [6.3, 6.6, 1]) and np.allclose(gaps[0, 2], -3.9)
assert np.allclose(gaps[1], [-2.6, 1, -1.9])

# %% [markdown]
# One of the tutorials from which this course grew prints 10.9 for the frog. If you got that as well, look at its three intermediate results:
#
# | term | it prints | right |
# | --- | --- | --- |
# | $-1.7 - 3.2 + 1$ | −0.39 | −3.9 |
# | $2.2 - (-3.1) + 1$ | 5.3 | 6.3 |
# | $2.5 - (-3.1) + 1$ | 5.6 | 6.6 |
#
# In the first a decimal point has moved; no harm done, since both numbers are negative. In the other two the margin is lost on the way: $2.2 + 3.1$ is 5.3 *before* adding the 1. The slip is older than the tutorial: the slides of Stanford's CS231n had it in 2016 {cite}`cs231n2016slides` and mended it a year later {cite}`cs231n2017slides`. Whoever computes along finds it in a minute.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-hinge", "caption": "What one wrong class costs, against its lead over the right class. The six marks are the six comparisons of the three photos."}, "image": {"alt": "A line at zero up to a lead of minus one, where it bends upward with slope one like a hinge; three marks lie on the flat part, one at a lead of 1.9 costs 2.9, two at 5.3 and 5.6 cost 6.3 and 6.6"}}
lead = np.linspace(-6, 6.5, 200)
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(lead, np.maximum(0, lead + 1), color=plots.GRAY)
for row, (name, style) in enumerate(
    [("cat", "o"), ("car", "s"), ("frog", "D")]
):
    wrong = np.arange(3) != row
    points = gaps[row, wrong] - 1, terms[row, wrong]
    ax.plot(*points, style, markersize=8, label=f"photo of a {name}")
ax.axvline(0, color=plots.GRAY, linewidth=0.8, linestyle="--")
ax.set(xlabel="$z_j - z_y$, lead of a wrong class", ylabel="cost")
ax.legend()
plots.show(figure, "hinge")

# %% [markdown]
# {numref}`fig-hinge` shows where the name comes from. The bend is at −1, not at 0: between the two a picture is answered correctly and still pays, because the lead is too thin. And the slip is a confusion of axes: 5.3 and 5.6 are where the frog's marks stand from left to right, not how high they are.
#
# Here it is for a batch, as a mean over the pictures, together with PyTorch's version:


# %% tags=["nbval-check-output"]
def hinge_loss(scores, labels, margin=1.0):
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + margin  # (B, K)
    terms = np.maximum(0, gaps)  # (B, K)
    terms[rows, labels] = 0  # the right class is not compared with itself
    return terms.sum(axis=1).mean()


import torch
import torch.nn.functional as F

Z_three, y_three = torch.tensor(three_scores), torch.tensor(three_labels)
print(f"ours             {hinge_loss(three_scores, three_labels):.3f}")
print(f"PyTorch          {F.multi_margin_loss(Z_three, y_three):.3f}")
print(f"PyTorch, times K {3 * F.multi_margin_loss(Z_three, y_three):.3f}")

# %% tags=["remove-cell"]
assert np.isclose(hinge_loss(three_scores, three_labels), 15.8 / 3)
assert np.isclose(3 * F.multi_margin_loss(Z_three, y_three).item(), 15.8 / 3)
from mnist_course.by_hand import losses

assert np.isclose(losses.hinge_loss(three_scores, three_labels), 15.8 / 3)

# %% [markdown]
# `F.multi_margin_loss`, and `nn.MultiMarginLoss`, divide the sum by the number of classes $K$, here 3. A constant factor does not move the minimum. It does change the size of every gradient, so a learning rate that suits one of the two is off by a factor of $K$ for the other.
#
# How wrong are the ten mean pictures? **Guess:** if all their weights and biases were three tenths of what they are, would a single answer change, and would the loss?

# %% tags=["hide-output"]
for factor in (1, 0.3):
    loss = hinge_loss(factor * scores, y_valid)
    accuracy = ((factor * scores).argmax(axis=1) == y_valid).mean()
    print(f"times {factor:<3}  loss {loss:.3f}  right {100 * accuracy:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(hinge_loss(scores, y_valid) - 1.65) < 0.25
    ratio = hinge_loss(0.3 * scores, y_valid) / hinge_loss(scores, y_valid)
    assert 0.6 < ratio < 0.68
    best_two = np.sort(0.3 * scores, axis=1)[:, -2:]  # (5000, 2)
    leads = (best_two[:, 1] - best_two[:, 0])[scores.argmax(axis=1) == y_valid]
    assert 0.65 < (leads >= 1).mean() < 0.75
assert hinge_loss(0.3 * scores, y_valid) < hinge_loss(scores, y_valid)

# %% [markdown]
# Not one answer differs, and yet the loss falls: mistakes get cheaper, and most correct answers still lead by 1. The loss sees more than the order of the scores: it sees their size. We shall come back to that twice.
#
# ## Which way is down?
#
# How does the loss change if one score moves a little? Take a single picture, and call a wrong class *too close* if $z_j - z_y + 1 > 0$.
#
# * The score $z_j$ of a class that is too close appears once, with a plus: slope $+1$.
# * The score of a class that is far enough away appears nowhere: slope 0.
# * The right score $z_y$ appears in every term that is not zero, with a minus: slope minus the *number* of classes that are too close.
#
# The sign $\partial L / \partial z_j$ is the slope of $L$ when only $z_j$ moves and all other scores stay. As formulas, with $[\dots]$ for 1 if the condition holds and 0 if not:
#
# $$ \begin{aligned} \frac{\partial L}{\partial z_j} &= [z_j - z_y + 1 > 0] \quad \text{for } j \ne y, \\ \frac{\partial L}{\partial z_y} &= -\sum_{j \ne y} [z_j - z_y + 1 > 0] . \end{aligned} $$ (eq-hinge-gradient)
#
# So this gradient is nothing but counting. For a mean over a batch, divide by $B$.


# %% tags=["nbval-check-output"]
def hinge_loss_gradient(scores, labels, margin=1.0):
    rows = np.arange(len(labels))
    too_close = scores - scores[rows, labels][:, None] + margin > 0  # (B, K)
    too_close[rows, labels] = False
    dscores = too_close.astype(scores.dtype)  # (B, K), +1 for each
    dscores[rows, labels] = -too_close.sum(axis=1)  # minus their number
    return dscores / len(labels)  # (B, K), because the loss is a mean


print(3 * hinge_loss_gradient(three_scores, three_labels))

# %% tags=["remove-cell"]
assert np.array_equal(
    (3 * hinge_loss_gradient(three_scores, three_labels)).round(12),
    [[-1, 1, 0], [0, 0, 0], [1, 1, -2]],
)

# %% [markdown]
# The cat: push *car* down, pull *cat* up, leave *frog* alone. The car is content. The frog needs its own score raised twice as fast as the other two fall.
#
# Never trust a gradient that you have derived yourself. The first check needs nothing but the loss: move one score up and down by a hair and measure the slope.


# %%
def numeric_gradient(loss, scores, step=1e-6):
    gradient = np.zeros_like(scores)
    for index in np.ndindex(scores.shape):
        nudge = np.zeros_like(scores)
        nudge[index] = step
        gradient[index] = (
            (loss(scores + nudge) - loss(scores - nudge)) / 2 / step
        )
    return gradient


few_scores, few_labels = scores[:20], y_valid[:20]
measured = numeric_gradient(lambda z: hinge_loss(z, few_labels), few_scores)
derived = hinge_loss_gradient(few_scores, few_labels)
print(np.allclose(measured, derived, atol=1e-8))

# %% [markdown]
# The second lets PyTorch differentiate its own loss. `requires_grad=True` tells it to remember what is computed from `Z`; `backward()` goes back through that and leaves the slopes in `Z.grad`. The 10 undoes PyTorch's division by $K$.

# %%
Z = torch.tensor(few_scores, requires_grad=True)
(10 * F.multi_margin_loss(Z, torch.tensor(few_labels))).backward()
print(np.allclose(Z.grad.numpy(), derived))

# %% tags=["remove-cell"]
assert np.allclose(measured, derived, atol=1e-8)
assert np.allclose(Z.grad.numpy(), derived)
assert (derived != 0).any()
assert np.array_equal(
    derived, losses.hinge_loss_gradient(few_scores, few_labels)
)

# %% [markdown]
# Both agree. There is one place where they could not: the bend itself. Let the right class lead by *exactly* 1. To the left the slope is 0, to the right it is 1, and at the bend there is none.

# %% tags=["nbval-check-output", "hide-cell"]
bend, zero = np.array([[3.0, 2.0, 0.0]]), np.array([0])  # 3 leads by 1 and by 3
measured = numeric_gradient(lambda z: hinge_loss(z, zero), bend)
print("measured         ", measured.round(3))
print("ours             ", hinge_loss_gradient(bend, zero))
Z_bend = torch.tensor(bend, requires_grad=True)
(3 * F.multi_margin_loss(Z_bend, torch.tensor(zero))).backward()
print("multi_margin_loss", Z_bend.grad.numpy())
Z_max = torch.tensor(bend, requires_grad=True)
bend_gaps = Z_max[:, 1:] - Z_max[:, :1] + 1  # (1, 2)
torch.maximum(bend_gaps, torch.zeros(1, 2)).sum().backward()
print("torch.maximum    ", Z_max.grad.numpy())

# %% tags=["remove-cell"]
assert np.allclose(measured, [[-0.5, 0.5, 0]])
assert np.array_equal(hinge_loss_gradient(bend, zero), [[0, 0, 0]])
assert np.array_equal(Z_bend.grad.numpy(), [[0, 0, 0]])
assert np.array_equal(Z_max.grad.numpy(), [[-0.5, 0.5, 0]])

# %% [markdown]
# Whoever measures from both sides gets the middle, one half; PyTorch's loss takes the flat side, and so does our `>`. Any slope between the two (a *subgradient*) will do: it is a convention, and it should be written down.
#
# ## From scores to weights
#
# The weight $W_{kd}$ acts on the loss only through the score $z_k = \sum_d W_{kd} x_d + b_k$, and there with the factor $x_d$. So $\partial L / \partial W_{kd} = \partial L / \partial z_k \cdot x_d$, and $\partial L / \partial b_k = \partial L / \partial z_k$. For a batch we add up over the pictures, which is what a matrix product does:


# %%
def gradients(X, y, W, b, margin=1.0):
    dscores = hinge_loss_gradient(X @ W.T + b, y, margin)  # (B, 10)
    dW = dscores.T @ X  # (10, 784)
    db = dscores.sum(axis=0)  # (10,)
    return dW, db


# %% [markdown]
# Read the line of `dW` aloud: *add* each picture to the gradient of every template that came too close, and *subtract* it that many times from that of its own class. A step goes against the gradient, so the picture moves out of the wrong templates and into the right one. Learning is adding and subtracting pictures.
#
# Is the gradient worth the trouble? Two ways need none. *Random search*: draw all 7,850 numbers 300 times, and keep those with the lowest loss. *Random steps*: change them a little, and keep the change if the loss has fallen, 300 times. And 300 steps against the gradient, all three on the same 1,000 pictures. **Guess** the three accuracies on new ones.


# %% tags=["hide-cell"]
X_few, y_few = as_rows(images[train[:1000]]), labels[train[:1000]]


def few_loss(W):
    return hinge_loss(X_few @ W.T, y_few)


def read_right(W):
    return 100 * ((X_valid @ W.T).argmax(axis=1) == y_valid).mean()


ladder = np.zeros((3, 3))  # seeds, ways
for seed in range(3):
    rng = np.random.default_rng(seed)
    draws = (0.01 * rng.normal(size=(10, 784)) for _ in range(300))
    searched = min(draws, key=few_loss)
    walked = np.zeros((10, 784))
    for _ in range(300):
        trial = walked + 0.01 * rng.normal(size=(10, 784))
        walked = min(walked, trial, key=few_loss)
    followed = np.zeros((10, 784))
    for _ in range(300):
        followed -= 0.05 * gradients(X_few, y_few, followed, np.zeros(10))[0]
    ladder[seed] = [read_right(W) for W in (searched, walked, followed)]
for name, column in zip(("search", "steps", "gradient"), ladder.T):
    print(f"{name:<9} {column.mean():.1f} ± {column.std(ddof=1):.1f} %")

# %% tags=["remove-cell"]
search_right, steps_right, gradient_right = ladder.mean(axis=0)
assert search_right < steps_right < gradient_right
if digits.is_mnist:
    assert search_right < 40 and gradient_right > 75

# %% [markdown]
# Chance alone finds little; chance that keeps what helps finds more; and the gradient, which knows for all 7,850 numbers at once which way to go, leaves both behind. The first of its steps alone, from zero, subtracts each picture from every wrong template and adds it nine times to its own: the mean pictures of chapter 1, with the mean of everything taken off.

# %% tags=["remove-cell"]
X, y = as_rows(images[train[:10_000]]), labels[train[:10_000]]
W_first, b_first = gradients(X, y, np.zeros((10, 784)), np.zeros(10))
W_first, b_first = -W_first, -b_first
accuracy = ((X_valid @ W_first.T + b_first).argmax(axis=1) == y_valid).mean()
print(f"{100 * accuracy:.1f} % after one step")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.5 < accuracy < 0.78
assert accuracy > 0.45
for k in range(10):
    difference = X[y == k].mean(axis=0) - X.mean(axis=0)
    assert np.corrcoef(W_first[k], difference)[0, 1] > 0.9

# %% [markdown]
# ## A price on large weights
#
# The photo of the car has the loss 0. Double all weights and biases, and all scores double, and so does the lead: the loss is 0 again. The same goes for a thousand times the weights. Wherever the loss reaches 0, it does not say how large the weights should be. But their size matters: it is how strongly a score reacts when a pixel changes. And their shape: for a picture $(1, 1, 1, 1)$ the weights $(1, 0, 0, 0)$ and $(\frac14, \frac14, \frac14, \frac14)$ give the same score. The first hangs on one pixel, the second asks all four; their squares add up to 1 and to $\frac14$.
#
# So we charge for size. The total loss is the **data loss**, a mean over $N$ pictures, plus a **penalty**, also called *regularization*:
#
# $$ \begin{aligned} L &= \frac{1}{N} \sum_{i=1}^{N} L_i + \frac{\lambda}{2} \sum_{k,d} W_{kd}^2 , \\ L_i &= \sum_{j \ne y_i} \max(0,\; z_{ij} - z_{i y_i} + 1) . \end{aligned} $$ (eq-hinge-total)
#
# In words: the mean of the hinge losses {eq}`eq-hinge`, plus half of $\lambda$ times the sum of all squared weights. This one is the *L2 penalty*, and $\lambda$ says how much a large weight costs compared with a mistake. Training does not find $\lambda$; we choose it, as we choose the learning rate. Such a number is a *hyperparameter*. (The whole loss is *convex*: the straight line between any two of its points lies nowhere below it. So there is one valley, and walking downhill ends at its bottom.)
#
# The half is a matter of taste; it cancels in the gradient, which is $\lambda W$. With it, $\lambda$ is what PyTorch's SGD calls `weight_decay`, and that is our name for it in code.


# %% tags=["nbval-check-output"]
def l2_penalty(W, weight_decay):
    return 0.5 * weight_decay * (W**2).sum()


print(l2_penalty(np.array([[3.0, 4.0]]), weight_decay=0.1))

# %% tags=["remove-cell"]
assert l2_penalty(np.array([[3.0, 4.0]]), 0.1) == 1.25

# %% [markdown]
# The biases are not in the sum. A bias is multiplied with no pixel, so it does not make a score more sensitive to anything; it only says where zero is. (In PyTorch, `weight_decay` applies to *all* parameters that the optimizer is given, biases included, unless you sort them into groups. The check below does.)
#
# ## Training a linear SVM
#
# The pictures come in batches, in a new random order for every pass:


# %%
def minibatches(chosen, rng, batch_size=256):
    order = rng.permutation(chosen)
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]  # (B,) indices


def train_epoch(W, b, chosen, lr, weight_decay, rng, margin=1.0):
    for batch in minibatches(chosen, rng):
        X, y = as_rows(images[batch]), labels[batch]  # (B, 784), (B,)
        dW, db = gradients(X, y, W, b, margin)
        W -= lr * (dW + weight_decay * W)  # (10, 784)
        b -= lr * db  # (10,)


# %% [markdown]
# The steps have to become shorter on the way. The slope of a smooth valley fades toward its bottom; the slope of a hinge stays as steep as ever up to the bend, so steps of constant length would jump across it to the last. We let `lr` fall in equal steps.


# %%
def train_svm(chosen, weight_decay, num_epochs=10, lr=0.2, after_epoch=None):
    W, b, rng = np.zeros((10, 784)), np.zeros(10), np.random.default_rng(0)
    for epoch in range(num_epochs):
        step = lr * (1 - epoch / num_epochs)
        train_epoch(W, b, chosen, step, weight_decay, rng)
        if after_epoch:
            after_epoch(epoch + 1, W, b)
    return W, b


# %% [markdown]
# 55,000 pictures, ten passes. The mean pictures read 80 %. **Guess** where the accuracy stands after the first pass.


# %% tags=["hide-output"]
def accuracy_on(X, y, W, b):
    return 100 * ((X @ W.T + b).argmax(axis=1) == y).mean()


valid_losses = []


def report(epoch, W, b):
    loss = hinge_loss(X_valid @ W.T + b, y_valid)
    valid_losses.append(loss)
    accuracy = accuracy_on(X_valid, y_valid, W, b)
    print(f"epoch {epoch:2}  validation loss {loss:.3f}  {accuracy:.1f} %")


W, b = train_svm(train, weight_decay=0.001, after_epoch=report)

# %% tags=["remove-cell"]
chosen_accuracy = accuracy_on(X_valid, y_valid, W, b)
if digits.is_mnist:
    assert abs(chosen_accuracy - 91.6) < 1.2
    assert valid_losses[-1] < 0.9 * valid_losses[0]
    assert valid_losses[-1] < min(valid_losses) + 0.01
    early, late = np.diff(valid_losses[:5]), np.diff(valid_losses[4:])
    assert np.ptp(early) > 2 * np.ptp(late)
assert chosen_accuracy > 90

# %% [markdown]
# The same 7,850 numbers, set differently. While the steps are long, the loss falls far in one pass and hardly, or not at all, in the next; with shorter steps it settles.
#
# It is the same as what PyTorch would do. One short pass, from zero, with both:

# %% tags=["hide-cell"]
part = train[:25_600]
W_ours, b_ours = np.zeros((10, 784)), np.zeros(10)
rng = np.random.default_rng(0)
train_epoch(W_ours, b_ours, part, 0.2, weight_decay=0.001, rng=rng)

# %% tags=["hide-cell"]
layer = torch.nn.Linear(784, 10, dtype=torch.float64)
torch.nn.init.zeros_(layer.weight)
torch.nn.init.zeros_(layer.bias)
optimizer = torch.optim.SGD(
    [
        {"params": [layer.weight], "weight_decay": 0.001},
        {"params": [layer.bias], "weight_decay": 0},
    ],
    lr=0.2,
)
for batch in minibatches(part, np.random.default_rng(0)):
    X, y = torch.tensor(as_rows(images[batch])), torch.tensor(labels[batch])
    loss = 10 * F.multi_margin_loss(layer(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(np.allclose(layer.weight.detach().numpy(), W_ours, rtol=0, atol=1e-12))

# %% tags=["remove-cell"]
assert np.abs(layer.weight.detach().numpy() - W_ours).max() < 1e-12
assert np.abs(layer.bias.detach().numpy() - b_ours).max() < 1e-12
assert np.abs(W_ours).max() > 0.1
if digits.is_mnist:
    assert len(part) == 100 * 256

# %% [markdown]
# After a hundred steps all 7,840 weights agree to within $10^{-12}$. What `backward()` computes for this layer is the counting of {eq}`eq-hinge-gradient`, times the pictures.
#
# And these are our templates:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-svm-templates", "caption": "The ten templates after training. A red pixel adds to the score of the digit, a blue one takes away, a white one has no say."}, "image": {"alt": "Ten pictures of 28 by 28 weights in red, white and blue; the zero has a blue center, the seven a blue stripe left of the middle, the five a dark red patch at the upper right; the border of all ten is white"}}
plots.show(plots.plot_weights(W, titles=range(10)), "svm templates")

# %% [markdown]
# Compare {numref}`fig-svm-templates` with the mean pictures. A mean says where a digit has ink. These also say where ink speaks *against* a digit, in blue: the center of the zero, the places left and right of the one.
#
# The largest weight of all is in the dark patch at the upper right of template 5, where the bar of a five may end. **Guess:** which digit has ink in that place most often?

# %% tags=["hide-output"]
row, column = divmod(W[5].argmax(), 28)
inked = images[train, row, column] > 64  # (55000,)
counts = np.bincount(labels[train[inked]], minlength=10)  # (10,)
print(f"row {row}, column {column}:", counts)

# %% tags=["remove-cell"]
never = images[train].max(axis=0).reshape(-1) == 0  # (784,)
assert (W[:, never] == 0).all()
if digits.is_mnist:
    assert 67 <= never.sum() < 80 and W.argmax() // 784 == 5
    assert 8 <= row <= 12 and column >= 22
    edge = np.ones((28, 28), dtype=bool)
    edge[2:-2, 2:-2] = False
    assert edge.reshape(-1)[never].all()
    assert counts.argmax() == 0 and counts[0] > 1.25 * counts[5]
    lowest = [divmod(W[k].argmin(), 28) for k in (0, 7)]
    assert np.abs(np.subtract(lowest, [(15, 14), (13, 12)])).max() <= 2

# %% [markdown]
# Not the five. A weight is not a frequency. A zero, which comes first, can be recognized by other pixels, its empty center above all, so it can do without this one. A weight says what a pixel adds *when all the others have had their say*. Keep that in mind whenever somebody reads meaning into weights.
#
# At some seventy pixels along the edge, none of the training pictures has any ink. Nothing was ever added to the weights there, and they are still exactly 0.
#
# ## Two clouds of points
#
# A picture is a point in a space of 784 dimensions. To see one, take two numbers of each picture only: its ink, and the ink of its middle, for zeros and ones. Train the same classifier on these two. **Guess** what it draws between the two clouds, and open it.

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-boundary", "caption": "Four hundred zeros and ones as points: mean ink of the whole picture and of its middle. On the line both scores are equal; the classifier says zero on one side and one on the other."}, "image": {"alt": "Two clouds of points. Ones, squares, lie high: little ink, and much of it in the middle; zeros, circles, lie low and farther to the right. A straight line separates nearly all of them"}}
pick = train[np.isin(labels[train], (0, 1))]
whole = images[pick].mean(axis=(1, 2)) / 255
middle = images[pick, 10:18, 10:18].mean(axis=(1, 2)) / 255
points = np.stack(
    [whole / whole.std(), middle / middle.std()], axis=1
)  # (M, 2)
W_line, b_line = np.zeros((2, 2)), np.zeros(2)
for _ in range(500):
    dW, db = gradients(points, labels[pick], W_line, b_line)
    W_line, b_line = W_line - 0.2 * dW, b_line - 0.2 * db
right = ((points @ W_line.T + b_line).argmax(axis=1) == labels[pick]).mean()

figure, ax = plt.subplots(figsize=(5.4, 3.8))
for k, style, color in ((0, "o", plots.BLUE), (1, "s", plots.ORANGE)):
    cloud = points[labels[pick] == k][:200]
    ax.plot(*cloud.T, style, color=color, markersize=4, alpha=0.6, label=k)
across = np.array([points[:, 0].min(), points[:, 0].max()])
(w0, w1), shift = W_line[1] - W_line[0], b_line[1] - b_line[0]
ax.plot(across, -(w0 * across + shift) / w1, color="black")
ax.set(xlabel="ink", ylabel="ink of the middle", ylim=(-0.3, 4.5))
ax.legend(title="label")
plots.show(figure, "boundary")
print(f"{100 * right:.1f} % of {len(pick):,} zeros and ones")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert right > 0.95

# %% [markdown]
# Where the two scores are equal lies its *decision boundary*: $z_0 = z_1$ is an equation without squares, so it is a straight line, and with 784 numbers a flat sheet. A cloud inside a ring, or two diagonal corners against the other two, it cannot separate.
#
# :::{living} lines
# Twenty-four of the points. Drag them; each circle is as large as what its point costs, and hollow points lie on the wrong side. Run, and then drag one point far away on its own side: which loss notices? (*Softmax* is the loss of {ref}`chapter 4 <ch-softmax-regression>`.)
# :::
#
# ## What λ does
#
# First without it. Take 300 pictures and train until nothing changes any more. **Guess** the training loss.

# %% tags=["hide-output"]
some = train[:300]
X, y = as_rows(images[some]), labels[some]
W_some, b_some = train_svm(some, weight_decay=0, num_epochs=200)
for factor in (0.5, 1, 2, 1000):
    loss = hinge_loss(factor * (X @ W_some.T + b_some), y)
    print(f"weights times {factor:<4}  training loss {loss:.3f}")
print(f"validation {accuracy_on(X_valid, y_valid, W_some, b_some):.1f} %")

# %% tags=["remove-cell"]
Z_some = X @ W_some.T + b_some
for factor in (1, 2, 1000):
    assert hinge_loss(factor * Z_some, y) == 0
assert hinge_loss(0.5 * Z_some, y) > 0.03
if digits.is_mnist:
    assert abs(accuracy_on(X_valid, y_valid, W_some, b_some) - 81) < 4

# %% [markdown]
# There are 7,850 numbers to set and only 2,700 demands, nine for each picture, so it is no surprise that there are many ways to satisfy all of them, and gradient descent stops at the first that it meets. On new pictures it is right in about four cases out of five.
#
# Now several $\lambda$, each for all 55,000 pictures and for three different sets of 1,000. **Guess** where a penalty pays: with many pictures or with few.

# %% tags=["hide-input"]
strengths = [0, 0.001, 0.01, 0.1, 1]
num_few = len(train) // 55  # 1,000
sets = [train[i * num_few : (i + 1) * num_few] for i in range(3)]

trained = {0.001: (W, b)}  # this one we have already
for strength in (0, 0.01, 0.1, 1):
    trained[strength] = train_svm(train, strength)
all_valid = [accuracy_on(X_valid, y_valid, *trained[s]) for s in strengths]

# %% tags=["hide-cell"]
few_train, few_valid = np.zeros((2, 3, 5))  # by set and strength
for i, j in np.ndindex(3, 5):
    X, y = as_rows(images[sets[i]]), labels[sets[i]]
    parameters = train_svm(sets[i], strengths[j], num_epochs=200)
    few_train[i, j] = accuracy_on(X, y, *parameters)
    few_valid[i, j] = accuracy_on(X_valid, y_valid, *parameters)
print("lambda ", *(f"{strength:>7}" for strength in strengths))
print(f"{len(train):<7,}", *(f"{value:7.1f}" for value in all_valid))
for row in few_valid:
    print(f"{num_few:<7,}", *(f"{value:7.1f}" for value in row))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert num_few == 1_000
    assert (
        np.abs(np.array(all_valid) - [91.6, 91.6, 91.2, 89.6, 86]).max() < 1.5
    )
    assert all_valid[1] > all_valid[2] > all_valid[3] > all_valid[4]
    assert abs(all_valid[0] - all_valid[1]) * 50 < 15
    assert abs(few_valid[:, 0].mean() - 600 / 7) < 1.5
    gain = few_valid[:, 3] - few_valid[:, 0]
    assert gain.min() > -0.7 and 0.3 < gain.mean() < 1.7
    assert few_train[:, 0].mean() > 99.3 > few_train[:, 3].mean() + 1
    assert abs(few_train[:, 4].mean() - 90) < 2
    assert few_valid.mean(axis=0).argmax() == 3
    assert few_valid[:, 4].mean() < few_valid[:, 0].mean()
    early = [train_svm(chosen, 0, num_epochs=60) for chosen in sets]
    early = [accuracy_on(X_valid, y_valid, *parameters) for parameters in early]
    assert abs(np.mean(early) - few_valid[:, 3].mean()) < 1
assert all_valid[0] > 90 and few_valid.min() > 20

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-lambda-accuracy", "caption": "Validation accuracy (solid) against the strength of the penalty, after training on all pictures and on 1,000 (mean of three sets). Dashed: accuracy on the 1,000 pictures themselves."}, "image": {"alt": "Three curves over lambda from 0 to 1: with 55,000 pictures flat near 91.5 and falling from 0.01 on; with 1,000 pictures rising by one point up to a lambda of 0.1 and falling after it; the dashed training curve starts near 100 and falls to about 90"}}
places = range(len(strengths))
figure, ax = plt.subplots(figsize=(6, 3.3))
ax.plot(places, few_train.mean(axis=0), "^--", color=plots.ORANGE)
ax.plot(places, all_valid, "o-", color=plots.BLUE)
ax.plot(places, few_valid.mean(axis=0), "s-", color=plots.ORANGE)
for text, x, height, color in [
    (f"{num_few:,} pictures, training", 0.7, 97.4, plots.ORANGE),
    (f"{len(train):,} pictures", 0.05, 92.4, plots.BLUE),
    (f"{num_few:,} pictures", 0.05, 84, plots.ORANGE),
]:
    ax.text(x, height, text, color=color)
ax.set(xlabel="λ", ylabel="accuracy in %", xticks=places)
ax.set(xticklabels=[f"{strength:g}" for strength in strengths])
ax.set_ylim(83, 101)
plots.show(figure, "lambda accuracy")

# %% [markdown]
# With 1,000 pictures ({numref}`fig-lambda-accuracy`), the classifier without a penalty knows nearly all of its own pictures, and six new ones out of seven. A $\lambda$ of 0.1 makes it *worse* on its own pictures and better on new ones, by about one point in the mean of the three sets. To know the old pictures so much better than the new ones is called **overfitting**, and a penalty is there to reduce it. With too much of it the classifier gets worse on both: it does badly already on what it was trained on, and that is **underfitting**. What counts is the solid curve, how a classifier does on pictures that it has not seen: its *generalization*.
#
# With 55,000 pictures there is next to nothing to gain: between $\lambda = 0$ and 0.001 the difference is a few pictures in 5,000. So much data leaves little room for accidents. (There are other ways to hold a classifier back. Stopped after 60 passes instead of 200, the one without a penalty does nearly as well on new pictures as the one with $\lambda = 0.1$.) The weights do change, though:


# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-lambda-templates", "caption": "The ten templates after training on 55,000 pictures with four penalties. Every row has a color scale of its own."}, "image": {"alt": "Four rows of ten pictures of weights: speckled and hard to recognize without a penalty, smoother row by row, until at lambda 1 soft red and blue strokes are left"}}
figure, axes = plt.subplots(4, 1, figsize=(8, 4.6))
for strength, ax in zip((0, 0.01, 0.1, 1), axes, strict=True):
    W_row, b_row = trained[strength]
    right = accuracy_on(X_valid, y_valid, W_row, b_row)
    length = np.linalg.norm(W_row)  # root of the sum of the squares
    strip = np.hstack(W_row.reshape(10, 28, 28))  # (28, 280)
    limit = np.abs(strip).max()
    ax.imshow(strip, cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
    title = f"λ = {strength:g}:  length of W {length:.1f}, "
    title += f" validation {right:.1f} %"
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
plots.show(figure, "lambda templates")

# %% tags=["remove-cell"]
lengths = [np.linalg.norm(trained[strength][0]) for strength in strengths]
if digits.is_mnist:
    assert 5 < lengths[0] / lengths[-1] < 7
    for k in range(10):
        assert np.corrcoef(trained[1][0][k], W_first[k])[0, 1] > 0.8
assert lengths == sorted(lengths, reverse=True)

# %% [markdown]
# From the top row of {numref}`fig-lambda-templates` to the bottom, $W$ shrinks to a sixth of its length. The penalty makes a small weight cheap and a large one expensive, so it prefers many pixels with a small say to few with a large one: neighbors that always say the same share the work, and the speckles melt into strokes. The templates that are easiest to read are not the best ones. At $\lambda = 1$ they have hardly got beyond those of the very first step: a mean picture, with the mean of everything taken off.
#
# ## The test, once
#
# Validation has no preference between 0 and 0.001, so we take 0.001: with a penalty there is one best $W$, without it there may be many. Now, for the first and only time, the test set.

# %%
W, b = trained[0.001]
test_scores = as_rows(digits.test_images) @ W.T + b  # (10000, 10)
test_labels = digits.test_labels.astype(np.int64)  # (N,)
predictions = test_scores.argmax(axis=1)  # (N,)
test_accuracy = 100 * (predictions == test_labels).mean()
num_wrong = (predictions != test_labels).sum()
print(f"{test_accuracy:.1f} % of {len(test_labels):,}, {num_wrong} wrong")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(test_accuracy - 92.2) < 0.4
    assert abs(num_wrong - 780) < 50 and 1_797 / num_wrong > 2
    assert round(100 * np.sqrt(0.922 * 0.078 / 10_000), 1) == 0.3
assert test_accuracy > 85

# %% [markdown]
# About 92.2 ± 0.3 %, from one run, where 0.3 is the standard error that 10,000 pictures leave. Some 780 are wrong, less than half of the 1,797 that the nearest mean got wrong in chapter 1. Here are the twenty with the highest loss:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-svm-errors", "caption": "The twenty test pictures with the highest hinge loss, the worst first."}, "image": {"alt": "Twenty framed digits in two rows with wrong predictions, among them sevens with a bar through the stem and a one with a speck of ink to its upper right"}}
rows = np.arange(len(test_labels))
gaps = test_scores - test_scores[rows, test_labels][:, None] + 1  # (10000, 10)
picture_losses = np.maximum(0, gaps).sum(axis=1) - 1  # the right class gave 1
worst = np.argsort(-picture_losses)[:20]
figure = plots.plot_predictions(
    digits.test_images[worst], test_labels[worst], predictions[worst]
)
plots.show(figure, "svm errors")

# %% tags=["remove-cell"]
assert np.isclose(picture_losses.mean(), hinge_loss(test_scores, test_labels))
if digits.is_mnist:
    assert (predictions[worst] != test_labels[worst]).all()
    assert 3 <= (test_labels[worst] == 7).sum() <= 7
    ones = worst[(test_labels[worst] == 1) & (predictions[worst] == 5)]
    inks = as_rows(digits.test_images[ones]).reshape(-1, 28, 28)
    specks = np.zeros_like(inks)
    specks[:, 8:12, 21:25] = inks[:, 8:12, 21:25]
    at_right = (inks[:, :, 18:] > 0).sum(axis=(1, 2))
    (k,) = np.flatnonzero((at_right == 16) & (specks > 0).any(axis=(1, 2)))
    ink, speck = inks[k], specks[k]
    assert (speck > 0).sum() == 16
    assert abs(W[5] @ speck.ravel() - 1.5) < 0.4
    assert abs(W[1] @ speck.ravel() + 1.0) < 0.4
    wiped = W @ (ink - speck).ravel() + b  # (10,)
    assert wiped.argmax() == 5
    assert wiped[5] > wiped[1] + 2

# %% [markdown]
# Most of {numref}`fig-svm-errors` is easy for you. Some are sevens with a bar, and template 7 has its darkest blue left of the stem, where the bar begins. One is a one with a speck to its upper right. The speck lies on the red patch of template 5, where it earns the five about 1.5 points and costs the one about 1. It is not the whole story: wipe it out, and the five still wins, by more than two points. A linear classifier cannot say "a stroke here, but *only if* there is also one there". That takes more than one layer.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(f"linear SVM with numpy: {test_accuracy:.1f} % of the test digits")

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-hinge-hand
# (A minute, without a computer.) Four classes, scores $(0.5,\ 2.1,\ 1.2,\ 1.8)$, and the right class is the last one. What is the hinge loss?
# :::

# %%
answer = ...
check("03.hand", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-zeros
# (A minute; most people guess wrong.) A classifier for 1,000 classes starts with all weights and biases at zero, so all its scores are 0. What is its hinge loss? It is the first number to check when a training starts.
# :::

# %%
guess = ...  # first, before you compute; nobody checks it
answer = ...
check("03.zeros", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-decay
# (Three minutes.) A book writes its penalty as $\lambda \sum_{k,d} W_{kd}^2$, without the half, and uses $\lambda = 0.01$. Which `weight_decay` do you have to give to `torch.optim.SGD`, or to `train_svm`, to train the same classifier?
# :::

# %%
answer = ...
check("03.decay", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-ten
# (Ten minutes: change a line and predict.) Somebody finds a margin of 1 too timid. Starting from zero, without a penalty, the same program now runs with `margin=10` and, because everything is ten times as large, with `lr=2` instead of `lr=0.2`. The validation accuracy will be
#
# * `"a"`: higher, since the classes are kept farther apart;
# * `"b"`: the same, to the last picture;
# * `"c"`: lower, since the steps are too long.
#
# Decide first, then try it: one `train_epoch` each, each with its own zeros and its own `np.random.default_rng(0)`.
# :::

# %%
answer = ...  # "a", "b" or "c"
check("03.ten", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-break
# (Ten minutes, breaking things on purpose.) With `margin=0` the demand is that no wrong class be ahead of the right one. That sounds like all we ever wanted. Break it: hand in a `W` $(10, 784)$ and a `b` $(10,)$ whose loss with `margin=0` is exactly 0 on *all* pictures, found without any training. Where does `train_epoch(..., margin=0)` go from there?
# :::

# %%
answer = ...  # a pair: (W, b)
check("03.break", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-squared
# (Half an hour.) The *squared hinge loss* of a picture is $\sum_{j \ne y} \max(0,\; z_j - z_y + 1)^2$. Derive its gradient with respect to the scores, and write it for the mean over a batch. What happens to the bend? Which of the three photos dominates now? (`numeric_gradient` tells you whether you are right before the check does.)
# :::


# %%
def squared_hinge_gradient(scores, labels):
    return ...


check("03.squared", squared_hinge_gradient)

# %% [markdown]
# :::{exercise}
# :label: ex-hinge-evening
# (An evening.) Crammer and Singer charge for the worst wrong class only: $\max_{j \ne y} \max(0,\; z_j - z_y + 1)$. Write the gradient of the mean over a batch. Then train with it, find a good `lr` on validation data, and compare with the sum: with 55,000 pictures and with 1,000, in accuracy and in the look of the templates. Why should the two differ at all? (A hint for the gradient: at most two scores of a picture matter.)
# :::


# %%
def max_hinge_gradient(scores, labels):
    return ...


check("03.max", max_hinge_gradient)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * A linear classifier lays ten templates over a picture: `scores = X @ W.T + b`. You can draw its 7,850 numbers, and you know what may be read from them and what not.
# * The hinge loss demands a lead of 1 and charges for what is missing. Its gradient is counting, and a gradient is believed when a small step and PyTorch agree with it.
# * A penalty on the weights trades the accuracy on old pictures for that on new ones. It pays when pictures are few.
# * You trained a linear SVM with numpy: about 92 % of the test digits, after 82.0 % for the nearest mean.
#
# Next: one digit wins by 3.1 points, another by 0.4. Should we believe the first more, and how much more? Multiply all weights and biases by two and every lead doubles, while not one answer changes: scores have no unit. {ref}`The next chapter <ch-softmax-regression>` turns them into probabilities.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-hinge-hand
# :class: dropdown
# :::
#
# $0.5 - 1.8 + 1 = -0.3$ costs nothing, $2.1 - 1.8 + 1 = 1.3$, and $1.2 - 1.8 + 1 = 0.4$: the third class is behind the right one and still too close. Together 1.7.

# %%
check_solution("03.hand", 1.3 + 0.4)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-zeros
# :class: dropdown
# :::
#
# Not 0, although nothing is wrong yet, and not 1. Each of the 999 wrong classes is at $0 - 0 + 1 = 1$: the loss is $K - 1$.

# %%
check_solution("03.zeros", hinge_loss(np.zeros((1, 1000)), np.array([0])))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-decay
# :class: dropdown
# :::
#
# The gradient of $\lambda \sum W_{kd}^2$ is $2 \lambda W$, and `weight_decay` is the factor in front of $W$: 0.02. When you compare two texts, look for the half first.

# %%
check_solution("03.decay", 2 * 0.01)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-ten
# :class: dropdown
# :::
#
# `"b"`. Ten times the weights with ten times the margin are too close for the same classes of the same pictures, so the gradients are the same, and steps of ten times the length keep the weights at ten times the size. The margin only sets the unit in which scores are measured. With a penalty it is not quite as idle: a margin of 10 with $\lambda$ is a margin of 1 with $10 \lambda$. They are two handles on one screw, which is why everybody leaves the margin at 1.

# %%
W_one, b_one = np.zeros((10, 784)), np.zeros(10)
W_ten, b_ten = np.zeros((10, 784)), np.zeros(10)
train_epoch(W_one, b_one, train, 0.2, 0, np.random.default_rng(0))
train_epoch(W_ten, b_ten, train, 2, 0, np.random.default_rng(0), margin=10)
print(np.allclose(W_ten, 10 * W_one, rtol=0, atol=1e-9))
print(f"{accuracy_on(X_valid, y_valid, W_one, b_one):.1f} %")
print(f"{accuracy_on(X_valid, y_valid, W_ten, b_ten):.1f} %")
check_solution("03.ten", "b")

# %% tags=["remove-cell"]
assert np.abs(W_ten - 10 * W_one).max() < 1e-9 < np.abs(W_one).max()
assert accuracy_on(X_valid, y_valid, W_one, b_one) == accuracy_on(
    X_valid, y_valid, W_ten, b_ten
)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-break
# :class: dropdown
# :::
#
# All zeros: nobody is ahead of anybody. The same goes for any ten equal templates with equal biases. Training stays there, because with our `>` the gradient at the bend is zero as well (with `>=` it would move). The loss is perfect from the first step on, and the program has learned nothing. It answers 0 for every picture, since `argmax` takes the first of equals. This is what the margin is for.

# %%
W_zero, b_zero = np.zeros((10, 784)), np.zeros(10)
train_epoch(W_zero, b_zero, some, 0.2, 0, np.random.default_rng(0), margin=0)
print(f"largest weight {np.abs(W_zero).max()}")
print(f"{accuracy_on(X_valid, y_valid, W_zero, b_zero):.1f} % right")
check_solution("03.break", (W_zero, b_zero))

# %% tags=["remove-cell"]
assert not W_zero.any() and not b_zero.any()
assert 5 < accuracy_on(X_valid, y_valid, W_zero, b_zero) < 20

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-squared
# :class: dropdown
# :::
#
# By the chain rule each count of 1 becomes $2 \max(0,\; z_j - z_y + 1)$. At the bend this is 0 from both sides, so there is a slope everywhere. The frog takes over: its two terms are $6.3^2 + 6.6^2 = 83.25$, the cat's is $2.9^2 = 8.41$. PyTorch has this loss as `F.multi_margin_loss(..., p=2)`, again divided by $K$.


# %%
def squared_hinge_gradient(scores, labels):
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + 1  # (B, K)
    dscores = 2 * np.maximum(0, gaps)  # (B, K)
    dscores[rows, labels] = 0
    dscores[rows, labels] = -dscores.sum(axis=1)
    return dscores / len(labels)  # (B, K)


check_solution("03.squared", squared_hinge_gradient)

# %% tags=["remove-cell"]
assert np.allclose((terms**2).sum(axis=1), [8.41, 0, 83.25])
Z = torch.tensor(few_scores, requires_grad=True)
(10 * F.multi_margin_loss(Z, torch.tensor(few_labels), p=2)).backward()
assert np.allclose(Z.grad, squared_hinge_gradient(few_scores, few_labels))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-hinge-evening
# :class: dropdown
# :::
#
# One class goes down by 1, the right one up by 1, if anything is too close at all. Setting the gap of the right class to 0 makes it win the `argmax` when nothing is, and then the two ones cancel.


# %%
def max_hinge_gradient(scores, labels):
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + 1  # (B, K)
    gaps[rows, labels] = 0
    dscores = np.zeros_like(scores)
    dscores[rows, gaps.argmax(axis=1)] += 1
    dscores[rows, labels] -= 1
    return dscores / len(labels)  # (B, K)


check_solution("03.max", max_hinge_gradient)

# %%
W_max, b_max = np.zeros((10, 784)), np.zeros(10)
rng = np.random.default_rng(0)
for epoch in range(10):
    step = 0.5 * (1 - epoch / 10)
    for batch in minibatches(train, rng):
        X, y = as_rows(images[batch]), labels[batch]
        dscores = max_hinge_gradient(X @ W_max.T + b_max, y)  # (B, 10)
        W_max -= step * (dscores.T @ X + 0.001 * W_max)
        b_max -= step * dscores.sum(axis=0)
sum_accuracy = accuracy_on(X_valid, y_valid, *trained[0.001])
max_accuracy = accuracy_on(X_valid, y_valid, W_max, b_max)
print(f"sum {sum_accuracy:.1f} %")
print(f"max {max_accuracy:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0 < max_accuracy - sum_accuracy < 1.2
assert max_accuracy > 90

# %% [markdown]
# With all pictures the worst class alone does better, by a few tenths of a point. That is some twenty or thirty pictures of 5,000, from one run each, and no proof. A likely reason: a picture that nobody can place, with five classes too close, pulls five times in the sum and once here, so the sum listens most to the hopeless cases. Whether that still holds with 1,000 pictures is left to you.
#
# :::{solution-end}
# :::
