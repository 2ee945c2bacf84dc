# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-arrays)=
# # 0. Arrays and slopes: what you need first
#
# Here is a picture of six pixels. 0 is black, 9 is white.
#
# ```text
# 0 9 0
# 0 9 0
# ```
#
# You see a one. A computer sees six numbers, and all that this course does with pictures is arithmetic on such numbers, followed by a small step downhill. How does one compute with a whole picture in one line? And which way is downhill, if there is no hill to stand on but only two numbers and a formula?
#
# This page answers both, and then you have all the numpy and all the calculus that the next chapters take for granted. About 10 minutes, without the exercises. If you can guess every output before you open it, go on to {ref}`chapter 1 <ch-idx-data>`.

# %% [markdown]
# ## Six numbers in one name
#
# Numpy keeps numbers in an *array*. Its **shape** says how many there are in each direction: two rows, three columns.

# %%
import numpy as np

picture = np.array([[0, 9, 0], [0, 9, 0]])  # (2, 3)
print(picture.shape, picture[1, 1], picture.sum())

# %% [markdown]
# Rows and columns are counted from 0, so `picture[1, 1]` is the second number of the second row. A row of numbers is called a *vector*, a table of them a matrix, and with any number of directions it is a *tensor*: 60,000 pictures are a tensor of shape `(60000, 28, 28)`.
#
# A direction is called an **axis**. Axis 0 runs down, from row to row; axis 1 runs along a row, from column to column. `sum(axis=0)` adds up *along* axis 0, and that axis is gone afterwards. **Guess first:** what are the two sums, and how many numbers does each have?

# %% tags=["hide-output"]
print(picture.sum(axis=0), picture.sum(axis=0).shape)
print(picture.sum(axis=1), picture.sum(axis=1).shape)

# %% tags=["remove-cell"]
assert picture.sum(axis=0).tolist() == [0, 18, 0]
assert picture.sum(axis=1).tolist() == [9, 9]

# %% [markdown]
# Arithmetic goes element by element: `picture / 9` divides every number. And shapes are compared from the right: where one has a 1 there, or nothing, numpy repeats it until it fits. This is **broadcasting**. Below, the three numbers of `light` are used for both rows.

# %%
light = np.array([1, 2, 3])  # (3,)
print(picture + light)  # (2, 3) + (3,) is (2, 3)

# %% [markdown]
# A comparison gives an array of `True` and `False`, a **mask**. It picks elements. And because `True` counts as 1, its mean is a share: this is how the whole course measures how often it is right.

# %%
white = picture > 5  # (2, 3), True and False
print(picture[white], white.mean())

# %% [markdown]
# **Your turn.** (Two minutes.) Five predictions, five labels. Which share of the predictions is right? One line with `==` and `mean`.

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

predictions = np.array([7, 2, 1, 0, 9])  # (5,)
labels = np.array([7, 2, 1, 0, 4])  # (5,)
answer = ...
check("00.share", answer)

# %% tags=["hide-cell"]
print((predictions == labels).mean())
check_solution("00.share", (predictions == labels).mean())

# %% [markdown]
# ## One number out of many
#
# A *dot product* multiplies two vectors element by element, and adds up: $x \cdot w = \sum_d x_d w_d$. If `x` is a picture and `w` says how much each pixel counts, it is a score. In code it is `@`.

# %%
x = np.array([1, 2, 3])
w = np.array([4, 0, -1])
print(x @ w, "=", 1 * 4 + 2 * 0 + 3 * -1)

# %% [markdown]
# A **matrix product** does this for many rows at once. `X @ W.T` takes every row of `X` with every row of `W`; `.T` turns a matrix on its side. The inner sizes must be equal, and they vanish: `(2, 3) @ (3, 4)` is `(2, 4)`. (`arange` counts, `ones` is full of ones, `reshape` lays numbers out anew.) **Guess** the shape of the product below.

# %% tags=["hide-output"]
X = np.arange(6).reshape(2, 3)  # (2, 3): two pictures of three pixels
W = np.ones((4, 3))  # (4, 3): four ways to weigh three pixels
scores = X @ W.T
print(scores.shape)
print(scores)

# %% tags=["remove-cell"]
assert scores.shape == (2, 4) and scores[1].tolist() == [12] * 4

# %% [markdown]
# One score for each picture and each way to weigh. That line, with 784 pixels and ten ways, is the whole classifier of {ref}`chapter 3 <ch-scores-and-hinge>`.
#
# ## A slope from two points
#
# Climb 3 meters while you walk 2: the *slope* is 3/2, rise divided by run. For a straight line it is the same everywhere. A curve has a slope at each place, and one can find it with two points that lie very close together. Take $f(w) = w^2$ at $w = 3$. **Guess** what the slope comes to as the two points move together.


# %% tags=["hide-output"]
def f(w):
    return w**2


for step in (1, 0.1, 0.01, 0.001):
    rise = f(3 + step) - f(3)
    print(f"step {step:<5}  rise {rise:.6f}  slope {rise / step:.3f}")

# %% tags=["remove-cell"]
assert abs((f(3.001) - f(3)) / 0.001 - 6.001) < 1e-6

# %% [markdown]
# The slope at one point is called the *derivative*, written $\frac{df}{dw}$. School gives a rule for $w^2$: it is $2w$, and $2 \cdot 3 = 6$. The sign says where it goes up: to the right if the derivative is positive, to the left if it is negative. So *downhill is against the sign*.
#
# ## A hill over two numbers
#
# A network has many numbers, so let us have two, $a$ and $b$, and a height over them: $h(a, b) = a^2 + 3 b^2$. Stand at $(2, 1)$. Walk a little in the direction of $a$ and hold $b$ still: the slope that you meet is a *partial derivative*, $\frac{\partial h}{\partial a}$. Then the same for $b$.
#
# **Your turn.** (Three minutes.) Fill in the two slopes at $(2, 1)$, by the rule or by a small step.

# %% tags=["your-turn"]
answer = ...  # [slope in the direction of a, slope in the direction of b]
check("00.hill", answer)


# %% tags=["hide-cell"]
def height(a, b):
    return a**2 + 3 * b**2


step = 1e-6
slope_a = (height(2 + step, 1) - height(2, 1)) / step
slope_b = (height(2, 1 + step) - height(2, 1)) / step
print(f"{slope_a:.3f}, {slope_b:.3f}")
check_solution("00.hill", [slope_a, slope_b])

# %% [markdown]
# Put the two slopes side by side and you have the *gradient*, a vector with one number for each number that may change. It is an arrow, and it points where the height grows fastest. **Guess:** does the arrow at $(2, 1)$ point straight away from the lowest place, $(0, 0)$?

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-gradient", "caption": "Lines of equal height of $a^2 + 3b^2$, and at (2, 1) the gradient, drawn at an eighth of its length (orange), and the way down (blue), which is the gradient turned around."}, "image": {"alt": "Ellipses around the origin, wider than high. At the point (2, 1) an orange arrow points up and a little to the right, at a right angle to the ellipse; a blue arrow of the same length points the opposite way, and passes beside the origin"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
a, b = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-2.6, 2.6, 105))
figure, ax = plt.subplots(figsize=(5, 4.2))
ax.contour(a, b, height(a, b), levels=[0.5, 2, 4, 7, 11, 16], colors=plots.GRAY)
gradient = np.array([slope_a, slope_b])
for sign, color, name in ((1, plots.ORANGE, "up"), (-1, plots.BLUE, "down")):
    tip = np.array([2, 1]) + sign * gradient / 8
    look = {"arrowstyle": "-|>", "color": color, "lw": 2}
    ax.annotate("", tip, (2, 1), arrowprops=look)
    ax.annotate(name, tip + np.array([0.12, 0.0]), color=color)
ax.plot(0, 0, "*", color="black")
ax.plot(2, 1, "o", color="black")
ax.set(xlabel="a", ylabel="b", aspect="equal")
plots.show(figure, "gradient")

# %% [markdown]
# Open {numref}`fig-gradient`, and look along the arrow. It stands at a right angle to the line of equal height, and the way down passes beside the star. The gradient knows the slope *here*, and nothing of where the bottom lies.
#
# :::{living} hill
# Drag the point, or move it with the arrow keys. From where does the way down point straight at the star? Then walk: what does a learning rate of 0.35 do?
# :::
#
# So one takes a small step, and asks again:

# %%
place = np.array([2.0, 1.0])
for _ in range(5):
    gradient = np.array([2 * place[0], 6 * place[1]])  # (2,)
    place = place - 0.1 * gradient
    print(f"({place[0]:.3f}, {place[1]:.3f})  height {height(*place):.3f}")

# %% tags=["remove-cell"]
assert height(*place) < 0.5 and round(height(2, 1)) == 7
from mnist_course.progress import headline

headline(f"five steps downhill: from 7.000 to {height(*place):.3f}")

# %% [markdown]
# From a height of 7 to less than a tenth of it, in five steps. This is how everything in this course learns. The height will be called the *loss*, the place will have 7,850 numbers and later half a million, and the 0.1 is the *learning rate*. The idea does not change.

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-arrays-axis
# (A minute.) `X` has the shape `(60000, 28, 28)`. Which shape has `X.mean(axis=0)`? Hand it in as a list.
# :::

# %%
answer = ...
check("00.axis", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-arrays-broadcast
# (Two minutes; choose and say why.) `X` has the shape `(2, 3)`. Which of these lines raises an error?
#
# * **a** `X - X.mean(axis=0)`
# * **b** `X - X.mean(axis=1)`
# * **c** `X - X.mean()`
# * **d** `X - X.mean(axis=1)[:, None]` (`[:, None]` makes `(2,)` into `(2, 1)`)
# :::

# %%
answer = ...  # "a", "b", "c" or "d"
check("00.broadcast", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-arrays-product
# (Two minutes, by hand.) Two pictures of two pixels, $(1, 2)$ and $(3, 4)$; two ways to weigh them, $(1, -1)$ and $(0, 2)$. Which four scores does `X @ W.T` give?
# :::

# %%
answer = ...  # [[.., ..], [.., ..]]
check("00.product", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-arrays-gradient
# (Five minutes.) The gradient of $h(a, b) = a^2 + 3ab$ at $(1, 2)$? Hold one number still, and treat it as a constant.
# :::

# %%
answer = ...  # [along a, along b]
check("00.gradient", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-arrays-bug
# (Three minutes; find the bug in eight lines.) This should walk downhill, and the height grows. Which line is wrong? (`def` is line 1.)
#
# ```python
# def walk(place, num_steps, lr):
#     heights = []
#     for _ in range(num_steps):
#         a, b = place
#         heights.append(a**2 + 3 * b**2)
#         gradient = np.array([2 * a, 6 * b])
#         place = place + lr * gradient
#     return heights
# ```
# :::

# %%
answer = ...
check("00.bug", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-arrays-slope
# (Ten minutes.) Two points on *both* sides of a place give a better slope than the place and one neighbor: $\frac{f(w + s) - f(w - s)}{2s}$. Write it as a function. `f` is a function of one number.
# :::


# %%
def slope(f, w, s):
    return ...


check("00.slope", slope)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * You read a shape, add up along an axis, let numpy repeat what is too short, and measure a share with the mean of a mask.
# * You know a score when you see one: a dot product, and many of them a matrix product.
# * You find a slope from two points, a gradient from two slopes, and the way downhill against it.
#
# Next: where do the numbers come from? {ref}`Chapter 1 <ch-idx-data>` opens four files from the 1990s, and reads their bytes aloud.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-arrays-axis
# :class: dropdown
# :::
#
# The axis along which the mean is taken is gone. What is left is one number for each pixel: the mean picture.

# %%
check_solution("00.axis", np.zeros((6, 28, 28)).mean(axis=0).shape)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-arrays-broadcast
# :class: dropdown
# :::
#
# **b**. Shapes are compared from the right: 3 against 2 does not fit. `d` puts an axis of length 1 there, which may be repeated.

# %%
check_solution("00.broadcast", "b")

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-arrays-product
# :class: dropdown
# :::

# %%
print(np.array([[1, 2], [3, 4]]) @ np.array([[1, -1], [0, 2]]).T)
check_solution("00.product", [[-1, 4], [-1, 8]])

# %% [markdown]
# One row per picture, one column per way to weigh.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-arrays-gradient
# :class: dropdown
# :::
#
# Along $a$: $2a + 3b = 2 + 6 = 8$. Along $b$ the term $a^2$ is a constant: $3a = 3$.

# %%
check_solution("00.gradient", [8, 3])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-arrays-bug
# :class: dropdown
# :::
#
# Line 7: the gradient points uphill, so its multiple has to be taken away.

# %%
check_solution("00.bug", 7)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-arrays-slope
# :class: dropdown
# :::


# %%
def slope(f, w, s):
    return (f(w + s) - f(w - s)) / (2 * s)


check_solution("00.slope", slope)
print(slope(lambda w: w**3, 2.0, 0.01), "and the rule says", 3 * 2**2)

# %% [markdown]
# For $w^3$ at 2 the error is $s^2$; with one neighbor it is about $6s$: $6/s$ times as much, 600 times for the steps of 0.01. {ref}`Chapter 5 <ch-backprop>` will check all its gradients in this way.
#
# :::{solution-end}
# :::
