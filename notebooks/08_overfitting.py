# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-overfitting)=
# # 8. Learned by heart: overfitting
#
# A thousand pictures of digits, and a network with 218,058 numbers to adjust: 218 numbers for every picture. A table of all the answers would be smaller. Train this network for thirty passes, and it reads the thousand without a mistake.
#
# And the next thousand? And if it does badly there: was it too *many numbers*, too many passes, or too few digits? Most people have an answer to that, and most answers are half right. On this page you will
#
# * watch a network learn its digits by heart, and see what becomes of its loss on others while its accuracy stands still,
# * write two of the known cures by hand, stopping in time and dropout, and measure what each of them cures,
# * change two lines that do more than all of them,
# * give the network more numbers instead of fewer, up to three million for the same thousand pictures,
# * train a network that reads more than 98 %, and look at its worst mistakes.
#
# New name: `dropout`, the share of the hidden units that a training step leaves out. About 30 minutes, without the exercises.

# %% [markdown]
# ## A thousand digits
#
# Data and loop are those of {ref}`chapter 7 <ch-mlp>`, with two more settings: `size`, how many of the training digits the network gets, and `augment`, which further down changes them.

# %%
from mnist_course.data import load_data, split_train_valid, to_tensors
from mnist_course.device import pick_device

import numpy as np
import torch
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

# %%
from mnist_course.data import Batches
from mnist_course.device import set_seed
from mnist_course.training import evaluate, fit, predict

valid_batches = Batches(X_valid, y_valid, 1000, shuffle=False)


def train(build, num_epochs, lr, size=None, augment=None, **settings):
    set_seed(0)
    model = build().to(device)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=lr, fused=True, **settings
    )
    batches = Batches(X_train[:size], y_train[:size], 64, shuffle=True)
    plan = {"num_epochs": num_epochs, "augment": augment, "log": None}
    return model, fit(model, optimizer, batches, valid_batches, **plan)


# %% [markdown]
# The network is the tutorial's of chapter 7, 784-256-64-10, without the ReLU on its scores. **Guess first:** after thirty passes it knows its own thousand. What share of the 5,000 others does it read? And is that the most that it ever read, or was there a better pass before?

# %% tags=["hide-output"]
from mnist_course.training.models import three_layer_mlp

few = {"size": 1_000, "num_epochs": 30, "lr": 0.1}
by_heart = train(three_layer_mlp, **few)[1]
lowest = int(np.argmin(by_heart["valid_loss"]))
print(f"own digits: {100 * by_heart['train_accuracy'][-1]:.1f} %")
for name, epoch in {"lowest": lowest, "last": -1}.items():
    value = by_heart["valid_loss"][epoch]
    accuracy_there = 100 * by_heart["valid_accuracy"][epoch]
    print(f"others, {name:<6} loss {value:.3f}, {accuracy_there:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert by_heart["train_accuracy"][-1] == 1
    assert by_heart["train_loss"][-1] < 0.01
    assert by_heart["valid_loss"][-1] > 1.03 * by_heart["valid_loss"][lowest]
    assert lowest < 25
    assert 0.865 < by_heart["valid_accuracy"][-1] < 0.91
    last_accuracy = by_heart["valid_accuracy"][-1]
    assert last_accuracy > by_heart["valid_accuracy"][lowest] - 0.005

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-by-heart", "caption": "Thirty passes over 1,000 digits. Dashed: these 1,000; solid: 5,000 others."}, "image": {"alt": "Left panel, loss: the dashed training curve falls to zero while the solid validation curve falls, turns at about the fourteenth pass and rises slowly. Right panel, accuracy: the training curve goes to 100 percent, the validation curve flattens out between 88 and 89"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure = plots.plot_history({"": by_heart})
figure.axes[0].set(ylim=(0, 1.2))
figure.axes[1].set(ylim=(70, 101))
plots.show(figure, "by heart")

# %% [markdown]
# This is the overfitting of {ref}`chapter 3 <ch-scores-and-hinge>`, to know the old pictures so much better than new ones. What a network does on what it has not seen is its generalization. Open {numref}`fig-by-heart` and look at the left panel: the dashed loss falls to almost nothing, the solid one falls for some passes, turns, and rises. Now look at the right: the accuracy does not turn. What gets worse is the *price* of the mistakes. The network becomes more and more certain, because on its own pictures it is never wrong, and it carries that certainty over to the others.
#
# ## Stop in time
#
# The plainest cure: keep the weights of the pass with the lowest validation loss. That is *early stopping*. While a run is going on nobody knows whether a still lower pass is to come, so one waits for a number of passes, the *patience*, and stops when none of them has brought a new lowest loss.
#
# **Your turn.** (Five minutes.) `losses` is the list of validation losses, pass by pass. Return the number of the pass whose weights you would keep, counted from 0. You may not look ahead: as soon as `patience` passes in a row have brought no new lowest loss, training is over.


# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary


def keep_pass(losses, patience):
    return ...


check("08.stop", keep_pass)


# %% tags=["hide-cell"]
def stop_early(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


check_solution("08.stop", stop_early)

# %% tags=["nbval-ignore-output"]
for patience in (1, 3, 5):
    kept = stop_early(by_heart["valid_loss"], patience)
    loss = by_heart["valid_loss"][kept]
    right = 100 * by_heart["valid_accuracy"][kept]
    print(
        f"patience {patience}: pass {kept + 1}, loss {loss:.3f}, {right:.1f} %"
    )

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert stop_early(by_heart["valid_loss"], 30) == lowest

# %% [markdown]
# With too little patience an accident ends the run. (A validation loss that chooses the pass has been used: the test set must stay out of this.) And early stopping stops: the loss is at its best there, and some accuracy that later passes bring is left behind.
#
# ## Two more cures
#
# *Charge for large weights.* The penalty of chapter 3, $\lambda$ times the squares of the weights, adds to each weight's gradient a bit of the weight itself: SGD with `weight_decay` steps along $-(g + \lambda w)$, so every weight shrinks a little at every step, unless the digits speak for it. (The 2 that comes from the square is counted into $\lambda$.)
#
# *Leave units out.* **Dropout** {cite}`srivastava2014dropout` sets each hidden unit to 0 with a probability of, say, one half, drawn anew for every picture and every step. No unit can rely on a certain other one to be there, so each has to be of use by itself. The units that stay are divided by the share that stays (doubled, for one half), so that the sums keep their size on average; and when the network is used, all units work, and nothing is drawn.
#
# **Your turn.** (Four minutes.) Write it in two or three lines. `a` is a tensor $(B, H)$ of hidden units, `dropout` the share to leave out, `training` says whether the network is trained or used. (`torch.rand_like(a)` has the shape of `a`, and numbers from 0 to 1.)


# %% tags=["your-turn"]
def leave_out(a, dropout, training):
    return ...


check("08.drop", leave_out)


# %% tags=["hide-cell"]
def drop(a, dropout, training):
    if not training:
        return a
    keep = torch.rand_like(a) >= dropout  # (B, H), anew at every call
    return a * keep / (1 - dropout)


check_solution("08.drop", drop)

# %% [markdown]
# PyTorch's is called `nn.Dropout`. The two draw different units, so they can only be compared in how they behave: what is 0, what the rest becomes, what the mean is, and what happens when the network is used.

# %% tags=["nbval-ignore-output"]
a = torch.rand(1000, 256) + 0.1  # (B, H), as behind a ReLU
theirs = nn.Dropout(0.5)
print(f"before      mean {a.mean():.3f}")
for name, out in {"ours": drop(a, 0.5, True), "nn.Dropout": theirs(a)}.items():
    kept = out != 0
    print(
        f"{name:<10}  mean {out.mean():.3f}, {kept.float().mean():.3f} kept",
        end="",
    )
    print(f", these times {(out[kept] / a[kept]).mean():.3f}")
theirs.eval()
print("in use equal:", torch.equal(drop(a, 0.5, False), theirs(a)))

# %% tags=["remove-cell"]
for mine in (drop(a, 0.5, True), nn.Dropout(0.5)(a)):
    assert abs(mine.mean() / a.mean() - 1) < 0.02
    assert abs((mine == 0).float().mean() - 0.5) < 0.01
    assert torch.allclose(mine[mine != 0], 2 * a[mine != 0])
assert torch.equal(drop(a, 0.5, False), theirs(a)) and torch.equal(theirs(a), a)

# %% [markdown]
# So ours can go into a network. A module knows whether it is trained or used: `model.train()` and `model.eval()` set `self.training`, and `fit`, `evaluate` and `predict` call them.


# %%
class Dropout(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout

    def forward(self, a):
        return drop(a, self.dropout, self.training)


def with_dropout():
    first = [nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), Dropout(0.5)]
    second = [nn.Linear(256, 64), nn.ReLU(), Dropout(0.5)]
    return nn.Sequential(*first, *second, nn.Linear(64, 10))


# %%
rows = {
    "by heart": by_heart,
    "decay": train(three_layer_mlp, **few, weight_decay=0.01)[1],
    "dropout": train(with_dropout, **few)[1],
    "both": train(with_dropout, **few, weight_decay=0.01)[1],
}


def show_rows(rows):
    for name, history in rows.items():
        loss, right = history["valid_loss"], history["valid_accuracy"]
        print(f"{name:<14} lowest {min(loss):.3f}  last {loss[-1]:.3f}", end="")
        print(f"  {100 * right[-1]:.1f} %")


# %% tags=["nbval-within-2%"]
show_rows(rows)

# %% tags=["remove-cell"]
final = {
    name: (h["valid_loss"][-1], 100 * h["valid_accuracy"][-1])
    for name, h in rows.items()
}
if digits.is_mnist:
    assert max(final["both"][0], final["decay"][0]) < final["by heart"][0]
    assert final["both"][0] < final["by heart"][0] - 0.015
    assert final["both"][0] < min(by_heart["valid_loss"]) + 0.015
    assert all(87 < accuracy < 91 for _, accuracy in final.values())
    spread = [accuracy for _, accuracy in final.values()]
    assert max(spread) - min(spread) < 2

# %% [markdown]
# With both cures the loss hardly turns, and ends about where the other was at its lowest, or below. They are no miracle. The *loss* is cured; the accuracy moves by about a point at most.
#
# ## Two lines that help more
#
# What would help is more digits, and they cost somebody's time. But some are free: a five that has been moved by one pixel is still a five, and for a network that looks at single pixels it is a new picture. To change training pictures at random, in ways that keep their label, is called *augmentation*. So nudge each batch by −1, 0 or 1 pixels, down and to the right. (`roll` lets what leaves on one side come in on the other. There is a margin of paper, so hardly anything leaves.)


# %%
def nudge(X):
    down, right = torch.randint(-1, 2, (2,)).tolist()
    return X.roll((down, right), dims=(2, 3))  # (B, 1, 28, 28)


# %% [markdown]
# **Guess first:** the nudge alone, and the nudge with both cures on top, thirty passes as before. How many points does each gain, and which reads more?

# %% tags=["hide-output", "nbval-within-3%"]
nudged = {
    "nudge": train(three_layer_mlp, **few, augment=nudge)[1],
    "all three": train(with_dropout, **few, weight_decay=0.01, augment=nudge)[
        1
    ],
}
show_rows({**rows, **nudged})

# %% tags=["remove-cell"]
last = {name: h["valid_loss"][-1] for name, h in {**rows, **nudged}.items()}
top = {name: h["valid_accuracy"][-1] for name, h in {**rows, **nudged}.items()}
if digits.is_mnist:
    assert last["nudge"] < last["all three"] < min(last[name] for name in rows)
    assert top["nudge"] > top["all three"] > top["by heart"]
    assert 0.02 < top["nudge"] - max(top[name] for name in rows) < 0.06
    assert 0.005 < top["nudge"] - top["all three"] < 0.035

# %% [markdown]
# With the nudge each picture comes in nine places, so there is less to learn by heart. Compare the last two rows with those above: two lines of code do more than all the cures, for the loss and for the accuracy. And the cures on top of them *cost* something. What was to hold the network back from learning by heart now only holds it back. Cures are for an illness; look first whether you have it. {ref}`The next chapter <ch-cnn>` takes augmentation further.
#
# ## How much are more digits worth?
#
# For a network without any cure: six sizes, each with enough passes to learn what it has.

# %% tags=["nbval-within-1.5"]
passes = {100: 300, 300: 100, 1_000: 30, 3_000: 15, 10_000: 8, len(y_train): 2}
wrong = {}  # size: percent of its own digits and of others
for size in sorted({min(size, len(y_train)) for size in passes}):
    set_seed(0)
    model = three_layer_mlp().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    own = X_train[:size], y_train[:size]
    batches = Batches(*own, 64, shuffle=True)
    fit(model, optimizer, batches, num_epochs=passes.get(size, 2), log=None)
    seen = evaluate(model, Batches(*own, 1000, shuffle=False)).accuracy
    unseen = evaluate(model, valid_batches).accuracy
    wrong[size] = 100 * (1 - seen), 100 * (1 - unseen)
    print(f"{size:6,} digits: {wrong[size][0]:4.1f} % of its own wrong", end="")
    print(f", {wrong[size][1]:4.1f} % of others")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-learning-curve", "caption": "How many digits the network 784-256-64-10 misreads, against how many it was trained on. Both axes are logarithmic. Where no digit of its own was misread, the dashed line has no point."}, "image": {"alt": "A solid line falls almost straight from 30 percent at 100 digits over 11 percent at 1,000 to below 4 percent at 55,000; the dashed line of the training digits rises at the right, from below 1 percent at 10,000 to about 2"}}
figure, ax = plt.subplots(figsize=(6, 3.4))
sizes = np.array(list(wrong))
own_wrong, others_wrong = np.transpose(list(wrong.values()))  # (6,), (6,)
ax.plot(sizes, others_wrong, "o-", label="others")
part = own_wrong > 0
ax.plot(sizes[part], own_wrong[part], "s--", label="its own digits")
ax.set(
    xscale="log", yscale="log", xlabel="training digits", ylabel="misread, in %"
)
ax.set_yticks([1, 3, 10, 30], ["1", "3", "10", "30"])
ax.set_ylim(0.5, 45)
ax.legend()
plots.show(figure, "learning curve")

# %% tags=["remove-cell"]
if digits.is_mnist:
    others = [other for _, other in wrong.values()]
    assert others == sorted(others, reverse=True)
    assert all(own < 0.2 for own, _ in list(wrong.values())[:3])
    for few_digits, more in ((100, 1_000), (1_000, 10_000)):
        assert 1.9 < wrong[few_digits][1] / wrong[more][1] < 3.2
    assert 0.3 < wrong[55_000][1] - wrong[55_000][0] < 2.7
    assert 2.8 < wrong[55_000][1] < 5

# %% [markdown]
# Such a picture is a *learning curve* over the number of examples. Lay a ruler along the solid line of {numref}`fig-learning-curve`: it is nearly straight, and flattens a little at the end. Ten times as many digits divide the mistakes by about two and a half. That answers the question *should we label more?* before anybody labels.
#
# **Your turn.** (Two minutes, with a ruler.) Go on along the line: how many digits would this network need to misread only 2 %? A rough number will do.

# %% tags=["your-turn"]
answer = ...
check("08.label", answer)

# %% tags=["hide-cell", "nbval-within-30%"]
slope, height = np.polyfit(np.log(sizes), np.log(others_wrong), 1)
print(
    f"about {np.exp((np.log(2) - height) / slope):,.0f}, if the line is straight"
)
check_solution("08.label", 400_000)

# %% [markdown]
# Two hundred thousand or so, and more if it goes on flattening. Our own network, at the end of this page, will do better than 2 % with the 55,000 alone, because it makes its own: nine nudges of each.
#
# Now look at the distance between the two lines. A network that does badly on its own digits underfits: it needs more units, or more steps. One that does well on its own and badly on others overfits. So print both numbers, always. What the second one needs is more digits, free ones too, or a cure. Does it also need *fewer numbers*?
#
# ## Fewer numbers, or more?
#
# One hidden layer with $H$ units, $H$ from 4 to 4,096: 3,190 numbers in the smallest, 3,256,330 in the largest. The same thousand digits, thirty passes, three seeds, no cure.


# %%
def one_hidden(H):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, H), nn.ReLU(), nn.Linear(H, 10)
    )


def misread(H, seed, y_few=y_train[:1000]):
    set_seed(seed)
    model = one_hidden(H).to(device)
    rule = {"lr": 0.05, "momentum": 0.9, "fused": True}
    optimizer = torch.optim.SGD(model.parameters(), **rule)
    few_batches = Batches(X_train[:1000], y_few, 100, shuffle=True, seed=seed)
    fit(model, optimizer, few_batches, num_epochs=30, log=None)
    own = evaluate(model, few_batches)
    others = evaluate(model, valid_batches)
    return 100 * (1 - own.accuracy), 100 * (1 - others.accuracy), others.loss


# %% [markdown]
# **Guess first:** which of the seven misread fewest of their own digits, and which fewest of the others?

# %% tags=["hide-output", "nbval-ignore-output"]
from mnist_course.progress import progress

widths = (4, 8, 16, 64, 256, 1024, 4096)
swept = [[misread(H, seed) for seed in range(3)] for H in progress(widths, "H")]
swept = np.array(swept)  # (7, 3, 3): widths, seeds, what was measured
for H, (own, others, loss) in zip(widths, swept.mean(axis=1), strict=True):
    print(
        f"H {H:5,}: {own:4.1f} % of its own wrong, {others:4.1f} % of others",
        end="",
    )
    print(f" (loss {loss:.2f})")

# %% tags=["hide-cell"] mystnb={"figure": {"name": "fig-width", "caption": "One hidden layer of 4 to 4,096 units, trained on 1,000 digits: what it misreads of its own, and of 5,000 others. Points are three seeds, lines their means."}, "image": {"alt": "The dashed line of its own digits falls from about 10 percent at 4 units to zero at 8 or 16 and stays there. The solid line of the others falls from about 30 percent to 17, 13, 11.5 and goes on falling to 10 percent at 4,096 units"}}
figure, ax = plt.subplots(figsize=(6, 3.4))
for column, (name, style) in enumerate(
    {"its own": "s--", "others": "o-"}.items()
):
    color = (plots.ORANGE, plots.BLUE)[column]
    ax.plot(
        widths, swept[..., column].mean(axis=1), style, color=color, label=name
    )
    ax.plot(widths, swept[..., column], ".", color=color, alpha=0.5)
ax.set(
    xscale="log", xlabel="hidden units H", ylabel="misread, in %", ylim=(-1, 40)
)
ax.set_xticks(widths, [f"{H:,}" for H in widths])
ax.minorticks_off()
ax.legend()
plots.show(figure, "width")

# %% tags=["remove-cell"]
assert sum(p.numel() for p in one_hidden(4).parameters()) == 3_190
assert sum(p.numel() for p in one_hidden(4096).parameters()) == 3_256_330
own_mean, others_mean, loss_mean = swept.mean(axis=1).T
if digits.is_mnist:
    assert own_mean[0] > 3 and own_mean[2:].max() < 0.2
    assert (np.diff(others_mean)[:5] < 0.1).all()
    assert others_mean[5:].max() < others_mean[3] - 0.5 < others_mean[2] - 1
    assert loss_mean[5:].max() < loss_mean[2] - 0.1

# %% [markdown]
# Open both. The smallest underfits: it cannot even learn its own digits. From 16 units on all of them know their thousand by heart, and have numbers to spare. If spare numbers were the illness, the curve of the others would now turn upward, as it does in many books. It goes on falling, and the loss with it, up to three million numbers for a thousand pictures.
#
# This is half of what is called *double descent* {cite}`belkin2019reconciling`: mistakes on new examples fall as a model grows, often rise towards the size at which it can learn its examples by heart, and beyond that size fall again. Nakkiran and colleagues see it in deep networks, most of all where labels are wrong {cite}`nakkiran2020deep`. Our curve has no hump worth the name, only the long way down. Why more is better there is not settled. Part of the answer: of the many networks that know the thousand, training finds one near its start, and a wide network has to move each of its numbers by less. (Compare the weights before and after, and you will see it.) All seven were trained alike. Others, at other rates, may come out in another order; and time and memory are a good reason for fewer units.
#
# So here is the answer to the question of this page. Learning by heart cost this network eleven digits in a hundred, and what it lacked was neither fewer passes nor fewer numbers. It lacked digits.
#
# ## Ours
#
# Now a network of our own, with all 55,000 digits: 784-512-256-10, the nudge, and the cures of this page in small doses, chosen on the validation digits. The start is PyTorch's: with two hidden layers we left it as it is.

# %%
from mnist_course.training.models import count_parameters, mlp

set_seed(0)
ours = mlp().to(device)
print(ours)
print(f"{count_parameters(ours):,} parameters")

# %% [markdown]
# The recipe is AdamW with a rate that rises and falls ({ref}`chapter 6 <ch-optimizers>`), some weight decay, and dropout of one unit in five. `half` lets the layers multiply in numbers of 16 bits where the hardware is made for that; the weights and the loss keep all their digits.

# %% tags=["nbval-ignore-output"]
from mnist_course.device import describe, half_precision
from mnist_course.training.recipes import one_cycle

batches = Batches(X_train, y_train, 256, shuffle=True)
optimizer = torch.optim.AdamW(
    ours.parameters(), lr=0.003, weight_decay=0.1, fused=True
)
history = fit(
    ours,
    optimizer,
    batches,
    valid_batches,
    num_epochs=10,
    scheduler=one_cycle(optimizer, num_steps=10 * len(batches)),
    augment=nudge,
    half=half_precision(device),
)
print(f"{describe(device)}: {history.seconds:.1f} s of training")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-mlp-curves", "caption": "The ten passes of our network. Dashed: training digits, with dropout; solid: validation digits, without."}, "image": {"alt": "Left, loss: both curves fall, the solid one below the dashed one, until they nearly meet at the end. Right, accuracy: both rise to between 98 and 99 percent, validation ahead"}}
figure = plots.plot_history({"": history})
figure.axes[0].set(ylim=(0, 0.3))
figure.axes[1].set(ylim=(92, 100))
plots.show(figure, "mlp curves")

# %% tags=["remove-cell"]
ahead = np.greater(history["valid_accuracy"], history["train_accuracy"])
if digits.is_mnist:
    assert ahead[:5].all()
    assert history["valid_accuracy"][-1] > 0.984
from mnist_course.training.recipes import RECIPES

recipe = RECIPES["mlp"]
assert (recipe.num_epochs, recipe.batch_size, recipe.half) == (10, 256, True)
assert recipe.model is mlp and recipe.augment.__name__ == "nudge"
settings = recipe.optimizer.keywords
assert (settings["lr"], settings["weight_decay"]) == (0.003, 0.1)

# %% [markdown]
# In {numref}`fig-mlp-curves` validation is *ahead* of training for most of the way: dropout and the nudge make the task harder in training than in use. So this figure cannot show overfitting. For that, read the training digits as they are, without both:

# %% tags=["nbval-ignore-output"]
own_batches = Batches(X_train, y_train, 1000, shuffle=False)
seen = 100 * evaluate(ours, own_batches).accuracy
unseen = 100 * evaluate(ours, valid_batches).accuracy
print(f"training {seen:.1f} %, validation {unseen:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 0.3 < seen - unseen < 1.2

# %% [markdown]
# Less than a point or so lies between the two: it still knows its own digits better than others.
#
# ## One look at the test set
#
# All choices are made. So here are the 10,000 digits of the test set, once.

# %% tags=["nbval-ignore-output"]
X_test, y_test = to_tensors(digits.test_images, digits.test_labels, device)
test_batches = Batches(X_test, y_test, 1000, shuffle=False)
test_accuracy = 100 * evaluate(ours, test_batches).accuracy
print(f"{test_accuracy:.1f} % of {len(y_test):,} test digits")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 98.5 < test_accuracy < 99.3
assert test_accuracy > 60

# %% [markdown]
# {ref}`The table of results <results>` has the mean over several seeds, after training on all 60,000. Which digits does it confuse? {ref}`Chapter 7 <ch-mlp>` had the table that tells, the confusion matrix: one row for each digit as it is, one column for what the network says.

# %% tags=["nbval-ignore-output"]
probs = predict(ours, X_test).softmax(dim=1).cpu().numpy()  # (N, 10)
predictions = probs.argmax(axis=1)  # (N,)
wrong = predictions != digits.test_labels  # (N,)
print(f"{wrong.sum()} of {len(wrong):,} misread")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-confusion", "caption": "What our network says about the 10,000 test digits. The diagonal is right; the darker the orange, the more often that mistake was made."}, "image": {"alt": "A table of ten rows and ten columns. On the diagonal numbers between 870 and 1,130 on blue; off it small numbers on orange, the largest of them for pairs such as 4 and 9 or 7 and 2"}}
figure = plots.plot_confusion(digits.test_labels, predictions)
plots.show(figure, "confusion")

# %% tags=["remove-cell"]
counts = np.zeros((10, 10), int)
np.add.at(counts, (digits.test_labels, predictions), 1)
if digits.is_mnist:
    missed = counts.sum(axis=1) - np.diag(counts)
    assert max(missed[:2]) < 12 and 90 < missed.sum() < 135
    pairs = counts + counts.T
    tenth = np.sort(pairs[np.triu_indices(10, 1)])[-10]
    assert min(pairs[4, 9], pairs[2, 7], pairs[3, 5]) >= tenth

# %% [markdown]
# {numref}`fig-confusion` shows where the mistakes are. Fours and nines, twos and sevens, threes and fives are among the pairs most often taken for each other: digits that share much of their ink. Zeros and ones are hardly ever misread. Here are the twelve mistakes of which the network was most certain:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-mlp-confident", "caption": "The twelve wrong answers with the highest probabilities: what the network reads, and the digit that it is."}, "image": {"alt": "Twelve framed handwritten digits in two rows, each with the wrong answer and the right label above it"}}
confidence = np.where(wrong, probs.max(axis=1), 0)  # (N,)
order = np.argsort(-confidence)[:12]
figure = plots.plot_predictions(
    digits.test_images[order],
    digits.test_labels[order],
    predictions[order],
    columns=6,
)
plots.show(figure, "mlp confident")

# %% [markdown]
# At some of {numref}`fig-mlp-confident` you would hesitate, or agree with the network. Others are plain to you, and only unusual: a tail that is too long, a stroke too many, a digit that is small or thick. You read them because you have seen strokes, and know how a pen moves. The network has seen pixels.

# %% tags=["remove-cell"]
from mnist_course.progress import headline

headline(f"three layers, bent twice: {test_accuracy:.1f} % of the test digits")

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-over-decay
# (Two minutes.) A weight is 2, its gradient 0.5. What is it after one step of SGD with a learning rate of 0.1 and a `weight_decay` of 0.01?
# :::

# %%
answer = ...
check("08.decay", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-factor
# (Two minutes.) Somebody writes dropout with a share of 0.2 and forgets the division. The sums that a unit of the next layer gets have one size in training and another when the network is used. By what factor are they larger in use, on average?
# :::

# %%
answer = ...
check("08.factor", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-table
# (Five minutes; choose, and say why.) Four networks, what they misread of their own digits, and of others:
#
# | | its own | others |
# | --- | --- | --- |
# | (a) | 0.0 % | 11.4 % |
# | (b) | 1.3 % | 5.2 % |
# | (c) | 8.1 % | 8.3 % |
# | (d) | 0.4 % | 1.2 % |
#
# Which of them has least to gain from more digits, and most from more units or more steps?
# :::

# %%
answer = ...
check("08.table", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-mirror
# (Three minutes.) The nudge keeps the label. Exchanging left and right does not, for most digits. For which digits would you allow it? Hand in a list.
# :::

# %%
answer = ...
check("08.mirror", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-bug
# (Five minutes; find the bug.) These eight lines are meant to keep the weights of the best pass. They run, and in the end the network is that of the last pass. Which line is wrong?
#
# ```text
# 1   best = float("inf")
# 2   for epoch in range(30):
# 3       train_one_pass(model, optimizer, batches)
# 4       loss = evaluate(model, valid_batches).loss
# 5       if loss < best:
# 6           best, kept = loss, model.state_dict()
# 7   model.load_state_dict(kept)
# 8   print(best, evaluate(model, valid_batches).loss)
# ```
# :::

# %%
answer = ...  # the number of the line
check("08.bug", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-confusion
# (Ten minutes.) Write the counting behind a confusion matrix, from two numpy arrays of digits $(N,)$: ten rows, one for each right label, and ten columns, one for each prediction.
# :::


# %%
def confusion(labels, predictions):
    return ...


check("08.confusion", confusion)

# %% [markdown]
# :::{exercise}
# :label: ex-over-noise
# (A quarter of an hour; most people guess wrong.) Give 200 of the thousand digits a random label. `misread` takes the labels as `y_few`, and thirty passes are nearly enough to learn them all by heart, the wrong ones too. Compare 16 units with 1,024. Which network reads the 5,000 others better, the one with (a) 16 units, for it has no room for wrong labels, (b) neither, within a point, or (c) 1,024 units?
# :::

# %%
answer = ...
check("08.noise", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-over-eval
# (A quarter of an hour, breaking things on purpose.) Read the validation digits with `ours` and forget `model.eval()`: call `ours.train()` and then `ours(X_valid)` yourself, under `torch.no_grad()`. Predict first: how many points does it cost? And with `with_dropout`, trained on the thousand? Read the same digits twice: how many answers change?
# :::
#
# :::{exercise}
# :label: ex-over-evening
# (An evening.) How small can it be? Write `prune`, which sets the given share of a layer's weights to zero, those with the smallest absolute values; `W` is a numpy array. Then take a copy of `ours`, prune each of its linear layers by one half, and count the validation digits that it loses. Go on, to 80 %, 90 %, 95 %. Then train what is left for one more pass, and keep the zeros at zero. What do you conclude about the half million numbers?
# :::


# %%
def prune(W, share):
    return ...


check("08.prune", prune)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * Training loss down and validation loss up is a network that learns by heart; its accuracy may stand still meanwhile. Print both numbers, of its own digits and of others.
# * Early stopping, weight decay and dropout mend the loss. More digits mend the accuracy: ten times as many divide the mistakes by about two and a half, and a nudge by one pixel gives some away for free.
# * More hidden units than the digits need did no harm here. From the size on at which a network knows its digits by heart, more numbers made it better.
# * 784-512-256-10 with all of this reads about 99 % of the test digits. Its mistakes are pairs that share ink.
#
# Next: this network reads digits well, and it does not know that they are pictures. Shuffle the pixels, all pictures alike, and without the nudge it learns them as well as before. What does a network gain that knows which pixels are neighbors? {ref}`Images are not vectors <ch-cnn>`.

# %% [markdown]
# ## Solutions

# %% [markdown]
# :::{solution-start} ex-over-decay
# :class: dropdown
# :::
#
# The step goes along $g + \lambda w = 0.5 + 0.01 \cdot 2$.

# %%
check_solution("08.decay", 2 - 0.1 * (0.5 + 0.01 * 2))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-factor
# :class: dropdown
# :::
#
# In training four of five units contribute, in use all five: 5/4. The next layer has learned for the smaller sums. Some old programs mend it the other way round, and multiply by 0.8 in use.

# %%
check_solution("08.factor", 1 / (1 - 0.2))

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-table
# :class: dropdown
# :::
#
# (c). It reads its own digits hardly better than others, so more of them would teach it little; and it does badly on both, so it underfits. (That is about what one layer does.) (a) and (b) are points of our learning curve, (d) is near our own network.

# %%
check_solution("08.table", "c")

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-mirror
# :class: dropdown
# :::
#
# Look at a digit from behind the paper. The 0, the 1 and the 8 remain what they are. A mirrored 2 or 5 is nobody's digit, and whoever trains on them teaches the network something that it will never be asked.

# %%
check_solution("08.mirror", [0, 1, 8])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-bug
# :class: dropdown
# :::
#
# Line 6. `state_dict()` is no copy: its tensors are the weights themselves, and they go on moving. `copy.deepcopy(model.state_dict())` keeps what they were. Here is the proof, on one layer:

# %%
import copy

layer = nn.Linear(2, 1)
before = layer.weight.detach().clone()
not_kept, kept = layer.state_dict(), copy.deepcopy(layer.state_dict())
with torch.no_grad():
    layer.weight += 1  # a step of training
print("state_dict() kept it:", torch.equal(not_kept["weight"], before))
print("the copy kept it:    ", torch.equal(kept["weight"], before))
check_solution("08.bug", 6)

# %% tags=["remove-cell"]
assert torch.equal(kept["weight"], before)
assert torch.equal(not_kept["weight"], layer.weight)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-confusion
# :class: dropdown
# :::
#
# The short `counts[labels, predictions] += 1` is wrong: numpy adds once for each *different* pair, however often it occurs. `np.add.at` adds every time.


# %%
def confusion(labels, predictions):
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    return counts


check_solution("08.confusion", confusion)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-noise
# :class: dropdown
# :::

# %% tags=["nbval-ignore-output"]
y_noisy = y_train[:1000].clone()
y_noisy[:200] = torch.randint(0, 10, (200,)).to(device)
noisy = {H: misread(H, seed=0, y_few=y_noisy) for H in (16, 1024)}
for H, (own, others, _) in noisy.items():
    print(f"H {H:5,}: {own:4.1f} % of its own wrong, {others:4.1f} % of others")
check_solution("08.noise", "c")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert noisy[16][1] > noisy[1024][1] + 5

# %% [markdown]
# It is (c), by ten points or more. The wide network has learned the wrong labels as well; but a wrong label bends it only around the picture that carries it, while sixteen units have no way to make an exception without disturbing the rest.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-eval
# :class: dropdown
# :::

# %% tags=["nbval-ignore-output"]
dropped = train(with_dropout, **few)[0]
for name, model in {"ours": ours, "with_dropout": dropped}.items():
    used = predict(model, X_valid).argmax(dim=1)
    model.train()
    with torch.no_grad():
        first, second = (model(X_valid).argmax(dim=1) for _ in range(2))
    model.eval()
    points = (
        100 * ((used == y_valid).float() - (first == y_valid).float()).mean()
    )
    changed = 100 * (first != second).float().mean()
    print(f"{name:<12} {points:4.1f} points lost, {changed:4.1f} % change")

# %% [markdown]
# It costs little where dropout is small and the network sure, some points where one unit in two is missing. And the answers change from call to call: whoever sees that in a program that only reads should look for `model.eval()`.
#
# :::{solution-end}
# :::
#
# :::{solution-start} ex-over-evening
# :class: dropdown
# :::


# %% tags=["nbval-ignore-output"]
def prune(W, share):
    order = np.argsort(np.abs(W), axis=None)  # places, smallest first
    W = W.copy()
    W.flat[order[: round(share * W.size)]] = 0
    return W


check_solution("08.prune", prune)


def pruned(model, share):
    model = copy.deepcopy(model)
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                W = prune(layer.weight.cpu().numpy(), share)
                layer.weight.copy_(torch.tensor(W))
    return model


left = {}
for share in (0, 0.5, 0.8, 0.9, 0.95):
    smaller = pruned(ours, share)
    left[share] = 100 * evaluate(smaller, valid_batches).accuracy
    print(f"{100 * share:3.0f} % pruned: {left[share]:.1f} %")

# %% [markdown]
# And one more pass for the smallest of them. A hook multiplies each gradient by the mask of what is left. A weight of 0 whose gradient is always 0 stays 0, with momentum too.

# %% tags=["nbval-ignore-output"]
for layer in smaller:
    if isinstance(layer, nn.Linear):
        mask = (layer.weight != 0).float()
        layer.weight.register_hook(lambda g, mask=mask: g * mask)
rule = {"lr": 0.05, "momentum": 0.9, "fused": True}
optimizer = torch.optim.SGD(smaller.parameters(), **rule)
fit(
    smaller,
    optimizer,
    Batches(X_train, y_train, 256, shuffle=True),
    num_epochs=1,
    log=None,
)
zeros = [
    (m.weight == 0).float().mean() for m in smaller if hasattr(m, "weight")
]
again = 100 * evaluate(smaller, valid_batches).accuracy
print(f"{min(zeros):.2f} of the weights are still 0; {again:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert left[0.5] > left[0] - 0.5 and left[0.95] < left[0.5]
    assert again > left[0.95] + 10 and again > 90
assert min(zeros) > 0.9

# %% [markdown]
# Half of the weights can go, and 5,000 digits hardly show it; then it goes down fast, and one pass brings most of it back. Were they needed to get there? Put the surviving weights back to the values that they *started* from, and train only these. Frankle and Carbin find that they often get as far as the whole network, and that new random values in the same places do worse {cite}`frankle2019lottery`.
#
# :::{solution-end}
# :::
