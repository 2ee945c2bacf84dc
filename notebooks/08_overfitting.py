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
# (opening)

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


# ## Learned by heart
#
# The network 784-256-64-10 has some 200,000 numbers. What happens if it has only 1,000 pictures to learn from? Thirty passes, with the corrected network.

# %%
few = {"size": 1_000, "num_epochs": 30, "lr": 0.1}
memorizer, by_heart = train(three_layer_mlp, **few)
lowest = int(np.argmin(by_heart["valid_loss"]))
for name, epoch in {"lowest": lowest, "last": -1}.items():
    value = by_heart["valid_loss"][epoch]
    accuracy_there = 100 * by_heart["valid_accuracy"][epoch]
    print(f"{name:<6} validation loss {value:.3f}, {accuracy_there:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert by_heart["train_accuracy"][-1] == 1
    assert by_heart["train_loss"][-1] < 0.01
    assert by_heart["valid_loss"][-1] > 1.03 * by_heart["valid_loss"][lowest]
    assert lowest < 25
    assert 0.865 < by_heart["valid_accuracy"][-1] < 0.91
    last_accuracy = by_heart["valid_accuracy"][-1]
    assert last_accuracy > by_heart["valid_accuracy"][lowest] - 0.005

# %% [markdown]
# That is **overfitting**. The training loss falls to almost nothing and all 1,000 are read correctly; on the others the loss falls for some passes, and then rises. The accuracy does not fall. What gets worse is the *price* of the mistakes: the network becomes more and more certain, because on its own pictures it is never wrong, and it carries that certainty over to the others.
#
# What do we know against it? *Stop* where the validation loss is lowest; but then some accuracy is left behind. Charge for large weights: `weight_decay` is the λ of {ref}`chapter 3 <ch-scores-and-hinge>`. And show it more digits, of which more in a moment. One thing is new. **Dropout** {cite}`srivastava2014dropout` leaves out each hidden unit with a probability of one half, drawn anew for every picture and every step. No unit can rely on a certain other one to be there, so each has to be of use by itself. The units that stay are doubled, so that the sums keep their size; and when the network is tested, all units work. (`model.eval()` says that it is tested; `fit` and `predict` see to it.)


# %%
def with_dropout():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 10),
    )


# %%
_, decayed = train(three_layer_mlp, **few, weight_decay=0.01)
_, dropped = train(with_dropout, **few)
_, both = train(with_dropout, **few, weight_decay=0.01)
rows = {"by heart": by_heart, "decay": decayed, "dropout": dropped}
rows["both"] = both
for name, history in rows.items():
    loss, valid_accuracy = history["valid_loss"], history["valid_accuracy"]
    print(f"{name:<9} lowest {min(loss):.3f}  last {loss[-1]:.3f}", end="")
    print(f"  {100 * valid_accuracy[-1]:.1f} %")

# %% mystnb={"figure": {"name": "fig-by-heart", "caption": "Thirty passes over 1,000 digits, without and with weight decay and dropout together. Dashed: the 1,000 training digits; solid: 5,000 others."}, "image": {"alt": "Left panel, loss: without cures the dashed training curve falls to zero while the solid validation curve falls, turns and rises slowly; with both cures it hardly rises and ends lower. Right panel, accuracy: the training curve of the first goes to 100 percent; both validation curves end near 89 percent"}}
figure = plots.plot_history({"by heart": by_heart, "both cures": both})
figure.axes[0].set(ylim=(0, 1.2))
figure.axes[1].set(ylim=(70, 101))
plots.show(figure, "by heart")

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

# %% [markdown]
# With both cures the solid curve of {numref}`fig-by-heart` hardly turns, and ends about where the other was at its lowest, or below. They are no miracle. The *loss* is cured; the accuracy stands where it stood, near 89 %. What helps most is not in the network:

# %%
from mnist_course.training import evaluate

runs = {min(1_000, len(y_train)): (memorizer, by_heart)}
for size, num_epochs in {5_000: 8, len(y_train): 2}.items():
    size = min(size, len(y_train))
    runs[size] = train(three_layer_mlp, num_epochs, lr=0.1, size=size)
for size, (model, history) in runs.items():
    own_batches = Batches(X_train[:size], y_train[:size], 1000, shuffle=False)
    seen = 100 * evaluate(model, own_batches).accuracy
    unseen = 100 * history["valid_accuracy"][-1]
    print(f"{size:6,} digits: training {seen:5.1f} %, others {unseen:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 95.5 < unseen < 98 and 0.3 < seen - unseen < 2.2
    steps = [30 * -(-1_000 // 64), 8 * -(-5_000 // 64), 2 * -(-55_000 // 64)]
    assert steps == [480, 632, 1720]
    assert 9.3 < 100 - 100 * by_heart["valid_accuracy"][-1] < 13

# %% [markdown]
# (Here the training digits are read again after the last pass, by the finished network. The three runs are 480, 632 and 1,720 steps long.) With more digits the gap between what it has seen and what it has not shrinks, from about eleven points to about one. A network that does badly on its own digits needs to be larger, or better trained. One that does well on its own and badly on others needs more digits, or less freedom. So print both numbers, always.
#
# More digits cost somebody's time. But some are free: a five that has been moved by one pixel is still a five, and for a network that looks at single pixels it is a new picture. So nudge each batch by −1, 0 or 1 pixels, down and to the right. (`roll` lets what leaves on one side come in on the other. There is a margin of paper, so hardly anything leaves.)


# %%
def nudge(X):
    down, right = torch.randint(-1, 2, (2,)).tolist()
    return X.roll((down, right), dims=(2, 3))  # (B, 1, 28, 28)


# %% tags=["nbval-within-2%"]
_, nudged = train(with_dropout, **few, weight_decay=0.01, augment=nudge)
for name, history in {"both": both, "and nudged": nudged}.items():
    loss, valid_accuracy = history["valid_loss"], history["valid_accuracy"]
    print(f"{name:<10} loss {loss[-1]:.3f}  {100 * valid_accuracy[-1]:.1f} %")

# %% tags=["remove-cell"]
if digits.is_mnist:
    cured = min(history["valid_loss"][-1] for history in rows.values())
    assert nudged["valid_loss"][-1] < cured
    assert nudged["valid_accuracy"][-1] > both["valid_accuracy"][-1]

# %% [markdown]
# Two lines of code, and the loss falls below all that the cures have reached. The accuracy rises too, by one to three points. {ref}`The next chapter <ch-cnn>` takes this further.
#
# ## Ours
#
# Now a network of our own: 784-512-256-10, and the cures of this page, with strengths that were chosen on the validation digits. The start is PyTorch's: with two hidden layers we left it as it is.

# %%
from mnist_course.training.models import count_parameters, mlp

set_seed(0)
model = mlp().to(device)
print(model)
print(f"{count_parameters(model):,} parameters")

# %% [markdown]
# The recipe is AdamW with a rate that rises and falls ({ref}`chapter 6 <ch-optimizers>`), some weight decay, dropout of one unit in five, and the nudge. `half` lets the layers multiply in numbers of 16 bits where the hardware is made for that; the weights and the loss keep all their digits.

# %% tags=["nbval-ignore-output"]
from mnist_course.device import describe, half_precision
from mnist_course.training.recipes import one_cycle

batches = Batches(X_train, y_train, 256, shuffle=True)
optimizer = torch.optim.AdamW(
    model.parameters(), lr=0.003, weight_decay=0.1, fused=True
)
history = fit(
    model,
    optimizer,
    batches,
    valid_batches,
    num_epochs=10,
    scheduler=one_cycle(optimizer, num_steps=10 * len(batches)),
    augment=nudge,
    half=half_precision(device),
)
print(f"{describe(device)}: {history.seconds:.1f} s of training")

# %% mystnb={"figure": {"name": "fig-mlp-curves", "caption": "The ten passes of our network. Dashed: training digits, with dropout; solid: validation digits, without."}, "image": {"alt": "Left, loss: both curves fall, the solid one below the dashed one, until they nearly meet at the end. Right, accuracy: both rise to between 98 and 99 percent, validation ahead"}}
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
seen = 100 * evaluate(model, own_batches).accuracy
unseen = 100 * evaluate(model, valid_batches).accuracy
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
test_accuracy = 100 * evaluate(model, test_batches).accuracy
print(f"{test_accuracy:.1f} % of {len(y_test):,} test digits")

# %% tags=["remove-cell"]
if digits.is_mnist:
    assert 98.5 < test_accuracy < 99.3
assert test_accuracy > 60

# %% [markdown]
# {ref}`The table of results <results>` has the mean over several seeds, after training on all 60,000. Which digits does it confuse? A **confusion matrix** counts: one row for each digit as it is, one column for what the network says.

# %% mystnb={"figure": {"name": "fig-confusion", "caption": "What our network says about the 10,000 test digits. The diagonal is right; the darker the orange, the more often that mistake was made."}, "image": {"alt": "A table of ten rows and ten columns. On the diagonal numbers between 870 and 1,130 on blue; off it small numbers on orange, the largest of them for pairs such as 4 and 9 or 7 and 2"}}
probs = predict(model, X_test).softmax(dim=1).cpu().numpy()  # (N, 10)
predictions = probs.argmax(axis=1)  # (N,)
figure = plots.plot_confusion(digits.test_labels, predictions)
plots.show(figure, "confusion")

# %% tags=["remove-cell"]
counts = np.zeros((10, 10), int)
np.add.at(counts, (digits.test_labels, predictions), 1)
if digits.is_mnist:
    misread = counts.sum(axis=1) - np.diag(counts)
    assert max(misread[:2]) < 12 and 90 < misread.sum() < 135
    pairs = counts + counts.T
    tenth = np.sort(pairs[np.triu_indices(10, 1)])[-10]
    assert min(pairs[4, 9], pairs[2, 7], pairs[3, 5]) >= tenth

# %% [markdown]
# About a hundred mistakes, and {numref}`fig-confusion` shows where. Fours and nines, twos and sevens, threes and fives are among the pairs most often taken for each other: digits that share much of their ink. Zeros and ones are hardly ever misread.
#
# And the run of the tutorial's network in which most digits fell silent, on the validation digits:

# %% mystnb={"figure": {"name": "fig-confusion-worst", "caption": "What the run with most silent digits says about the validation digits."}, "image": {"alt": "The same kind of table, but some columns are empty or nearly so: these digits are never or hardly ever said, and the counts of their rows stand in other columns, most of them in that of the 0"}}
answers = predict(published[worst], pixels_valid).argmax(dim=1)
figure = plots.plot_confusion(y_valid.cpu(), answers.cpu())
plots.show(figure, "confusion worst")

# %% tags=["remove-cell"]
lost = [k for k in range(10) if tops[worst, k] <= 0]
as_zero = [(answers[y_valid == k] == 0).float().mean().item() for k in lost]
if digits.is_mnist:
    assert lost and np.mean(as_zero) > 0.5
    assert all((answers == k).float().mean() < 0.02 for k in lost if k)

# %% [markdown]
# Look at the rows of the silent digits. Their pictures mostly stand in column 0, whatever they are: ten scores of zero are a tie, and `argmax` takes the first. A single number, such as 70 %, could mean that all digits are read badly, or that most are read well and a few never; the remedy is different. Look at the matrix.
#
# Last, the twelve mistakes of which our network was most certain:

# %% mystnb={"figure": {"name": "fig-mlp-confident", "caption": "The twelve wrong answers with the highest probabilities: what the network reads, and the digit that it is."}, "image": {"alt": "Twelve framed handwritten digits in two rows, each with the wrong answer and the right label above it"}}
wrong = predictions != digits.test_labels
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
# (confusion and evening come here from chapter 7)

# %% [markdown]
# ## Summary

# %% [markdown]
# ## Solutions
