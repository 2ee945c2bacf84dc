# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-backprop)=
# # 5. Backwards through the network: backpropagation
#
# A network that reads digits holds 159,010 numbers. It looks at a five and says "three". Which of the 159,010 should have been different, and by how much?
#
# You could find out by trying: move one number a little, look at all the pictures of the batch again, note whether the loss fell; then the next number. On the machine that wrote this page, a single step of training would take more than a minute that way. By the end of the page you get all 159,010 answers at once, for about the price of looking three times. You will
#
# * read the gradient of a small network off a drawing, and write that of a whole layer in three lines,
# * check any gradient, your own or a library's, by moving one number at a time,
# * find the slip in a network from a tutorial, and then find out why it learns all the same,
# * and train a network of your own, in numpy alone, that reads 97 of 100 digits after some seconds of training.
#
# About 45 minutes, without the exercises. New names: `h`, `a` $(B, H)$, a hidden layer before and after its nonlinearity; `o` $(B, K)$, outputs behind a sigmoid, and `T` $(B, K)$, their targets; and `d` in front of a name, as in `dW`, for the gradient of the loss with respect to it.

# %% [markdown]
# ## One neuron, forward
#
# A **neuron** weighs its inputs, adds a bias, and squeezes the sum: $z = w_1 x_1 + w_2 x_2 + b$, and $a = \sigma(z)$. The **sigmoid** $\sigma(z) = 1 / (1 + e^{-z})$ turns any number into one between 0 and 1. For this input the answer should be $y = 1$, and the loss is half the squared error, $L = \frac12 (a - y)^2$; the half is there to cancel a two later.

# %% tags=["nbval-check-output"]
import math

x1, x2, y = 2.0, -1.0, 1.0
w1, w2, b = 0.5, 1.5, 0.5

z = w1 * x1 + w2 * x2 + b
a = 1 / (1 + math.exp(-z))
loss = (a - y) ** 2 / 2
print(z, a, loss)

# %% [markdown]
# Here is the same computation as a **graph**: boxes are values, disks are operations, and what flows from one to the next stands beside the edge.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-neuron-forward", "caption": "One neuron and its loss, from left to right."}, "image": {"alt": "A graph: x1 = 2 and w1 = 0.5 meet in a product, 1; x2 = -1 and w2 = 1.5 in another, -1.5; both and b = 0.5 are added, z = 0; then the sigmoid, a = 0.5, and the loss, 0.125"}}
from mnist_course import graphs, plots

plots.use_course_style()
chains = """
    x1 → ×:1 → + → σ → loss → L
    w1 → ×:1
    x2 → ×:2 → +
    w2 → ×:2
    b → +
"""
places = {"x1": (0, 4.1), "w1": (0, 2.9), "x2": (0, 1.2), "w2": (0, 0)}
places |= {"×:1": (1.2, 3.5), "×:2": (1.2, 0.6), "b": (2.4, 0.4)}
places |= {"+": (2.4, 2.05), "σ": (3.65, 2.05), "loss": (4.9, 2.05)}
places |= {"L": (6, 2.05)}
forward = {"x1": x1, "w1": w1, "x2": x2, "w2": w2, "b": b}
forward |= {"×:1": w1 * x1, "×:2": w2 * x2, "+": z, "σ": a, "loss": loss}
names = {"+": "z", "σ": "a"}
notes = {"σ": "slope $a(1 - a)$\n= 0.25", "loss": "slope $a - y$\n= −0.5"}
figure = graphs.draw_graph(chains, places, forward, names=names, notes=notes)
plots.show(figure, "neuron forward")

# %% tags=["remove-cell"]
assert (z, a, loss) == (0, 0.5, 0.125)
assert a * (1 - a) == 0.25 and a - y == -0.5

# %% [markdown]
# Now the question. Raise $w_1$ by 0.001: does the loss rise or fall, and by how much? Follow {numref}`fig-neuron-forward` with your finger. The product grows by 0.002, because $x_1$ is 2. So does the sum. At $z = 0$ the sigmoid climbs with a slope of one quarter, so $a$ grows by 0.0005. And the loss, with its slope of −0.5, falls by 0.00025. For each unit of $w_1$ that is a change of −0.25:
#
# $$ \begin{aligned} \frac{\partial L}{\partial w_1} &= \frac{\partial z}{\partial w_1} \cdot \frac{\partial a}{\partial z} \cdot \frac{\partial L}{\partial a} \\ &= x_1 \cdot a (1 - a) \cdot (a - y) \\ &= 2 \cdot \tfrac14 \cdot (-\tfrac12) = -\tfrac14 . \end{aligned} $$ (eq-chain)
#
# In words: how much $z$ moves when $w_1$ moves, times how much $a$ moves when $z$ moves, times how much $L$ moves when $a$ moves. That is the **chain rule**, and your finger applied it before the formula did.
#
# The slope of the sigmoid comes from school calculus. With $a = (1 + e^{-z})^{-1}$, the derivative is $e^{-z} (1 + e^{-z})^{-2}$, which is $a$ times $e^{-z} / (1 + e^{-z})$, and that second factor is $1 - a$. So the slope is $a (1 - a)$: one quarter in the middle, never more, and next to nothing at both ends.
#
# The finger and the loss should agree:

# %% tags=["nbval-check-output"]
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loss_at(w1):
    return (sigmoid(w1 * x1 + w2 * x2 + b) - y) ** 2 / 2


print(f"{(loss_at(w1 + 0.001) - loss_at(w1)) / 0.001:.4f}")

# %% tags=["remove-cell"]
measured = (loss_at(w1 + 0.001) - loss_at(w1)) / 0.001
assert abs(measured + 0.25) < 2e-4 and f"{measured:.4f}" == "-0.2499"

# %% [markdown]
# They do, but for the fourth decimal; where the rest comes from is a story for later on this page.
#
# ## The same neuron, backward
#
# The finger went from left to right and found one derivative. For $w_2$ it would start again at $w_2$, and in a network 159,010 times. But look at {eq}`eq-chain`: of the three factors, the last two do not mention $w_1$. They are the same for $w_2$ and for $b$. So begin at the *right* end, and carry one number back through the graph: the gradient of $L$ with respect to whatever stands there. We write `dz` for $\partial L / \partial z$, and so on. **Guess** the sign of `dw2` before you open the output.

# %% tags=["nbval-check-output", "hide-output"]
da = a - y
dz = da * a * (1 - a)
dw1, dw2, db = dz * x1, dz * x2, dz
print(dw1, dw2, db)

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-neuron-backward", "caption": "The same neuron with its gradients, which are computed from right to left."}, "image": {"alt": "The graph of the neuron with a second, dashed arrow along every edge in the other direction: 1 at L, -0.5 after the loss, -0.125 after the sigmoid and on every input of the sum, then -0.25 at w1, 0.125 at w2, -0.125 at b"}}
backward = {"loss": 1.0, "σ": da, "+": dz, "×:1": dz, "×:2": dz, "b": db}
backward |= {"w1": dw1, "w2": dw2, "x1": dz * w1, "x2": dz * w2}
figure = graphs.draw_graph(
    chains, places, forward, backward, names=names, notes=notes
)
plots.show(figure, "neuron backward")

# %% tags=["remove-cell"]
assert (dw1, dw2, db) == (-0.25, 0.125, -0.125)

# %% [markdown]
# Open {numref}`fig-neuron-backward`, put your finger on the $L$, and walk left along the dashed arrows. There are only three rules on the way. A plus hands what it gets to all its inputs, unchanged. A times hands it on multiplied by the *other* input. A function of one input hands it on multiplied by its own slope. No operation has to know the network: its inputs, and the number that comes back to it, are enough. That is **backpropagation**. Rumelhart, Hinton and Williams showed in 1986 that hidden neurons trained in this way come to stand for useful features of the task, without being told which {cite}`rumelhart1986learning`.
#
# `dw2` is positive. Raising $w_2$ makes the loss larger, because $x_2$ is negative. To make the loss smaller, move every parameter *against* its gradient:

# %% tags=["nbval-check-output"]
lr = 1.0
w1, w2, b = w1 - lr * dw1, w2 - lr * dw2, b - lr * db
z = w1 * x1 + w2 * x2 + b
print(f"loss before {loss}, after {loss_at(w1):.4f}")

# %% tags=["remove-cell"]
assert f"{loss_at(w1):.4f}" == "0.0515"

# %% [markdown]
# From 0.125 to 0.0515 in one step of **gradient descent**: new value = old value − learning rate × gradient. The gradient says which way, and how steep it is here. It does not say how far to go.
#
# :::{living} neuron
# The neuron with your own numbers: values in ink, gradients in orange. Nudge an input, and compare. Then make $z$ about 6, and about −6, where the answer is right and as wrong as can be. What becomes of the gradients, and why?
# :::
#
# ## A neuron that feeds two others
#
# In a network the output $a$ of a hidden neuron goes to *every* neuron of the next layer. Let it feed two, with the weights $v_1$ and $v_2$ and targets of 1 for both (their biases are left out to keep the drawing small). If $a$ moves, the loss moves by two roads. **Guess:** is the gradient of $a$ the larger of the two contributions, their mean or their sum?

# %% tags=["nbval-check-output", "hide-output"]
v1, v2, a = -1.1, 2.0, 0.5

o1, o2 = sigmoid(v1 * a), sigmoid(v2 * a)
dz1 = (o1 - 1) * o1 * (1 - o1)
dz2 = (o2 - 1) * o2 * (1 - o2)
print(f"{v1 * dz1:.3f} by the first road, {v2 * dz2:.3f} by the second")

# %% [markdown]
# The first neuron would like a smaller $a$, the second a larger one. Both are right. Open what $a$ gets:

# %% tags=["nbval-check-output", "hide-cell"]
da = v1 * dz1 + v2 * dz2
print(f"{da:.3f}")

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-two-paths", "caption": "A hidden neuron whose output feeds two others. At the disk a the gradients of both paths are added."}, "image": {"alt": "A graph in which a = 0.5 forks into two branches, each a product, a sigmoid and a loss, that are added to L; backward the branches bring 0.162 and -0.106 to a, which passes on their sum, 0.056, and 0.014 arrives at h"}}
chains = """
    h → σ → a → ×:1 → σ:1 → loss:1 → + → L
    a → ×:2 → σ:2 → loss:2 → +
    v1 → ×:1
    v2 → ×:2
"""
places = {"h": (0, 1.5), "σ": (1, 1.5), "a": (2, 1.5), "+": (6, 1.5)}
places |= {"v1": (3, 3.85), "×:1": (3, 2.6), "σ:1": (4, 2.6), "L": (7, 1.5)}
places |= {"v2": (3, -0.85), "×:2": (3, 0.4), "σ:2": (4, 0.4)}
places |= {"loss:1": (5, 2.6), "loss:2": (5, 0.4)}
loss1, loss2 = (o1 - 1) ** 2 / 2, (o2 - 1) ** 2 / 2
forward = {"h": 0, "σ": a, "a": a, "v1": v1, "v2": v2, "+": loss1 + loss2}
forward |= {"×:1": v1 * a, "σ:1": o1, "loss:1": loss1}
forward |= {"×:2": v2 * a, "σ:2": o2, "loss:2": loss2}
backward = {"h": da * a * (1 - a), "σ": da, "+": 1, "loss:1": 1, "loss:2": 1}
backward |= {("a", "×:1"): v1 * dz1, "×:1": dz1, "σ:1": o1 - 1, "v1": a * dz1}
backward |= {("a", "×:2"): v2 * dz2, "×:2": dz2, "σ:2": o2 - 1, "v2": a * dz2}
figure = graphs.draw_graph(
    chains, places, forward, backward, decimals=3, spacing=(1.06, 0.78)
)
plots.show(figure, "two paths")

# %% tags=["remove-cell"]
assert f"{v1 * dz1:.3f} {v2 * dz2:.3f} {da:.3f}" == "0.162 -0.106 0.056"
assert f"{da / 4:.3f}" == "0.014"
assert f"{o1 - 1:.3f} {dz1:.3f}" == "-0.634 -0.147"

# %% [markdown]
# This is the fourth and last rule: **where a value goes several ways, the gradients that come back are added.** In {numref}`fig-two-paths` they pull against each other, and 0.162 − 0.106 = 0.056: to make the loss smaller, $a$ should shrink a little. Whoever forgets the first road gets even the sign wrong. Let us move $a$ and see:


# %% tags=["nbval-check-output"]
def loss_of_two(a):
    return sum((sigmoid(v * a) - 1) ** 2 / 2 for v in (v1, v2))


measured = (loss_of_two(a + 0.001) - loss_of_two(a - 0.001)) / 0.002
print(f"{measured:.3f}")

# %% tags=["remove-cell"]
assert f"{measured:.3f}" == f"{da:.3f}" == "0.056"

# %% [markdown]
# ## A whole layer at once
#
# A layer is many such neurons, and a batch is many examples: $Z = X W^\top + b$, or, element by element,
#
# $$ z_{ik} = \sum_d x_{id}\, w_{kd} + b_k . $$ (eq-linear-layer)
#
# In words: score $k$ of example $i$ is the sum over all features $d$ of pixel times weight, plus the bias of $k$. Somebody hands us `dZ`, the gradient of the loss with respect to each of these scores. Now count the roads:
#
# * From the weight $w_{kd}$ a road leads to score $k$ of *every* example. Add them up: $\sum_i \mathrm{d}z_{ik}\, x_{id}$. As matrices? Your turn comes below.
# * From the bias $b_k$ the same roads lead, with the factor 1 in place of $x_{id}$. So `db` is `dZ`, summed over the batch.
# * From the input $x_{id}$ a road leads to *every* score of example $i$. Add them up: $\sum_k \mathrm{d}z_{ik}\, w_{kd}$, which is `dZ @ W`.
#
# Three rules for one neuron, three lines for a layer.
#
# **Your turn.** (Three minutes.) Write the first of them: the gradient of the weights, from `X` $(B, D)$ and `dZ` $(B, K)$. It must have the shape of `W`, $(K, D)$.


# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary


def my_weight_gradient(X, dZ):
    return ...


check("05.layer", my_weight_gradient)

# %% tags=["hide-cell"]
check_solution("05.layer", lambda X, dZ: dZ.T @ X)

# %% [markdown]
# All three, for four examples, three features and two classes, so that no two sizes are alike:

# %% tags=["nbval-check-output"]
X = np.array([[1, 2, 0], [0, -1, 1], [2, 0, 1], [-1, 1, 1]], float)  # (4, 3)
W = np.array([[1, 0, -1], [2, 1, 0]], float)  # (2, 3)
dZ = np.array([[1, 0], [0.5, -1], [-1, 0.5], [0, 0.5]])  # (4, 2)

dW = dZ.T @ X  # (2, 3)
db = dZ.sum(axis=0)  # (2,)
dX = dZ @ W  # (4, 3)
table = {"X": X, "dX": dX, "W": W, "dW": dW, "b": np.zeros(2), "db": db}
for name, array in table.items():
    print(f"{name:<2} {array.shape}")

# %% tags=["remove-cell"]
assert dX.shape == X.shape and dW.shape == W.shape and db.shape == (2,)

# %% [markdown]
# Every gradient has the shape of what it belongs to. Of the ways to multiply `dZ` and `X`, transposed or not, only one gives the shape of `W`. (It is no proof.)
#
# The sum over the batch hides in the matrix product. Taken apart, each example contributes its own small matrix, its row of `dZ` against its row of `X`, and `dW` is the sum of the four:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-outer-products", "caption": "The gradient of the weights is a sum over the examples: each contributes an outer product."}, "image": {"alt": "Four small matrices of two rows and three columns, joined by plus signs, and their sum, which is dW"}}
parts = [np.outer(dZ[i], X[i]) for i in range(4)]  # 4 times (2, 3)
titles = [f"example {i}" for i in range(4)] + ["dW"]
plots.show(graphs.draw_sum(parts, titles), "outer products")

# %% tags=["remove-cell"]
assert np.array_equal(sum(parts), dW)
assert not parts[3][0].any() and not parts[0][1].any()

# %% [markdown]
# The first row of example 3 in {numref}`fig-outer-products` is zero. Its `dZ[3, 0]` is 0: the loss does not mind its score for class 0, so it asks for no change of these weights. Examples may disagree, and then their wishes cancel.
#
# Now we put the three lines where they will stay. The way back needs `X`, so the way forward keeps it. Names are PyTorch's, and the weights start as random numbers whose spread (standard deviation) is $1/\sqrt{D}$; {ref}`chapter 7 <ch-mlp>` says why. First what all layers have in common: a list of parameters and a list of their gradients, empty unless a layer has some.


# %% tags=["hide-input"]
class Layer:
    def parameters(self):
        return []

    def gradients(self):
        return []


# %%
class Linear(Layer):
    def __init__(self, in_features, out_features, rng, dtype=np.float32):
        W = rng.standard_normal((out_features, in_features))
        self.W = (W / np.sqrt(in_features)).astype(dtype)  # (K, D)
        self.b = np.zeros(out_features, dtype)  # (K,)

    def forward(self, X):
        self.X = X  # (B, D), kept for the way back
        return X @ self.W.T + self.b  # (B, K)

    def backward(self, dZ):
        self.dW = dZ.T @ self.X  # (K, D)
        self.db = dZ.sum(axis=0)  # (K,)
        return dZ @ self.W  # (B, D)

    def parameters(self):
        return [self.W, self.b]

    def gradients(self):
        return [self.dW, self.db]


# %% [markdown]
# ## Move one number and look
#
# Is it right? The definition of a derivative is also a test: move one number by a small step $s$ (`step` in the code), and see how much the result moves. Do it to both sides and take the difference of the two, the **central difference**
#
# $$ \frac{\partial f}{\partial x} \approx \frac{f(x + s) - f(x - s)}{2 s} . $$ (eq-central)


# %%
def numerical_gradient(f, x, step=1e-5):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        try:
            x[index] = kept + step
            above = f(x)
            x[index] = kept - step
            below = f(x)
        finally:
            x[index] = kept  # also if f fails, or is stopped
        gradient[index] = (above - below) / (2 * step)
    return gradient


# %% [markdown]
# {ref}`Chapter 3 <ch-scores-and-hinge>` checked its gradient like this. It needs a function that returns one number, and a layer returns many. So we make up a loss: the sum of all scores, each times its number in `dZ`. Then `dZ` is its gradient with respect to the scores. `made_up_loss` ignores its argument: `numerical_gradient` changes the array in place, and the layer reads the same array, so each change is seen. The first call, with `None`, lets the layer keep its `X`.

# %%
layer = Linear(3, 2, np.random.default_rng(0), dtype=np.float64)
layer.b[:] = [0.3, -0.2]  # zeros hide errors


def made_up_loss(_):
    return (dZ * layer.forward(X)).sum()


# %% tags=["nbval-check-output"]
made_up_loss(None)
dX = layer.backward(dZ)
table = [("dW", layer.W, layer.dW), ("db", layer.b, layer.db), ("dX", X, dX)]
for name, array, gradient in table:
    gap = np.abs(numerical_gradient(made_up_loss, array) - gradient).max()
    print(f"{name} is right to within a billionth: {gap < 1e-9}")

# %% tags=["remove-cell"]
for _, array, gradient in table:
    gap = np.abs(numerical_gradient(made_up_loss, array) - gradient).max()
    assert gap < 1e-9

# %% [markdown]
# All three. The check found no error, and it knows nothing of the chain rule: it would have found one.
#
# A billionth of what? If a gradient is tiny itself, a tiny gap may be all wrong. So compare with the size of the gradients: the *relative error* is $|a - b| / \max(|a|, |b|)$. As CS231n's notes have it {cite}`cs231n2017slides`: in float64, below $10^{-7}$ is right, above $10^{-4}$ is suspicious, above $10^{-2}$ is wrong.
#
# **Your turn.** (Two minutes.) A backward pass gives 0.0213, the numerical gradient is 0.0211. Compute the relative error, and judge.

# %% tags=["your-turn"]
answer = ...
check("05.relative", answer)

# %% tags=["hide-cell"]
check_solution("05.relative", abs(0.0213 - 0.0211) / 0.0213)

# %% [markdown]
# (The answer is *suspicious*, a hair from wrong.) One case is excused: a bend that the step crosses. $\max(0, x)$ at $x = 0.000001$, moved by 0.00001 to both sides, gives half of the slope. Move the input, and look again.
#
# Why a step of 0.00001? **Guess:** would a smaller step not always be better?

# %% tags=["hide-input"]
w1, w2, b = 0.5, 1.5, 0.3  # at z = 0 the neuron is too symmetric to be typical
a = sigmoid(w1 * x1 + w2 * x2 + b)
exact = (a - y) * a * (1 - a) * x1


def error(steps, sides):
    w = np.full_like(steps, w1)
    below = loss_at(w - steps) if sides == 2 else loss_at(w)
    return np.abs((loss_at(w + steps) - below) / (sides * steps) - exact)


# %% tags=["hide-input"]
s = np.logspace(-13, 0, 40)  # (40,) steps
errors = {
    "one-sided, float64": error(s, sides=1),
    "central, float64": error(s, sides=2),
    "central, float32": error(s.astype(np.float32), sides=2),
}

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-step-size", "caption": "The error of a numerical derivative of the neuron's loss, over the step. Both axes are logarithmic."}, "image": {"alt": "Three curves shaped like a V: with the central difference in float64 the error is lowest, near 1e-11, for steps near 1e-5; with the one-sided difference it is lowest, near 1e-9, at 1e-8; with float32 it never falls much below 1e-6"}}
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.6))
colors = [plots.ORANGE, plots.BLUE, plots.GRAY]
for name, style, color in zip(errors, ("s--", "o-", "^:"), colors, strict=True):
    floor = np.maximum(errors[name], 1e-14)  # an exact 0 has no logarithm
    ax.loglog(s, floor, style, color=color, markersize=4, label=name)
ax.set(xlabel="step s", title="error of the derivative")
ax.text(4e-13, 1e-7, "rounding", color=plots.GRAY)
ax.text(2e-4, 1e-11, "truncation", color=plots.GRAY)
ax.legend()
plots.show(figure, "step size")

# %% tags=["remove-cell"]
best = {name: (s[e.argmin()], e.min()) for name, e in errors.items()}
assert 1e-7 < best["central, float64"][0] < 1e-3
assert best["central, float64"][1] < 1e-10
assert 1e-10 < best["one-sided, float64"][0] < 1e-6
assert best["one-sided, float64"][1] < 1e-8
third_best = np.sort(errors["central, float32"])[2]  # one may be a lucky hit
assert 1e-6 < third_best / abs(exact) < 1e-3
assert np.float32(0.5) + np.float32(1e-8) == np.float32(0.5)
at = np.searchsorted(s, [1e-3, 1e-2, 1e-1])
ratios = (
    errors["central, float64"][at[1:]] / errors["central, float64"][at[:-1]]
)
assert (ratios > 50).all() and (ratios < 200).all()

# %% [markdown]
# Seen from the right, each curve of {numref}`fig-step-size` falls, turns around, and rises again. To the right of its lowest point the step is too long: a curve is not straight, and we measure the slope of a chord (**truncation**). Ten times as short a step makes the one-sided error ten times as small and the central error a hundred times, and that is why we look to both sides. To the left of the lowest point the step is too short: the two losses agree in nearly all of their 16 digits, and what is left when we subtract them is mostly **rounding**, divided by a tiny step. For central differences in `float64` the best step is near 0.00001. In `float32`, with its 7 digits, even the best steps get only about five digits right. Check gradients in `float64`, always; train in what you like.
#
# The 0.2499 at the beginning of this page came from a one-sided step of 0.001: truncation.
#
# ## Layers in a row
#
# Between two linear layers stands something that bends. It works on each number by itself, so its way back is one multiplication, by its slope. For the sigmoid that is $a (1 - a)$. The **ReLU**, $\max(0, h)$, has the slope 1 where $h$ is positive and 0 where it is negative; at the bend it has none, and we take 0, as PyTorch does.
#
# Our sigmoid needs one repair before it meets real scores: for $z = -1000$ it computes $e^{1000}$, which no float can hold. {ref}`Chapter 4 <ch-softmax-regression>` repaired the softmax by dividing by the largest exponential, and so do we: $1$ if $z$ is positive, $e^{-z}$ if it is negative.


# %% tags=["nbval-check-output"]
def sigmoid(z):
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


print(sigmoid(np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])).round(3))

# %% tags=["remove-cell"]
grid = np.linspace(-30, 30, 601)
assert np.allclose(sigmoid(grid), 1 / (1 + np.exp(-grid)), rtol=1e-14, atol=0)
with np.errstate(over="raise"):
    assert sigmoid(np.array([-1e4, 1e4])).tolist() == [0, 1]


# %%
class Sigmoid(Layer):
    def forward(self, h):
        self.a = sigmoid(h)  # (B, H), kept for the way back
        return self.a

    def backward(self, da):
        return da * self.a * (1 - self.a)  # (B, H)


# %%
class ReLU(Layer):
    def forward(self, h):
        self.active = h > 0  # (B, H), kept for the way back
        return np.maximum(h, 0)

    def backward(self, da):
        return da * self.active  # (B, H)


# %% [markdown]
# A network is a list of such layers. Forward, each gets what the one before it returned. Backward, the same list is read from its end:


# %%
class Sequential(Layer):
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, X):
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward(self, dZ):
        for layer in reversed(self.layers):
            dZ = layer.backward(dZ)
        return dZ

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

    def gradients(self):
        return [g for layer in self.layers for g in layer.gradients()]


# %% [markdown]
# There it is, the network of the first paragraph: 784 pixels, 200 hidden neurons, ten scores. It meets its first 32 training digits, and the loss that {ref}`chapter 4 <ch-softmax-regression>` wrote, with its gradient.

# %% tags=["hide-input"]
from mnist_course.by_hand.losses import cross_entropy, cross_entropy_gradient
from mnist_course.data import load_data, split_train_valid

digits = load_data()
labels = digits.train_labels.astype(np.int64)  # (N,)
pixels = digits.train_images.reshape(-1, 784).astype(np.float32) / 255
num_valid = len(labels) // 12  # 5,000 of 60,000
train, valid = split_train_valid(len(labels), num_valid)

# %%
rng = np.random.default_rng(0)
model = Sequential(
    Linear(784, 200, rng, dtype=np.float64),
    ReLU(),
    Linear(200, 10, rng, dtype=np.float64),
)
print(f"{sum(p.size for p in model.parameters()):,} numbers")

# %% tags=["remove-cell"]
assert sum(p.size for p in model.parameters()) == 159_010
if digits.is_mnist:
    assert (len(train), len(valid)) == (55_000, 5_000)

# %%
for layer in (model.layers[0], model.layers[2]):
    layer.b[:] = rng.standard_normal(len(layer.b))  # zeros hide errors

X = (pixels[train[:32]].astype(np.float64) - 0.1307) / 0.3081  # (32, 784)
y = labels[train[:32]]  # (32,)
logits = model.forward(X)  # (32, 10)
dX = model.backward(cross_entropy_gradient(logits, y))  # (32, 784)
print(f"loss {cross_entropy(logits, y):.3f}")

# %% [markdown]
# Four gradients lie in the model now. PyTorch's **autograd** gets them in another way: it notes every operation on the way forward and asks each for its gradient on the way back, with formulas that other people derived. If we agree, tensor by tensor, then both are probably right.

# %%
import torch
import torch.nn.functional as F

tensors = [torch.tensor(p, requires_grad=True) for p in model.parameters()]
W1, b1, W2, b2 = tensors
hidden = F.relu(torch.tensor(X) @ W1.T + b1)  # (32, 200)
F.cross_entropy(hidden @ W2.T + b2, torch.tensor(y)).backward()

# %%
for name, tensor, ours in zip(
    ("W1", "b1", "W2", "b2"), tensors, model.gradients()
):
    gap = np.abs(tensor.grad.numpy() - ours).max()
    print(f"d{name} {ours.shape!s:<10} up to {np.abs(ours).max():.3f}", end="")
    print(f", equal to within 1e-14: {gap < 1e-14}")

# %% tags=["remove-cell"]
gaps = [
    np.abs(tensor.grad.numpy() - ours).max()
    for tensor, ours in zip(tensors, model.gradients())
]
assert max(gaps) < 1e-14
assert min(np.abs(ours).max() for ours in model.gradients()) > 1e-3

# %% [markdown]
# None of the 159,010 gaps reaches $10^{-14}$: the last digits of the floats, nothing more. (The biases were set to random numbers for this check. With zeros, a forgotten bias would not have shown.)
#
# And what did it cost, compared with moving one number at a time?

# %% tags=["nbval-ignore-output", "hide-cell"]
import timeit


def seconds(function):
    return min(timeit.repeat(function, number=1, repeat=30))


def forward_and_backward():
    model.backward(cross_entropy_gradient(model.forward(X), y))


look, both = seconds(lambda: model.forward(X)), seconds(forward_and_backward)
print(f"one look at the batch: {1000 * look:.2f} ms")
print(f"forward and backward:  {1000 * both:.2f} ms")
print(f"318,020 looks:         {318_020 * look:.0f} s")

# %% tags=["remove-cell"]
assert 2 * 159_010 == 318_020


class Counted(np.ndarray):  # knows how many matrix products were asked for
    products = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **settings):
        Counted.products += ufunc is np.matmul
        plain = [np.asarray(a) for a in inputs]
        return np.asarray(getattr(ufunc, method)(*plain, **settings)).view(
            Counted
        )


logits = np.asarray(model.forward(X.view(Counted)))
assert Counted.products == 2
model.backward(cross_entropy_gradient(logits, y).view(Counted))
assert Counted.products == 2 + 4

# %% [markdown]
# Two looks for each number, 318,020 in all, are more than a minute of work for a single step, on the machine that wrote this page. Backpropagation needs about as long as three looks, for all numbers together, and that ratio does not grow with the size of the network: for each matrix product on the way forward there are two on the way back. This is why large networks can be trained at all.
#
# ## Where the loss begins: p − y
#
# Chapter 4 found the gradient of cross-entropy with respect to the logits by differentiating the logarithm of a softmax as a whole. The chain rule gets it from the pieces, and shows what the pieces hide. The loss of one example is $L = -\log p_y$. Going back from $L$, first the logarithm: only $p_y$ is in it, so
#
# $$ \frac{\partial L}{\partial p_y} = -\frac{1}{p_y}, \qquad \text{and 0 for all other } p_j . $$
#
# Then the softmax, $p_j = e^{z_j} / S$ with $S = \sum_k e^{z_k}$. Every logit is in $S$, so every logit moves every probability. By the quotient rule
#
# $$ \frac{\partial p_j}{\partial z_k} = p_j \, ([j = k] - p_k) , $$ (eq-softmax-jacobian)
#
# where $[j = k]$ is 1 if the two are equal and 0 if not. In words: a logit lifts its own probability and pushes down all others, in proportion to what both have. Multiply along the road through $p_y$:
#
# $$ \frac{\partial L}{\partial z_k} = -\frac{1}{p_y} \cdot p_y \, ([y = k] - p_k) = p_k - [y = k] . $$
#
# The $p_y$ cancels, and what is left is *what the model said, minus what it should have said*. The same in code, for three classes with the right one in the middle. The table of all the slopes of {eq}`eq-softmax-jacobian` is the **Jacobian**.

# %% tags=["nbval-check-output"]
z, right = np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0])
p = np.exp(z) / np.exp(z).sum()  # (3,)
jacobian = np.diag(p) - np.outer(p, p)  # (3, 3), row j, column k
dp = -right / p  # (3,)
print((dp @ jacobian).round(4), (p - right).round(4))

# %% tags=["remove-cell"]
assert np.allclose(dp @ jacobian, p - right)
numbers = numerical_gradient(
    lambda z: cross_entropy(z, np.array([1])), z[None].copy()
)
assert np.allclose(numbers, p - right)

# %% [markdown]
# The cancellation is more than elegant. A confident mistake makes $p_y$ round to 0; then $-1 / p_y$ is minus infinity, its product with 0 is not a number, and the training is over. $p - y$ stays between −1 and 1. So libraries offer the two as one function, and you should use it.
#
# ## The other loss
#
# Now the loss of the first neuron: squared error on a sigmoid. Its gradient, $(a - y)\, a (1 - a)$, has kept the slope of the sigmoid as a factor. For comparison, cross-entropy: if $y = 1$, its loss is $-\log a$, and the gradient $-\frac1a \cdot a (1 - a) = a - 1$. There the slope cancels, as it did behind the softmax. **Guess** what the factor does to a neuron that is certain and wrong.

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-saturation", "caption": "Left: the sigmoid and its slope. Right: the gradient that reaches z when the target is 1, for the squared error and for cross-entropy."}, "image": {"alt": "Left panel: the S-shaped sigmoid, and its slope, a bell of height one quarter that is almost zero beyond 6 on both sides. Right panel: the gradient of cross-entropy goes from -1 on the left to 0 on the right; that of the squared error is near 0 on both sides and reaches only -0.15 near -0.7"}}
z = np.linspace(-8, 8, 401)
a = sigmoid(z)
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3))
axes[0].plot(z, a, label="sigmoid a")
axes[0].plot(z, a * (1 - a), "--", label="slope a (1 − a)")
axes[1].plot(z, a - 1, label="cross-entropy")
axes[1].plot(z, (a - 1) * a * (1 - a), "--", label="squared error")
for ax, title in zip(axes, ("one neuron", "gradient at z, if y = 1")):
    ax.set(xlabel="z", title=title)
    ax.legend()
plots.show(figure, "saturation")

# %% tags=["remove-cell"]
squared = (a - 1) * a * (1 - a)
assert (
    abs(squared.min() + 4 / 27) < 1e-4 and abs(z[squared.argmin()] + 0.7) < 0.05
)
wrong = sigmoid(np.array(-6.0))
assert (
    f"{wrong:.4f}" == "0.0025"
    and f"{(wrong - 1) * wrong * (1 - wrong):.4f}" == "-0.0025"
)
assert (
    f"{wrong - 1:.4f}" == "-0.9975" and round(1 / (wrong * (1 - wrong))) == 405
)

# %% [markdown]
# At $z = -6$ the neuron says 0.0025 where 1 is right; it could hardly be more wrong. On the right of {numref}`fig-saturation`, cross-entropy answers with a gradient of −0.9975. The squared error answers with −0.0025, four hundred times less. Out there, the worse the mistake, the smaller the correction. Such a neuron is called **saturated**. And the factor $a (1 - a)$, at most one quarter, comes in again at *every* layer of sigmoids that the gradient passes. Build six of them, send 500 digits through and their gradient back, and compare how long it is at each layer. **Guess** by how much it shrinks on the way.

# %% tags=["hide-output"]
for bend in (Sigmoid, ReLU):
    rng = np.random.default_rng(0)
    deep = [Linear(784, 100, rng), bend()]
    for _ in range(5):
        deep += [Linear(100, 100, rng), bend()]
    deep = Sequential(*deep, Linear(100, 10, rng))
    some = train[:500]
    logits = deep.forward((pixels[some] - 0.1307) / 0.3081)  # (500, 10)
    deep.backward(cross_entropy_gradient(logits, labels[some]))
    sizes = [np.abs(layer.dW).mean() for layer in deep.layers[::2]]  # 7 layers
    print(f"{bend.__name__:<8}", *(f"{size:.0e}" for size in sizes))
    print(f"{'':<8} last / first: {sizes[-1] / sizes[0]:,.0f}")

# %% tags=["remove-cell"]
shrink = {bend.__name__: sizes[-1] / sizes[0]}
deep = []
for _ in range(6):
    deep += [Linear(784 if not deep else 100, 100, rng), Sigmoid()]
deep = Sequential(*deep, Linear(100, 10, rng))
logits = deep.forward((pixels[some] - 0.1307) / 0.3081)
deep.backward(cross_entropy_gradient(logits, labels[some]))
first, last = (np.abs(deep.layers[k].dW).mean() for k in (0, -1))
assert last / first > 1000
if digits.is_mnist:
    assert shrink["ReLU"] < 100

# %% [markdown]
# This is the *vanishing gradient*: with sigmoids the first layer of seven gets thousands of times less than the last, and hardly learns. With the ReLU, whose slope is 1 or 0, far more arrives. Glorot and Bengio met both effects in networks of up to five hidden layers: sigmoids that saturate, and plateaus of the loss that are worse with the squared error than with cross-entropy {cite}`glorot2010understanding`.
#
# ## A network from a tutorial
#
# One of the tutorials from which this course grew has both: a network written in numpy, with sigmoids everywhere and a squared error. It draws its weights from a normal distribution, with a spread that we read as $1 / \sqrt{\text{outputs}}$ of each layer, and it has no biases. It shows how to `train` on one picture and how to `query` the network, but no loop that trains it, and it does not scale the pixels. We give it 784, 200 and 10 neurons and what such networks usually get: pixels in 0.01…1, a target of 0.99 for the right class and 0.01 for the others, and a learning rate of 0.1.

# %%
inputs = 0.01 + 0.99 * pixels  # (N, 784), 0.01..1
targets = (0.01 + 0.98 * np.eye(10)[labels]).astype(np.float32)  # (N, 10)

rng = np.random.default_rng(0)
W1 = rng.normal(0, 200**-0.5, (200, 784)).astype(np.float32)  # (H, D)
W2 = rng.normal(0, 10**-0.5, (10, 200)).astype(np.float32)  # (K, H)


# %%
def query(W1, W2, X):
    a = sigmoid(X @ W1.T)  # (B, H)
    return a, sigmoid(a @ W2.T)  # (B, K)


a, o = query(W1, W2, inputs[train[:1000]])
print(f"outputs from {o.min():.3f} to {o.max():.3f}")

# %% [markdown]
# Then comes the backward pass. Here is what it computes, in our names and with one row per example. One factor is missing. Compare with {numref}`fig-two-paths` and find it before you read on.


# %%
def tutorial_gradients(W1, W2, X, T):
    a, o = query(W1, W2, X)
    error = o - T  # (B, K)
    dW2 = (error * o * (1 - o)).T @ a  # (K, H)
    da = error @ W2  # (B, H), both paths added
    dW1 = (da * a * (1 - a)).T @ X  # (H, D)
    return dW1, dW2


# %% [markdown]
# The sum over the paths is there: `error @ W2`. But what travels back through $W_2$ is the error *behind* the output's sigmoid, not the gradient in front of it. In the figure that is the number to the right of the σ in the upper branch, −0.634, in place of the number to its left, −0.147. The factor `o * (1 - o)` is used for `dW2` and then forgotten. With it, the function is even shorter:


# %%
def gradients(W1, W2, X, T):
    a, o = query(W1, W2, X)
    dz = (o - T) * o * (1 - o)  # (B, K)
    dh = (dz @ W2) * a * (1 - a)  # (B, H)
    return dh.T @ X, dz.T @ a  # (H, D), (K, H)


# %% [markdown]
# How far is the one from the other? As for any two arrows, we ask for the cosine of the angle between them, which is 1 for equal directions, and for their lengths.

# %%
X, T = inputs[train[:1000]], targets[train[:1000]]
theirs, ours = tutorial_gradients(W1, W2, X, T), gradients(W1, W2, X, T)
cosine = (theirs[0] * ours[0]).sum()
cosine /= np.linalg.norm(theirs[0]) * np.linalg.norm(ours[0])
length = np.linalg.norm(theirs[0]) / np.linalg.norm(ours[0])
print(f"dW1: cosine {cosine:.2f}, {length:.1f} times as long")

# %% tags=["remove-cell"]
tensors = [
    torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in (W1, W2)
]
X64, T64 = (
    torch.tensor(X, dtype=torch.float64),
    torch.tensor(T, dtype=torch.float64),
)
Z = torch.sigmoid(X64 @ tensors[0].T) @ tensors[1].T
((torch.sigmoid(Z) - T64) ** 2 / 2).sum().backward()
for tensor, gradient in zip(
    tensors,
    gradients(
        W1.astype(float), W2.astype(float), X.astype(float), T.astype(float)
    ),
):
    assert np.abs(tensor.grad.numpy() - gradient).max() < 1e-10
assert np.allclose(theirs[1], ours[1], rtol=1e-3, atol=1e-4)
spread = []
for seed in range(20):
    r = np.random.default_rng(seed)
    V1, V2 = (
        r.normal(0, 200**-0.5, (200, 784)),
        r.normal(0, 10**-0.5, (10, 200)),
    )
    there, here = (
        tutorial_gradients(V1, V2, X, T)[0],
        gradients(V1, V2, X, T)[0],
    )
    norms = np.linalg.norm(there), np.linalg.norm(here)
    between = (there * here).sum() / norms[0] / norms[1]
    at_ends = (np.abs(query(V1, V2, X)[0] @ V2.T) > 4).mean()
    spread.append((between, norms[0] / norms[1], at_ends))
cosines, lengths, ends = np.transpose(spread)
assert 0 < cosine < 1 < length
if digits.is_mnist:
    assert 0.4 < cosines.min() < cosines.max() < 1
    assert 0.74 < cosines.mean() < 0.93
    assert 4 < lengths.min() < lengths.max() < 20
    assert 6.5 < lengths.mean() < 10
    assert cosines.min() - 0.2 < cosine and length < lengths.max() + 6

# %% [markdown]
# The gradient of `W2` is right. That of `W1` is not the gradient at all: it is far too long, and its direction is off. How far depends on the weights that were drawn. Still, the cosine is positive, so a small step against it goes downhill, and the network will learn. It has one more surprise for us. **Guess:** after 5,000 pictures, shown one by one, which of the two reads more digits, the tutorial's or ours?


# %% tags=["hide-input"]
def train_network(W1, W2, X, T, batch_size, gradients, lr=0.1):
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        dW1, dW2 = gradients(W1, W2, X[rows], T[rows])
        W1 -= lr * dW1
        W2 -= lr * dW2


def accuracy(W1, W2):
    _, o = query(W1, W2, inputs[valid])
    return (o.argmax(axis=1) == labels[valid]).mean()


# %% tags=["hide-output"]
some = train[:5000]


def after_one_pass(function):
    V1, V2 = W1.copy(), W2.copy()
    train_network(V1, V2, inputs[some], targets[some], 1, function)
    return accuracy(V1, V2)


as_written = after_one_pass(tutorial_gradients)
as_derived = after_one_pass(gradients)
print(f"the tutorial's {100 * as_written:.1f} % of the validation digits")
print(f"the gradient   {100 * as_derived:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(as_written - 0.90) < 0.02 and abs(as_derived - 0.87) < 0.03
    assert as_written > as_derived
assert min(as_written, as_derived) > 0.3

# %% [markdown]
# The wrong one wins. A beginner might conclude that the factor is better left out. But two things differ, length and direction, and we can take them apart: give our gradient of `W1` the tutorial's length.


# %%
def longer(W1, W2, X, T):
    dW1, dW2 = gradients(W1, W2, X, T)
    return length * dW1, dW2


as_long = after_one_pass(longer)
print(f"the gradient, {length:.1f} times as long: {100 * as_long:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(as_long - 0.89) < 0.025
    assert -0.01 < as_long - as_derived < 0.05
    assert -0.02 < as_written - as_long < 0.03
assert as_long > 0.3

# %% [markdown]
# A good part of the advantage was the length of the step. Leave the factor out, and the gradient at the output becomes $o - T$. We have met that expression. It is the gradient of *cross-entropy* behind a sigmoid. Let PyTorch say whether that is a coincidence.

# %% tags=["hide-cell"]
V1, V2 = (torch.tensor(w.astype(float), requires_grad=True) for w in (W1, W2))
X64, T64 = torch.tensor(X).double(), torch.tensor(T).double()
Z = torch.sigmoid(X64 @ V1.T) @ V2.T  # (1000, 10)
F.binary_cross_entropy_with_logits(Z, T64, reduction="sum").backward()

theirs = tutorial_gradients(*(w.astype(float) for w in (W1, W2)), X, T)
same = [
    np.allclose(v.grad.numpy(), g, rtol=1e-6) for v, g in zip((V1, V2), theirs)
]
print(f"gradient of cross-entropy? dW1 {same[0]}, dW2 {same[1]}")

# %% tags=["remove-cell"]
assert same == [True, False]
assert np.abs(V1.grad.numpy() - theirs[0]).max() < 1e-11

# %% [markdown]
# It is none. The tutorial's first layer descends on cross-entropy, exactly, and its second layer on the squared error. The slip in one place repaired a poor choice in another, for half of the network. Nothing of this speaks for slips. Choose the better loss on purpose, for all layers, and check its gradient.
#
# (Two other things hold that network back: raw pixels of 0 to 255 saturate its hidden neurons before the first step, and a score is a sum over the *inputs* of its neuron, so the weights should be spread like $1/\sqrt{\text{inputs}}$ {cite}`lecun1998efficient`, not like $1/\sqrt{\text{outputs}}$. {ref}`Chapter 7 <ch-mlp>` measures what a start is worth.)
#
# ## One at a time, or in rows
#
# Our loss is a sum over the examples, and the gradient of a sum is the sum of the gradients. So a batch of 32 must give exactly what 32 single examples give together, as long as the weights stand still:

# %%
rows = train[:32]
together = gradients(W1, W2, inputs[rows], targets[rows])
singles = [gradients(W1, W2, inputs[[i]], targets[[i]]) for i in rows]
summed = [sum(single) for single in zip(*singles)]
print([np.allclose(t, s, atol=1e-5) for t, s in zip(together, summed)])

# %% tags=["remove-cell"]
for one, other in zip(together, summed):
    assert np.abs(one - other).max() < 1e-5 * np.abs(one).max()

# %% [markdown]
# Same mathematics, other arithmetic. One at a time, numpy is called a dozen times for each picture, and every one of 158,800 weights is read and written 5,000 times. With 10 rows both happen a tenth as often. We train three copies of the network on the same 5,000 pictures, in turns, so that a busy machine is unfair to all three alike. **Guess** how long each takes, and how well each reads.

# %% tags=["nbval-ignore-output", "hide-output"]
import time

sizes = (1, 10, 100)
copies = {size: (W1.copy(), W2.copy()) for size in sizes}
spent = dict.fromkeys(sizes, 0.0)
for part in np.array_split(some, 5):
    X, T = inputs[part], targets[part]
    for size in sizes:
        begun = time.perf_counter()
        train_network(*copies[size], X, T, size, gradients)
        spent[size] += time.perf_counter() - begun

for size in sizes:
    score = f"{100 * accuracy(*copies[size]):.1f} %"
    print(f"{size:3d} at a time: {spent[size]:.2f} s, reads {score}")

# %% tags=["remove-cell"]
assert W1.size + W2.size == 158_800
if digits.is_mnist:
    assert abs(accuracy(*copies[1]) - as_derived) < 0.005
    assert 0.6 < accuracy(*copies[10]) < as_derived + 0.02
    assert 0.07 < accuracy(*copies[100]) < 0.2
    assert query(*copies[100], inputs[valid])[1].max() < 0.01
steps = {
    size: sum(-(-len(part) // size) for part in np.array_split(some, 5))
    for size in sizes
}
assert steps[1] == len(some)
if digits.is_mnist:
    assert list(steps.values()) == [5_000, 500, 50]

# %% [markdown]
# The last row is guessing. The gradient is right; we have seen that it is the sum of a hundred. That is the point. A step along the sum is a hundred steps at once, all in the direction that seemed right at the first one. Nine of ten targets are 0.01, so all ten outputs rush down, far beyond the aim, to less than 0.01 for every picture. There the sigmoids are saturated, the squared error is blind, and hardly anything calls them back. From now on the loss is a *mean* over the batch, so that the length of a step does not grow with the size of the batch. How long it should be is the subject of {ref}`chapter 6 <ch-optimizers>`.
#
# Meanwhile, ten at a time, all the training pictures, once:

# %%
V1, V2 = W1.copy(), W2.copy()
train_network(V1, V2, inputs[train], targets[train], 10, gradients)
sigmoid_accuracy = accuracy(V1, V2)
print(f"{100 * sigmoid_accuracy:.1f} % of the validation digits")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(sigmoid_accuracy - 0.939) < 0.012
assert sigmoid_accuracy > 0.3

# %% [markdown]
# (`python -m benchmarks.per_sample` measures how long the same pass takes one at a time.)
#
# ## The same, as one would build it today
#
# ReLU in the middle, logits at the end, softmax and cross-entropy for the loss, its mean over the batch, weights spread like $1/\sqrt{\text{inputs}}$, biases, normalized pixels: every part is on this page or in the last chapters. This loop will do for every network that we train by hand.


# %%
def train_epoch(model, X, y, lr, batch_size, rng):
    order = rng.permutation(len(y))
    for start in range(0, len(y), batch_size):
        batch = order[start : start + batch_size]  # (B,)
        logits = model.forward(X[batch])  # (B, 10)
        model.backward(cross_entropy_gradient(logits, y[batch]))
        for p, dp in zip(model.parameters(), model.gradients()):
            p -= lr * dp


# %%
def build_model(seed):
    rng = np.random.default_rng(seed)
    return Sequential(Linear(784, 200, rng), ReLU(), Linear(200, 10, rng))


def share_right(model, X, y):
    return (model.forward(X).argmax(axis=1) == y).mean()


# %%
X, y = (pixels - 0.1307) / 0.3081, labels  # (N, 784), (N,)
model, rng, valid_accuracy = build_model(0), np.random.default_rng(0), []
begun = time.perf_counter()
for epoch in range(1, 6):
    train_epoch(model, X[train], y[train], lr=0.1, batch_size=50, rng=rng)
    valid_accuracy.append(share_right(model, X[valid], y[valid]))
    print(f"epoch {epoch}: {100 * valid_accuracy[-1]:.1f} %")
took = time.perf_counter() - begun

# %% tags=["nbval-ignore-output"]
print(f"{took:.1f} s for five passes")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(valid_accuracy[0] - 0.957) < 0.013
    assert abs(valid_accuracy[-1] - 0.975) < 0.008
    assert valid_accuracy[0] > sigmoid_accuracy
assert valid_accuracy[-1] > 0.85

# %% [markdown]
# After one pass it reads about 96 % of the validation digits, where sigmoids and squared error had 94 %; after five passes between 97 and 98 %.
#
# Now, once, the test set:

# %%
test_pixels = digits.test_images.reshape(-1, 784).astype(np.float32) / 255
test_y = digits.test_labels
logits = model.forward((test_pixels - 0.1307) / 0.3081)  # (10000, 10)
predictions = logits.argmax(axis=1)
test_accuracy = (predictions == test_y).mean()
print(f"{100 * test_accuracy:.1f} % of {len(test_y):,} test digits")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(test_accuracy - 0.979) < 0.004
assert test_accuracy > 0.8

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-backprop-errors", "caption": "The first twenty test digits that the network of this chapter gets wrong."}, "image": {"alt": "Twenty handwritten digits in two rows, each with the wrong prediction and the right label above it"}}
wrong = np.flatnonzero(predictions != test_y)[:20]
figure = plots.plot_predictions(
    digits.test_images[wrong], test_y[wrong], predictions[wrong]
)
plots.show(figure, "backprop errors")

# %% [markdown]
# Almost 98 % in this one run, from one random start, after 82.0 % for the mean pictures of chapter 1 and some 92 % for one linear layer. At some of the mistakes in {numref}`fig-backprop-errors` you would hesitate, too. The others are written plainly enough, only not in the way that most people write them.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"a network by hand, in numpy: {100 * test_accuracy:.1f} % of the test digits"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-backprop-edge
# (A minute, in your head.) In {numref}`fig-neuron-backward`, let the target be $y = 0$ instead of 1. What is the gradient of $w_1$ now?
# :::

# %%
answer = ...
check("05.edge", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-backprop-zeros
# (Five minutes; guess before you try.) Somebody sets the last layer of `build_model(0)` to zero, weights and biases, and leaves the first layer random. Then she trains as above. What happens? `"a"`: nothing, ever, since zeros times anything are zeros. `"b"`: the first step moves the last layer only, the following steps move both. `"c"`: the first step moves both layers. `"d"`: only the last bias ever moves.
# :::

# %%
answer = ...
check("05.zeros", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-backprop-mean
# (Ten minutes.) Change one line: let `train_network` divide both gradients by the number of rows. Predict first, then run it on *copies* of `W1` and `W2` (`W1.copy()`), with the pictures `inputs[some]`, `targets[some]`, 10 at a time and `lr=0.1`: does the network read more digits than one at a time did above, or fewer? Which learning rate would give exactly the steps of the sum, 10 at a time? Hand in that learning rate, a number.
# :::

# %%
answer = ...
check("05.mean", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-backprop-tanh
# (Ten minutes.) Write a layer `Tanh`. The derivative of $\tanh h$ is $1 - \tanh^2 h$. Check yourself with `numerical_gradient` before you ask the book.
# :::


# %%
class Tanh(Layer):
    def forward(self, h):
        return ...

    def backward(self, da):
        return ...


check("05.tanh", Tanh)

# %% [markdown]
# :::{exercise}
# :label: ex-backprop-blind
# (Fifteen minutes, breaking things on purpose.) Write a *wrong* backward pass of a linear layer whose mistake no check with a batch of one can find: for one example all three gradients are right. For larger batches they must have the right shapes, and at least one of them wrong values. Real code has such mistakes, so in your own checks you will know what to use.
# :::


# %%
def blind_backward(X, W, dZ):
    return ...  # dX, dW, db


check("05.blind", blind_backward)

# %% [markdown]
# :::{exercise}
# :label: ex-backprop-pixels
# (Half an hour, open.) `model.backward` returns one more gradient, that of the *pixels*. Training has no use for it. You have: it says how each pixel would have to change to make the loss larger. (Run `forward` on the validation digits first, then `backward` with `cross_entropy_gradient`; the layers remember only their last batch.) Add 0.1 times its sign to the pixels of the validation digits (0 is paper and 1 is ink; `np.clip` keeps them between, then normalize again before the network sees them), and look at some. Would you still read them? Does the network?
# :::
#
# :::{exercise}
# :label: ex-backprop-value
# (An evening.) Build your own autograd. A `Value` holds one number in `data` and its gradient in `grad`, and remembers which values it was made of. Write `+`, `*` and `sigmoid()`; and `backward()`, which sets `grad` in every value that the result depends on. Values may be used more than once, and `grad` must be complete before it is handed on: in which order do you walk the graph? (`x + y` calls `x.__add__(y)`, and `x * y` calls `x.__mul__(y)`; both sides are `Value`s. You may give `__init__` more arguments, with defaults.)
# :::


# %%
class Value:
    def __init__(self, data):
        self.data, self.grad = data, 0.0

    def __add__(self, other):
        return ...

    def __mul__(self, other):
        return ...

    def sigmoid(self):
        return ...

    def backward(self):
        return ...


check("05.value", Value)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * You can read a gradient off a graph: multiply along a path, add where paths meet. For a layer that is `dZ.T @ X`, the sum of `dZ`, and `dZ @ W`.
# * You can check any gradient, in float64, with random biases and more than one example: by central differences, and tensor by tensor against autograd.
# * You know why softmax and cross-entropy come as a pair, $p - y$, and why a saturated sigmoid under a squared error stops learning.
# * You have trained a network that you wrote yourself, without a library for learning, to almost 98 % of the test digits.
#
# Next: the gradient says which way is down, and nothing else. A hundred times the right step ruined a network on this page. How far should we step? {ref}`From gradients to steps <ch-optimizers>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-backprop-edge
# :class: dropdown
# :::
#
# Only the last factor changes: $a - y$ is now $+0.5$, so the gradient is $2 \cdot \frac14 \cdot \frac12 = 0.25$.

# %%
check_solution("05.edge", 2 * 0.25 * 0.5)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-zeros
# :class: dropdown
# :::
#
# `"b"`. The gradient of the last weights is `dZ.T @ a`. It does not contain these weights, and the hidden neurons are not zero, so the first step moves them. What comes back to the first layer is `dZ @ W2`, and that is zero until `W2` is not. So one layer of zeros costs one step; two of them cost everything.

# %%
half_zero = build_model(0)
for p in half_zero.layers[2].parameters():
    p[:] = 0
for step in (1, 2):
    rows = train[32 * step : 32 * step + 32]
    logits = half_zero.forward(X[rows])
    half_zero.backward(cross_entropy_gradient(logits, y[rows]))
    moved = [bool(np.any(dp)) for dp in half_zero.gradients()]
    print(f"step {step}: W1, b1, W2, b2 move: {moved}")
    for p, dp in zip(half_zero.parameters(), half_zero.gradients()):
        p -= 0.1 * dp

check_solution("05.zeros", "b")

# %% tags=["remove-cell"]
assert moved == [True] * 4

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-mean
# :class: dropdown
# :::
#
# A mean over 10 rows is a tenth of their sum, so `lr=1` gives the old steps. With `lr=0.1` the steps are ten times shorter, and a network that has seen 5,000 pictures has not come as far:


# %%
def mean_gradients(W1, W2, X, T):
    return [g / len(X) for g in gradients(W1, W2, X, T)]


V1, V2 = W1.copy(), W2.copy()
train_network(V1, V2, inputs[some], targets[some], 10, mean_gradients)
print(f"{100 * accuracy(V1, V2):.1f} %")
check_solution("05.mean", 1.0)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(accuracy(V1, V2) - 0.82) < 0.04
    assert accuracy(V1, V2) < as_derived

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-tanh
# :class: dropdown
# :::


# %%
class Tanh(Layer):
    def forward(self, h):
        self.a = np.tanh(h)  # (B, H)
        return self.a

    def backward(self, da):
        return da * (1 - self.a**2)  # (B, H)


check_solution("05.tanh", Tanh)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-blind
# :class: dropdown
# :::
#
# With a single example a sum over the batch and a mean over the batch are the same. The classic is to divide once too often: the loss is a mean already, so its gradient has been divided by $B$ before it arrives here.


# %%
def blind_backward(X, W, dZ):
    return dZ @ W, dZ.T @ X / len(X), dZ.mean(axis=0)


check_solution("05.blind", blind_backward)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-pixels
# :class: dropdown
# :::
#
# You would read them, and the network does not. No pixel moves by more than a tenth of the way from paper to ink, but each moves in the direction that hurts, and 784 small wishes add up.

# %%
logits = model.forward(X[valid])
dX = model.backward(cross_entropy_gradient(logits, y[valid]))  # (5000, 784)
moved = np.clip(pixels[valid] + 0.1 * np.sign(dX), 0, 1)
fooled = share_right(model, (moved - 0.1307) / 0.3081, y[valid])
print(f"before {100 * share_right(model, X[valid], y[valid]):.1f} %, ", end="")
print(f"after {100 * fooled:.1f} %")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-moved-pixels", "caption": "Validation digits whose pixels were moved by at most a tenth, with what the network says now."}, "image": {"alt": "Ten handwritten digits on a faintly mottled background, easy to read, most of them framed and titled with a wrong prediction"}}
now = model.forward((moved - 0.1307) / 0.3081).argmax(axis=1)
figure = plots.plot_predictions(moved[:10], y[valid][:10], now[:10])
plots.show(figure, "moved pixels")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert fooled < 0.4
assert fooled < share_right(model, X[valid], y[valid])
assert np.abs(moved - pixels[valid]).max() < 0.1001

# %% [markdown]
# Such pictures are called *adversarial examples* {cite}`goodfellow2015explaining`. A high accuracy says how a network does on pictures that were drawn by people who meant well.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-backprop-value
# :class: dropdown
# :::
#
# A value may hand its gradient on only after *everything* that uses it has handed it theirs. So list the graph such that each value comes after those it was made of, and walk the list from its end. (`in_order` keeps a stack of its own. A function that calls itself for each parent would be shorter, and would reach Python's limit of nested calls in a sum of a few thousand values.) Each value also keeps the slopes towards its parents, and `+=` adds where roads meet.


# %%
def in_order(value):
    order, seen, stack = [], set(), [(value, False)]
    while stack:
        value, ready = stack.pop()
        if ready:  # all that it was made of is in the list
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack += [(parent, False) for parent in value.parents]
    return order


# %%
class Value:
    def __init__(self, data, parents=(), slopes=()):
        self.data, self.grad = data, 0.0
        self.parents, self.slopes = parents, slopes

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        slopes = (other.data, self.data)
        return Value(self.data * other.data, (self, other), slopes)

    def sigmoid(self):
        a = 1 / (1 + math.exp(-self.data))
        return Value(a, (self,), (a * (1 - a),))

    def backward(self):
        order = in_order(self)
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in reversed(order):
            for parent, slope in zip(value.parents, value.slopes):
                parent.grad += slope * value.grad


check_solution("05.value", Value)

# %% tags=["remove-cell"]
root = Value(1.5)
total = root + root
for _ in range(5_000):  # deeper than Python lets functions nest
    total = total + root
for _ in range(2):  # a second time must not add to the first
    total.backward()
    assert root.grad == 5_002 and total.grad == 1

# %% [markdown]
# Some thirty lines, and they differentiate everything that can be written with the three operations. PyTorch's autograd is this idea, with tensors in place of numbers and a few hundred operations in place of three.
#
# :::{solution-end}
# :::
