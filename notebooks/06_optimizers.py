# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-optimizers)=
# # 6. From gradients to steps: optimizers
#
# Three tutorials train on these digits. The first moves its weights by 0.005 times the gradient, the second by 0.01 times (with half of the step before), the third by 0.8 times, and it remarks that the right number depends on your machine. All three call this number the *learning rate*. Can all three be right?
#
# Give the three settings the same layer, the same normalized digits in batches of 256 (two of the tutorials use 64), and one pass. The first reads about 86 % of the validation digits, the second 89 %, and the third anything between 70 and 90 %, depending on the shuffle. A better one reads 91 %. By the end of this page you can say *before training* where to look for it, and what the third tutorial mistook for the machine. You will
#
# * work out how long a step may be, and watch what happens one hair beyond,
# * write momentum in the two ways in which people write it, and catch them disagreeing,
# * write SGD, Nesterov's momentum, RMSprop and Adam, equal to PyTorch's step by step,
# * send them all down one valley, and then make the valley round,
# * sweep learning rates from 0.0001 to 10 over real digits, and choose.
#
# About 45 minutes, without the exercises. New names: `lr` $\eta$, `momentum` $\mu$, `v`, `m`, `beta1`, `beta2`, `eps`, `optimizer`. On this page only: `H` (2, 2) the curvatures of a valley, `r` (2,) its tilt, `q` (2,) a place in it, $c$ a curvature, `M` the number of zeros and ones.

# %% [markdown]
# ## A valley made of ink
#
# A zero takes more ink than a one. Let us tell them apart by that alone. $x$ is the ink of a picture, measured so that the average picture has 1; $y$ is $+1$ for a zero and $-1$ for a one.

# %%
from mnist_course.data import load_data

import numpy as np

digits = load_data()
images, labels = digits.train_images, digits.train_labels
print(digits.source, images.shape)

# %%
pick = (labels == 0) | (labels == 1)
x = images[pick].mean(axis=(1, 2)) / images.mean()  # (M,)
y = np.where(labels[pick] == 0, 1.0, -1.0)  # (M,)
print(f"zeros {x[y > 0].mean():.2f}, ones {x[y < 0].mean():.2f} of the mean")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{x[y > 0].mean():.2f} {x[y < 0].mean():.2f}" == "1.33 0.58"
    assert len(x) == 12_665
assert x[y > 0].mean() > x[y < 0].mean()

# %% [markdown]
# The guess is $w x + b$, and its sign is the answer. The loss is half the mean squared error, as for {ref}`the valley of chapter 2 <ch-batches>`. Its slope in $w$ is the mean of error times $x$, its slope in $b$ the mean error. Multiply out, with a bar for the mean over the pictures:
#
# $$ \begin{aligned} \frac{\partial L}{\partial w} &= \overline{x^2}\, w + \bar x\, b - \overline{xy} , \\ \frac{\partial L}{\partial b} &= \bar x\, w + b - \bar y . \end{aligned} $$
#
# So all that the loss knows about 12,665 pictures are a few averages. Put the four that stand before $w$ and $b$ into a matrix $H$, the other two into a vector $r$, and the place into $q = (w, b)$. Then the two lines are one:
#
# $$ \frac{\partial L}{\partial q} = H q - r , \qquad H = \begin{pmatrix} \overline{x^2} & \bar x \\ \bar x & 1 \end{pmatrix} , \qquad r = \begin{pmatrix} \overline{xy} \\ \bar y \end{pmatrix} . $$ (eq-ink-loss)
#
# $H$ says how each slope changes when we move; it is called the **Hessian**. $r$ is the tilt.


# %%
def valley(x, y):
    A = np.column_stack([x, np.ones(len(x))])  # (M, 2)
    return A.T @ A / len(x), A.T @ y / len(x)  # (2, 2), (2,)


# %%
H, r = valley(x, y)
best = np.linalg.solve(H, r)  # (2,), where the gradient H @ q - r is zero
right = np.sign(x * best[0] + best[1]) == y
print(f"w {best[0]:.2f}, b {best[1]:.2f}: {100 * right.mean():.1f} % right")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{100 * right.mean():.1f}" == "92.6"
    assert list(best.round(2)) == [1.84, -1.77]
assert right.mean() > 0.5
q = np.array([0.3, -0.8])
error = x * q[0] + q[1] - y
assert np.isclose((error**2).mean() / 2, q @ H @ q / 2 - r @ q + 0.5)
assert np.allclose(H @ q - r, [(error * x).mean(), error.mean()])

# %% [markdown]
# Here we can compute the best place directly, and even this crude model is right for 92.6 % of the zeros and ones. For a network we cannot, but we can compute the gradient where we stand, and take a step:
#
# $$ w \leftarrow w - \eta \, \frac{\partial L}{\partial w} $$ (eq-update)
#
# In words: *from every parameter, take away the learning rate times its own slope*. The minus sign is there because the gradient points uphill. We start at $(-1, -1)$, where every picture is taken for a one.


# %%
def loss(q):
    return q @ H @ q / 2 - r @ q + 0.5


# %%
lr, q = 0.1, np.array([-1.0, -1.0])
for step in range(5):
    print(f"step {step}  w {q[0]:6.3f}  b {q[1]:6.3f}  loss {loss(q):.3f}")
    q -= lr * (H @ q - r)

# %% tags=["remove-cell"]
assert loss(q) < 0.5 * loss(np.array([-1.0, -1.0]))

# %% [markdown]
# Four steps, and the loss is less than a third of what it was. A rule that makes steps of gradients is an **optimizer**; this is the shortest: gradient descent. Training finds $w$ and $b$, the parameters. The learning rate it does not find: it is a **hyperparameter**, a number that we have to choose, and we chose it without a reason.
#
# ## How far is too far?
#
# Think of a single parameter in a parabola, $L = \frac12 c\, w^2$. Its slope is $c\, w$, and the number $c$, by which the slope grows per unit of $w$, is the **curvature**. One step makes
#
# $$ w \leftarrow w - \eta c\, w = (1 - \eta c)\, w . $$ (eq-contraction)
#
# Every step multiplies the distance from the minimum by the same factor $1 - \eta c$. So we know everything that can happen:
#
# | $\eta c$ | factor | what it looks like |
# | --- | --- | --- |
# | 0.1 | 0.9 | creeps down one side |
# | 1 | 0 | there in one step |
# | 1.9 | −0.9 | jumps across the minimum, and lands a little nearer |
# | 2 | −1 | jumps between two points for ever |
# | 2.1 | −1.1 | jumps across and lands farther away, each time |
#
# **Your turn.** (Two minutes.) The curvature is 4, the learning rate 0.3, and you stand 5 away from the minimum. How far away are you after one step, with its sign?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...
check("06.factor", answer)

# %% tags=["hide-cell"]
check_solution("06.factor", (1 - 0.3 * 4) * 5)

# %% [markdown]
# A valley in two or in a million dimensions is such a parabola along each of its axes: along an axis the slope changes along that axis alone, by a fixed factor, its curvature. (The axes are called the *eigenvectors* of $H$, and the curvatures its *eigenvalues*; `eigh` finds both.) All axes share one learning rate, so the steepest sets the limit:
#
# $$ \eta < \frac{2}{c_\text{max}} $$ (eq-largest-lr)

# %%
curvatures, axes_of_valley = np.linalg.eigh(H)  # (2,), (2, 2)
flat, steep = curvatures
limit = 2 / steep
print(f"flat {flat:.3f}, steep {steep:.3f}, ratio {steep / flat:.1f}")
print(f"largest stable learning rate {limit:.3f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert f"{steep / flat:.1f} {limit:.3f}" == "19.1 1.018"
    assert f"{limit * flat:.2f}" == "0.10"
assert steep > 5 * flat and 0.9 < limit < 1.1

# %% [markdown]
# Take 500 steps with one percent less than the limit, with the limit, and with one percent more. **Guess** the three losses.

# %% tags=["hide-output"]
for share in (0.99, 1.0, 1.01):
    q = np.array([-1.0, -1.0])
    for _ in range(500):
        q -= share * limit * (H @ q - r)
    print(f"{share:.2f} of the limit: loss {loss(q):.4g}")

# %% tags=["remove-cell"]
assert 1e8 < loss(q) < 1e10
at_limit = np.array([-1.0, -1.0]) - best
along = axes_of_valley[:, 1] @ at_limit
if digits.is_mnist:
    assert f"{loss(best):.3f}" == "0.157"
    assert abs(steep * along**2 / 2 + loss(best) - 2.382) < 0.002

# %% [markdown]
# At the limit the path jumps from side to side for ever, as high up the steep wall as at the start.
#
# The steep axis limits the step, and the flat axis has to live with it. At the limit it covers $\eta c_\text{min} = 2 / 19.1$, about a tenth of its remaining way, per step. The ratio of the two curvatures, the **condition number**, says how slow gradient descent is, whatever the learning rate.
#
# ## Where the steps stop
#
# Where the gradient is zero, at a *stationary point*, the steps stop. One of our sources concludes that the parameters are then optimal. For a convex loss such as the valley that is true. Elsewhere it may be a *local minimum*, from which every small step leads up although it is lower somewhere else; or worse. Put two weights in a row, the smallest network with two layers. The first makes $h = w_1 x$, the second guesses $w_2 h$. We normalize $x$ first, so that two parameters are enough and no bias is needed.

# %%
x_norm = (x - x.mean()) / x.std()  # (M,), mean 0, standard deviation 1


def two_layers(w1, w2):
    error = w2 * w1 * x_norm - y  # (M,)
    dw1, dw2 = (error * w2 * x_norm).mean(), (error * w1 * x_norm).mean()
    return (error**2).mean() / 2, np.array([dw1, dw2])


# %% [markdown]
# **Guess** the gradient where both are 0.

# %% tags=["hide-output"]
for w1, w2 in [(0.0, 0.0), (0.9, 0.9)]:
    value, gradient = two_layers(w1, w2)
    print(f"({w1}, {w2})  loss {value:.3f}  gradient {gradient.round(3)}")

# %% tags=["remove-cell"]
value, gradient = two_layers(0.0, 0.0)
assert (gradient == 0).all()
if digits.is_mnist:
    assert two_layers(0.9, 0.9)[0] < 0.4 * value

# %% [markdown]
# The reason is in the formula: each weight's slope contains the *other* weight as a factor. At $(0, 0)$ the gradient is zero to the last bit, and the loss is far from its lowest. Such a place is called a **saddle**: the loss falls if both weights grow together, and rises if one grows and the other shrinks. A nudge is enough to leave it.

# %%
w = np.array([0.01, 0.01])
for step in range(31):
    value, gradient = two_layers(*w)
    if step % 10 == 0:
        print(f"step {step:2d}  loss {value:.3f}  w1 = w2 = {w[0]:.2f}")
    w -= 0.3 * gradient

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert value < 0.17
assert value < 0.5 and w[0] > 0.01

# %% [markdown]
# Hardly anything happens in ten steps, then comes a fall. A flat loss curve can be a plateau, and not the end. For one layer with a squared or a cross-entropy loss there are no saddles, so all weights may start at zero. From two layers on they must not.
#
# ## Momentum, written twice
#
# In the valley, gradient descent wastes steps: on the steep axis it jumps back and forth, on the flat one it creeps the same way again and again. A heavy ball would do better. It has *momentum*: it keeps its velocity, so that pushes in one direction add up, and pushes back and forth cancel. Polyak proposed this in 1964 {cite}`polyak1964some`; with a velocity, as one of our sources has it, it reads {cite}`sutskever2013importance`:
#
# $$ v \leftarrow \mu v - \eta \, \frac{\partial L}{\partial w}, \qquad w \leftarrow w + v . $$ (eq-classical-momentum)
#
# In words: *keep the share $\mu$ of the velocity, add the step that gradient descent would take, and move by the velocity*.


# %%
class ClassicalMomentum:
    def __init__(self, params, lr, momentum=0.0):
        self.params, self.lr, self.momentum = list(params), lr, momentum
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads):
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            v[...] = -self.lr * dw + self.momentum * v
            w += v


# %% [markdown]
# `params` is a list of arrays, and `step` changes them in place (`[...]` and `+=` write into an array that exists). PyTorch's optimizers look the same from outside, except that they find each gradient in the `.grad` of its parameter. Inside, `torch.optim.SGD` does this:
#
# $$ v \leftarrow \mu v + \frac{\partial L}{\partial w}, \qquad w \leftarrow w - \eta\, v . $$ (eq-torch-momentum)
#
# Here the velocity collects *gradients*, and the learning rate comes in at the end. Two more settings are in the same few lines: `weight_decay` adds the gradient of the L2 penalty ({ref}`chapter 3 <ch-scores-and-hinge>`), and `nesterov` has its own section below.


# %%
class SGD:
    def __init__(
        self, params, lr, momentum=0.0, nesterov=False, weight_decay=0.0
    ):
        self.params, self.lr = list(params), lr
        self.momentum, self.nesterov = momentum, nesterov
        self.weight_decay = weight_decay
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads):
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            dw = dw + self.weight_decay * w
            v[...] = self.momentum * v + dw
            w -= self.lr * (dw + self.momentum * v if self.nesterov else v)


# %% [markdown]
# Are the two the same? Send both down the valley. `descend` takes a function that makes an optimizer, so that we can reuse it for all others.


# %%
def descend(make_optimizer, num_steps, start=(-1, -1), H=H, r=r):
    q = np.array(start, dtype=float)  # (2,)
    optimizer = make_optimizer([q])
    path = [q.copy()]
    for _ in range(num_steps):
        optimizer.step([H @ q - r])
        path.append(q.copy())
    return np.array(path)  # (num_steps + 1, 2)


# %%
classical = descend(lambda params: ClassicalMomentum(params, 0.1, 0.9), 100)
pytorch = descend(lambda params: SGD(params, 0.1, 0.9), 100)
print("the same path:", np.allclose(classical, pytorch, atol=1e-12))

# %% tags=["remove-cell"]
assert np.allclose(classical, pytorch, atol=1e-12)
one, two = np.zeros(1), np.zeros(1)
first, second = ClassicalMomentum([one], 0.1, 0.9), SGD([two], 0.1, 0.9)
for slope in (3.0, -1.0, 2.0):
    first.step([np.array([slope])])
    second.step([np.array([slope])])
    assert np.allclose(first.v[0], -0.1 * second.v[0])

# %% [markdown]
# The same path. One velocity is the other, in other units: $v_\text{classical} = -\eta\, v_\text{PyTorch}$. Put that into {eq}`eq-classical-momentum` and divide by $-\eta$; out comes {eq}`eq-torch-momentum`. But that division needs the *same* $\eta$ before and after the step, and nearly every long training changes it on the way.
#
# Take a steady slope of 1, momentum 0.9, and divide the learning rate by ten after 50 steps. **Guess** how long the steps are before the change, and what they do after it.

# %% tags=["hide-input"]
rates = np.where(np.arange(100) < 50, 0.1, 0.01)  # (100,)


def slide(optimizer):
    (w,), places = optimizer.params, []
    for lr in rates:
        optimizer.lr = lr
        optimizer.step([np.array([1.0])])
        places.append(-w[0])
    return np.diff(places, prepend=0)  # (100,), the length of each step


# %%
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
classical_steps = slide(ClassicalMomentum([np.zeros(1)], 0.1, 0.9))
torch_steps = slide(SGD([np.zeros(1)], 0.1, 0.9))

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-two-momenta", "caption": "Length of the steps on a steady slope of 1, with momentum 0.9. After 50 steps the learning rate falls from 0.1 to 0.01."}, "image": {"alt": "Two curves that rise together from 0.1 to 1 in about 40 steps. At step 50 the solid one, PyTorch, drops at once to 0.1; the dashed one, classical, glides down to 0.1 over some 40 steps"}}
figure, ax = plt.subplots(figsize=(7, 3.1))
ax.plot(range(1, 101), torch_steps, color=plots.BLUE)
ax.plot(range(1, 101), classical_steps, "--", color=plots.ORANGE)
ax.axvline(50.5, color=plots.GRAY, linewidth=1, linestyle=":")
ax.annotate("lr 0.1", (49.5, 0.02), ha="right")
ax.annotate("lr 0.01", (51.5, 0.02))
ax.annotate("PyTorch", (49.5, 0.5), ha="right", color=plots.BLUE)
ax.annotate("classical", (58, 0.6), color=plots.ORANGE)
ax.set(xlabel="step", title="length of the step", ylim=(0, 1.1))
plots.show(figure, "two momenta")

# %% tags=["nbval-check-output", "hide-cell"]
late = slice(50, None)
print(f"length of step 50: {torch_steps[49]:.2f}")
print(f"way after the change, PyTorch   {torch_steps[late].sum():4.1f}")
print(f"way after the change, classical {classical_steps[late].sum():4.1f}")

# %% tags=["remove-cell"]
assert np.allclose(torch_steps[:50], classical_steps[:50])
assert f"{torch_steps[49]:.2f}" == "0.99"
assert 4.9 < torch_steps[late].sum() < 5.0
assert 12.9 < classical_steps[late].sum() < 13.1
assert abs(torch_steps[50] - 0.1) < 0.001

# %% [markdown]
# Until step 50 the curves of {numref}`fig-two-momenta` are one. A slope of 1 and a learning rate of 0.1 should give steps of 0.1; with momentum they grow to ten times that, because the sum $1 + 0.9 + 0.9^2 + \dots$ is $1 / (1 - 0.9) = 10$. Then they part. In PyTorch's form the new rate acts at once on everything that was collected. In the classical form the old steps are in the velocity already, and it coasts on: 13 units instead of 5.
#
# Neither is wrong. But a schedule that was tuned with one form is another schedule with the other, and a paper's recipe does not always say which it used. Goyal and colleagues rescale the classical velocity at every change {cite}`goyal2017accurate`; so does an exercise below.
#
# ## Nesterov looks ahead
#
# Momentum measures the slope where it stands and then moves by its velocity. But where it will carry is known beforehand. Nesterov measured the slope *there* instead {cite}`nesterov1983method`: if the ball is about to roll up the other wall, it feels that one step earlier. PyTorch keeps its parameters at the place looked ahead to. For a constant learning rate that is the same walk, and the rule needs only the gradient there:
#
# $$ v \leftarrow \mu v + \frac{\partial L}{\partial w}, \qquad w \leftarrow w - \eta \left( \frac{\partial L}{\partial w} + \mu v \right) . $$ (eq-nesterov)
#
# In words: *update the velocity, but step along what it would be after one more push by the same gradient*. That is the last line of `SGD.step`. Watch the two:

# %%
nesterov = descend(lambda params: SGD(params, 0.1, 0.9, nesterov=True), 100)
for step in (5, 10, 20, 40):
    print(
        f"step {step:2d}  momentum {loss(pytorch[step]):.3f}"
        f"  Nesterov {loss(nesterov[step]):.3f}"
    )

# %% tags=["remove-cell"]
assert loss(nesterov[20]) < loss(pytorch[20])
assert loss(nesterov[5]) < loss(pytorch[5])

# %% [markdown]
# Nesterov is ahead: it swings less.
#
# ## RMSprop and Adam measure their steps
#
# Momentum fixes the direction. It does not fix the unit: multiply the loss by 1,000, and every step is a thousand times as long. And a parameter with small gradients, such as the weight of a pixel that is nearly always 0, moves slowly however long you wait.
#
# So divide each gradient by its own usual size. **RMSprop** {cite}`tieleman2012rmsprop` keeps a running mean $v$ of the *squared* gradient, and steps by the gradient in units of its root:
#
# $$ v \leftarrow \alpha v + (1 - \alpha)\, g^2 , \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{v} + \varepsilon} , $$ (eq-rmsprop)
#
# where $g$ is the gradient, $\alpha$, a little below 1, is the memory of the mean, and $\varepsilon$ keeps $0/0$ from happening to a weight whose gradient has always been zero.
#
# **Your turn.** (Four minutes.) Write one step of it. All are arrays of one shape, but for the three numbers at the end.


# %% tags=["your-turn"]
def my_rmsprop_step(w, v, g, lr, alpha, eps):
    return ...  # the new w, the new v


check("06.rmsprop", my_rmsprop_step)


# %% tags=["hide-cell"]
class RMSprop:
    def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8):
        self.params, self.lr = list(params), lr
        self.alpha, self.eps = alpha, eps
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads):
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            v[...] = self.alpha * v + (1 - self.alpha) * dw**2
            w -= self.lr * dw / (np.sqrt(v) + self.eps)


def rmsprop_step(w, v, g, lr, alpha, eps):
    w, v = w.copy(), v.copy()
    optimizer = RMSprop([w], lr, alpha, eps)
    optimizer.v = [v]
    optimizer.step([g])
    return w, v


check_solution("06.rmsprop", rmsprop_step)

# %% [markdown]
# **Adam** {cite}`kingma2015adam` puts momentum and RMSprop together. It keeps two running means for every parameter, the *first and second moment*: $m$ of the gradient, $v$ of its square. Both are corrected (why, in a moment) and then divided:
#
# $$ \begin{aligned} m &\leftarrow \beta_1 m + (1 - \beta_1)\, g , & \hat m &= m / (1 - \beta_1^t) , \\ v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 , & \hat v &= v / (1 - \beta_2^t) , \\ w &\leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon} , \end{aligned} $$ (eq-adam)
#
# where $t$ counts the steps from 1. In words: *step by the learning rate times the mean gradient, measured in units of its usual size*.


# %%
class Adam:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr = list(params), lr
        self.betas, self.eps, self.t = betas, eps, 0
        self.m = [np.zeros_like(w) for w in self.params]
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads):
        self.t += 1
        beta1, beta2 = self.betas
        for w, dw, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m[...] = beta1 * m + (1 - beta1) * dw
            v[...] = beta2 * v + (1 - beta2) * dw**2
            m_hat = m / (1 - beta1**self.t)
            v_hat = v / (1 - beta2**self.t)
            w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


# %% [markdown]
# $\beta_1 = 0.9$ is the memory for the direction, about $1/(1 - 0.9) = 10$ steps. $\beta_2 = 0.999$ is the memory for the size, about 1,000 steps. Because the size is divided out, the unit of the loss is gone:

# %%
plain = descend(lambda params: Adam(params, 0.1), 50)
scaled = descend(lambda params: Adam(params, 0.1), 50, H=1000 * H, r=1000 * r)
print("same path for 1000 times the loss:", np.allclose(plain, scaled))

# %% tags=["remove-cell"]
assert np.allclose(plain, scaled)

# %% [markdown]
# The two divisions that make $\hat m$ and $\hat v$ are the **bias correction**. Both running means start at 0, which is not a gradient that anyone has seen. After the first step $m$ is $0.1\,g$, ten times too small, and $\sqrt v$ is $\sqrt{0.001}\,|g|$, 32 times too small. Leave the correction out. **Guess:** will the first step be too short or too long?

# %% tags=["nbval-check-output", "hide-output"]
m, v = (1 - 0.9) * 1.0, (1 - 0.999) * 1.0**2  # after one gradient of 1
corrected = (m / (1 - 0.9)) / np.sqrt(v / (1 - 0.999))
print(f"corrected {corrected:.2f} lr, uncorrected {m / np.sqrt(v):.2f} lr")

# %% tags=["remove-cell"]
assert f"{corrected:.2f} {m / np.sqrt(v):.2f}" == "1.00 3.16"
assert round(1 / np.sqrt(0.001)) == 32

# %% [markdown]
# The larger error is in the denominator. Corrected, the first step is one learning rate long in every coordinate whose gradient is not zero (or as tiny as $\varepsilon$).
#
# A last variant. `weight_decay` of `SGD` adds to the gradient. In Adam that term would be divided by $\sqrt{\hat v}$ like the rest, so weights with large gradients would hardly decay, and `torch.optim.Adam(weight_decay=…)` is that. **AdamW** {cite}`loshchilov2019decoupled` shrinks all weights alike, by $\eta$ times `weight_decay`, next to the Adam step. With Adam, take AdamW.
#
# ## The same steps as PyTorch
#
# Now the proof. Two parameters, shaped like the weights and biases of our digits, get 120 random gradients; after 60 steps the learning rate changes. PyTorch's optimizers get the same. **Guess** which one does not agree.

# %% tags=["hide-input"]
import torch


def largest_gap(ours, theirs, **settings):
    rng = np.random.default_rng(0)
    params = [rng.normal(size=(10, 784)), rng.normal(size=10)]
    twins = [torch.nn.Parameter(torch.tensor(w)) for w in params]
    ours, theirs = ours(params, **settings), theirs(twins, **settings)
    for step in range(120):
        if step == 60:
            ours.lr = theirs.param_groups[0]["lr"] = settings["lr"] / 10
        grads = [rng.normal(size=w.shape) for w in params]
        ours.step(grads)
        for twin, dw in zip(twins, grads, strict=True):
            twin.grad = torch.tensor(dw)
        theirs.step()
    gaps = [w - twin.detach().numpy() for w, twin in zip(params, twins)]
    return max(np.abs(gap).max() for gap in gaps)


# %% tags=["hide-output"]
ball = {"lr": 0.1, "momentum": 0.9}
gaps = {
    "SGD": largest_gap(SGD, torch.optim.SGD, lr=0.1),
    "momentum": largest_gap(SGD, torch.optim.SGD, **ball),
    "Nesterov": largest_gap(SGD, torch.optim.SGD, nesterov=True, **ball),
    "decay": largest_gap(SGD, torch.optim.SGD, weight_decay=0.01, **ball),
    "RMSprop": largest_gap(RMSprop, torch.optim.RMSprop, lr=0.1),
    "Adam": largest_gap(Adam, torch.optim.Adam, lr=0.1),
    "classical": largest_gap(ClassicalMomentum, torch.optim.SGD, **ball),
}
for name, gap in gaps.items():
    print(f"{name:<10} equal to within 1e-12: {gap < 1e-12}")

# %% tags=["remove-cell"]
assert max(gap for name, gap in gaps.items() if name != "classical") < 1e-12
assert gaps["classical"] > 0.1
for mu in (0.0, 0.5, 0.9):  # the limit with momentum, as the summary has it
    for share, far in [(0.99, False), (1.01, True)]:
        rate = share * (1 + mu) * 2 / 3.0
        walk = descend(
            lambda q, rate=rate, mu=mu: SGD(q, rate, mu),
            2_000,
            (1, 0),
            np.diag([3.0, 0.1]),
            np.zeros(2),
        )
        assert (abs(walk[-1, 0]) > 1) == far

# %% [markdown]
# The classical form agrees for 60 steps and then parts, as it has to. From now on we may say SGD or Adam, and need not say whose.
#
# ## Five ways down one valley
#
# All start at $(-1, -1)$ and take 30 steps. **Guess** which of them will go *past* the minimum.

# %%
runners = {
    "SGD, lr 0.97": lambda params: SGD(params, 0.97),
    "SGD, lr 0.1": lambda params: SGD(params, 0.1),
    "momentum": lambda params: SGD(params, 0.1, 0.9),
    "Nesterov": lambda params: SGD(params, 0.1, 0.9, nesterov=True),
    "Adam": lambda params: Adam(params, 0.3),
}
paths = {name: descend(make, 30) for name, make in runners.items()}


# %% tags=["hide-input"]
def heights(points, H, r):
    gap = points - np.linalg.solve(H, r)  # (..., 2)
    return ((gap @ H) * gap).sum(axis=-1) / 2  # loss above the minimum


# %% tags=["hide-input"]
kinds = ("--", "v"), ("-", "s"), ("-", "o"), ("-.", "^"), (":", "D")
colors = plots.ORANGE, plots.GRAY, plots.BLUE, plots.GREEN, plots.PINK
looks = {
    name: {"color": color, "linestyle": line, "marker": marker, "ms": 4}
    for name, color, (line, marker) in zip(paths, colors, kinds)
}


def point_out(ax, text, at, offset, color="black"):
    line = {"arrowstyle": "-", "color": color}
    ax.annotate(text, at, offset, "data", "offset points", line)


def draw_valley(ax, H, r, w_range, b_range):
    W, B = np.meshgrid(np.linspace(*w_range, 200), np.linspace(*b_range, 200))
    height = heights(np.stack([W, B], axis=-1), H, r)  # (200, 200)
    levels = height.max() / 2.0 ** np.arange(11, -1, -1)
    ax.contourf(W, B, height, levels, cmap="Blues", norm="log", alpha=0.35)
    ax.contour(W, B, height, levels, colors="white", linewidths=1)
    ax.plot(*np.linalg.solve(H, r), "k*", markersize=13, zorder=5)
    ax.set(xlabel="w", ylabel="b", aspect="equal")
    ax.grid(False)


# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-five-paths", "caption": "Thirty steps of five optimizers down the valley of ink. Left: their paths from one start; the star marks the minimum, and from one contour to the next the loss doubles, measured from there. Right: that height against the step."}, "image": {"alt": "Left, a tilted oval valley with five paths: SGD with the large rate zigzags across it with shrinking swings, SGD with the small rate stops on the way, momentum swings in wide curves around the valley floor and beyond the star, Nesterov follows it more tightly, Adam goes diagonally first and wavers. Right, five curves on a logarithmic scale: momentum, Nesterov and Adam rise and fall, both SGD curves only fall"}}
names_at = [(1, (30, 4)), (12, (-84, 68)), (6, (48, -4))]
names_at += [(30, (14, 14)), (3, (-72, 16))]  # which step, and how far off

figure, (ax, curve) = plt.subplots(1, 2, figsize=(8.6, 4.2))
draw_valley(ax, H, r, (-1.5, 3.3), (-2.9, 1.3))
for (name, path), (step, offset) in zip(paths.items(), names_at):
    height = heights(path, H, r)
    ax.plot(*path.T, linewidth=1.3, **looks[name])
    point_out(ax, name, path[step], offset, looks[name]["color"])
    curve.plot(height, linewidth=1.6, markevery=5, **looks[name])
    curve.annotate(name, (30.8, height[-1]), va="center")
ax.annotate("start", path[0], (-12, -16), textcoords="offset points")
curve.set(yscale="log", xlabel="step", title="height above the minimum")
curve.set(xlim=(-1, 44), xticks=range(0, 31, 10))
plots.show(figure, "five paths")

# %% tags=["remove-cell"]
ends = {name: heights(path, H, r)[-1] for name, path in paths.items()}
if digits.is_mnist:
    assert ends["Nesterov"] < ends["SGD, lr 0.97"] < ends["momentum"]
    assert ends["momentum"] < ends["Adam"] < ends["SGD, lr 0.1"]
rises = {
    name: (np.diff(heights(q, H, r)) > 0).any() for name, q in paths.items()
}
assert not rises["SGD, lr 0.97"] and not rises["SGD, lr 0.1"]
assert rises["momentum"] and rises["Nesterov"] and rises["Adam"]

# %% [markdown]
# {numref}`fig-five-paths` has all the characters. SGD with a small rate slides down the steep wall and then hardly moves. SGD a little below the limit crosses the valley at every step, and arrives. Momentum swings past the valley floor, then past the minimum, and comes back. Nesterov swings less. Adam wavers, with steps that are about equally long in both directions.
#
# On the right, both SGD curves fall at every step; the three others rise in between. An optimizer with a memory may go up, and still be on its way.
#
# :::{living} valley
# The same race with your own $\eta$ and $\mu$ (Adam's $\beta_1$). Who diverges first? Who has no advantage left in the bowl?
# :::
#
# ## Make the valley round
#
# What are these optimizers fighting? The shape of the valley, and nothing else. That shape depends on how we measure $x$. With pixels from 0 to 1 the same digits, the same model and the same loss make a much longer valley. With $x$ normalized to mean 0 and standard deviation 1, as in {ref}`chapter 2 <ch-batches>`, $H$ becomes the identity matrix: a round bowl, with one curvature in all directions. **Guess** the condition number of the longest.

# %% tags=["hide-output"]
inks = {
    "normalized": x_norm,
    "mean ink is 1": x,
    "pixels 0 to 1": x * images.mean() / 255,
}
for name, ink in inks.items():
    flat, steep = np.linalg.eigvalsh(valley(ink, y)[0])
    print(f"{name:<14} condition number {steep / flat:6.1f}")

# %% tags=["remove-cell"]
conditions = [
    np.divide(*np.linalg.eigvalsh(valley(ink, y)[0])[::-1])
    for ink in inks.values()
]
if digits.is_mnist:
    assert [f"{k:.1f}" for k in conditions] == ["1.0", "19.1", "298.7"]
assert np.allclose(valley(inks["normalized"], y)[0], np.eye(2))
assert conditions[0] < conditions[1] < conditions[2]

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-round-valley", "caption": "Twenty steps of three optimizers, with the settings of the figure before and from the same guess. Left: ink with mean 1. Right: normalized ink."}, "image": {"alt": "Left, a tilted oval valley: SGD zigzags, momentum swings, Adam takes a bent path. Right, concentric circles: SGD reaches the center in one straight step, while momentum swings through it and back on a straight line and Adam circles around it"}}
H_bowl, c_bowl = valley(inks["normalized"], y)
bowl_start = -x.std(), -1 - x.mean()  # the guess -x - 1, in normalized ink

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4))
draw_valley(left, H, r, (-1.5, 3.3), (-2.9, 1.3))
draw_valley(right, H_bowl, c_bowl, (-1.0, 3.0), (-2.2, 1.3))
for name in ("Adam", "momentum", "SGD, lr 0.97"):
    look = {"label": name, "linewidth": 1.5, **looks[name]}
    left.plot(*descend(runners[name], 20).T, **look)
    bowl = descend(runners[name], 20, bowl_start, H_bowl, c_bowl)
    right.plot(*bowl.T, **look)
left.set_title("ink with mean 1")
right.set_title("normalized ink")
left.legend(loc="lower left")
plots.show(figure, "round valley")

# %% tags=["remove-cell"]
bowl = descend(lambda q: SGD(q, 1.0), 1, bowl_start, H_bowl, c_bowl)
assert np.allclose(bowl[-1], np.linalg.solve(H_bowl, c_bowl))
assert np.allclose(bowl_start[0] * inks["normalized"] + bowl_start[1], -x - 1)

# %% [markdown]
# On the right of {numref}`fig-round-valley` the gradient points straight at the minimum. One step of SGD at 0.97 covers 97 % of the way (its few points lie on the line of momentum, the last of them under the star); a learning rate of $1/c = 1$ would cover all of it. Momentum and Adam overshoot: they carry a cure for a disease that is gone.
#
# Now take eight different starts, all equally wrong, and for each optimizer the best of 31 learning rates from 0.003 to 3. Count the steps until all eight have come down, for good, to a thousandth of their first height.


# %% tags=["hide-input"]
def eight_starts(x):  # the same eight guesses, whatever the unit of x
    angle = np.arange(8) * np.pi / 4 + 0.2
    dw = np.cos(angle) / x.std()
    return np.column_stack([dw, np.sin(angle) - dw * x.mean()])  # (8, 2)


def steps_needed(make_optimizer, x):
    H, _ = valley(x, y)
    gap = eight_starts(x)  # (8, 2), distance from the minimum
    optimizer, needed = make_optimizer([gap]), 1
    for step in range(1, 1001):
        optimizer.step([gap @ H])
        height = ((gap @ H) * gap).sum(axis=1).max() / 2  # 0.5 at the start
        if height > 0.0005:
            needed = step + 1
        if height > 1e6 or step > needed + 100:
            break
    return needed if needed < step else np.inf


# %% [markdown]
# `families["SGD"](0.1)` is a function that makes SGD with that rate, as `descend` expects it. **Guess** who needs how many steps in which valley.

# %%
families = {
    "SGD": lambda lr: lambda params: SGD(params, lr),
    "momentum 0.9": lambda lr: lambda params: SGD(params, lr, 0.9),
    "Nesterov 0.9": lambda lr: lambda params: SGD(params, lr, 0.9, True),
    "Adam": lambda lr: lambda params: Adam(params, lr),
}

# %% tags=["hide-cell"]
lrs = 10 ** np.linspace(-2.5, 0.5, 31)
fewest = {
    name: [
        min(steps_needed(make(lr), ink) for lr in lrs) for ink in inks.values()
    ]
    for name, make in families.items()
}
print(f"{'':<13}", *(f"{name:>14}" for name in inks))
for name, row in fewest.items():
    print(f"{name:<13}", *(f"{steps:14}" for steps in row))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert fewest["SGD"] == [1, 40, 636]
    assert fewest["momentum 0.9"] == [54, 59, 68]
    assert fewest["Nesterov 0.9"] == [2, 38, 54]
    assert fewest["Adam"] == [58, 58, 64]
assert fewest["SGD"][0] == 1
assert fewest["momentum 0.9"][0] > 40 and fewest["Adam"][0] > 40
assert fewest["momentum 0.9"][2] < 0.5 * fewest["SGD"][2]

# %% [markdown]
# Read the rows. SGD pays for the condition number. Momentum 0.9 and Adam take about as many steps in any of the three valleys: far more than the plainest rule needs in the bowl, a tenth of it in the long valley. They are insurances against long valleys, with a fixed premium; Nesterov's is lower. Goh's interactive article shows why {cite}`goh2017momentum`.
#
# So look at the inputs before you look for a better optimizer. What normalizing cannot reach is left to momentum and Adam.
#
# ## 7,850 parameters, and noise
#
# Now the real thing: softmax regression on all ten digits, with the gradient $p - y$ of {ref}`chapter 4 <ch-softmax-regression>`. The exact gradient is a mean over 55,000 pictures. We could compute it, and take one step; or take 215 steps for about the same work, each with the gradient of 256 pictures. That is the *stochastic* in stochastic gradient descent, *SGD*.

# %% tags=["hide-input"]
import math

from mnist_course.by_hand.losses import cross_entropy, cross_entropy_gradient
from mnist_course.by_hand.network import Linear
from mnist_course.data import split_train_valid, to_tensors

X, targets = to_tensors(images, labels)
X, targets = X.flatten(1).numpy(), targets.numpy()  # (N, 784), (N,)
train_part, valid_part = split_train_valid(len(X), num_valid=len(X) // 12)
X_train, y_train = X[train_part], targets[train_part]
X_valid, y_valid = X[valid_part], targets[valid_part]
print(X_train.shape, X_valid.shape)


# %%
def weight_gradient(W, b, X, y):
    return cross_entropy_gradient(X @ W.T + b, y).T @ X  # (10, 784)


# %% [markdown]
# **Guess** by how many percent the gradient of 16, of 256 and of 4,096 pictures is off.

# %% tags=["hide-cell"]
W, b = np.zeros((10, 784), np.float32), np.zeros(10, np.float32)
exact = weight_gradient(W, b, X_train, y_train)
rng = np.random.default_rng(0)
errors = {}
for batch_size in (16, 256, 4096):
    some = [rng.integers(0, len(y_train), batch_size) for _ in range(30)]
    guesses = [weight_gradient(W, b, X_train[i], y_train[i]) for i in some]
    gaps = [np.linalg.norm(guess - exact) for guess in guesses]
    errors[batch_size] = np.mean(gaps) / np.linalg.norm(exact)
    print(f"{batch_size:5} pictures: off by {100 * errors[batch_size]:5.1f} %")

# %% tags=["remove-cell"]
ratio_1, ratio_2 = errors[16] / errors[256], errors[256] / errors[4096]
assert 3.4 < ratio_1 < 4.6 and 3.4 < ratio_2 < 4.6
if digits.is_mnist:
    assert X_train.shape == (55_000, 784) and len(X_valid) == 5_000

# %% [markdown]
# The error falls with the square root of the batch size, while the work grows with the batch size itself. So precision is expensive, and a rough guess is a bargain. On average the guess is right, because every picture is drawn with the same probability.
#
# Here is the loop that we use from now on. The layer is the one that {ref}`chapter 5 <ch-backprop>` wrote, with its weights set to zero, and the loop takes any of our optimizers; `schedule`, which may change the learning rate on the way, is not needed before the end of the chapter. `three_runs` repeats it with three shuffles, because one run would not tell skill from luck.


# %%
def train(
    make_optimizer,
    num_epochs=1,
    batch_size=256,
    seed=0,
    schedule=None,
    inputs=X_train,
):
    model = Linear(784, 10, np.random.default_rng(seed))
    model.W[:] = 0
    optimizer, losses = make_optimizer(model.parameters()), []
    lr = optimizer.lr
    num_steps = num_epochs * math.ceil(len(y_train) / batch_size)
    for epoch in range(num_epochs):
        order = np.random.default_rng((seed, epoch)).permutation(len(y_train))
        for start in range(0, len(order), batch_size):
            if schedule:
                optimizer.lr = lr * schedule(len(losses) / num_steps)
            batch = order[start : start + batch_size]  # (B,)
            X, y = inputs[batch], y_train[batch]  # (B, 784), (B,)
            logits = model.forward(X)  # (B, 10)
            losses.append(cross_entropy(logits, y))
            model.backward(cross_entropy_gradient(logits, y))
            optimizer.step(model.gradients())
    return model.W, model.b, losses


# %% tags=["hide-input"]
def evaluate(W, b, X=X_valid, y=y_valid):
    logits = X @ W.T + b  # (N, 10)
    return cross_entropy(logits, y), (logits.argmax(axis=1) == y).mean()


def three_runs(make_optimizer, **settings):
    runs = [train(make_optimizer, seed=seed, **settings) for seed in range(3)]
    return np.array([evaluate(W, b) for W, b, _ in runs])  # (3, 2)


# %% [markdown]
# One pass each, with the same rate. **Guess** which of the four has the lowest loss.

# %% tags=["hide-output"]
for batch_size in (len(y_train), 4096, 256, 16):
    W, b, losses = train(families["SGD"](0.05), batch_size=batch_size)
    valid_loss, accuracy = evaluate(W, b)
    print(
        f"batches of {batch_size:5}: {len(losses):4} steps,"
        f"  loss {valid_loss:.3f}  accuracy {100 * accuracy:.1f} %"
    )

# %% tags=["remove-cell"]
full = evaluate(*train(families["SGD"](0.05), batch_size=len(y_train))[:2])
rough = evaluate(*train(families["SGD"](0.05), batch_size=256)[:2])
if digits.is_mnist:
    assert abs(full[1] - 0.73) < 0.025 and abs(rough[1] - 0.90) < 0.025
    assert rough[0] < 0.3 * full[0]
    assert rough[0] < valid_loss < full[0]
assert full[0] < np.log(10)

# %% [markdown]
# All four looked at every picture once. With batches of 16 the noise starts to cost more than the extra steps bring, at this learning rate; and each step has a fixed price, so the smallest batches are also the slowest.
#
# ## The sweep
#
# Back to the question of the beginning. Can we say where the good learning rates are before we train? We know the limit: $2/c_\text{max}$. The gradient by the logits is $p - y$. At the start all $p = 1/10$, and there the steepest curvature of softmax and cross-entropy, by the logits, is $1/10$. (Differentiate $p$ once more, as in {eq}`eq-softmax-jacobian`.) The weights act on the logits through the pixels, so the largest curvature is a tenth of the largest eigenvalue of the mean of $x x^\top$, with a 1 appended to each $x$ for the bias. That is one line:


# %%
def largest_lr(X):
    X = np.column_stack([X, np.ones(len(X))])  # (N, 785)
    return 2 / (0.1 * np.linalg.eigvalsh(X.T @ X / len(X))[-1])


# %%
X_pixels = 0.3081 * X_train[:5_000] + 0.1307  # the same pixels, 0 to 1
forecast = largest_lr(X_train[:5_000])
print(f"normalized    {forecast:.3f}")
print(f"pixels 0 to 1 {largest_lr(X_pixels):.3f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert abs(forecast - 0.08) < 0.003
    assert abs(largest_lr(X_pixels) - 0.51) < 0.02
assert 0.03 < forecast < 0.2 and largest_lr(X_pixels) > 3 * forecast

# %% [markdown]
# A forecast: on normalized digits, SGD should get into trouble somewhere around 0.08. It is a rough one, because the curvature changes while the probabilities do, and batches add noise. **Guess** where the best rates of momentum 0.9 and of Adam will lie. Now the experiment: one pass for each of eleven learning rates, three optimizers and three shuffles, 99 in all.

# %% tags=["hide-output"]
from mnist_course.progress import progress

sweep_lrs = 10.0 ** np.arange(-4, 1.1, 0.5)  # (11,)
sweep = {
    name: np.array([three_runs(families[name](lr)) for lr in sweep_lrs])
    for name in progress(("SGD", "momentum 0.9", "Adam"), "sweep")
}  # (11, 3, 2) each: learning rates, shuffles, loss and accuracy

loss_of = {name: runs[:, :, 0].mean(axis=1) for name, runs in sweep.items()}
best_lr = {name: sweep_lrs[v.argmin()] for name, v in loss_of.items()}
for name, lr in best_lr.items():
    print(f"{name:<12} best at {lr:.4f}: loss {loss_of[name].min():.3f}")

# %% tags=["hide-input"]
sources = {
    "0.005": families["SGD"](0.005),
    "0.01, momentum 0.5": lambda params: SGD(params, 0.01, 0.5),
    "0.8": families["SGD"](0.8),
}

# %% tags=["nbval-within-15", "hide-cell"]
sources = {name: three_runs(make) for name, make in sources.items()}
for name, runs in sources.items():
    print(f"{name:<18} accuracy {(100 * runs[:, 1]).round()} %")

# %% tags=["remove-cell"]
low, middle, high = (100 * runs[:, 1] for runs in sources.values())
if digits.is_mnist:
    assert (abs(low - 86) < 2.5).all() and (abs(middle - 89) < 2.5).all()
    assert 60 < high.min() < high.max() < 92.5
    best_accuracy = max(
        runs[:, :, 1].mean(axis=1).max() for runs in sweep.values()
    )
    assert abs(best_accuracy - 0.913) < 0.012

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-sweep", "caption": "Validation loss after one pass over 55,000 normalized digits, softmax regression, batches of 256. Lines: mean of three shuffles; bars: from the best to the worst of them. Stars: the settings of three tutorials."}, "image": {"alt": "Three U-shaped curves on logarithmic axes from learning rate 0.0001 to 10. Adam has its minimum near 0.003, momentum near 0.03, SGD near 0.1; to the right of it the losses rise to about 10 for SGD, more for momentum, and nearly 200 for Adam. Stars mark 0.005 and 0.01 with momentum 0.5 on the left slope of SGD, and 0.8 high on its right side, beyond a dashed line at 0.08"}}
figure, ax = plt.subplots(figsize=(7.6, 4.4))
for name, look in zip(sweep, ("SGD, lr 0.97", "momentum", "Adam")):
    values, mean = sweep[name][:, :, 0], loss_of[name]  # (11, 3), (11,)
    spread = [mean - values.min(axis=1), values.max(axis=1) - mean]
    ax.errorbar(sweep_lrs, mean, spread, **looks[look])
    point_out(ax, name, (10, mean[-1]), (14, -14 if name == "SGD" else 6))

places = (0.005, (-20, 28)), (0.01, (-60, -34)), (0.8, (56, -6))
for (name, runs), (lr, offset) in zip(sources.items(), places):
    ax.plot(lr, runs[:, 0].mean(), "k*", markersize=13, zorder=5)
    point_out(ax, name, (lr, runs[:, 0].mean()), offset)
ax.axhline(np.log(10), color=plots.GRAY, linewidth=1)
ax.annotate("ln 10: knows nothing", (1.1e-4, 2.5), color=plots.GRAY)
ax.axvline(forecast, color=plots.GRAY, linewidth=1, linestyle="--")
ax.annotate("forecast ", (forecast, 60), ha="right", color=plots.GRAY)
ax.set(xscale="log", yscale="log", xlabel="learning rate")
ax.set(xlim=(8e-5, 130), ylim=(0.1, 350), xticks=10.0 ** np.arange(-4, 2))
ax.set_title("validation loss after one pass")
ax.set_yticks([0.3, 1, 3, 10, 30, 100], ["0.3", "1", "3", "10", "30", "100"])
plots.show(figure, "sweep")

# %% tags=["remove-cell"]
if digits.is_mnist:
    near = [f"{lr:.1g}" for lr in best_lr.values()]
    assert near in (["0.1", "0.03", "0.003"], ["0.1", "0.01", "0.003"])
    at_003 = loss_of["momentum 0.9"][5]
    assert at_003 < 1.01 * loss_of["momentum 0.9"].min()
    shifted = loss_of["momentum 0.9"][:5] / loss_of["SGD"][2:7]
    assert np.abs(shifted - 1).max() < 0.06
    lowest = [v.min() for v in loss_of.values()]
    assert 0.27 < min(lowest) < max(lowest) < 0.36
    assert 1.03 < max(lowest) / min(lowest) < 1.11
    for v in loss_of.values():
        k = v.argmin()  # two places in the grid are a factor of ten
        assert min(v[k - 2], v[k + 2]) > 1.12 * v[k]
        assert v[-1] > 5
    assert 100 < loss_of["Adam"][-1] < 300
for values in loss_of.values():
    assert values.min() < np.log(10) and values[-1] > 3 * values.min()

# %% [markdown]
# {numref}`fig-sweep` answers the opening question, and three more.
#
# *Where are the good ones?* For SGD, of those we tried, 0.1: the forecast was 0.08, and on a grid whose neighbors differ by a factor of three that is a hit. That 0.1 lies a little above it and does no harm has a reason: the curvature falls during training (the last exercise measures how far). Farther to the right the bars grow: luck begins to decide.
#
# *Are the three tutorials right?* 0.005 and 0.01 lie on the left slope: not wrong, slow. 0.8 lies beyond the limit.
#
# *What does momentum 0.9 do?* Compare its left half with that of SGD: it is the same curve, shifted by a factor of ten. Steps ten times as long, as {numref}`fig-two-momenta` showed; where steps are too short, that is all that momentum does. So learning rates of different optimizers cannot be compared. Whoever adds momentum 0.9 to a good rate should divide it by ten, and search from there.
#
# *Which optimizer wins?* At their best, there are about 7 % between the losses of the three. A factor of ten in the learning rate, up or down, costs any of them more than that. Adam's best rate is another number again, 0.003, because its steps are measured in another unit.
#
# ## What the machine has to do with it
#
# "The right learning rate depends on your machine." There is no machine in {eq}`eq-update`. There is a curvature, and the curvature depends on the inputs: our forecast for pixels from 0 to 1 was 0.51, six times as much as for normalized ones. The tutorial with 0.8 defines a normalization, and then forgets to use it. **Guess** how our layer does with its rate *and* its pixels:

# %% tags=["hide-output"]
X_pixels = 0.3081 * X_train + 0.1307  # (55000, 784), from 0 to 1
raw_losses = []
for seed in range(3):
    W, b, _ = train(families["SGD"](0.8), seed=seed, inputs=X_pixels)
    valid_loss, accuracy = evaluate(W, b, 0.3081 * X_valid + 0.1307)
    raw_losses.append(valid_loss)
    print(f"shuffle {seed}: loss {valid_loss:.2f} ({100 * accuracy:.0f} %)")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert max(raw_losses) < 0.40 and accuracy > 0.88
    assert max(raw_losses) < 1.05 * min(raw_losses)
    assert 1 < np.mean(raw_losses) / loss_of["SGD"].min() < 1.1
assert np.isfinite(valid_loss)

# %% [markdown]
# 0.8 was never a property of a computer. It belongs to a model and its pixels.
#
# At 0.8 raw ink does almost as well as normalized ink at its own best: its loss is only a few percent larger. One mean and one scale for all 784 pixels move the valley and change its unit; they cannot make it round, as they could for a single $x$. For that, momentum and Adam stay useful even in the first layer.
#
# ## Too high, too low, and how to tell
#
# Here is what you see if you print the loss of each batch. The last curve is a network with one hidden layer of ReLU units in PyTorch, of which {ref}`chapter 7 <ch-mlp>` has more to say; it fails in a way of its own.

# %% tags=["hide-input"]
from mnist_course.data import Batches
from mnist_course.device import pick_device

import torch.nn.functional as F
from torch import nn

device = pick_device()
X_there = torch.from_numpy(X_train).to(device)  # (N, 784)
y_there = torch.from_numpy(y_train).to(device)  # (N,)


def train_torch(model, lr, seed=0):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for X, y in Batches(X_there, y_there, 256, shuffle=True, seed=seed):
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% [markdown]
# SGD at 0.0003, at 0.1 and at 10, and a network with a hidden layer at 5. **Guess** what each of the four curves looks like.

# %% tags=["nbval-within-12", "hide-cell"]
torch.manual_seed(0)
hidden = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
hidden = hidden.to(device)
curves = {
    "lr 0.0003: too low": train(families["SGD"](0.0003))[2],
    "lr 0.1: good": train(families["SGD"](0.1))[2],
    "lr 10: too high": train(families["SGD"](10.0))[2],
    "lr 5, hidden layer: dead": train_torch(hidden, 5.0),
}
with torch.no_grad():
    awake = (hidden[:2](X_there) > 0).any(dim=0).sum().item()
print(f"{awake} of the 64 hidden units still answer to any picture")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert awake < 28
    assert (
        abs(np.median(curves["lr 5, hidden layer: dead"][-50:]) - np.log(10))
        < 0.1
    )
    assert np.median(curves["lr 10: too high"][-50:]) > 3
    assert 1.4 < np.mean(curves["lr 0.0003: too low"][-20:]) < 2.0
    assert np.mean(curves["lr 0.1: good"][-20:]) < 0.45
    assert max(curves["lr 5, hidden layer: dead"]) > 50
assert abs(curves["lr 0.1: good"][0] - np.log(10)) < 1e-4

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-too-high", "caption": "Loss of each batch during one pass, for four learning rates. The last panel is a network with a hidden layer."}, "image": {"alt": "Four small panels with logarithmic loss axes. Too low: a nearly straight, slowly falling line. Good: a quick fall, then noise around 0.35. Too high: wild jumps between 4 and 200. Too high with a hidden layer: a spike of hundreds or thousands, then a flat line at 2.3 with rare spikes"}}
figure, panels = plt.subplots(
    1, 4, figsize=(8.8, 2.9), sharex=True, sharey=True
)
for ax, (name, losses) in zip(panels, curves.items()):
    ax.plot(losses, linewidth=1.2)
    ax.axhline(np.log(10), color=plots.GRAY, linewidth=1, linestyle="--")
    ax.set_title(name, fontsize=10)
    ax.set(yscale="log", xlabel="step")
panels[0].annotate("ln 10", (150, 2.6), color=plots.GRAY)
panels[0].set_yticks([0.3, 1, 10, 100, 1000], [0.3, 1, 10, 100, 1000])
panels[0].set_ylabel("loss of the batch")
plots.show(figure, "too high")

# %% [markdown]
# Four pictures in {numref}`fig-too-high` to remember, each with a dashed line at $\log 10 = 2.30$, the loss of a model that knows nothing. *Too low*: nearly a straight line, in the right direction, some three hundred times too slow. *Good*: a steep fall, then noise. *Too high, one layer*: jumps, several times worse than knowing nothing, and no end to them. *Too high, with a hidden layer*: an explosion in the first steps pushes most of the ReLU units so far down that they answer 0 to every picture. Then their gradients are 0 too, and what is left is a line at 2.30 with a few spikes. It looks calm, and it is dead.
#
# One more kind of failure needs a loss that nothing holds back. In the valley at three times the limit, a step multiplies the distance by −5:

# %%
q, seen = np.array([-1.0, -1.0]), []
with np.errstate(over="ignore", invalid="ignore"):
    while not np.isnan(q).any():
        q -= 3 * limit * (H @ q - r)
        seen.append(loss(q))
print(f"step  1: {seen[0]:.0f}, step 10: {seen[9]:.0e}")
print(f"inf from step {np.isinf(seen).argmax() + 1} on")
print(f"nan from step {np.isnan(seen).argmax() + 1} on")

# %% tags=["remove-cell"]
assert 150 < np.isinf(seen).argmax() < np.isnan(seen).argmax() < 1_000

# %% [markdown]
# First the loss outgrows the largest float and becomes `inf`; then infinity minus infinity is not a number, and **NaN** spreads to every parameter. From there no optimizer comes back.

# %% [markdown]
# ## A learning rate that changes
#
# A large rate is good at the start, when the way is long, and bad at the end, when the noise of the batches keeps throwing the weights about. So let it fall: a *schedule*. The simplest is a straight line from the full rate to almost 0 at the last step. **Guess** for which of the rates it helps: each optimizer gets its best rate of the sweep and the next higher one, for two passes and three shuffles.

# %% tags=["nbval-within-5%", "hide-cell"]
schedules = {"constant": None, "falling": lambda done: 1 - done}
results = {}
for name in progress(best_lr, "schedules"):
    for lr in (best_lr[name], best_lr[name] * 10**0.5):
        print(f"{name:<12} lr {lr:.3f}", end="")
        for kind, schedule in schedules.items():
            runs = three_runs(
                families[name](lr), num_epochs=2, schedule=schedule
            )
            value, accuracy = results[name, round(lr, 3), kind] = runs.mean(0)
            print(f"  {kind} {value:.3f} ({100 * accuracy:.1f} %)", end="")
        print()

# %% tags=["remove-cell"]
if digits.is_mnist:
    value = {key: loss for key, (loss, _) in results.items()}
    for name, lr in best_lr.items():
        low, high = round(lr, 3), round(lr * 10**0.5, 3)
        assert value[name, high, "falling"] < value[name, high, "constant"]
        # at 0.01, where momentum is sometimes best, no step is too long either
        too_short = (name, low) in [("SGD", 0.1), ("momentum 0.9", 0.01)]
        better = value[name, low, "falling"] < value[name, low, "constant"]
        assert better == (not too_short), (name, lr)
        gain = value[name, low, "falling"] - value[name, high, "falling"]
        assert gain > (-0.01 if name == "momentum 0.9" else 0)
    winner = min(value, key=value.get)
    assert winner == ("Adam", 0.01, "falling")
    assert all(value[winner] < loss for k, loss in value.items() if k != winner)
    assert abs(results["Adam", 0.01, "constant"][1] - 0.90) < 0.02
    assert abs(results[winner][1] - 0.92) < 0.012
assert len(results) == 12

# %% [markdown]
# Where the steps were none too long, shorter ones do not get as far. Everywhere else the falling rate is better, and the best rate of the sweep is the best no longer: if the end is quiet, the start may be loud. Choose the rate *with* its schedule.
#
# Other schedules have names that you will meet: *step* (divide by ten now and then), *cosine* (fall along half a wave), and **warm-up** (rise from almost nothing during the first steps; training with very large batches needs it {cite}`goyal2017accurate`). *One-cycle* is a warm-up and a fall; chapter 8 uses it. One layer does not need the warm-up:


# %% tags=["hide-cell"]
def warm_up(done):  # done is the share of the steps taken, from 0 to 1
    return min(done / 0.1 + 0.001, (1 - done) / 0.9)


# %%
chosen = families["Adam"](10**-2)

# %% tags=["hide-cell"]
warm = three_runs(chosen, num_epochs=2, schedule=warm_up)
cold = three_runs(chosen, num_epochs=2, schedule=schedules["falling"])
print(f"with warm-up {warm[:, 0].round(3)}, without {cold[:, 0].round(3)}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert np.abs(warm[:, 0] - cold[:, 0]).max() < 0.006

# %% [markdown]
# Whatever the difference, it is in the third decimal. Keep a tool where it was measured to help.
#
# ## Which one, and with what to begin
#
# | optimizer | begin with | why |
# | --- | --- | --- |
# | SGD | 0.1 | few numbers, normalized inputs; needs the right rate |
# | SGD, momentum 0.9 (Nesterov) | 0.01 to 0.1 | convolutions; often the best end, if the rate falls |
# | AdamW | 0.001 to 0.003 | whenever you do not know; forgives a wrong unit |
#
# Then its neighbors, a factor of three up and down, with the schedule that you will use, on validation data.
#
# ## One look at the test set
#
# The choice was made on validation data: Adam, 0.01, falling to 0. The test set is used here and nowhere else in this chapter. Beside it stands the accuracy on the *training* digits.

# %%
X_test, y_test = to_tensors(digits.test_images, digits.test_labels)
X_test, y_test = X_test.flatten(1).numpy(), y_test.numpy()


# %%
accuracies, known = [], []
for seed in range(3):
    W, b, _ = train(chosen, 2, seed=seed, schedule=schedules["falling"])
    accuracies.append(100 * evaluate(W, b, X_test, y_test)[1])
    known.append(100 * evaluate(W, b, X_train, y_train)[1])
mean, sd = np.mean(accuracies), np.std(accuracies, ddof=1)
print(f"test {mean:.1f} ± {sd:.1f} %, training {np.mean(known):.1f} % (3 runs)")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 92.0 < mean < 92.9 and sd < 0.4
    assert f"{np.mean(known):.0f}" == "93"
assert mean > 70

# %% [markdown]
# Two passes bring about what {ref}`chapter 4 <ch-softmax-regression>` reached in five, and the accuracy on the training digits is hardly higher: more steps, or better ones, help little. This layer needs to be able to say more. {ref}`Chapter 5 <ch-backprop>` has met the answer, a layer between, without saying why it works.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(
    f"one layer, Adam with a falling rate: {mean:.1f} % of the test digits"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-opt-step
# (A minute.) A weight is 3, its gradient is −2, the learning rate is 0.1. What is the weight after one step of gradient descent?
# :::

# %%
answer = ...
check("06.step", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-keep
# (Two minutes.) Training goes well with plain SGD and a learning rate of 0.1. You add momentum 0.95. Which learning rate keeps the steps on a long, steady slope as long as they were?
# :::

# %%
answer = ...
check("06.keep", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-first
# (Two minutes; most people guess wrong.) Two parameters have the gradients 1000 and 0.001. How far does the first step of Adam move each of them, with its default learning rate of 0.001?
# :::

# %%
# two lengths
answer = ...
check("06.first", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-halve
# (Ten minutes.) The loss is $\frac12 (10\, w_1^2 + w_2^2)$, the start is $(1, 1)$, and gradient descent has a learning rate of 0.19. Count the steps until the loss is below a thousandth of its first value. Then halve the learning rate. Predict the new count, write it down, and count. Hand in both counts; the step that gets below counts.
# :::

# %%
# two counts, for 0.19 and for 0.095
answer = ...
check("06.halve", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-uncorrected
# (Ten minutes.) Take the bias correction out of Adam: `m_hat = m`, `v_hat = v`. On a steady slope its first step is 3.16 learning rates long. Does that error fade from the second step on? Predict, then find the longest of its steps. Which one is it, and how many learning rates long?
# :::

# %%
# number of the step (from 1), its length
answer = ...
check("06.uncorrected", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-break
# (Half an hour, breaking things on purpose.) "Adam never moves a parameter by much more than the learning rate." Break that: hand in the gradients that one parameter gets, step by step, such that the last step of Adam is at least twice the learning rate long. At most 10,000 gradients, default settings. A hint: what must $\hat v$ believe for that?
# :::

# %%
# a list of numbers
answer = ...
check("06.break", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-correction
# (Half an hour.) Make the classical form agree with PyTorch's when the learning rate changes. The function gets the parameter, its classical velocity, the gradient, the learning rate of this step and that of the step before, and the momentum; it returns the new parameter and the new velocity.
# :::


# %%
def corrected_step(w, v, dw, lr, last_lr, momentum):
    return ...


check("06.correction", corrected_step)

# %% [markdown]
# :::{exercise}
# :label: ex-opt-curvature
# (An evening.) The forecast of this chapter needed a formula for the curvature. For a network there is none, but there is a trick. Where the gradient is $g(w)$, the difference $(g(w + \epsilon u) - g(w - \epsilon u)) / 2\epsilon$ is $H u$: the curvature in the direction $u$, without ever writing down $H$. Start with a random $u$, replace it by $Hu$ scaled to length 1, and repeat: it turns into the direction with the largest curvature in absolute value (in a network that can be a negative one). This is called *power iteration*. Write a function that takes a gradient function and a place and returns the largest curvature there. Then use it on softmax regression, at the start and after training: does the largest stable learning rate change on the way?
# :::


# %%
def largest_curvature(gradient, w):
    return ...


check("06.curvature", largest_curvature)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * For plain gradient descent the largest stable learning rate is 2 divided by the largest curvature. It depends on the model and on the scale of its inputs, and on no machine. Here the best one for SGD was close to it.
# * Momentum keeps a share of the last step, Adam measures steps in units of the usual gradient. Each is a handful of lines, and equal to PyTorch's step by step. Both pay off in long valleys. Normalizing a single feature makes its valley round; 784 pixels it helps only in part.
# * Momentum is written in two ways, which agree as long as the learning rate stays. Compare learning rates only within one optimizer, over powers of ten, on validation data, together with their schedule.
# * A loss that jumps, stands at $\log K$ or is NaN: the rate is too high. A straight, slowly falling line: too low.
#
# Next: the optimizer is fine, and yet many more passes add little. What does a layer between change, and why? That is {ref}`chapter 7 <ch-mlp>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-opt-step
# :class: dropdown
# :::
#
# The slope is negative, so downhill is to the right: $3 - 0.1 \cdot (-2) = 3.2$.

# %%
check_solution("06.step", 3 - 0.1 * -2)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-keep
# :class: dropdown
# :::
#
# On a steady slope the velocity grows to $1/(1 - \mu) = 20$ gradients. A twentieth of the learning rate makes up for it.

# %%
check_solution("06.keep", 0.1 * (1 - 0.95))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-first
# :class: dropdown
# :::
#
# After one step the corrected moments are $\hat m = g$ and $\hat v = g^2$, and $g / \sqrt{g^2}$ is $\pm 1$. Both move by 0.001. (The $\varepsilon$ shortens the second by one part in 100,000.)

# %%
check_solution("06.first", [0.001, 0.001])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-halve
# :class: dropdown
# :::
#
# Not twice as many, but fewer. At 0.19 the steep axis is close to its limit of 0.2, and its distance shrinks by a factor of only $|1 - 0.19 \cdot 10| = 0.9$ per step. At 0.095 that factor is 0.05, and the flat axis, at $1 - 0.095 = 0.905$, is the slow one.


# %%
def count_steps(lr):
    w, curvature, steps = np.array([1.0, 1.0]), np.array([10.0, 1.0]), 0
    while (curvature * w**2).sum() >= 0.001 * curvature.sum():
        w -= lr * curvature * w
        steps += 1
    return steps


# %%
counts = [count_steps(0.19), count_steps(0.095)]
print(counts)
check_solution("06.halve", counts)

# %% tags=["remove-cell"]
assert counts[1] < counts[0]

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-uncorrected
# :class: dropdown
# :::
#
# It grows first. $m$ forgets its zero after some ten steps, while $\sqrt v$ is still far too small; only after thousands of steps has $v$ caught up. So without the correction the first steps are the wildest, when the weights are random and the gradients mean least.

# %%
t = np.arange(1, 10_001)
lengths = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)  # (10000,), in learning rates
print(f"step {t[lengths.argmax()]}: {lengths.max():.2f}")
check_solution("06.uncorrected", [t[lengths.argmax()], lengths.max()])

# %% tags=["remove-cell"]
assert lengths[999] > 1.2 and abs(lengths[-1] - 1) < 0.001

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-break
# :class: dropdown
# :::
#
# $\hat v$ must believe that gradients are small. A long silence, then a shout: $m$ takes a tenth of the new gradient, $\sqrt v$ only $\sqrt{0.001}$ of it, and the ratio is up to $0.1 / 0.0316 = 3.16$. Kingma and Ba give this bound in their paper {cite}`kingma2015adam`. It happens: think of a pixel in the corner, on the scale from 0 to 1, that is paper in two thousand batches and ink in the next.

# %%
w = np.zeros(1)
optimizer = Adam([w])
for dw in [0.0] * 2000 + [1.0]:
    before = w.copy()
    optimizer.step([np.array([dw])])
print(f"{np.abs(w - before)[0] / optimizer.lr:.2f} learning rates")
check_solution("06.break", [0.0] * 2000 + [1.0])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-correction
# :class: dropdown
# :::
#
# The classical velocity is $-\eta\, v_\text{PyTorch}$ with the *old* $\eta$ in it. Exchange the unit before you use it.


# %%
def corrected_step(w, v, dw, lr, last_lr, momentum):
    v = momentum * v * (lr / last_lr) - lr * dw
    return w + v, v


check_solution("06.correction", corrected_step)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-opt-curvature
# :class: dropdown
# :::


# %%
def largest_curvature(gradient, w, num_rounds=100, epsilon=1e-3):
    u = np.random.default_rng(0).normal(size=w.shape)
    for _ in range(num_rounds):
        u = u / np.linalg.norm(u)
        shift = epsilon * u
        Hu = (gradient(w + shift) - gradient(w - shift)) / (2 * epsilon)
        curvature, u = (u * Hu).sum(), Hu
    return curvature


check_solution("06.curvature", largest_curvature)

# %%
X_few = np.column_stack([X_train[:5_000], np.ones(len(X_train[:5_000]))])


def gradient(Wb):  # (10, 785): weights and, in the last column, biases
    return cross_entropy_gradient(X_few @ Wb.T, y_train[:5_000]).T @ X_few


# %%
W, b, _ = train(families["SGD"](0.1))
places = {"start": np.zeros((10, 785)), "after": np.column_stack([W, b])}
for name, place in places.items():
    curvature = largest_curvature(gradient, place.astype(float), 20)
    print(f"{name}: curvature {curvature:.1f}, limit {2 / curvature:.2f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    start = largest_curvature(gradient, places["start"], 20)
    after = largest_curvature(gradient, places["after"].astype(float), 20)
    assert abs(2 / start - forecast) < 0.002
    assert abs(start - 25.3) < 0.7 and abs(after - 10.4) < 1.0
    assert start / after > 2.1

# %% [markdown]
# The limit more than doubles. At our rate of 0.1 the curvature falls from 25 to less than half of that, and the limit rises from 0.08 to about 0.2. Where the model is sure, $p(1 - p)$ is small, and the valley is flatter. That is why 0.1 works, although the forecast at the start was 0.08.

# %% [markdown]
# :::{solution-end}
# :::
