# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-mlp)=
# # 7. Layers that bend: the MLP
#
# A tutorial reports that its network reads 97 % of the digits after five passes. Train that network six times, for one pass, and change nothing but the seed of the random numbers. We did it with three dozen seeds while this page was written (`python -m benchmarks.silent_digits` does it again):
#
# **one in four reads between 89 and 95** percent of the validation digits, **nearly half of them less than 80, the worst 21.**
#
# Take one word out of the program, `relu`, in one place. Nearly every run now reads **90 to 96** percent. In two other places the same word stands rightly: without it, the network is no better than the single layer of {ref}`chapter 4 <ch-softmax-regression>`. What does this word do, and why does it help between two layers and harm behind the last one? To answer, you will
#
# * stack two layers and find that they are one, then bend them and gain more than five points,
# * take two ones that lean in opposite directions, lay them over each other, and see what the bend can say and a single layer cannot,
# * look at a network before its first step, and find that a first loss of $\ln 10$ cannot tell a good start from sleep,
# * find the six runs' fault, and watch digits go silent, one by one,
# * make a network learn its digits by heart, and cure it,
# * train one that reads more than 98 %, and look at its worst mistakes.
#
# New names: `h` and `a` $(B, H)$ are a hidden layer before and after its bend, as in {ref}`chapter 5 <ch-backprop>`; `dropout`.

# %% [markdown]
# ## Two layers, and nothing gained
#
# Chapter 6 ended with an optimizer in good order and a layer that had said all it could. So we give it another one, as in {ref}`chapter 5 <ch-backprop>`, and ask now what each part of such a network is for: 784 pixels, 256 numbers in between, ten scores. Five thousand of the training digits are set aside for validation, as always.

# %%
from mnist_course.data import load_data, split_train_valid, to_tensors
from mnist_course.device import pick_device

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

device = pick_device()
digits = load_data()
X, y = to_tensors(digits.train_images, digits.train_labels, device)
train_part, valid_part = split_train_valid(len(y), num_valid=len(y) // 12)
X_train, y_train = X[train_part], y[train_part]  # (N, 1, 28, 28), (N,)
X_valid, y_valid = X[valid_part], y[valid_part]
print(digits.source, tuple(X_train.shape), tuple(X_valid.shape))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert (len(y_train), len(y_valid)) == (55_000, 5_000)

# %% [markdown]
# The loop is the one that we have, `fit`. Around it goes all that a run depends on: the seed, which decides the first weights and the order of the digits, the optimizer, and the data. (`fused=True` is the same rule in one trip through memory.)

# %%
from mnist_course.data import Batches
from mnist_course.device import set_seed
from mnist_course.training import fit

valid_batches = Batches(X_valid, y_valid, 1000, shuffle=False)


def train(build, num_epochs, lr, size=None, augment=None, log=None, **settings):
    set_seed(0)
    model = build().to(device)
    params = model.parameters()
    optimizer = torch.optim.SGD(params, lr=lr, fused=True, **settings)
    batches = Batches(X_train[:size], y_train[:size], 64, shuffle=True)
    history = fit(
        model,
        optimizer,
        batches,
        valid_batches,
        num_epochs=num_epochs,
        augment=augment,
        log=log,
    )
    return model, history


# %% [markdown]
# Two networks, which differ in one line. `nn.Sequential` hands the output of each layer to the next; `nn.Flatten` turns a picture into a row. Which of them will read more digits, and by how much?


# %%
def straight():
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 256),  # (B, 256)
        nn.Linear(256, 10),  # (B, 10)
    )


def bent():
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 256),  # (B, 256)
        nn.ReLU(),  # (B, 256)
        nn.Linear(256, 10),  # (B, 10)
    )


# %%
straight_model, straight_history = train(straight, num_epochs=2, lr=0.1)
bent_model, bent_history = train(bent, num_epochs=2, lr=0.1)
plain = 100 * straight_history["valid_accuracy"][-1]
folded = 100 * bent_history["valid_accuracy"][-1]
print(f"without ReLU {plain:.1f} %, with ReLU {folded:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 84 < plain < 92.2 and abs(folded - 96.8) < 1
    assert folded - plain > 4.5
assert folded > 50

# %% [markdown]
# Without the ReLU, the second layer has brought nothing: about 90 %, what one layer reached in {ref}`the sweep of chapter 6 <ch-optimizers>`. It *could* not bring anything. Write both layers out, with $b_1$ and $b_2$ for their biases:
#
# $$ W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2) . $$ (eq-collapse)
#
# In words: *a linear layer behind a linear layer is one linear layer*, with the weights $W_2 W_1$. Do it, and compare:

# %%
W1, b1, W2, b2 = (p.detach() for p in straight_model.parameters())
W, b = W2 @ W1, W2 @ b1 + b2  # (10, 784), (10,)

with torch.no_grad():
    two_layers = straight_model(X_valid)  # (N, 10)
one_layer = X_valid.flatten(1) @ W.T + b  # (N, 10)
same = (one_layer.argmax(dim=1) == two_layers.argmax(dim=1)).float().mean()
print(f"{W1.numel() + b1.numel() + W2.numel() + b2.numel():,} numbers,", end="")
print(f" or {W.numel() + b.numel():,}: {100 * same:.1f} % equal answers")

# %% tags=["remove-cell"]
assert sum(p.numel() for p in straight_model.parameters()) == 203_530
assert W.numel() + b.numel() == 7_850
assert same > 0.999
assert (one_layer - two_layers).abs().max() < 2e-3

# %% [markdown]
# 203,530 numbers say what 7,850 can say. A hundred layers would say no more. All that was gained came from the line with the ReLU.
#
# ## One bend
#
# The *rectified linear unit* (ReLU) of chapter 5 is the plainest thing that is not straight. It lets positive numbers pass, and turns negative ones into 0:
#
# $$ \mathrm{ReLU}(h) = \max(0, h), \qquad \mathrm{ReLU}'(h) = \begin{cases} 1 & \text{if } h > 0 \\ 0 & \text{if } h < 0 \end{cases} $$ (eq-relu)
#
# In words: *keep it or drop it*; and on the way back, the gradient passes where the number passed, and is dropped where it was dropped. At 0 there is no slope; PyTorch takes 0.

# %% mystnb={"figure": {"name": "fig-relu", "caption": "The ReLU and its derivative, and for comparison the sigmoid of chapter 5 and its derivative."}, "image": {"alt": "Left panel: the ReLU is zero up to h = 0 and then rises as a straight line; the sigmoid is a flat S between zero and one. Right panel: the derivative of the ReLU jumps from 0 to 1 at h = 0; that of the sigmoid is a low bell of height one quarter"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
h = np.linspace(-4, 4, 401)
sigmoid = 1 / (1 + np.exp(-h))

figure, axes = plt.subplots(1, 2, figsize=(7.4, 2.9))
axes[0].plot(h, np.maximum(0, h), label="ReLU")
axes[0].plot(h, sigmoid, "--", label="sigmoid")
axes[1].plot(h[h < 0], 0 * h[h < 0], color=plots.BLUE)
axes[1].plot(h[h > 0], 1 + 0 * h[h > 0], color=plots.BLUE)
axes[1].plot(0, 0, "o", color=plots.BLUE)  # what PyTorch takes at the bend
axes[1].plot(0, 1, "o", color=plots.BLUE, fillstyle="none")
axes[1].plot(h, sigmoid * (1 - sigmoid), "--", color=plots.ORANGE)
for ax, title in zip(axes, ("value", "derivative")):
    ax.set(xlabel="h", title=title)
axes[0].legend()
plots.show(figure, "relu")

# %% tags=["remove-cell"]
zero = torch.zeros((), requires_grad=True)
torch.relu(zero).backward()
assert zero.grad == 0
assert abs((sigmoid * (1 - sigmoid)).max() - 0.25) < 1e-4

# %% [markdown]
# The right half of {numref}`fig-relu` is one reason why the ReLU {cite}`nair2010rectified` replaced the sigmoid in deep networks {cite}`glorot2011deep`. Each sigmoid shrinks a gradient that passes it, to a quarter or less. A ReLU that is awake hands it on whole. The left part of the same curve has a price, and we shall pay it further down: where the ReLU gives 0, nothing comes back.
#
# ## Two ones make an eight
#
# What can the bent network say that the straight one cannot? Think of a single layer, and of two pictures $x$ and $x'$ that it reads as ones. Lay them over each other, half and half. Each score is a sum over pixels, so each score of the mixture is the mean of its two scores, up to rounding. The one led in both, so *it leads in the mixture*. A single layer has no choice.
#
# Now take a one that leans to the left and a one that leans to the right. What would *you* read, if they are laid over each other?
#
# To find such ones we measure how much a picture leans: by how much its ink moves to the right from one row to the next one below (the slope of the straight line that fits the ink best; a positive number leans to the left).


# %%
def lean(images):
    ink = images / images.sum(axis=(1, 2), keepdims=True)  # (N, 28, 28)
    rows, columns = np.mgrid[:28, :28]
    down = rows - (ink * rows).sum(axis=(1, 2), keepdims=True)
    right = columns - (ink * columns).sum(axis=(1, 2), keepdims=True)
    return (ink * down * right).sum(axis=(1, 2)) / (ink * down**2).sum(
        axis=(1, 2)
    )  # (N,)


# %%
from mnist_course.training import predict

ones = y_valid == 1  # (N,)
for model in (straight_model, bent_model):  # ones that both can read
    ones &= predict(model, X_valid).argmax(dim=1) == 1
ones = X_valid[ones]  # (N, 1, 28, 28), those that are left
order = lean((ones + 0.4242).cpu().numpy()[:, 0]).argsort()
rightward, leftward = ones[order[:20].copy()], ones[order[-20:].copy()]
halves = (rightward[:, None] + leftward) / 2  # (20, 20, 1, 28, 28)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert halves.shape == (20, 20, 1, 28, 28)
assert X_valid.min() > -0.4243

# %% [markdown]
# The twenty ones of the validation set that lean most to each side, each with each, make 400 mixtures. (Paper is −0.4242 in normalized pixels, so adding that makes it 0.) Which digits do the two networks see?

# %% tags=["nbval-ignore-output"]
halves = halves.flatten(0, 1)  # (400, 1, 28, 28)
for name, model in {"straight": straight_model, "bent": bent_model}.items():
    counts = predict(model, halves).argmax(dim=1).bincount(minlength=10)
    print(f"{name:<8}", counts.tolist())

# %% tags=["remove-cell"]
if digits.is_mnist:
    said = [
        predict(m, halves).argmax(dim=1).bincount(minlength=10)
        for m in (straight_model, bent_model)
    ]
    assert said[0][1] == 400
    assert said[1][8] > 20 and said[1][1] + said[1][8] > 380
assert (predict(straight_model, halves).argmax(dim=1) == 1).all()

# %% mystnb={"figure": {"name": "fig-two-ones", "caption": "From one one to another, through their mixture in the middle. Below, the ten scores along the way: of the network without a bend, and of the one with. The scores of the 1 and the 8 are drawn in color."}, "image": {"alt": "Top row: five pictures, a one leaning right that turns into a cross and then into a one leaning left. Bottom left: ten straight lines, that of the 1 on top all the way. Bottom right: ten curves; that of the 1 sags in the middle and that of the 8 rises above it"}}
share = torch.linspace(0, 1, 41, device=device)  # (41,)
eights = predict(bent_model, halves).softmax(dim=1)[:, 8]  # (400,)
best = int(eights.argmax())
one, other = rightward[best // len(leftward)], leftward[best % len(leftward)]
walk = one + share[:, None, None, None] * (other - one)  # (41, 1, 28, 28)

figure, axes = plt.subplot_mosaic(
    [list("0011223344"), list("sssssbbbbb")],
    figsize=(7.6, 4.6),
    height_ratios=[1, 2.3],
)
for k in range(5):
    plots.show_image(axes[str(k)], walk[10 * k].cpu(), f"{share[10 * k]:.2f}")
for name, model in {"straight": straight_model, "bent": bent_model}.items():
    ax, scores = axes[name[0]], predict(model, walk).cpu()  # (41, 10)
    ax.plot(share.cpu(), scores, color="#bbbbbb", linewidth=1)
    ax.plot(share.cpu(), scores[:, 1], color=plots.BLUE, label="1")
    ax.plot(share.cpu(), scores[:, 8], "--", color=plots.ORANGE, label="8")
    ax.set(title=f"scores, {name}", xlabel="share of the second picture")
    for k in (1, 8):
        ax.annotate(f"the {k}", (0.45, scores[18, k] + 0.7))
plots.show(figure, "two ones")

# %% tags=["remove-cell"]
ends_and_middle = predict(bent_model, walk[[0, 20, 40]]).softmax(dim=1).cpu()
if digits.is_mnist:
    assert ends_and_middle.argmax(dim=1).tolist() == [1, 8, 1]
scores = predict(straight_model, walk).cpu()
assert (scores[2:] - 2 * scores[1:-1] + scores[:-2]).abs().max() < 1e-3

# %% [markdown]
# On the left of {numref}`fig-two-ones` are ten straight lines, as there have to be, and the one stays in the lead; of the 400 mixtures the straight network reads all 400 as ones. On the right the score of the one sags where the two strokes cross, and the eight takes over. (It is the mixture of which the bent network is surest. Of the 400 it takes a good part for eights, and nearly all others for ones.) A sum over pixels can say *this ink speaks for a one, and so does that ink*. It cannot say *but not both*. A hidden unit can: it stays silent until enough of certain ink is together, and then it speaks.
#
# ## What hidden units look at
#
# Each hidden unit has 784 weights, one per pixel, so we can look at them as pictures. Here are those of the 256 that have the largest say: the ten with the largest outgoing weights times the variation of their output from picture to picture.

# %%
with torch.no_grad():
    a = bent_model[:3](X_valid)  # (N, 256), behind the ReLU
say = a.std(dim=0) * bent_model[3].weight.norm(dim=0)  # (256,)
loudest = say.argsort(descending=True)[:10]
speaks_for = bent_model[3].weight[:, loudest].argmax(dim=0)  # (10,)

# %% mystnb={"figure": {"name": "fig-hidden-units", "caption": "Weights of ten hidden units. Red: ink here wakes the unit. Blue: ink here keeps it silent. Above each, the digit whose score it raises most."}, "image": {"alt": "Ten pictures of 28 by 28 weights in red, white and blue, with blotches and short arcs in the middle and fine noise at the margins; no digit can be recognized in them"}}
weights = bent_model[1].weight[loudest].detach().cpu().numpy()  # (10, 784)
titles = [f"for the {k}" for k in speaks_for.tolist()]
plots.show(plots.plot_weights(weights, titles), "hidden units")

# %% tags=["remove-cell"]
active = (a > 0).float().mean(dim=0)  # (256,), share of pictures
if digits.is_mnist:
    assert 0.2 < active.mean() < 0.5

# %% [markdown]
# They look less like digits than the templates of chapter 4, and that is the point. One often reads that the first layer finds strokes. Look at {numref}`fig-hidden-units` and judge for yourself: there are arcs and bars of one color beside the other, that is, ink *here and not there*; more one cannot say. The fine noise at the margin is what the weights started with. No picture has ink there, so nothing ever told those weights apart.
#
# (sec-before-the-first-step)=
# ## Before the first step
#
# One tutorial has a network of five layers, 784-512-256-128-64-10, with a ReLU between every two. Before we train it, look at what it says while it knows nothing. Chapter 4 told us what the loss of a model without knowledge is: each digit gets 1/10, and $-\log \frac{1}{10} = \ln 10 = 2.303$.

# %%
from mnist_course.training.models import five_layer_mlp

set_seed(0)
model = five_layer_mlp().to(device)
logits = predict(model, X_valid)  # (N, 10)
print(f"first loss {F.cross_entropy(logits, y_valid):.2f}")
print(logits[:3].cpu().numpy().round(2))

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert logits.std(dim=0).mean() < 0.5 * logits.mean(dim=0).std()
assert abs(F.cross_entropy(logits, y_valid).item() - np.log(10)) < 0.02

# %% [markdown]
# So near to $\ln 10$: is all well? Look at the three rows of logits. They belong to three different pictures, and they are nearly the same. This network gives the right loss for the wrong reason: hardly anything of the picture arrives at its end.
#
# Follow a signal through the layers. A number $h$ of a layer is a sum of $D$ products of a weight and an input. The weights are drawn around 0, so the products cancel in part, and on average over the draw their *squares* add up ({ref}`chapter 5 <ch-backprop>`; a bar is a mean):
#
# $$ \overline{h^2} = D \cdot \overline{w^2} \cdot \overline{a^2} . $$ (eq-spread)
#
# A ReLU in front of the layer has dropped the negative half of the numbers, and with it half of the sum of squares: $\overline{a^2}$ is half of the $\overline{h^2}$ of the layer before. So from layer to layer $\overline{h^2}$ is multiplied by $D\,\overline{w^2} / 2$. To keep it, this factor must be 1: $\overline{w^2} = 2/D$, a standard deviation of $\sqrt{2/D}$. He and colleagues proposed it {cite}`he2015delving`. In words: *divide by the number of inputs, because they add up, and take twice as much, because the ReLU drops half*. PyTorch's `nn.Linear` draws from a flat distribution between $\pm 1/\sqrt{D}$, whose standard deviation is $1/\sqrt{3D}$: 0.41 of He's. (It draws the biases likewise.) So let us draw the weights ourselves, with He's spread times a factor, and measure two things behind each layer: the spread of all its numbers, and how much a number differs *between pictures*, which is what the network knows of them.


# %%
def draw_weights(model, factor):
    for layer in model:
        if isinstance(layer, nn.Linear):
            D = layer.in_features
            nn.init.normal_(layer.weight, std=factor * (2 / D) ** 0.5)
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def spreads(model, X):
    of_all, between = [], []
    for layer in model:
        X = layer(X)  # (N, H)
        if isinstance(layer, nn.Linear):
            of_all.append(X.std().item())
            between.append(X.std(dim=0).mean().item())
    return of_all, between


# %%
factors = {"PyTorch's": None, "0.3": 0.3, "1": 1.0, "2": 2.0}
starts, spread_of, between_of = {}, {}, {}
for name, factor in factors.items():
    set_seed(0)
    starts[name] = five_layer_mlp().to(device)
    if factor is not None:
        draw_weights(starts[name], factor)
    spread_of[name], between_of[name] = spreads(starts[name], X_valid)
    first = F.cross_entropy(predict(starts[name], X_valid), y_valid)
    print(f"{name:<9} first loss {first:6.2f}")
    print("  spread ", " ".join(f"{s:6.3f}" for s in spread_of[name]))
    print("  between", " ".join(f"{s:6.3f}" for s in between_of[name]))

# %% tags=["remove-cell"]
first_loss = {
    name: F.cross_entropy(predict(model, X_valid), y_valid).item()
    for name, model in starts.items()
}
if digits.is_mnist:
    assert all(1.1 < s < 1.75 for s in spread_of["1"][:4])
    assert spread_of["0.3"][4] < 0.006
    assert all(0.03 < s < 0.15 for s in spread_of["PyTorch's"][3:])
    assert 2.4 < first_loss["1"] < 3.7
    assert 25 < first_loss["2"] < 120
    assert 0.004 < between_of["PyTorch's"][4] < 0.016
    assert 1.1 < between_of["1"][0] < 1.3 and 0.5 < between_of["1"][4] < 0.9
assert abs(first_loss["0.3"] - np.log(10)) < 0.003
assert abs((3**-0.5) / 2**0.5 - 0.41) < 0.002
assert abs(spread_of["1"][3] / spread_of["1"][0] - 1) < 0.3

# %% [markdown]
# With the factor 1 the spread is about 1.4 behind every hidden layer ($\sqrt 2$: the pixels are normalized, and no ReLU has dropped any of them). With a third of that it fades, with twice it explodes. PyTorch's own spread fades too, and stops fading in the last layers, somewhat below 0.1; but that is not the picture. It is mostly the biases, a different one for each digit and the same for all pictures: between pictures a score varies by about 0.01. (With He's factor the difference between pictures shrinks as well, from 1.2 to about 0.7, because a ReLU makes pictures more alike. It does not vanish.) With the factor 2 the first loss is fifty or more (it depends on the draw): the network is certain before it knows anything, and has to unlearn that first. The sleepers cannot be told from the loss: theirs is 2.3, and He's own start, near 3, looks worse than they do. **So a first loss far above $\ln K$ is an alarm, and one near it proves nothing. Look at the spread as well, most of all between pictures.**
#
# Does it matter? Here are the first 400 steps of the tutorial's training, a learning rate of 0.01 with momentum 0.5 and batches of 64, from each of the four starts. This loop keeps the loss of every batch; `look` will be needed later.


# %%
def run_steps(model, batches, lr, momentum=0.0, look=None):
    params = model.parameters()
    optimizer = torch.optim.SGD(params, lr=lr, momentum=momentum, fused=True)
    losses = []
    for step, (X, y) in enumerate(batches):
        if look and step % 20 == 0:
            look(model)
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
some = slice(64 * 400)
losses_of = {}
for name, model in starts.items():
    batches = Batches(X_train[some], y_train[some], 64, shuffle=True)
    losses_of[name] = run_steps(model, batches, lr=0.01, momentum=0.5)

# %% mystnb={"figure": {"name": "fig-first-loss", "caption": "Four ways to draw the first weights of five layers: PyTorch's, and He's times 0.3, 1 and 2. Left: how much a number varies between pictures, behind each layer, before training. Right: the loss of the first 400 batches, as a mean over ten. The dotted line is ln 10."}, "image": {"alt": "Left panel with logarithmic axis: factor 2 rises from 2 to more than 20, factor 1 falls a little, from 1.2 to 0.7, PyTorch's start falls from 0.5 to 0.01, factor 0.3 from 0.4 to 0.002. Right panel: factor 1 falls to 0.3 at once, factor 2 comes down from above, PyTorch's start stays near 2.3 for some 200 steps and then falls, factor 0.3 stays at 2.3 all the time"}}
figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.3))
for (name, losses), style in zip(losses_of.items(), ("o-", "s--", "^-", "D:")):
    kept = len(losses) // 10 * 10
    means = np.reshape(losses[:kept], (-1, 10)).mean(axis=1)
    axes[0].plot(range(1, 6), between_of[name], style, label=name)
    axes[1].plot(np.arange(5, kept, 10), means, style, markevery=5)
axes[0].set(yscale="log", xlabel="layer", xticks=range(1, 6))
axes[0].set_title("spread between pictures")
axes[1].axhline(np.log(10), color=plots.GRAY, linewidth=1, linestyle=":")
axes[1].set(yscale="log", xlabel="step", title="loss", ylim=(0.2, 20))
axes[1].set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
names_at = {"2": 10, "1": 1.15, "PyTorch's": 0.09, "0.3": 0.006}
for name, height in names_at.items():
    axes[0].annotate(name, (3.1, height))
plots.show(figure, "first loss")

# %% tags=["remove-cell"]
late = {name: np.mean(losses[-50:]) for name, losses in losses_of.items()}
if digits.is_mnist:
    assert late["1"] < 0.35 and late["0.3"] > 2.2
    assert np.mean(losses_of["PyTorch's"][140:160]) > 1.9
    assert np.mean(losses_of["PyTorch's"][190:210]) > 1.6
    assert late["PyTorch's"] > 2 * late["1"] and late["2"] > late["1"]
assert late["1"] < late["0.3"]

# %% [markdown]
# On the right of {numref}`fig-first-loss`, He's start is at work from the first step. PyTorch's own start spends about half of the 400 steps on a plateau: signals fade on the way forward, and gradients fade likewise on the way back, so the lower layers hardly move until the upper ones have grown. With the factor 0.3 the 400 steps are not enough to wake up. The more layers, the more it matters: He and colleagues show a network of 30 layers that learns from their start, and from a smaller one not at all {cite}`he2015delving`.
#
# ## Five layers, as the tutorial trains them
#
# The tutorial does nothing about the start, and gets past its plateau. Two of its ten passes:

# %% tags=["nbval-ignore-output"]
model, history = train(
    five_layer_mlp, num_epochs=2, lr=0.01, momentum=0.5, log=print
)

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert history["train_accuracy"][0] < 0.75
    assert 0.91 < history["valid_accuracy"][-1] < 0.95
    assert np.greater(
        history["valid_accuracy"], history["train_accuracy"]
    ).all()
assert len(history) == 2

# %% [markdown]
# ({ref}`The table of results <results>` has its ten passes, over several seeds.) In each row the validation digits come off better than the training digits. That is not because they are easier. The training column is an average over the pass, while the network was still worse; the validation column is measured behind it.
#
# What the tutorial prints is something else. It adds up the losses of the batches, prints their mean now and then, and sets the sum back to zero. That is the plan. We have the losses of the first 400 steps, so here is the report, every 100 steps, with its last line as the tutorial has it. Find the slip before you run it:

# %%
running_loss = 0.0
for step, loss in enumerate(losses_of["PyTorch's"], start=1):
    running_loss += loss
    if step % 100 == 0:
        print(f"step {step}: loss {running_loss / 100:.3f}")
        running_loss == 0.0  # noqa: B015

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert running_loss / 100 > 7
assert running_loss > sum(losses_of["PyTorch's"]) - 1e-6

# %% [markdown]
# The report says that the loss grows, from 2.3 to more than 7, while the network learns. `==` asks whether the sum is zero, and nobody listens to the answer; `=` would have set it. Nothing is wrong with the training. (The comment keeps our linter quiet; it finds this line without running anything.)
#
# Two more lines of that report. `torch.max(logits, dim=1)` finds the best class of each picture, and the text explains that a row is dimension 1 and a column dimension 0. Ask for the shapes:

# %% tags=["nbval-check-output"]
scores = torch.tensor([[1.0, 9.0, 3.0], [7.0, 2.0, 5.0]])  # (B, K) = (2, 3)
best, place = torch.max(scores, dim=1)
print(tuple(scores.shape), "→", tuple(place.shape), best, place)

# %% tags=["remove-cell"]
assert place.tolist() == [1, 0] and place.shape == (2,)
assert scores.argmax(dim=0).tolist() == [1, 0, 1]

# %% [markdown]
# `dim` is the axis that *disappears*: of `(B, K)`, `dim=1` leaves `(B,)`. The function looks along it for the largest, and tells both how large and where. And the accuracy is printed with `%d`, which cuts off what stands behind the point: 97.9 becomes 97.

# %% tags=["nbval-check-output"]
print("%d %%, %.1f %%" % (97.9, 97.9))  # noqa: UP031

# %% [markdown]
# ## Six runs of one program
#
# Now six of these runs. The tutorial calls its program a convolutional network with three convolution layers. There is no convolution in it: it has three linear layers, 784-256-64-10, like everything on this page. It wants pixels from 0 to 1, batches of 64, and a learning rate of 0.8. It puts a ReLU behind *each* of the three layers, the last one too, whose outputs are the scores. `relu_on_logits` is that word.
#
# Every twenty steps we look at 1,000 of the validation digits, and ask of each digit: what share of its own pictures has a score above zero for it? A score behind a ReLU that is not above zero is zero.

# %%
from mnist_course.progress import progress
from mnist_course.training.models import three_layer_mlp

pixels = torch.tensor(digits.train_images).to(device) / 255  # (N, 28, 28)
pixels, pixels_valid = pixels[train_part], pixels[valid_part]
watched = slice(1_000)  # of the validation digits
own = F.one_hot(y_valid[watched], 10).bool()  # (1000, 10)


def awake(model):
    right = (predict(model, pixels_valid[watched]) > 0) & own  # (1000, 10)
    return (right.sum(dim=0) / own.sum(dim=0)).tolist()  # 10 shares


def accuracy(model):
    answers = predict(model, pixels_valid).argmax(dim=1)  # (N,)
    return 100 * (answers == y_valid).float().mean().item()


# %%
def six_runs(relu_on_logits):
    models, diaries = [], []
    for seed in progress(range(6), "seeds"):
        set_seed(seed)
        model = three_layer_mlp(relu_on_logits).to(device)
        batches = Batches(pixels, y_train, 64, shuffle=True, seed=seed)
        diary = []

        def look(model, diary=diary):  # into the diary of this run
            diary.append(awake(model))

        run_steps(model, batches, lr=0.8, look=look)
        models.append(model)
        diaries.append(diary)
    return models, diaries


# %% tags=["nbval-ignore-output"]
published, diaries = six_runs(relu_on_logits=True)
corrected, _ = six_runs(relu_on_logits=False)
for name, models in {"published": published, "corrected": corrected}.items():
    print(name, " ".join(f"{accuracy(model):5.1f}" for model in models))

# %% tags=["remove-cell"]
reached = [accuracy(model) for model in published]
mended = [accuracy(model) for model in corrected]
if digits.is_mnist:
    assert min(reached) < 85 and max(reached) - min(reached) > 10
    assert min(mended) > 82 and np.median(mended) > 90
    for diary, value in zip(diaries, reached):
        assert min(min(shares) for shares in diary[:4]) < 0.05
        assert min(diary[-1]) < 0.5 or value > 80
    from mnist_course.results import load_results

    stored = load_results().get("s2-published")
    if stored and stored.num_epochs == 5:
        assert sum(96 < a < 98 for a in stored.test_accuracy) == 5
        assert len(stored.seeds) == 6 and min(stored.test_accuracy) < 79
    assert np.mean(mended) > np.mean(reached)
    assert min(mended) - min(reached) > 5

# %% [markdown]
# On another machine the same six seeds give six other numbers (0.8 is a rate at which rounding errors grow, see {ref}`chapter 6 <ch-optimizers>`), but most likely there are good ones and bad ones again. The corrected runs differ too, by some points: 0.8 is a long step for any network, and one pass is short. Nearly all of them read 90 % and more. Here is what happened in each run of the published network.

# %% mystnb={"figure": {"name": "fig-awake", "caption": "Six runs of the published network, one pass each. A row is a digit: the darker, the larger the share of its own validation pictures for which its score is above zero."}, "image": {"alt": "Six panels with ten rows each, time running to the right. In the first steps most rows are dark and some turn white. In good runs nearly all rows are dark in the end; in bad ones some rows are white for most of the pass or all of it"}}
figure, axes = plt.subplots(2, 3, figsize=(7.8, 4.6), sharex=True, sharey=True)
for seed, (ax, diary) in enumerate(zip(axes.flat, diaries)):
    ax.imshow(
        np.transpose(diary),
        cmap="Blues",
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(0, 20 * len(diary), 9.5, -0.5),
    )
    ax.set_title(f"seed {seed}: {reached[seed]:.0f} %")
    ax.set(yticks=range(10))
    ax.grid(visible=False)
figure.supxlabel("step", fontsize=11)
figure.supylabel("digit", fontsize=11)
plots.show(figure, "awake")

# %% [markdown]
# A white row in {numref}`fig-awake` is a digit that has fallen silent: its score is zero for all of its own pictures. In every run some do, within the first steps, and some come back. Which do, and when, differs from seed to seed, and it is nearly all that differs: the runs in which all ten speak at the end read 85 to 95 %, nearly as much as the corrected ones. (A silent 0 costs less than another silent digit; why, you will see in a table further down.)
#
# ## Where nothing comes back
#
# Look at the scores *before* the last ReLU. `tops` holds, for each run and each digit, the largest score that any of the digit's own pictures gets for it: a digit is silent where even this is below zero. Take the run with most such digits, and of these the one that lies deepest; and for comparison a digit that speaks.


# %% tags=["nbval-ignore-output"]
def largest_own_scores(model):
    before = predict(model[:-1], pixels_valid)  # (N, 10), before the last ReLU
    return [before[y_valid == k, k].max().item() for k in range(10)]


tops = np.array([largest_own_scores(model) for model in published])  # (6, 10)
worst = int((tops <= 0).sum(axis=1).argmax())  # the run with most silent digits
model = published[worst]
before = predict(model[:-1], pixels_valid)  # (N, 10)
silent, speaking = int(tops[worst].argmin()), int(np.argmax(diaries[worst][-1]))
top = tops[worst, silent]
print(f"seed {worst}, digit {silent}: its largest score is {top:.1f}")

# %% mystnb={"figure": {"name": "fig-dead-scores", "caption": "The run with most silent digits. Scores for a digit in front of the last ReLU, on the left for one that fell silent, on the right for one that did not: over the pictures of that digit, and over all others."}, "image": {"alt": "Two pairs of histograms. Left, the silent digit: both lie below zero and over each other. Right, the other one: the pictures of the digit itself lie far above zero, the others lie around zero and below"}}
figure, axes = plt.subplots(1, 2, figsize=(7.6, 3))
for ax, k in zip(axes, (silent, speaking)):
    own_scores = before[y_valid == k, k].cpu().numpy()
    others = before[y_valid != k, k].cpu().numpy()
    ax.hist(others, 40, density=True, color="#bbbbbb", label="all others")
    style = {"color": plots.BLUE, "histtype": "step", "linewidth": 2}
    ax.hist(own_scores, 20, density=True, label=f"pictures of the {k}", **style)
    ax.axvline(0, color="black", linewidth=1)
    ax.set(title=f"score of the {k}", yticks=[])
    ax.set_xlim(right=max(0.5, ax.get_xlim()[1]))
    ax.set_ylim(0, 1.4 * ax.get_ylim()[1])
    ax.legend(loc="upper left")
plots.show(figure, "dead scores")

# %% [markdown]
# On the left of {numref}`fig-dead-scores` every picture of the digit lies below zero, in the midst of the others. The ReLU makes zeros of these scores, and on the way back its slope is 0. So let us ask for the gradients. For each digit, the largest gradient in its row of the last layer's weights, over all the training pictures of that digit and no others:

# %% tags=["nbval-ignore-output"]
last = model[-2]  # the linear layer in front of the ReLU
for k in (silent, speaking):
    part = y_train == k
    loss = F.cross_entropy(model(pixels[part]), y_train[part])
    model.zero_grad()
    loss.backward()
    print(f"digit {k}: loss {loss:.2f}, ", end="")
    print(f"largest gradient {last.weight.grad[k].abs().max():.6f}")

# %% tags=["remove-cell"]
part = y_train == silent
model.zero_grad()
loss = F.cross_entropy(model(pixels[part]), y_train[part])
loss.backward()
if digits.is_mnist:
    assert 2.2 < loss < 2.75
    assert top < 0
    assert last.weight.grad[silent].abs().max() < 1e-3

# %% [markdown]
# The loss on the pictures of the silent digit is about $\ln 10$, as if the network knew nothing. It knows something: it presses the nine other scores to zero for these pictures. That is the best it can do, because the one score that could say the name does not move. The gradient, which should say *raise that score*, is zero. {ref}`Chapter 4 <ch-softmax-regression>` derived what arrives behind the ReLU: $p - y$, here about $0.1 - 1$, strong enough. Then it is multiplied by the slope of the ReLU, and that is 0. Nobody has told the layer that anything is wrong.
#
# Why at the beginning? Look back at the three rows of logits in {ref}`the section on first steps <sec-before-the-first-step>`: at the start a score is nearly the same for all pictures, and as often below zero as above. Count the digits that are silent before the first step:

# %% tags=["nbval-ignore-output"]
print([sum(share == 0 for share in diary[0]) for diary in diaries])

# %% tags=["remove-cell"]
at_start = [sum(share == 0 for share in diary[0]) for diary in diaries]
if digits.is_mnist:
    assert 1 < np.mean(at_start) < 6 and max(at_start) >= 2
assert len(at_start) == 6

# %% [markdown]
# So some are silent from the very start, and others are pushed below zero in the next steps, which are long. In a network without the last ReLU neither does harm: a score that stands too low is pulled up by the next gradient. With it, *down* is a trap that closes.
#
# Silence need not be forever, as some rows show. Its own pictures send the weights of the silent digit nothing. (Where its score is above zero, that is for a picture of another digit, and the push is down.) But the layers below go on moving, for the sake of the nine others. If they happen to lift its score above zero for some picture, the gradient is back. After the tutorial's own five passes, on all 60,000 digits, five of our six runs reach 96 to 98 % of the test digits, as good as without the last ReLU, and the sixth stays at 78 % ({ref}`results <results>`). The tutorial told the truth about its run. It had one.
#
# Hidden units die of the same thing. It does not hurt as much, because a hidden unit has deputies:

# %% tags=["nbval-ignore-output"]
dead = {}
for name, models in {"published": published, "corrected": corrected}.items():
    with torch.no_grad():
        hidden = [model[:3](pixels_valid) for model in models]  # (N, 256) each
    dead[name] = [int((a.amax(dim=0) == 0).sum()) for a in hidden]
    print(f"{name}: {dead[name]} of 256 units are silent")

# %% tags=["remove-cell"]
for relu_on_logits in (True, False):
    set_seed(0)
    untrained = three_layer_mlp(relu_on_logits).to(device)
    with torch.no_grad():
        a = untrained[:3](pixels_valid)  # (N, 256)
    if digits.is_mnist:
        assert (a.amax(dim=0) > 0).all()
if digits.is_mnist:
    assert max(dead["published"]) > 0 and max(dead["corrected"]) > 0

# %% [markdown]
# Before the first step not one was silent. How many of them a run loses is luck again, with the last ReLU and without; and the corrected networks read about 90 % and more with all of those that they have lost. A score has no deputy. **So a classifier under cross-entropy ends in its linear layer.** The loss makes probabilities of the scores; nothing else may stand between them. (Not a softmax either; an exercise of chapter 4 gives the price.)
#
# Three more of this tutorial's numbers. As the *probability* of its answer it shows the largest score. It reports a *loss rate* of "only 1 %". And the loss that it prints is that of a single batch. Look:

# %% tags=["nbval-ignore-output"]
model = corrected[int(np.argmax(mended))]
score = predict(model, pixels_valid[:1])  # (1, 10)
print(f"largest score {score.max():.2f}, ", end="")
print(f"probability {score.softmax(dim=1).max():.4f}")

batches = Batches(pixels_valid, y_valid, 64, shuffle=False)
with torch.no_grad():
    losses = [F.cross_entropy(model(X), y).item() for X, y in batches]
print(f"loss of one batch: from {min(losses):.3f} to {max(losses):.3f}")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert score.max() > 1
    assert max(losses) > 3 * min(losses)

# %% [markdown]
# A score is no probability, and above 1 it cannot be taken for one; the softmax of all ten scores is. A loss has no percent, because nothing is divided by a whole. And whoever prints the loss of one batch can have a lucky one. Average over all the digits that you have.
#

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-mlp-parameters
# (A minute.) How many numbers does training adjust in the network 784-256-64-10?
# :::

# %%
from mnist_course.exercises import check, check_solution, summary

answer = ...
check("07.parameters", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-start
# (Two minutes.) A linear layer has 512 inputs, which come out of a ReLU, and 128 outputs. With which standard deviation do you draw its weights, if the spread is to stay as it is in the layer before?
# :::

# %%
answer = ...
check("07.start", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-zeros
# (Five minutes; most people guess wrong.) Someone sets all weights and biases of `bent()`, 784-256-10, to zero. Its first loss is exactly $\ln 10$. It gets a single picture, of a seven, and computes the gradient. How many of its 203,530 parameters have a gradient that is not zero?
# :::

# %%
answer = ...
check("07.zeros", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-either
# (Ten minutes, with a pencil.) Two pixels, each 0 or 1. Build a network with two hidden ReLU units that says 1 if *exactly one* of them is ink, and 0 otherwise. Choose its weights by hand. *Hint:* let one unit count the ink, and the other wake up only when there is too much of it.
# :::

# %%
# W1 (2, 2), b1 (2,), W2 (1, 2), b2 (1,)
answer = ...
check("07.either", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-confusion
# (Ten minutes.) Write the counting behind a confusion matrix, from two numpy arrays of digits $(N,)$: ten rows, one for each right label, and ten columns, one for each prediction.
# :::


# %%
def confusion(labels, predictions):
    return ...


check("07.confusion", confusion)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-leaky
# (Ten minutes.) A *leaky* ReLU {cite}`maas2013rectifier` does not drop negative numbers; it multiplies them by a small slope, such as 0.01. Write its way back: from `h`, what came in, and `da`, the gradient of the loss with respect to what went out (numpy arrays of one shape; `np.where` chooses element by element), to the gradient with respect to `h`. Would a digit behind it fall silent for good?
# :::


# %%
def leaky_relu_gradient(h, da, slope):
    return ...


check("07.leaky", leaky_relu_gradient)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-silent
# (Ten minutes.) Count the silent units of a hidden layer: those that give 0 to *every* picture in `X` $(N, D)$, with weights `W` $(H, D)$ and biases `b` $(H,)$, all of them numpy arrays.
# :::


# %%
def count_silent(W, b, X):
    return ...


check("07.silent", count_silent)

# %% [markdown]
# :::{exercise}
# :label: ex-mlp-break
# (Half an hour, breaking things on purpose.) Set the biases of the first layer of `bent()` to −2 before training, and another time to −10. Predict for each: the first loss, the number of silent units, and what 400 steps with a learning rate of 0.1 make of it. Then do it, with `run_steps` and `Batches(X_train[some], y_train[some], 64, shuffle=True)`. Which parameters can still learn something in a network whose hidden units are all silent, and what is the lowest loss they can reach?
# :::
#
# :::{exercise}
# :label: ex-mlp-rate
# (Half an hour.) Change one number: run the published network with a learning rate of 0.1 in place of 0.8, for the seed with most silent digits. Predict first: will all ten digits speak? Then try other rates and seeds. Is there a rate at which the ReLU on the scores is harmless?
# :::
#
# :::{exercise}
# :label: ex-mlp-evening
# (An evening.) How small can it be? Take the trained network of the section *Ours* (`ours = model`, before you run a solution, for these use the name again), and set the smallest half of the weights of each layer to zero, by absolute value. How many validation digits does it lose? Go on, to 90 %, to 99 %. Then train what is left for one more pass, and keep the zeros at zero. What do you conclude about the half million numbers?
# :::

# %%
summary()

# %% [markdown]
# ## Summary
#
# * Linear layers in a row are one linear layer. A bend between them lets a network say *this, and that, but not both*: about 97 % in place of about 90 %, in the same two passes.
# * Before the first step look at two things: a loss not far above $\ln K$ (at $\ln K$ it may be asleep), and hidden layers whose spread stays ($\overline{w^2} = 2/D$ behind a ReLU).
# * A network ends in its linear layer. A ReLU on the scores lets digits fall silent: their own pictures send their weights no gradient any more, and only luck in the layers below wakes them. Whether it happens is a matter of the seed. One run is no result.
# * Training loss down and validation loss up is overfitting. More digits, weight decay, dropout, or an earlier end; and a confusion matrix, to see where the mistakes are.
#
# Next: this network reads digits well, and it does not know that they are pictures. Shuffle the pixels, all pictures alike, and without the nudge it learns them as well as before. What does a network gain that knows which pixels are neighbors? {ref}`Images are not vectors <ch-cnn>`.

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-mlp-parameters
# :class: dropdown
# :::
#
# Each layer has a weight for every pair of input and output, and a bias for every output.

# %%
check_solution("07.parameters", 785 * 256 + 257 * 64 + 65 * 10)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-start
# :class: dropdown
# :::
#
# $\sqrt{2/512} = 1/16$. How many outputs there are does not matter.

# %%
check_solution("07.start", (2 / 512) ** 0.5)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-zeros
# :class: dropdown
# :::
#
# Ten: the last biases, which get $p - y$ itself, $-0.9$ for the seven and 0.1 for each other digit. The last weights get $p - y$ times the hidden units, which are all 0. To the hidden units comes $p - y$ times the last weights, also 0, and so on down. The next step is the same: this network can learn how frequent the digits are, and nothing else, for ever. And its first loss was perfect.

# %%
model = bent().to(device)
for p in model.parameters():
    nn.init.zeros_(p)
picture = X_train[:1]
F.cross_entropy(model(picture), torch.tensor([7]).to(device)).backward()
count = sum(int((p.grad != 0).sum()) for p in model.parameters())
check_solution("07.zeros", count)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-either
# :class: dropdown
# :::
#
# Both units count the ink. The second has a bias of −1, so it wakes up only for two pixels, and then it takes away what the first has counted, twice. It is the cross of the two ones, in its smallest form: *this, and that, but not both*.

# %%
W1, b1 = np.array([[1, 1], [1, 1]]), np.array([0, -1])
W2, b2 = np.array([[1, -2]]), np.array([0])
two_pixels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])  # (4, 2)
a = np.maximum(0, two_pixels @ W1.T + b1)  # (4, 2)
print((a @ W2.T + b2)[:, 0])
check_solution("07.either", [W1, b1, W2, b2])

# %% tags=["remove-cell"]
assert (a @ W2.T + b2)[:, 0].tolist() == [0, 1, 1, 0]

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-confusion
# :class: dropdown
# :::
#
# The short `counts[labels, predictions] += 1` is wrong: numpy adds once for each *different* pair, however often it occurs. `np.add.at` adds every time.


# %%
def confusion(labels, predictions):
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    return counts


check_solution("07.confusion", confusion)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-leaky
# :class: dropdown
# :::
#
# A digit pushed below zero would get a hundredth of its gradient, and creep back. It would still be a bad idea to put it behind the last layer: what for?


# %%
def leaky_relu_gradient(h, da, slope):
    return da * np.where(h > 0, 1, slope)


check_solution("07.leaky", leaky_relu_gradient)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-silent
# :class: dropdown
# :::


# %%
def count_silent(W, b, X):
    h = X @ W.T + b  # (N, H)
    return (h.max(axis=0) <= 0).sum()


check_solution("07.silent", count_silent)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-break
# :class: dropdown
# :::
#
# The first loss is near $\ln 10$ both times, so it gives no warning. At −2 most units are silent, and stay so; the others learn, and the network with them. At −10 all 256 are silent. The last biases are the only parameters with a gradient, as in the exercise with the zeros. The best they can do is to answer each digit's frequency, and that gives $-\sum_k f_k \log f_k = 2.301$ for the frequencies $f_k$ of the digits, hardly less than $\ln 10$. (What you see below may lie a little above: 400 noisy steps hover around it.)

# %% tags=["nbval-within-3%"]
for bias in (-2.0, -10.0):
    set_seed(0)
    model = bent().to(device)
    nn.init.constant_(model[1].bias, bias)
    batches = Batches(X_train[some], y_train[some], 64, shuffle=True)
    for moment in ("before", "after"):
        W, b = (p.detach().cpu().numpy() for p in model[1].parameters())
        silent_units = count_silent(W, b, X_valid.flatten(1).cpu().numpy())
        value = F.cross_entropy(predict(model, X_valid), y_valid)
        print(f"{bias:6} {moment:<6} loss {value:.3f}, {silent_units} silent")
        if moment == "before":
            run_steps(model, batches, lr=0.1)

# %% tags=["remove-cell"]
frequency = y_train.bincount(minlength=10) / len(y_train)
entropy = -(frequency * frequency.log()).sum().item()
if digits.is_mnist:
    assert f"{entropy:.3f}" == "2.301" and silent_units == 256
assert abs(value - entropy) < 0.03

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-rate
# :class: dropdown
# :::

# %% tags=["nbval-ignore-output"]
set_seed(worst)
model = three_layer_mlp(relu_on_logits=True).to(device)
batches = Batches(pixels, y_train, 64, shuffle=True, seed=worst)
run_steps(model, batches, lr=0.1)
print(f"seed {worst}: {accuracy(model):.1f} %, awake", end=" ")
print([round(share, 2) for share in awake(model)])

# %% [markdown]
# A small rate is no cure. Digits that are below zero for all pictures before the first step get no gradient at any rate, and with small steps the layers below take longer to wake them, if they do. Nor is the ReLU harmless where all ten speak: scores that cannot go below zero cannot say *certainly not*, except by lifting all the others.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-mlp-evening
# :class: dropdown
# :::
#
# Many of the weights can go without a loss that 5,000 digits would show: try how many. Were they needed to get there? Put the surviving weights back to the values that they *started* from, and train only these. Frankle and Carbin find that they often get as far as the whole network, and that new random values in the same places do worse {cite}`frankle2019lottery`.
#
# :::{solution-end}
# :::
