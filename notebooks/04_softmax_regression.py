# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-softmax-regression)=
# # 4. Scores become probabilities: softmax
#
# A tutorial trains one layer for ten epochs and prints, as its last line, *train 0.863, test 0.874*. The same layer on the same data gets past 0.92 in half the epochs. What did the tutorial leave on the table, and how would you have seen it?
#
# To answer, you will build that layer twice, by hand and with PyTorch. On the way you will
#
# * turn scores into probabilities, and see the obvious formula fail,
# * measure how wrong a probability is, and why with a logarithm,
# * derive the shortest gradient in deep learning, $p - y$ (with $y$ as a one-hot row),
# * train, compare with ten published rows, and find the one setting that held them back.
#
# About 35 minutes, without the exercises. New names: `logits` $(B, K)$, `probs` $(B, K)$, `one_hot` $(B, K)$, `loss`.

# %% [markdown]
# ## Softmax
#
# A linear layer $z = W x + b$ gives each of the ten digits a score, and the largest score wins. These scores are called **logits**. They have no unit and no limits: a score of 3 is better than a score of 2, but how much more should we believe it?
#
# Three wishes for an answer: probabilities are positive, they sum to one, and a higher score means a higher probability. The exponential function makes any number positive and keeps the order. Dividing by the sum does the rest:
#
# $$ p_k = \frac{e^{z_k}}{\sum_{j=1}^{K} e^{z_j}} $$ (eq-softmax)
#
# In words: the probability of class $k$ is its exponentiated score, as a share of all exponentiated scores. The function is called **softmax**. Here it is, word for word. (`axis=1` adds along each row; `keepdims=True` keeps the sums as a column, so that every row is divided by its own.)

# %%
import numpy as np


def naive_softmax(logits):
    exp = np.exp(logits)  # (B, K)
    return exp / exp.sum(axis=1, keepdims=True)  # (B, K)


logits = np.array([[0.0, 1.0, 3.0]])  # (1, 3)
print(naive_softmax(logits).round(3))

# %% tags=["remove-cell"]
assert np.allclose(naive_softmax(logits), [[0.0420, 0.1142, 0.8438]], atol=1e-4)

# %% [markdown]
# A lead of one point is a factor of $e \approx 2.72$ between two probabilities, wherever the two scores stand: 0.114 is 2.72 times 0.042. So only *differences* of scores count. **Guess** what happens to the probabilities if we add 1,000 to every score, and what Python prints.

# %% tags=["nbval-check-output", "hide-output"]
with np.errstate(all="ignore"):  # numpy would warn here, with good reason
    print(naive_softmax(logits + 1000))

# %% [markdown]
# The mathematics says that nothing changes; the arithmetic disagrees. $e^{1000}$ has 435 digits, and the largest 64-bit float has 309. Infinity divided by infinity has no value.
#
# The cure is in the same observation. Only differences count, so subtract the largest score of each row from the whole row before exponentiating. The largest number that is ever exponentiated is then 0.


# %% tags=["nbval-check-output"]
def softmax(logits):
    # the largest number of each row that is exponentiated is 0
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))  # (B, K)
    return exp / exp.sum(axis=1, keepdims=True)  # (B, K)


print(softmax(logits + 1000).round(3))

# %% tags=["remove-cell"]
from mnist_course.by_hand import losses

assert np.allclose(softmax(logits + 1000), naive_softmax(logits))
assert np.allclose(losses.softmax(logits - 1e6), naive_softmax(logits))
import math

assert math.floor(1000 / math.log(10)) + 1 == 435
assert len(str(int(np.finfo(float).max))) == 309

# %% [markdown]
# ## How wrong is a probability?
#
# The digit was a seven. One model gave the seven a probability of 0.6, another 0.06, a third 0.0006. We need one number that says how bad each answer is, and that training can make small.
#
# How *surprised* should each be? Whoever gives the truth a probability of 1/2 is as surprised as by a coin that falls heads: call that one *bit*. 1/4 is two coins in a row, two bits. In general it is $-\log_2 p$ bits: nothing for $p = 1$, and without end toward 0.
#
# **Your turn.** (Two minutes.) A model gave the right digit a probability of 1/8. How many bits of surprise is that, and how much with the natural logarithm, $-\log p$, the unit in which losses are given?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...  # [bits, with the natural logarithm]
check("04.bits", answer)

# %% tags=["hide-cell"]
print(-np.log2(1 / 8), -np.log(1 / 8))
check_solution("04.bits", [-np.log2(1 / 8), -np.log(1 / 8)])

# %% [markdown]
# There is a second way to the same number. Think of the model as making a bet. It sees $B$ pictures and gives their right labels the probabilities $p_1, \dots, p_B$. The probability of getting all of them right is the product $p_1 p_2 \cdots p_B$: the **likelihood**. A good model makes it large. **Guess** what Python makes of it for 60,000 pictures.

# %% tags=["nbval-check-output", "hide-output"]
probs_of_truth = np.full(60_000, 0.5)  # a model that is half sure each time
print(np.prod(probs_of_truth), -np.log(probs_of_truth).mean().round(4))

# %% tags=["remove-cell"]
assert np.prod(probs_of_truth) == 0
assert round(-np.log(0.5), 4) == 0.6931

# %% [markdown]
# $0.5^{60000}$ is not zero, yet no float can hold it. The logarithm ($\log$ is the natural one in this course, `ln` on a calculator) of the product is the *sum of the logarithms*, which any float can hold, and it has its maximum at the same place. Turn the sign around, so that smaller is better, and take the mean, so that it does not depend on the number of pictures. Write $p_{i,k}$ for the probability that picture $i$ gets for class $k$, and $y_i$ for its right class, so that the $p_1, \dots, p_B$ of the bet are $p_{1,y_1}, \dots, p_{B,y_B}$. Then the loss is
#
# $$ L = -\frac{1}{B} \sum_{i=1}^{B} \log p_{i, y_i} $$ (eq-cross-entropy)
#
# In words: *look up the probability that the model gave to the right class, take minus its logarithm, and average*: the mean surprise. A certain and right model has the loss 0; every wrong certainty is expensive.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-minus-log", "caption": "The loss of one example against the probability that its right class was given."}, "image": {"alt": "Falling curve of minus log p from 7.4 at p = 0.0006 over 2.8 at 0.06 and 0.5 at 0.6 to zero at p = 1, with these three points marked"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
p = np.linspace(0.0004, 1, 1000)
marks = np.array([0.6, 0.06, 0.0006])

figure, ax = plt.subplots(figsize=(6, 3))
ax.plot(p, -np.log(p))
ax.plot(marks, -np.log(marks), "o", color=plots.ORANGE, markersize=8)
for value in marks:
    text = f"p = {value:g}: loss {-np.log(value):.2f}"
    ax.annotate(
        text, (value, -np.log(value)), (12, 6), textcoords="offset points"
    )
ax.set(xlabel="probability of the right class", ylabel="loss")
plots.show(figure, "minus log")

# %% tags=["remove-cell"]
assert np.allclose(-np.log(marks).round(2), [0.51, 2.81, 7.42])

# %% [markdown]
# In {numref}`fig-minus-log` the loss has no upper end: to give the truth a probability of zero costs infinitely much. A model pays little for doubt and a lot for arrogance. Every factor of ten in probability costs the same amount, $\log 10 \approx 2.3$.
#
# :::{living} softmax
# Three scores become probabilities, a loss and a gradient ($p - y$, two sections below). Make the model sure and wrong. Then turn the temperature, by which all scores are divided: what does it never change?
# :::
#
# ## One-hot, and why nobody stores it
#
# **Your turn.** (Three minutes.) Look it up in code: from `probs` $(B, K)$ and `labels` $(B,)$, whole numbers, make the $B$ probabilities of the right classes. (Two lists as an index go in step: `probs[rows, columns]`.)


# %% tags=["your-turn"]
def my_pick(probs, labels):
    return ...


check("04.pick", my_pick)

# %% tags=["hide-cell"]
check_solution("04.pick", lambda probs, y: probs[np.arange(len(y)), y])

# %% [markdown]
# Many texts write {eq}`eq-cross-entropy` with **one-hot** labels: a row $Y_i$ with a 1 in the place of the right class and 0 elsewhere. Then $L = -\frac1B \sum_i \sum_k Y_{ik} \log p_{ik}$, which is called **cross-entropy**. All but one of the ten products are zero, so the double sum does nothing but *pick an element*. Code picks it by its index:

# %% tags=["nbval-check-output"]
probs = softmax(np.array([[2.0, 1.0, 0.0], [0.0, 0.5, 3.0]]))  # (B, K)
labels = np.array([0, 1])  # (B,)
one_hot = np.eye(3)[labels]  # (B, K)
print(-(one_hot * np.log(probs)).sum(axis=1).round(4))
print(-np.log(probs[np.arange(2), labels]).round(4))

# %% tags=["remove-cell"]
assert np.allclose(
    -(one_hot * np.log(probs)).sum(axis=1), -np.log(probs[np.arange(2), labels])
)

# %% [markdown]
# Same numbers, a tenth of the work for ten classes. So PyTorch wants labels as whole numbers, not as one-hot rows.
#
# ## Never take the logarithm of a softmax
#
# There is one more trap. Let the right class be far behind. **Guess** its loss, and what comes out.

# %% tags=["nbval-check-output", "hide-output"]
behind = np.array([[0.0, 800.0]])
with np.errstate(divide="ignore"):
    print("log(softmax):", np.log(softmax(behind)))

# %% [markdown]
# Softmax rounds $e^{-800}$ to 0, and the logarithm of 0 is minus infinity. But the true value is $-800$, a harmless number. Take the logarithm on paper first, and the exponential of the large number cancels:
#
# $$ \log p_k = z_k - m - \log \sum_j e^{z_j - m}, \qquad m = \max_j z_j $$ (eq-log-softmax)


# %% tags=["nbval-check-output"]
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, K)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


print(log_softmax(behind), cross_entropy(behind, np.array([0])))

# %% [markdown]
# `log_softmax`, then picking the right class and changing the sign (the *negative log-likelihood*, NLL), is the whole of cross-entropy. PyTorch has the pieces and the whole:

# %% tags=["nbval-check-output"]
import torch
import torch.nn.functional as F

rng = np.random.default_rng(0)
logits, labels = 5 * rng.normal(size=(8, 10)), rng.integers(0, 10, 8)
Z, y = torch.tensor(logits), torch.tensor(labels)
print(f"ours    {cross_entropy(logits, labels):.12f}")
print(f"pieces  {F.nll_loss(F.log_softmax(Z, dim=1), y):.12f}")
print(f"whole   {F.cross_entropy(Z, y):.12f}")

# %% tags=["remove-cell"]
assert np.isclose(cross_entropy(logits, labels), F.cross_entropy(Z, y).item())
assert np.allclose(log_softmax(behind), [[-800, 0]])
assert np.allclose(losses.log_softmax(logits), F.log_softmax(Z, dim=1).numpy())
assert torch.allclose(
    F.log_softmax(F.log_softmax(Z, 1), 1), F.log_softmax(Z, 1)
)

# %% [markdown]
# Twelve decimals agree. Note what the last line takes: *logits*. `F.cross_entropy`, and `nn.CrossEntropyLoss`, apply the softmax themselves, so a model for them ends with its linear layer. One of our sources ends its model with `log_softmax` and hands that to `cross_entropy`. By luck it works, because the log-softmax of a log-softmax is itself (the exponentials of the first sum to 1, and $\log 1 = 0$ is subtracted). With a plain `softmax` at the end it would not; an exercise below shows the price.
#
# ## The gradient is p − y
#
# To make the loss small we need to know how it changes with each logit. Take one example with the right class $y$, so that $L = -\log p_y = -z_y + \log \sum_j e^{z_j}$, and differentiate by $z_k$. The second term gives
#
# $$ \frac{\partial}{\partial z_k} \log \sum_j e^{z_j} = \frac{e^{z_k}}{\sum_j e^{z_j}} = p_k , $$
#
# and the first gives $-1$ if $k = y$ and 0 otherwise, which is $-Y_k$. Together:
#
# $$ \frac{\partial L}{\partial z_k} = p_k - Y_k $$ (eq-p-minus-y)
#
# In words: *what the model said, minus what it should have said*. (Most texts write it as $p - y$, with $y$ for the one-hot row.) All wrong classes are pushed down, each by as much as it was believed; the right one is pulled up by what it lacked. For a mean over a batch, divide by $B$.


# %% tags=["nbval-check-output"]
def cross_entropy_gradient(logits, labels):
    dlogits = softmax(logits)  # (B, K)
    dlogits[np.arange(len(labels)), labels] -= 1  # p - y, where y is one-hot
    return dlogits / len(labels)  # (B, K), because the loss is a mean


Z.requires_grad_()
F.cross_entropy(Z, y).backward()
gap = np.abs(cross_entropy_gradient(logits, labels) - Z.grad.numpy()).max()
print(f"PyTorch's autograd agrees to within 1e-15: {gap < 1e-15}")

# %% tags=["remove-cell"]
assert gap < 1e-15
assert np.allclose(
    losses.cross_entropy_gradient(logits, labels), Z.grad.numpy()
)

# %% [markdown]
# The difference is in the last bit of the floats. {ref}`The next chapter <ch-backprop>` shows how such gradients travel through many layers; for one layer we need a single step more. Since $z_k = \sum_d W_{kd} x_d + b_k$, the weight $W_{kd}$ acts on the loss only through $z_k$, with the factor $x_d$. Summed over the batch: `dW = dlogits.T @ X`, and `db` sums the rows of `dlogits`.
#
# ## Training by hand
#
# That is all we need to train. Pixels are scaled to 0..1 and laid out as vectors of 784 numbers; weights start at zero. **Guess** the loss before the first step.

# %% tags=["hide-output"]
from mnist_course.data import load_data, split_train_valid

digits = load_data()
num_valid = len(digits.train_labels) // 12  # 5,000 of 60,000
train, valid = split_train_valid(len(digits.train_labels), num_valid)

X = (digits.train_images.reshape(-1, 784) / 255).astype(np.float32)  # (N, 784)
y = digits.train_labels.astype(np.int64)  # (N,)
W, b = np.zeros((10, 784), np.float32), np.zeros(10, np.float32)
first_loss = cross_entropy(X[train] @ W.T + b, y[train])
print(f"loss before training: {first_loss:.4f}, log 10 = {np.log(10):.4f}")

# %% tags=["remove-cell"]
assert abs(first_loss - np.log(10)) < 1e-4
if digits.is_mnist:
    assert (len(train), len(valid)) == (55_000, 5_000)

# %% [markdown]
# With all weights zero, all logits are equal, every digit gets the probability 1/10, and the loss is $\log 10$. Remember this number. **A ten-class model with small starting weights begins near 2.30. If yours does not, find out why before you train it.** **Guess** how many of the validation digits one pass of these eight lines reads:

# %% tags=["hide-output"]
lr, batch_size = 0.1, 256
order = np.random.default_rng(0).permutation(train)
for start in range(0, len(order), batch_size):
    batch = order[start : start + batch_size]  # (B,)
    logits = X[batch] @ W.T + b  # (B, 10)
    dlogits = cross_entropy_gradient(logits, y[batch])  # (B, 10)
    W -= lr * dlogits.T @ X[batch]  # (10, 784)
    b -= lr * dlogits.sum(axis=0)  # (10,)

logits = X[valid] @ W.T + b  # (5000, 10)
by_hand = (logits.argmax(axis=1) == y[valid]).mean()
print(f"validation loss {cross_entropy(logits, y[valid]):.3f}")
print(f"validation accuracy {100 * by_hand:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.85 < by_hand < 0.90
assert by_hand > 0.25

# %% [markdown]
# Eight lines and one pass over the data. The ten mean pictures of {ref}`chapter 3 <ch-scores-and-hinge>` read 80 % of the same digits. Nothing in these lines knows anything about digits.
#
# :::{living} train
# The same eight lines, in this page, on 1,200 digits. Press *Train*, and watch ten templates form out of nothing. Then forget everything, and find a learning rate that is too small, and one that is too large for a batch of one.
# :::
#
# ## The same with PyTorch, and ten published rows
#
# Now the tutorial's program, with its settings: `nn.Linear(784, 10)`, weights drawn from a normal distribution with standard deviation 0.01, SGD (*stochastic gradient descent*: the walk of chapter 2, on batches) with a learning rate of 0.005, batches of 256, ten epochs, pixels scaled to 0..1. It trains on all 60,000 digits, so this once we do too. It prints its test accuracy after every epoch, so for once we look at the test set ten times, to compare with it. We choose nothing by what we see there.

# %%
from mnist_course.data import Batches
from mnist_course.device import pick_device, set_seed

from torch import nn

device = pick_device()


def pixels_and_labels(images, labels):
    X = torch.tensor(images, device=device).reshape(-1, 784) / 255  # (N, 784)
    return X, torch.tensor(labels.astype(np.int64), device=device)


X_all, y_all = pixels_and_labels(digits.train_images, digits.train_labels)
X_test, y_test = pixels_and_labels(digits.test_images, digits.test_labels)
print(tuple(X_all.shape), tuple(y_all.shape))

# %% [markdown]
# The three lines that no training step may lack are `optimizer.zero_grad()`, `loss.backward()` and `optimizer.step()`: forget the old gradients, compute the new ones, move. Here is one epoch, written out:


# %%
def train_epoch(model, optimizer, batches):
    for X, y in batches:
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


set_seed(0)
model = nn.Linear(784, 10).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
train_epoch(model, optimizer, Batches(X_all, y_all, 256, shuffle=True))
with torch.no_grad():
    train_loss = F.cross_entropy(model(X_all), y_all)
print(f"training loss after one epoch: {train_loss:.2f}")

# %% [markdown]
# (`no_grad` tells PyTorch not to keep what it would need for a gradient.) `fit` in our package is this loop with a progress bar, a measurement after every epoch, and a few guards against silent mistakes. It prints one line per epoch, unless `log=None` keeps it quiet; "valid" in its history is whatever we pass as the second set of batches, here the test set.

# %%
from mnist_course.training import evaluate, fit

set_seed(0)
model = nn.Linear(784, 10).to(device)
nn.init.normal_(model.weight, mean=0, std=0.01)
nn.init.zeros_(model.bias)
history = fit(
    model,
    torch.optim.SGD(model.parameters(), lr=0.005),
    Batches(X_all, y_all, 256, shuffle=True),
    Batches(X_test, y_test, 1000, shuffle=False),
    num_epochs=10,
    log=None,
)

# %% [markdown]
# **Guess** how far apart the two tables are: theirs, as published, and ours.

# %% tags=["hide-output"]
published_train = [675, 795, 819, 832, 841, 848, 853, 857, 860, 863]
published_test = [788, 821, 837, 846, 855, 860, 865, 868, 871, 874]
print("epoch  train: theirs  ours   test: theirs  ours")
for epoch, a, c in zip(history.epochs, published_train, published_test):
    ours = 100 * epoch.train_accuracy, 100 * epoch.valid_accuracy
    print(f"{epoch.number:5} {a / 10:13.1f} {ours[0]:7.1f}", end="")
    print(f"{c / 10:15.1f} {ours[1]:7.1f}")

# %% tags=["remove-cell"]
gaps = np.abs(
    100 * np.array(history["valid_accuracy"]) - np.array(published_test) / 10
)
if digits.is_mnist:
    assert gaps[1:].max() < 0.8 and gaps[0] < 3
    gaps = (
        100 * np.array(history["train_accuracy"])
        - np.array(published_train) / 10
    )
    assert np.abs(gaps[1:]).max() < 1
    assert np.abs(gaps[0]) < 6
    assert abs(100 * history["valid_accuracy"][-1] - 87.4) < 0.5
    assert all(np.array(history["valid_accuracy"]) > history["train_accuracy"])
assert history["valid_accuracy"][-1] > 0.5

# %% [markdown]
# From the second row on the columns agree to about half a percent; the first depends most on the starting weights. So the tutorial's table is honest, and our program is the same as theirs. But why is the test accuracy *higher* than the training accuracy in every row? The training column is an average over the epoch, made while the weights were still worse. Measure it again with the final weights:

# %%
again = evaluate(model, Batches(X_all, y_all, 1000, shuffle=False))
print(f"training accuracy, final weights: {100 * again.accuracy:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.860 < again.accuracy < history["valid_accuracy"][-1]
assert again.accuracy > 0.5

# %% [markdown]
# Still below the test accuracy. Averaging explains the first rows, not the last: for so simple a model, the 10,000 test digits are a little easier than the 60,000 training digits.
#
# Its loss is another matter. The tutorial prints losses like 0.0023 for a model that is wrong in one case out of seven. It adds up the *mean* loss of each batch and divides by the number of *examples*, so the number is too small by the batch size:

# %%
train_loss = history["train_loss"][-1]
print(
    f"loss {train_loss:.3f}; divided by the batch size of 256: {train_loss / 256:.4f}"
)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{train_loss / 256:.4f}" == "0.0023"

# %% [markdown]
# There it is, to the last digit. A loss has a scale that you can check: 2.30 is guessing among ten, 0.59 means that the right class gets, in the geometric mean, a probability of $e^{-0.59} = 0.55$. 0.0023 would mean near certainty.
#
# ## What held it back?
#
# Look at the ten rows again. In the training column the last epoch still gained 0.3 points. An accuracy that still rises when it is cut off has one of two remedies: wait longer, or take longer steps. From here on, decisions are made on validation data.

# %%
from mnist_course.data import to_tensors

X_norm, _ = to_tensors(digits.train_images, digits.train_labels, device)
X_norm = X_norm.flatten(1)  # (N, 784), mean 0, standard deviation 1


def train_linear(
    X, lr, momentum=0.0, decay=False, seed=0, loss_fn=F.cross_entropy
):
    set_seed(seed)
    model = nn.Linear(784, 10).to(device)
    nn.init.zeros_(model.weight)
    batches = Batches(X[train], y_all[train], 128, shuffle=True, seed=seed)
    valid_batches = Batches(X[valid], y_all[valid], 1000, shuffle=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    steps = 5 * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 1 - step / steps if decay else 1.0
    )
    history = fit(
        model,
        optimizer,
        batches,
        valid_batches,
        num_epochs=5,
        loss_fn=loss_fn,
        scheduler=schedule,
        log=None,
    )
    return model, history


# %% [markdown]
# Here *decay* means that the learning rate falls in a straight line to 0 (`LambdaLR` multiplies it by $1 - \text{step}/\text{steps}$), and *momentum* that a step remembers the ones before; {ref}`chapter 6 <ch-optimizers>` explains both. Five epochs each, in batches of 128, so nearly twice as many steps per epoch as the tutorial makes. The fourth row is the second with normalized pixels. **Guess** the best of the six rows, and by how much it beats the first.

# %% tags=["hide-output"]
recipes = {
    "lr 0.005": (X_all, 0.005),
    "lr 0.05": (X_all, 0.05),
    "lr 0.5": (X_all, 0.5),
    "lr 0.05, normalized": (X_norm, 0.05),
    "lr 0.05, normalized, decay": (X_norm, 0.05, 0.0, True),
    "the same with momentum 0.9": (X_norm, 0.05, 0.9, True),
}
runs = {}
for name, recipe in recipes.items():
    best_model, runs[name] = train_linear(*recipe)
    valid_accuracy = runs[name]["valid_accuracy"][-1]
    print(f"{name:<27} {100 * valid_accuracy:.1f} %")

# %% tags=["remove-cell"]
final = {name: history["valid_accuracy"][-1] for name, history in runs.items()}
if digits.is_mnist:
    assert final["lr 0.005"] < 0.885
    assert final["lr 0.005"] + 0.02 < final["lr 0.05"] < final["lr 0.5"]
    assert final["lr 0.5"] > 0.90
    assert final["the same with momentum 0.9"] > 0.91
    assert abs(final["lr 0.05, normalized"] - final["lr 0.5"]) < 0.008
    decayed = final["lr 0.05, normalized, decay"]
    assert abs(decayed - final["lr 0.05, normalized"]) < 0.008
    assert -0.002 < final["the same with momentum 0.9"] - decayed < 0.009
assert final["lr 0.5"] > final["lr 0.005"]

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-held-back", "caption": "Learning curves: loss after each epoch for three learning rates on pixels scaled to 0..1, and for the last recipe of the list. Solid: validation digits; dotted: training digits."}, "image": {"alt": "Four falling solid curves of validation loss over five epochs, each with a dotted training curve close to it: learning rate 0.005 stays far above the others and is still falling at the end; the other three end close together"}}
figure, ax = plt.subplots(figsize=(6.4, 3.2))
shown = [
    "lr 0.005",
    "lr 0.05",
    "lr 0.5",
    "the same with momentum 0.9",
]
for name, style in zip(shown, ["o-", "s--", "^-.", "D:"]):
    label = name if name.startswith("lr") else "normalized, decay, momentum"
    epochs, run = runs[name]["number"], runs[name]
    (line,) = ax.plot(epochs, run["valid_loss"], style, label=label)
    ax.plot(epochs, run["train_loss"], ":", color=line.get_color())
ax.set(xlabel="epoch", ylabel="loss", xticks=range(1, 6), ylim=(0, None))
ax.legend()
plots.show(figure, "held back")

# %% [markdown]
# A figure like {numref}`fig-held-back` is called a *learning curve*, and it is read like this. Both lines still fall at the end: take longer steps, or more of them. Both lie flat and high: the model cannot say more. The training line falls and the validation line turns up: it learns by heart ({ref}`chapter 8 <ch-overfitting>` has such a picture). Here each pair lies close together, because 55,000 digits are many for 7,850 numbers. (In the first epochs the dotted line lies higher: it is a mean over the epoch, made while the weights were still worse.)
#
# And it has the answer to our question. Of the three rates that we tried, the largest, a hundred times the published one, is best, and that is nearly the whole story. A curve that still bends down at its very end is asking for larger steps. Normalizing lets a ten times smaller rate do the same; decay changes nothing that 5,000 digits could show; momentum adds a few tenths of a point at best.
#
# ## Hinge or cross-entropy?
#
# {ref}`Chapter 3 <ch-scores-and-hinge>` trained the same layer with the hinge loss. For two classes, both losses depend on one number, the lead $d = z_y - z_{\text{other}}$: the hinge loss is $\max(0, 1 - d)$, cross-entropy is $\log(1 + e^{-d})$.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-hinge-against-cross-entropy", "caption": "Two losses as functions of the lead of the right class."}, "image": {"alt": "Hinge loss as a straight line that reaches zero at a lead of 1 and stays there; cross-entropy as a smooth curve that runs beside it and approaches zero without reaching it"}}
d = np.linspace(-3, 5, 200)
figure, ax = plt.subplots(figsize=(6, 3))
ax.plot(d, np.maximum(0, 1 - d), "--", color=plots.ORANGE, label="hinge")
ax.plot(d, np.log1p(np.exp(-d)), color=plots.BLUE, label="cross-entropy")
ax.axvline(0, color=plots.GRAY, linewidth=0.8)
ax.set(xlabel="lead of the right class", ylabel="loss")
ax.legend()
plots.show(figure, "hinge against cross-entropy")

# %% [markdown]
# Far to the left, where the answer is badly wrong, both become straight lines with slope −1: one more point of error costs one more point of loss. On the right they differ. The hinge loss is satisfied with a lead of 1, the margin, and stops caring; cross-entropy always wants a little more, and in exchange its outputs mean something: probabilities. **Guess** which one classifies better, and by how much.


# %% tags=["hide-output"]
def hinge_loss(logits, y):
    return 10 * F.multi_margin_loss(logits, y)


hinge_model, history = train_linear(
    X_norm, 0.003, 0.9, decay=True, loss_fn=hinge_loss
)
hinge_accuracy = history["valid_accuracy"][-1]
print(f"hinge         {100 * hinge_accuracy:.1f} %")
best = runs["the same with momentum 0.9"]["valid_accuracy"][-1]
print(f"cross-entropy {100 * best:.1f} %")

# %% tags=["hide-cell", "nbval-ignore-output"]
by_hinge = hinge_model(X_norm[valid]).argmax(1) == y_all[valid]
by_entropy = best_model(X_norm[valid]).argmax(1) == y_all[valid]
only_one = int((by_hinge != by_entropy).sum())
print(f"{only_one} digits are read by one of the two only")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert -0.005 < best - hinge_accuracy < 0.012
    assert 70 < only_one < 160
    assert 8 < np.sqrt(only_one) < 13
assert hinge_accuracy > 0.6

# %% [markdown]
# (The factor 10 turns PyTorch's mean over the classes into the sum of chapter 3.) Is such a lead real? Both models read the same 5,000 digits, so what counts are those that only one of them gets right, about a hundred. If each were the toss of a coin, the difference would vary by about the root of their number, ten digits or two tenths of a point. Twice that is probably real; less says nothing. Here it is about half a point, so probably real (and the hinge got one learning rate, which we did not search for). We keep cross-entropy because its outputs can be read as probabilities.
#
# ## The final run
#
# The recipe is chosen; the test set gets its one look. Three seeds show how much of the result is the luck of the order in which the digits come.

# %%
X_test_norm, y_test = to_tensors(digits.test_images, digits.test_labels, device)
test_batches = Batches(X_test_norm.flatten(1), y_test, 1000, shuffle=False)
accuracies = []
for seed in range(3):
    model, history = train_linear(X_norm, 0.05, 0.9, decay=True, seed=seed)
    accuracies.append(100 * evaluate(model, test_batches).accuracy)
mean, sd = np.mean(accuracies), np.std(accuracies, ddof=1)
print(f"test accuracy {mean:.2f} ± {sd:.2f} % (3 runs)")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert min(accuracies) > 92.0
    assert 92.2 < mean < 92.8
    assert sd < 0.3
    standard_error = 100 * np.sqrt(0.925 * 0.075 / 10_000)
    assert 0.24 < standard_error < 0.27
    assert round(np.sqrt(2) * standard_error, 2) == 0.37
assert min(accuracies) > 70

# %% tags=["nbval-ignore-output"]
from mnist_course.device import describe

print(f"{describe(device)}: {history.seconds:.1f} s of training per run")

# %% [markdown]
# About 92.6 % instead of 87.4 %, with the same 7,850 parameters, in half the epochs. The ± is the luck of the order, and of the first biases. Which 10,000 digits happen to be in the test set is worth $\pm\sqrt{0.926 \cdot 0.074 / 10^4}$, a quarter of a point, one standard error; the results on two such test sets would differ by about $\sqrt{2}$ times as much, 0.37 points. (In 1998 the paper that made MNIST known reported 12.0 % of mistakes for one linear layer {cite}`lecun1998gradient`; ours makes 7.4.) What it learned can be drawn: each row of $W$ has one weight per pixel, so it is a picture.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-softmax-templates", "caption": "The weights of the ten classes after training. Red: ink here speaks for the digit. Blue: it speaks against it."}, "image": {"alt": "Ten pictures of 28 by 28 weights in red, white and blue; the zero has a blue center inside a red ring, the other digits are patchier"}}
weights = model.weight.detach().cpu().numpy()  # (10, 784)
plots.show(plots.plot_weights(weights, titles=range(10)), "softmax templates")

# %% [markdown]
# The zero in {numref}`fig-softmax-templates` says it best: ink in the center is evidence *against* a zero. (The even tint of the margins says nothing about ink. Those pixels are always paper, −0.42 after normalizing, so their weights act together like a second bias.) The nearest mean of chapter 1 was a linear layer, too, with weights $2 m_k$ and biases $-|m_k|^2$. The form is the same, 7,850 numbers. What is new is where the numbers come from: there from what a digit looks like, here from what tells it from the others. The price of having one template per digit is that all ways of writing a digit have to share it.
#
# One test digit, all the way from its bytes to an answer. (`predict` returns the logits of many inputs.)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-bytes-to-answer", "caption": "From bytes to an answer: bytes 8 to 21 of every second row from 7 to 21 of a test picture, the picture, and the ten probabilities that the trained layer gives it."}, "image": {"alt": "Left a block of hexadecimal bytes, in the middle the handwritten digit that they encode, on the right ten bars of probability, with the longest bar at the right digit"}}
from mnist_course.training import predict

probs_test = softmax(predict(model, X_test_norm.flatten(1)).cpu().numpy())
hits = probs_test.argmax(axis=1) == digits.test_labels  # (N,)
index = np.flatnonzero(hits & (probs_test.max(axis=1) < 0.8))[0]
image, probs = digits.test_images[index], probs_test[index]

figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), width_ratios=[1.25, 1, 1.1])
rows = [" ".join(f"{p:02x}" for p in row[8:22]) for row in image[7:23:2]]
axes[0].text(
    0, 0.5, "\n".join(rows), family="monospace", fontsize=9, va="center"
)
axes[0].set_axis_off()
plots.show_image(axes[1], image)
colors = [plots.BLUE if k == probs.argmax() else plots.GRAY for k in range(10)]
axes[2].barh(range(10), probs, color=colors)
axes[2].set(yticks=range(10), xlim=(0, 1), xlabel="probability", ylabel="digit")
axes[2].invert_yaxis()
axes[2].grid(axis="y", visible=False)
plots.show(figure, "bytes to answer")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.3 < probs.max() < 0.8
assert probs.argmax() == digits.test_labels[index]
assert abs(probs.sum() - 1) < 1e-5

# %% [markdown]
# Chapter 1 made the picture out of the bytes in {numref}`fig-bytes-to-answer`; this one made the bars out of the picture. It is the first test digit that the model reads correctly with a probability below 0.8: right, and not sure of it.
#
# Here are the first forty test digits, with the prediction above each; the wrong ones are framed.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-softmax-predictions", "caption": "The first forty test digits; above each, what the model reads, and for the wrong ones the digit that it is."}, "image": {"alt": "Four rows of ten handwritten digits, each with the predicted digit above; wrong predictions are framed in orange and titled with prediction and true label"}}
logits = predict(model, X_test_norm.flatten(1))  # (N, 10)
predictions = logits.argmax(dim=1).cpu().numpy()  # (N,)
test_images, test_labels = digits.test_images, digits.test_labels
figure = plots.plot_predictions(
    test_images[:40], test_labels[:40], predictions[:40]
)
plots.show(figure, "softmax predictions")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (predictions[:40] != test_labels[:40]).sum() >= 1

# %% [markdown]
# And these are the ten mistakes of which it was most certain:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-softmax-confident-errors", "caption": "The ten wrong answers with the highest probabilities: what the model reads, and the digit that it is."}, "image": {"alt": "Ten framed digits, each misread with high confidence; several are slanted, cut or unusually drawn"}}
probs = softmax(logits.cpu().numpy().astype(float))  # (N, 10)
confidence = np.where(predictions != test_labels, probs.max(axis=1), 0)  # (N,)
worst = np.argsort(-confidence)[:10]
figure = plots.plot_predictions(
    test_images[worst], test_labels[worst], predictions[worst]
)
plots.show(figure, "confident errors")
print(
    f"probabilities from {confidence[worst].min():.3f} to {confidence.max():.3f}"
)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert confidence[worst].min() > 0.95
assert confidence[worst].min() > 0.3

# %% [markdown]
# A probability of almost 1, and wrong: the number is called a probability, but nobody has checked yet that it deserves the name. {ref}`Chapter 11 <ch-your-own-digit>` does, before it reads your own handwriting.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"softmax regression: {mean:.2f} ± {sd:.2f} % of the test digits (3 runs)"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-softmax-first
# (A minute, without a computer.) What are the probabilities for the logits $(0, \log 2, \log 3)$?
# :::

# %%
answer = ...  # three numbers
check("04.first", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-guess
# (Two minutes.) A network for the 26 letters of the alphabet has not learned anything yet: all its logits are 0. What is its cross-entropy loss? And what would it be if the two letters *e* and *t* made up half of all texts, and the network still knew nothing? Hand in the second number.
# :::

# %%
answer = ...
check("04.guess", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-double
# (Ten minutes; most people guess wrong. *Hint:* the outputs of the first softmax are the logits of the second.) Someone ends a ten-class model with `softmax` and trains it with `F.cross_entropy`, which applies softmax again. What is the smallest loss that this model can ever reach, when it is perfectly right and perfectly certain?
# :::

# %%
answer = ...
check("04.double", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-gradient
# (Ten minutes, by hand.) One example, three classes, logits $(\log 2, 0, 0)$, right class 1 (classes count from 0, so it is the second). What is the gradient of the loss with respect to the three logits? Which sum must every such gradient have, and why?
# :::

# %%
answer = ...  # three numbers
check("04.gradient", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-temperature
# (Ten minutes.) Dividing all logits by a number $T$, the *temperature*, before the softmax makes the probabilities softer ($T > 1$) or sharper ($T < 1$) and never changes the prediction. Write it for a batch, so that it survives logits of ±1000. *Hint:* divide first, then use the softmax of this page.
# :::


# %%
def softmax_with_temperature(logits, T):
    return ...


check("04.temperature", softmax_with_temperature)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-smoothing
# (Half an hour.) With *label smoothing* {cite}`szegedy2016rethinking` the target for the right class is $1 - \epsilon + \epsilon / K$ and for each other class $\epsilon / K$, instead of 1 and 0. Write the mean loss for a batch. *Hint:* build the $(B, K)$ array of targets, and weight `log_softmax` with it. What is the gradient now, and why can the logits no longer run off to infinity?
# :::


# %%
def smoothed_cross_entropy(logits, labels, epsilon):
    return ...


check("04.smoothing", smoothed_cross_entropy)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-break
# (Half an hour, breaking things on purpose.) Train the layer on raw bytes 0..255 (divide by nothing), with the learning rate of 0.05. Predict what the first losses will be, then look. (`train_linear` refuses raw bytes; write its loop out.) Find the largest power of ten for `lr` with which the mean of the last 50 losses of an epoch is below that of guessing, 2.30, and say why this is about the factor that you would expect.
# :::

# %%
answer = ...
check("04.break", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-softmax-evening
# (An evening.) A linear layer sees single pixels. Give it more to look at: add the products of neighboring pixels as features, or counts of ink in rows and columns, or the image blurred, and see how far one layer can go on the validation set. LeCun and his colleagues reached an error of 3.3 % with 40 principal components and all their products {cite}`lecun1998gradient`.
# :::

# %%
summary()

# %% [markdown]
# ## Summary
#
# * Softmax turns scores into probabilities; subtract the largest score first. Cross-entropy is minus the mean logarithm of the probability given to the truth, and it wants logits.
# * Its gradient with respect to the logits is $p - y$. A ten-class model that knows nothing has the loss 2.30; look at that first.
# * The published 87.4 % were a matter of the learning rate. The same layer reads about 92.6 % of the test digits.
#
# Next: one layer needs one application of the chain rule. What if there are two, or ten? {ref}`Backpropagation <ch-backprop>` finds all gradients in one pass back, for about three times the price of computing the loss, the way forward included.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-softmax-first
# :class: dropdown
# :::
#
# The exponentials are 1, 2, 3; their sum is 6.

# %%
check_solution("04.first", [1 / 6, 2 / 6, 3 / 6])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-guess
# :class: dropdown
# :::
#
# $\log 26 \approx 3.26$, both times. Whatever the right letter is, it was given the probability 1/26. How often each letter occurs matters only once the network knows it.

# %%
check_solution("04.guess", np.log(26))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-double
# :class: dropdown
# :::
#
# Not 0. The best output is (1, 0, …, 0), and the second softmax reads these as logits: the truth gets $e / (e + 9) = 0.23$. The loss can never fall below 1.46, gradients stay small, and training crawls. If your loss gets stuck near 1.46, look at the last line of your model.

# %%
perfect = np.eye(10)[:1]
print(round(cross_entropy(perfect, np.array([0])), 4))
check_solution("04.double", -np.log(np.e / (np.e + 9)))

# %% tags=["remove-cell"]
assert round(-np.log(np.e / (np.e + 9)), 2) == 1.46
assert round(np.e / (np.e + 9), 2) == 0.23

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-gradient
# :class: dropdown
# :::
#
# The probabilities are 1/2, 1/4, 1/4, so $p - y$ is (1/2, −3/4, 1/4). The sum is always 0, because both $p$ and $y$ sum to 1: what one class gains, the others lose.

# %%
check_solution("04.gradient", [0.5, -0.75, 0.25])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-temperature
# :class: dropdown
# :::


# %%
def softmax_with_temperature(logits, T):
    return softmax(np.asarray(logits) / T)


check_solution("04.temperature", softmax_with_temperature)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-smoothing
# :class: dropdown
# :::
#
# The loss is a weighted mean of $-\log p_k$ over all classes. Its gradient is $p - \text{target}$: the best $p$ is no longer 1 but $1 - \epsilon + \epsilon / K$, which finite logits can reach. PyTorch has it as `F.cross_entropy(..., label_smoothing=epsilon)`.


# %%
def smoothed_cross_entropy(logits, labels, epsilon):
    log_probs = log_softmax(np.asarray(logits))  # (B, K)
    num_classes = log_probs.shape[1]
    target = (1 - epsilon) * np.eye(num_classes)[labels] + epsilon / num_classes
    return -(target * log_probs).sum(axis=1).mean()


check_solution("04.smoothing", smoothed_cross_entropy)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-break
# :class: dropdown
# :::
#
# The first loss is still 2.30 with zero weights: equal logits do not care about the scale of the pixels. The second is not. Inputs that are 255 times larger make the logits 255 times larger for the same weights, and the gradient with respect to the weights 255 times larger as well. The same learning rate therefore moves the logits $255^2 \approx 65{,}000$ times as far. A rate of 0.5 works well on 0..1, so something near $0.5 / 65{,}000 \approx 10^{-5}$ should be right for bytes:

# %% tags=["nbval-within-20%"]
X_bytes = 255 * X_all
for lr in (5e-2, 1e-3, 1e-4, 1e-5):
    set_seed(0)
    model = nn.Linear(784, 10).to(device)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    seen = []
    for X, y in Batches(X_bytes[train], y_all[train], 128, shuffle=True):
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    print(f"lr {lr:.0e}: losses {seen[0]:.2f}, {seen[1]:.2f}", end="")
    print(f", mean of the last 50: {np.mean(seen[-50:]):.2f}")
check_solution("04.break", 1e-4)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert np.mean(seen[-50:]) < 0.5
assert seen[1] < seen[0]

# %% [markdown]
# At 0.05 the second loss is above a thousand, and it never calms down. The model may still classify, since only the order of the logits matters, but its probabilities are all 0 or 1. The largest power of ten that learns is $10^{-4}$, and it lurches; $10^{-5}$, the one that we expected, learns smoothly. The guard in `fit` refuses such inputs before the first step.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-softmax-evening
# :class: dropdown
# :::
#
# There is no single right answer. Products of pixels are worth more than blurred copies: a blur is itself linear, so it adds nothing that $W$ could not do already, while a product is something new. The chapters that follow let the network find such features itself.
#
# :::{solution-end}
# :::
