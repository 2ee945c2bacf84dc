# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-debugging)=
# # 12. It does not learn: debugging
#
# Six programs. Each reads the same digits with a small network, each carries one mistake, and none of them raises an exception. This is what they show:
#
# | program | what you see |
# | --- | --- |
# | A | the test accuracy is 100.0 % |
# | B | the loss of successive batches is 25 or 30, then tens of thousands or millions, and soon 2.3, 2.3, 2.3, … |
# | C | the printed training loss grows, from about 1.3 to about 2.9, while the model gets better |
# | D | about 87 % of the digits are right; measured again, a few more or a few fewer |
# | E | 7 or 8 % of the digits are wrong, and the loss is about 0.0005 |
# | F | nearly 90 % after four passes, a smooth curve, nothing to see |
#
# Five of the six mistakes were published in tutorials; the sixth is one word away from one. **Write down a guess for each before you go on.** You will
#
# * meet these and eight others, and guess each from its symptom,
# * have them examined, in seconds, by a doctor for PyTorch classifiers that give each example a row of scores,
# * see how each of its findings comes about, so that you can do without it,
# * take home a card, from symptom to suspect to the line that decides, and seven steps, the first five as thirteen lines of code.
#
# The seven steps grew out of Karpathy's recipe {cite}`karpathy2019recipe`, the sanity checks of Stanford's CS231n {cite}`cs231n2017slides` and chapter 11 of Goodfellow, Bengio and Courville {cite}`goodfellow2016deep`. About 45 minutes, without the exercises.
#
# New names: `Program`, `examine_program`, `broken`, `mended`. For once the programs are wrong and the text is right. All runs use 6,000 digits at most, so expect accuracies a few points below those of other chapters.
#
# ## One look before training
#
# {ref}`Chapter 7 <ch-mlp>` told of a tutorial that puts a ReLU behind every layer, the last one too. Six runs ended anywhere between good and useless, and it took six runs, and a count of the digits that the network never says, to find out why. It could have been seen in the scores *before the first step*.

# %%
from mnist_course.data import Batches, load_data, split_train_valid, to_tensors
from mnist_course.device import pick_device, set_seed

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

digits, device = load_data(), pick_device()
images, labels = digits.train_images, digits.train_labels
train, valid = split_train_valid(len(labels), len(labels) // 12)
X, y = to_tensors(images[train[:6_000]], labels[train[:6_000]], device)
X_valid, y_valid = to_tensors(images[valid], labels[valid], device)
print(digits.source, tuple(X.shape), tuple(X_valid.shape))


# %% [markdown]
# **Guess:** what is wrong with the scores of a network that ends in a ReLU?


# %% tags=["hide-output"]
def network(*last, dropout=0.0):
    set_seed(0)
    hidden = [nn.Linear(784, 64), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, 10), *last)


with torch.no_grad():
    for model in (network(), network(nn.ReLU())):
        scores = model.to(device)(X)  # (N, 10)
        zeros = 100 * (scores == 0).float().mean().item()
        print(f"lowest score {scores.min():5.2f}, {zeros:.0f} % are exactly 0")

# %% tags=["remove-cell"]
assert scores.min() == 0 and 15 < zeros < 80

# %% [markdown]
# One look at the scores of an *untrained* network is enough. Scores have no sign of their own: some should be negative. With the ReLU none is, and a large share are exactly 0, where the ReLU passes no gradient. That is a check. It needs no curve and no training, it takes milliseconds, and it works for any network that ends in scores for ten classes. (With two classes and a few inputs, all scores may be positive by chance.) The rest of this page collects such checks.
#
# ## The doctor
#
# `mnist_course.doctor` holds 29 of them. It wants what every training program has, a model, a loss, an optimizer and two loaders, and, if you hand them over, your own training step and your own evaluation. Put together they are a `Program`. Here is a healthy one.

# %%
from dataclasses import replace

from mnist_course.doctor import Program, examine_program


def step(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def predict(model, X):
    with torch.no_grad():
        return model(X).argmax(dim=1)  # (N,)


def measure(model, loader):
    was_training = model.training
    model.eval()
    right = [(predict(model, X) == y).float() for X, y in loader]
    model.train(was_training)
    return torch.cat(right).mean().item()


# %%
def program(model=None, X=X, X_valid=X_valid, **parts):
    model = (model or network()).to(device)
    healthy = Program(
        model,
        loss_fn=F.cross_entropy,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        train_loader=Batches(X, y, 64, shuffle=True),
        test_loader=Batches(X_valid, y_valid, 500, shuffle=False),
        train_step=step,
        evaluate=measure,
    )
    return replace(healthy, **parts)


report = examine_program(program())
print(report)

# %% tags=["remove-cell"]
assert report.healthy
from mnist_course.doctor import CHECKS

num_checks = len(CHECKS)
assert num_checks == len(report.findings) == 29
assert "33 picked examples" in report["average"].evidence
assert "no layer depends on the mode" in report["modes"].evidence
if digits.is_mnist:
    assert "0.48" in report["average"].evidence
untouched = program()
state_before = {
    name: value.clone() for name, value in untouched.model.state_dict().items()
}
dice_before = torch.get_rng_state()
examine_program(untouched)
assert torch.equal(torch.get_rng_state(), dice_before)
for name, value in untouched.model.state_dict().items():
    assert torch.equal(value, state_before[name])
assert not untouched.optimizer.state_dict()["state"]

# %% [markdown]
# (`replace` makes a copy of the healthy program in which the parts that we name are exchanged. That is how the broken ones are made.) The report has a line per check: its name, and what it measured. (A few need a word. `rows` asks whether one example changes the scores of another, `symmetry` whether hidden units are all alike; `pairing` takes the mean picture of each class and names the nearest one; *across* means: means from the training set, digits from the test set. `average` hands our evaluation a copy that was trained for a moment, and 33 digits of which it gets about half wrong, so its number is no result.)
#
# `●` is a check without a finding. `○` marks what it could not look at: we have not handed over a function for a whole pass. Everything was done on copies. The model has not moved, the optimizer has not stepped, and the next random number is the one that would have come anyway. Find the line `output`: the scores run from below 0 to above 0, and *the last operation is Addmm*, a matrix product plus a bias.
#
# And now with the ReLU. From here on we print the findings only, and they are folded away: guess, then open.

# %% tags=["nbval-ignore-output", "hide-output"]
found = {}


def diagnose(name, patient):
    report = examine_program(patient)
    found[name] = report.problems + report.warnings
    for finding in found[name]:
        print(finding)


diagnose("ReLU on the scores", program(network(nn.ReLU())))


# %% tags=["remove-cell"]
def named(name, *checks):
    assert [finding.check for finding in found[name]] == list(checks), found[
        name
    ]


named("ReLU on the scores", "output")

# %% [markdown]
# A finding has four parts: the verdict, what was *seen* (a number), what it *means*, and what to *try*. The number matters most, because a diagnosis that you cannot check is an opinion.
#
# ## Mistakes that stop the program
#
# The kindest mistakes raise an exception. Here are four lines from three tutorials. Each is put into a function without a name (`lambda`), so that one exception does not stop the others. **Guess** what is wrong with each.

# %% tags=["nbval-check-output", "hide-output"]
batches = Batches(torch.rand(8, 784), torch.arange(8), 4, shuffle=False)
weight, logits = torch.ones(3), torch.ones(3, 10)
lines = {
    "nn.linear(784, 512)": lambda: nn.linear(784, 512),
    "init.normal_(weight)": lambda: init.normal_(weight),
    "iter(batches).next()": lambda: iter(batches).next(),
    "target = (device)": lambda: F.cross_entropy(logits, (device)),
}
for line, run_it in lines.items():
    try:
        run_it()
    except Exception as error:
        print(f"{line}\n    {type(error).__name__}: {error}")

# %% [markdown]
# Read an error from the bottom: the last line says what, the lines above it (left out here) say where. With the repair in brackets: a capital is missing (`nn.Linear`); an import is missing (`from torch.nn import init`); Python 2 is speaking (`next(iter(batches))`); and `(device)` is only `device` in brackets (`target.to(device)` was meant). Each costs a minute, because it cannot be overlooked. A fifth program passes its transforms in braces, `{…}`, where brackets belong. Braces make a *set*, and a set has no order: which transform comes first depends on where the two lie in memory ({ref}`chapter 2 <ch-batches>`). So it stops, except when it does not.
#
# All others on this page run to the end.
#
# ## The data
#
# **Program A.** A tutorial prints its accuracy on the test set after every pass. Here is what such a program prints, with 1,000 digits to train on and 20 passes.


# %%
def run(patient, num_epochs=4):
    curve = []
    for _ in range(num_epochs):
        for batch in patient.train_loader:
            parts = patient.model, patient.loss_fn, patient.optimizer
            patient.train_step(*parts, *batch)
        curve.append(100 * measure(patient.model, patient.test_loader))
    return curve


# %%
few = Batches(X[:1_000], y[:1_000], 64, shuffle=True)
broken = program(
    train_loader=few,
    test_loader=Batches(X[:1_000], y[:1_000], 500, shuffle=False),
)
mended = program(train_loader=few)
leak_curves = run(broken, 20), run(mended, 20)
print(f"accuracy after 20 passes: {leak_curves[0][-1]:.1f} %")

# %% [markdown]
# **Guess** what is wrong with that number, and what the accuracy is on digits that were set aside.

# %% tags=["hide-output", "nbval-ignore-output"]
diagnose("test on training data", broken)
print(f"on digits that were set aside: {leak_curves[1][-1]:.1f} %")

# %% tags=["remove-cell"]
named("test on training data", "leak")
assert leak_curves[0][-1] > leak_curves[1][-1]
if digits.is_mnist:
    assert leak_curves[0][-1] == 100
    assert 86 < leak_curves[1][-1] < 90

# %% [markdown]
# 100.0 % is not a success, it is a symptom. The tutorial builds its `test_loader` on `train_dataset`, one word copied from the line above. The model is asked what it has seen, and 1,000 digits it knows by heart. On new ones it is wrong in about one case out of eight. The doctor compares the data sets and, where it can, the pictures bit by bit.
#
# **Program B.** A source gives its network the pixels as they stand in the file, from 0 to 255. Others normalize them, and explain why; this one does not. Do that to *our* network, and you get the losses of the table at the top. They explode, and then they come to rest at 2.3.


# %% tags=["nbval-ignore-output"]
def unit(X):  # the pixels from 0 to 1, before they were normalized
    return X * 0.3081 + 0.1307


raw, raw_valid = 255 * unit(X), 255 * unit(X_valid)
broken = program(X=raw, X_valid=raw_valid)
parts = broken.model, broken.loss_fn, broken.optimizer
losses = [step(*parts, *batch) for batch in broken.train_loader]
print([f"{losses[k]:,.1f}" for k in (0, 1, 2, 5, 10, -1)])

# %% [markdown]
# **Guess:** which number is 2.3, and what is left of a network that always pays it?

# %% tags=["hide-output", "nbval-ignore-output"]
pixel_curves = run(program(X=raw, X_valid=raw_valid)), run(program())
diagnose("raw pixels", program(X=raw, X_valid=raw_valid))
print(f"{pixel_curves[0][-1]:.1f} %, mended {pixel_curves[1][-1]:.1f} %")

# %% tags=["remove-cell"]
named("raw pixels", "scale")
if digits.is_mnist:
    assert 10 < losses[0] < 60 and max(losses[1:6]) > 10e3
    with torch.no_grad():
        h = broken.model[:3](raw_valid)  # (N, 64), after the ReLU
    assert (h == 0).float().mean() > 0.95
    assert abs(np.mean(losses[-20:]) - np.log(10)) < 0.3
    assert pixel_curves[0][-1] < 30 and pixel_curves[1][-1] > 90.5
assert pixel_curves[0][-1] < pixel_curves[1][-1]

# %% [markdown]
# It starts high, explodes, and then lies flat near 2.3. You know that number: $\log 10$, the loss of whoever guesses. The first steps were far too long. They threw the hidden units to where their ReLU is 0 for nearly every picture, and what is left of the network is little more than ten biases. **A loss that comes back to $\log K$ and stays there nearly always means that the model has stopped looking at its input.** One that never left $\log K$ has other causes too: nothing moves (no step, no gradient, another model's optimizer), or the labels do not belong to the pictures. The doctor looks at the inputs first, and leaves out what would only be a consequence.
#
# **Fine in training, poor outside.** The tutorial with the silent digits also reads a photo from a file. Its data went through one preparation, the photo through another. Here the training digits are normalized, and those to be read are not. **Guess:** how many points of accuracy does that cost?

# %% tags=["hide-output"]
broken = program(X_valid=unit(X_valid))
unlike_curves = run(broken), run(program())
print(f"{unlike_curves[0][-1]:.1f} %, mended {unlike_curves[1][-1]:.1f} %")

# %% tags=["hide-output"]
diagnose("prepared differently", broken)

# %% tags=["remove-cell"]
named("prepared differently", "preparation")
if digits.is_mnist:
    assert unlike_curves[0][-1] < unlike_curves[1][-1] - 1.5

# %% [markdown]
# A few points are gone, not all, and that is what makes this mistake last: a network bears a good deal. Means and spreads side by side show it at once. Write the preparation *once*, as a function, and call it everywhere ({ref}`chapter 11 <ch-your-own-digit>`).
#
# **Sorted.** One source warns that `shuffle` must not be True for data with an order, and confuses the order *within* an example with the order *of* the examples. Suppose that we follow it, and that our folder is sorted by label, as folders are. **Guess** which digits such a network says most.

# %% tags=["hide-output"]
order = y.argsort(stable=True)
broken = program(train_loader=Batches(X[order], y[order], 64, shuffle=False))
sorted_curves = run(broken), run(program())
print([f"{accuracy:.0f} %" for accuracy in sorted_curves[0]])
print(
    "predicted:", predict(broken.model, X_valid).bincount(minlength=10).tolist()
)

# %% tags=["hide-output"]
diagnose("sorted by class", broken)

# %% tags=["remove-cell"]
named("sorted by class", "shuffle")
if digits.is_mnist:
    guesses = predict(broken.model, X_valid).bincount(minlength=10)
    assert sorted_curves[0][-1] < 60 and int(guesses.argmax()) in (8, 9)
    assert int(guesses[8:].sum()) > 0.6 * int(guesses.sum())
    probe = program(train_loader=Batches(X[order], y[order], 64, shuffle=False))
    parts = probe.model, probe.loss_fn, probe.optimizer
    losses_sorted = [step(*parts, *batch) for batch in probe.train_loader]
    jumps = 0
    for digit in range(1, 10):
        first = int((y < digit).sum()) // 64
        after = losses_sorted[first : first + 2]
        jumps += losses_sorted[first - 1] < 0.2 and max(after) > 1.5
    assert np.median(losses_sorted) < 0.5 and jumps == 9

# %% [markdown]
# The model answers what it was taught last: it calls most pictures eight or nine. Within a class its training loss falls fast, because whoever has seen hundreds of zeros in a row is right to expect another; at each change of class it jumps. The doctor compares the labels of two passes, and counts how often neighbors differ.
#
# ## Output and loss
#
# A tutorial ends its model with `log_softmax`, hands the result to `cross_entropy`, and calls it "probabilities" in a comment. {ref}`Chapter 4 <ch-softmax-regression>` showed that applying the logarithm of the softmax twice changes nothing. Take the comment at its word, however, and write `Softmax`.
#
# **Your turn.** (Three minutes.) With a softmax in front, `cross_entropy` takes probabilities for logits. The best it can be given are a 1 and nine zeros. What is the loss of that?

# %% tags=["your-turn"]
from mnist_course.exercises import check, check_solution, summary

answer = ...
check("12.floor", answer)

# %% tags=["hide-cell"]
floor = F.cross_entropy(torch.eye(10), torch.arange(10)).item()
print(f"{floor:.3f}")
check_solution("12.floor", floor)

# %% [markdown]
# The next cell trains three versions: with the softmax, with nothing (`Identity`), with `log_softmax`. **Guess:** after four passes, how many points behind is the softmax?

# %% tags=["hide-output"]
candidates = [nn.Softmax(dim=1), nn.Identity(), nn.LogSoftmax(dim=1)]
softmax_curves = []
for last in candidates:
    patient = program(network(last))
    softmax_curves.append(run(patient))
    with torch.no_grad():
        loss = F.cross_entropy(patient.model(X), y)
    print(f"loss {loss:.3f}, accuracy {softmax_curves[-1][-1]:.1f} %")

# %% tags=["hide-output"]
for last in candidates:
    print(type(last).__name__)
    diagnose(type(last).__name__, program(network(last)))

# %% tags=["remove-cell"]
named("Softmax", "output")
named("LogSoftmax", "output")
named("Identity")
assert softmax_curves[1] == softmax_curves[2] or np.allclose(
    softmax_curves[1], softmax_curves[2], atol=0.2
)
if digits.is_mnist:
    assert np.mean(softmax_curves[0]) < np.mean(softmax_curves[1]) - 1
assert abs(floor - 1.461) < 0.001

# %% [markdown]
# The first line is the softmax. It learns, more slowly, because probabilities of 1 and 0, taken for logits, are only one point apart: its loss cannot get below $-\log\left(e / (e + 9)\right) = 1.461$. A loss that comes to rest at an odd number deserves the question *what would a perfect model get?* The second and third lines are equal (but for rounding), so the doctor gives a warning to `log_softmax` and says that it is harmless. A doctor that shouts at everything is soon ignored.
#
# ## Steps
#
# **Three lines.** A tutorial names three lines that no training step may lack: `zero_grad`, `backward`, `step`. Leave out the first, and PyTorch *adds* each gradient to what is there. **Guess:** will it learn nothing, or learn at first and then get worse?


# %% tags=["nbval-ignore-output", "hide-output"]
def step_without_zero(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    return loss.item()


broken = program(train_step=step_without_zero)
zero_curves = run(broken), run(program())
print([f"{accuracy:.0f} %" for accuracy in zero_curves[0]])

# %% tags=["hide-output"]
diagnose("zero_grad forgotten", program(train_step=step_without_zero))

# %% tags=["remove-cell"]
named("zero_grad forgotten", "zero-grad")
assert "5.0 times" in found["zero_grad forgotten"][0].evidence
if digits.is_mnist:
    assert zero_curves[0][-1] < zero_curves[1][-1] - 2

# %% [markdown]
# Every step follows the sum of all gradients so far, which is momentum with $\mu = 1$ and no brake ({ref}`chapter 6 <ch-optimizers>`). How did the doctor see it? It called `step_without_zero` five times on one batch, with the learning rate set to 0, so that nothing moves. The gradient should be the same each time. It was five times as long in the end. **To test a loop, take away what may change, and see what changes all the same.**
#
# **A number from another recipe.** One tutorial uses SGD with a learning rate of 0.8, another uses Adam. Somebody mixes the two. **Guess** the accuracy with Adam and 0.8.


# %% tags=["nbval-ignore-output", "hide-output"]
def with_adam(lr):
    model = network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    return program(model, optimizer=optimizer)


adam_curves = run(with_adam(0.8)), run(with_adam(0.001))
print(f"{adam_curves[0][-1]:.1f} %, mended {adam_curves[1][-1]:.1f} %")

# %% tags=["hide-output", "nbval-ignore-output"]
diagnose("Adam at 0.8", with_adam(0.8))

# %% tags=["remove-cell"]
named("Adam at 0.8", "learning-rate")
if digits.is_mnist:
    assert adam_curves[0][-1] < 70 < 87 < adam_curves[1][-1]
assert 20 < 0.8 / network()[1].weight.abs().max().item() < 25
assert network()[1].weight.abs().max().item() < 1 / 28 + 1e-6
linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(device)
slow = program(
    linear,
    X=unit(X),
    X_valid=unit(X_valid),
    optimizer=torch.optim.SGD(linear.parameters(), lr=0.005),
    train_loader=Batches(unit(X), y, 256, shuffle=True),
)
assert examine_program(slow)["learning-rate"].verdict == "ok"

# %% [markdown]
# Adam's first steps are about one learning rate long, for *every* weight that has a gradient, and 0.8 is more than twenty times the largest weight of the first layer, 1/28. The doctor trains copies with a tenth of the rate, a hundredth and so on, until one of them learns. It speaks of *far* too high and *far* too low only. A tutorial's 0.005 for softmax regression, which costs it five points in ten passes ({ref}`chapter 4 <ch-softmax-regression>`), does not alarm it. Choosing well remains your work.
#
# **Program F.** Another source writes its own backward pass for a network of sigmoids. Outputs `o` are compared with targets, and the errors travel back through the weights. {ref}`Chapter 5 <ch-backprop>` found a factor missing. Look for it in `step_by_hand`.


# %%
class Sigmoids(nn.Module):
    def __init__(self):
        super().__init__()
        set_seed(0)
        self.W1 = nn.Parameter(torch.randn(100, 784) / 28)
        self.W2 = nn.Parameter(torch.randn(10, 100) / 10)

    def forward(self, X):
        self.x = X.flatten(1)  # (B, 784)
        self.h = torch.sigmoid(self.x @ self.W1.T)  # (B, 100)
        return torch.sigmoid(self.h @ self.W2.T)  # (B, 10)


# %%
def squared_error(outputs, y):
    return (outputs - F.one_hot(y, 10)).square().sum(dim=1).mean()


@torch.no_grad()
def step_by_hand(model, loss_fn, optimizer, X, y):
    o = model(X)  # (B, 10)
    output_errors = 2 * (o - F.one_hot(y, 10)) / len(y)  # (B, 10)
    hidden_errors = output_errors @ model.W2  # (B, 100)
    model.W2.grad = (output_errors * o * (1 - o)).T @ model.h
    slope = model.h * (1 - model.h)
    model.W1.grad = (hidden_errors * slope).T @ model.x
    optimizer.step()
    return loss_fn(o, y).item()


# %%
def by_hand(train_step):
    return program(Sigmoids(), loss_fn=squared_error, train_step=train_step)


hand_curves = run(by_hand(step_by_hand)), run(by_hand(step))
for name, curve in zip(("by hand", "autograd"), hand_curves):
    print(f"{name:<8}", [f"{accuracy:.0f} %" for accuracy in curve])

# %% tags=["hide-output", "nbval-ignore-output"]
diagnose("gradient by hand", by_hand(step_by_hand))

# %% tags=["remove-cell"]
named("gradient by hand", "step")
if digits.is_mnist:
    assert min(hand_curves[0][-1], hand_curves[1][-1]) > 75
evidence = found["gradient by hand"][0].evidence
assert evidence.startswith("for W1 ")
assert 3 < float(evidence.split("yours is ")[1].split()[0]) < 5.5
if digits.is_mnist:
    assert hand_curves[0][-1] > hand_curves[1][-1]
    assert 87 < hand_curves[0][-1] < 90.5
    assert list(hand_curves[0]) == sorted(hand_curves[0])
    faster = by_hand(step)
    faster.optimizer = torch.optim.SGD(
        [
            {"params": [faster.model.W1], "lr": 0.4},
            {"params": [faster.model.W2], "lr": 0.1},
        ]
    )
    faster_curve = run(faster)
    assert abs(faster_curve[-1] - hand_curves[0][-1]) < 1.5

# %% [markdown]
# The program learns; after these four passes it is even ahead. No curve would tell you that this is not the gradient of its loss: `hidden_errors` lacks the slope of the output's sigmoid, $o(1 - o)$. For the upper layer the gradient is right. For the lower one it is about four times too long, because all slopes are near a quarter at the start. (In {ref}`chapter 5 <ch-backprop>`, with another network, its direction was off as well.) Here the extra length acts like a learning rate four times as large for the lower layer, and that helps: with that rate the right gradient comes as far. So the mistake hides behind a good number, until somebody changes the loss or the activation. Compare gradients with autograd, or with finite differences, tensor by tensor; that a program learns does not show that it is right.
#
# ## Measuring
#
# A wrong measurement is worse than a wrong model, because you will believe it.
#
# **Program D.** A tutorial never calls `model.eval()`. For its five layers that is harmless. With one word more, dropout, it is not: this is the sixth, the one that nobody published. **Guess** what the same trained model gives, measured twice in its way and twice in ours.


# %% tags=["nbval-ignore-output", "hide-output"]
def measure_in_training_mode(model, loader):
    right = [(predict(model, X) == y).float() for X, y in loader]
    return torch.cat(right).mean().item()


patient = program(network(dropout=0.5), evaluate=measure_in_training_mode)
run(patient)
parts = patient.model, patient.test_loader
print([f"{100 * measure_in_training_mode(*parts):.1f} %" for _ in range(2)])
print([f"{100 * measure(*parts):.1f} %" for _ in range(2)])

# %% tags=["hide-output"]
diagnose("eval forgotten", patient)

# %% tags=["remove-cell"]
named("eval forgotten", "eval-mode")
one, two = measure(*parts), measure(*parts)
noisy = [measure_in_training_mode(*parts) for _ in range(4)]
assert one == two and len(set(noisy)) > 1
if digits.is_mnist:
    assert one - max(noisy) > 0.02 and 0.84 < min(noisy) < max(noisy) < 0.89

# %% [markdown]
# Two counts of right answers by one model must agree exactly. If they do not, something is still throwing dice.
#
# **Program E.** Two tutorials add up the loss of every batch and divide by the number of examples. `F.cross_entropy` has divided by the batch already. The printed accuracy is right. The printed loss is not.


# %%
def measure_twice_divided(model, loader):
    was_training = model.training
    model.eval()
    total_loss, right, count = 0.0, 0, 0
    with torch.no_grad():
        for X, y in loader:
            logits = model(X)
            total_loss += F.cross_entropy(logits, y).item()
            right += (logits.argmax(dim=1) == y).sum().item()
            count += len(y)
    model.train(was_training)
    return total_loss / count, right / count


# %%
broken = program(evaluate=measure_twice_divided)
run(broken)
loss, accuracy = measure_twice_divided(broken.model, broken.test_loader)
print(f"loss {loss:.4f}, accuracy {100 * accuracy:.1f} %")

# %% [markdown]
# **Your turn.** (Three minutes.) A loss has a scale. Where a model is wrong, another class has at least as much probability as the right one. If 7 % of the digits are wrong, how small can the mean loss be at best?

# %% tags=["your-turn"]
answer = ...
check("12.least", answer)

# %% tags=["hide-cell"]
print(
    f"{0.07 * np.log(2):.4f}, {0.07 * np.log(2) / loss:.0f} times what was printed"
)
check_solution("12.least", 0.07 * np.log(2))

# %% tags=["hide-output", "nbval-ignore-output"]
diagnose("divided twice", broken)

# %% tags=["remove-cell"]
named("divided twice", "average")
with torch.no_grad():
    true_loss = F.cross_entropy(broken.model(X_valid), y_valid).item()
if digits.is_mnist:
    assert abs(true_loss / loss - 500) < 5
    assert 0.0004 < loss < 0.0007 and 0.055 < 1 - accuracy < 0.095
    assert 80 < 0.69 / 14 / loss < 125
assert true_loss >= (1 - accuracy) * np.log(2)

# %% [markdown]
# The loss is too small by the batch size, here 500, and changes when you change the batch size. A right class with at most probability 1/2 costs at least $\log 2 = 0.69$, and 7 % of that is nearly a hundred times what was printed. The doctor calls our function with a loader whose last batch holds a single example, and an unusual one, and compares what comes back with all the usual ways to average.
#
# **Program C.** The next pass over the data reports as a tutorial's does: it prints the mean loss of every 20 batches.


# %%
def train_epoch(model, loss_fn, optimizer, loader):
    running_loss, printed = 0.0, []
    for number, (X, y) in enumerate(loader, start=1):
        running_loss += step(model, loss_fn, optimizer, X, y)
        if number % 20 == 0:
            printed.append(running_loss / 20)
            running_loss == 0.0
    return printed


# %% [markdown]
# **Your turn: find the bug in eight lines.** (Two minutes.) `def` is line 1. Which line is wrong? And **guess** what the program prints.

# %% tags=["your-turn"]
answer = ...
check("12.line", answer)

# %% tags=["hide-cell"]
check_solution("12.line", 7)

# %% tags=["hide-output"]
broken = program(train_epoch=train_epoch)
parts = broken.model, broken.loss_fn, broken.optimizer
printed = train_epoch(*parts, broken.train_loader)
print([f"{loss:.2f}" for loss in printed])

# %% tags=["hide-output", "nbval-ignore-output"]
diagnose("running loss", broken)

# %% tags=["remove-cell"]
named("running loss", "reported")
assert printed == sorted(printed)
if digits.is_mnist:
    assert np.allclose(printed, [1.3, 1.9, 2.5, 2.9], atol=0.4)
    assert measure(broken.model, broken.test_loader) > 0.8

# %% [markdown]
# The printed loss *grows* while the model learns. Whoever sees it lowers the learning rate, and it grows all the same. `==` compares, and throws the answer away; `=` was meant. A linter points at such a line without running it: ours does (`ruff`, rule B015), and we had to ask it to keep quiet here. The doctor sets the learning rate to 0 and hands our pass the same batch again and again. Every printed loss should be the loss of that batch.
#
# **Chance level, after training.** A tutorial saves its model and loads it again; but in the published version the training is commented out, so at the first run there is no file to load, and the program reads digits with random weights. The next cell has the same symptom from another cause. **Guess** the accuracy.

# %% tags=["hide-output"]
forgotten = network().to(device)


def measure_the_wrong_one(model, loader):
    return measure(forgotten, loader)


broken = program(evaluate=measure_the_wrong_one)
run(broken)
printed = measure_the_wrong_one(broken.model, broken.test_loader)
print(f"{100 * printed:.1f} %")

# %% tags=["hide-output"]
diagnose("another model", broken)

# %% tags=["remove-cell"]
named("another model", "eval-mode")
if digits.is_mnist:
    assert printed < 0.25

# %% [markdown]
# About a tenth is right by luck. This time the model was trained, and the function measured another one, `forgotten`. A model at chance level after an honest training is often not the model that was trained: a name from outside the function, a file that was not loaded, an optimizer that holds the weights of yesterday's model.
#
# ## Before and after
#
# Where a mistake has a curve, {numref}`fig-before-after` shows it, and the curve after the fix.

# %%
pairs = {
    "raw pixels": pixel_curves,
    "prepared differently": unlike_curves,
    "sorted by class": sorted_curves,
    "softmax twice": (softmax_curves[0], softmax_curves[1]),
    "zero_grad forgotten": zero_curves,
    "Adam at 0.8": adam_curves,
}

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-before-after", "caption": "Six mistakes that have a curve: accuracy on digits that were set aside, over four passes, before (dashed) and after the fix."}, "image": {"alt": "Six small panels. The solid curves of the mended programs reach about 92 percent in all of them. The dashed ones lie between 10 and 20 percent for raw pixels and Adam at 0.8, fall there without zero_grad, stay below 40 for sorted data, and run some points below the solid ones for the other two"}}
from mnist_course import plots

import matplotlib.pyplot as plt

plots.use_course_style()
figure, axes = plt.subplots(2, 3, figsize=(7.2, 4), sharex=True, sharey=True)
for ax, (name, (before, after)) in zip(axes.flat, pairs.items()):
    ax.plot(range(1, 5), before, "--o", color=plots.ORANGE, label="before")
    ax.plot(range(1, 5), after, "-s", color=plots.BLUE, label="after")
    ax.set_title(name)
    ax.set(xticks=range(1, 5), ylim=(0, 100))
axes[0, 0].legend(loc="center right")
figure.supxlabel("pass", fontsize=10)
figure.supylabel("accuracy in %", fontsize=10)
plots.show(figure, "before and after")

# %% [markdown]
# Only some of the dashed curves look ill. Two run some points below the solid ones in the end; nobody would be alarmed who had not seen both. Most of the other mistakes have no curve that would show anything. So the table counts which check named which mistake.

# %% tags=["nbval-ignore-output"]
for name, findings in found.items():
    for finding in findings:
        title = finding.title.removeprefix("the ")
        print(f"{name:<21} {finding.check:<13} {title}")
print(f"{len(found) - 1} programs with a finding, 1 without")

# %% tags=["remove-cell"]
assert sum(len(findings) == 1 for findings in found.values()) == len(found) - 1
assert len(found) == 15

# %% [markdown]
# Every mistake is named by one check, and by no other; the model that ends in its scores (`Identity`) is not accused. That is how it was built: the tests of this course hold a bank of broken programs, and demand the same of each; and they hold healthy ones, of which none may be accused.
#
# Know its limits. The bank was written by the doctor's own authors, and an author who can think of a mistake can also catch it. Expect it to miss mistakes of other people. Weights that start out hundreds of times too small, for one, it overlooks:

# %% tags=["hide-cell"]
tiny = network()
for weight in tiny.parameters():
    nn.init.normal_(weight, std=1e-4)
overlooked = examine_program(program(tiny)).healthy
born = [network()[k].weight.std().item() / 1e-4 for k in (1, 4)]
print(
    f"weights {min(born):.0f} to {max(born):.0f} times too small, healthy: {overlooked}"
)

# %% tags=["remove-cell"]
assert overlooked and 200 < min(born) < max(born) < 800

# %% [markdown]
# It does not know whether your network is too small, whether one label in a hundred is wrong, or whether your question can be answered at all. It has found nothing when it says "healthy", and nothing is what it has proved.
#
# ## The order in which to look
#
# When a program of your own does not learn, do not change the learning rate first. Ask in the order in which causes come before effects:
#
# 1. **Look at a batch**, as it enters the model, behind every `view` and `permute`. Print shape, type, smallest and largest value, and *draw* ten pictures with their labels.
# 2. **Look at the first loss.** For $K$ classes and cross-entropy it should be near $\log K$, mostly a little above (ours, by luck, lies a little below), *and* the scores of two pictures should differ. (At $\log K$ exactly a network may be asleep: {ref}`chapter 7 <ch-mlp>`.)
# 3. **Overfit one batch**, without dropout, augmentation and weight decay, with a rate known to be moderate (Adam, 0.001). If 32 examples cannot be learned by heart in a few hundred steps, no data set will help.
# 4. **Look at every gradient.** None missing, none zero.
# 5. **Take the pictures away.** Train with zeros in place of them. If the loss gets no worse, your model does not look at its input.
# 6. **Only then** try learning rates, by factors of ten.
# 7. **Distrust good news.** Measure twice, in evaluation mode, on data that was not trained on.
#
# The first five, but for the drawing, as thirteen lines that you can copy:


# %%
def sanity(model, X, y):
    print(tuple(X.shape), X.dtype, f"{X.min():.2f} to {X.max():.2f}")
    with torch.no_grad():
        scores = model(X)  # (B, K)
    print(f"first loss {F.cross_entropy(scores, y):.2f}")  # near log K?
    print(f"between pictures {scores.std(dim=0).mean():.2f}")  # 0: asleep
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for inputs in (torch.zeros_like(X), X):
        for _ in range(300):
            loss = step(model, F.cross_entropy, optimizer, inputs, y)
        print(f"after 300 steps on one batch: {loss:.3f}")
    grads = {name: p.grad for name, p in model.named_parameters()}
    print([name for name, g in grads.items() if g is None or not g.any()])


sanity(network().to(device), X[:32], y[:32])

# %% [markdown]
# First come zeros in place of the pictures: with them the network can learn how frequent the classes are, and nothing else. Then the 32 pictures, which it learns by heart. The list of parameters without a gradient is empty. That is what health looks like. (`sanity` trains the model that it gets: build a fresh one afterwards.) The doctor is the long form of these lines.
#
# **The card.** Most rows were measured on this page, some in chapters 5 and 7; the tests demand the others of the doctor. Pin it to the wall.
#
# | symptom | suspects | the line that decides |
# | --- | --- | --- |
# | loss stays at $\log K$ from the start | no step, another model's optimizer, silent units, labels that do not belong | did any weight change after one step? `model(X).std(dim=0)` |
# | loss explodes, then rests at $\log K$ | pixels 0 to 255, learning rate too high | `X.min(), X.max()` |
# | loss rests at an odd number, such as 1.461 | a softmax before `cross_entropy` | is `model(X).min()` above 0? |
# | some classes are never predicted | ReLU on the scores, sorted data | is `model(X).min()` exactly 0? `predictions.bincount(minlength=K)` |
# | learns, then gets worse and worse | `zero_grad` forgotten | two backward passes at rate 0: is the gradient twice as long? |
# | hardly better than chance with Adam | a rate from another recipe | a tenth of it |
# | learns, a little worse than others report | inputs prepared differently, wrong gradient by hand | mean and spread of both loaders; `gradcheck`, autograd |
# | training loss jumps from class to class | data not shuffled | labels of the first batch |
# | printed loss grows, accuracy does too | a sum that is never reset | print one batch's own loss |
# | printed loss is far too small | divided twice | does it change with the batch size? |
# | accuracy 100.0 % | test data are training data | are any two pictures equal bit by bit? |
# | two measurements differ | `model.eval()` forgotten | measure twice |
# | chance level after an honest training | another model is measured | `id(model)` in both places |
# | loss of a batch cannot be brought to 0 | the model, the step or the loss, seldom the data | step 3 above |
#
# **What the five tutorials claim**, beside what their programs do. The mistakes that teach stand where their topic is taught; here is the score, of three runs (six in the third row: five near 97 %, and one of 78 %).
#
# | tutorial's network | it reports | measured, mean ± sd | why |
# | --- | --- | --- | --- |
# | softmax regression, 0.005 | 87.4 % | 87.43 ± 0.04 % | the rate is far too low: 92.60 ± 0.08 % with a better one ({ref}`chapter 4 <ch-softmax-regression>`) |
# | five layers | no number; its "test" is training data | 97.66 ± 0.03 % | Program A |
# | 784-256-64-10, rate 0.8 | 97 %, "loss 1 %" | 93.97 ± 7.75 %; without the ReLU on the scores 96.84 ± 0.50 % | {ref}`chapter 7 <ch-mlp>`; a loss has no percent |
# | convolutions | a test loss 16 times too small | 98.93 ± 0.06 % after half of its passes | Program E |
# | hinge loss, by hand | 2.9, 0 and 10.9 | 2.9, 0 and 12.9 | the margin is lost ({ref}`chapter 3 <ch-scores-and-hinge>`) |
#
# And in passing: `dim=1` is called a row (it is the axis that disappears); an accuracy printed with `%d` loses its decimals; transforms stand in braces, which have no order; `(0.3081)` lacks the comma of a tuple; normalizing is called regularization, Adam a loss function, the test set a validation set; and the same 60,000 digits, ten times, are called 600,000.
#
# The doctor also examines programs outside notebooks. Write a function that returns the parts and run `python -m mnist_course doctor my_file.py:my_function`; the exit status is 0 if it finds nothing, 1 if it finds something, and 2 if there was nothing to look at.

# %% tags=["remove-cell"]
from mnist_course.results import load_results

quoted = {
    "s4": "87.43 ± 0.04",
    "softmax": "92.60 ± 0.08",
    "s0": "97.66 ± 0.03",
    "s2-published": "93.97 ± 7.75",
    "s2": "96.84 ± 0.50",
    "s1": "98.93 ± 0.06",
}
for name, result in load_results().items():
    if name in quoted:
        assert f"{result.mean:.2f} ± {result.sd:.2f}" == quoted[name]
from mnist_course.progress import headline

headline(
    f"{len(found) - 1} mistakes, each named by one check of the doctor and by no other"
)

# %% [markdown]
# ## Exercises
#
# These are for the notebook ({ref}`set-up <setup>`). Choose *Run ▸ Run All Above Selected Cell* first; then replace each `...` by your answer and run the cell. The check says whether it is right, and if not, what may have gone wrong.
#
# :::{exercise}
# :label: ex-debug-letters
# (A minute.) A network for the 26 letters, with cross-entropy. Before the first step the loss is 3.258, and $\log 26 = 3.258$. What do you conclude? (a) All is well. (b) It may be asleep: look whether two pictures get different scores. (c) The labels are shuffled. (d) It should be lower.
# :::

# %%
# a letter in quotation marks
answer = ...
check("12.letters", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-flat
# (Two minutes; the reflex is wrong.) Ten classes. The loss is 2.31 at first, 1.2 after 20 steps, and from step 40 on it stays between 2.28 and 2.32, whatever the batch. What is most likely? (a) The learning rate is too low. (b) The learning rate is too high. (c) The data is not shuffled. (d) There is a softmax before the loss.
# :::

# %%
# a letter in quotation marks
answer = ...
check("12.flat", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-scale
# (Five minutes.) A program adds up the mean loss of each batch of 32 and divides by the number of examples. It prints 0.0131. All batches are full. What is the mean loss over the examples?
# :::

# %%
answer = ...
check("12.scale", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-fourth
# (Ten minutes: change two lines and predict.) Batches of 64, plain SGD, and a loss that is a mean. Somebody calls `optimizer.step()` and `optimizer.zero_grad()` only after every fourth batch, and `backward()` after each. It is not a mistake: the same steps can be had with one larger batch, and another learning rate. How large is that batch, and by which factor must the learning rate be multiplied?
# :::

# %%
# [batch size, factor]
answer = ...
check("12.fourth", answer)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-step
# (Ten minutes.) Repair this step. It has two mistakes.
#
# ```python
# def repaired_step(model, loss_fn, optimizer, X, y):
#     probs = model(X).softmax(dim=1)
#     loss = loss_fn(probs, y)  # cross_entropy
#     loss.backward()
#     optimizer.zero_grad()
#     optimizer.step()
#     return loss.item()
# ```
# :::


# %%
def repaired_step(model, loss_fn, optimizer, X, y):
    return ...


check("12.step", repaired_step)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-measure
# (A quarter of an hour.) Repair this measurement. It has three mistakes, and whoever mends the first is likely to make a fourth, which hurts only later. It should return the mean loss and the share of right answers, both over the examples, and leave the model in the mode in which it came.
#
# ```python
# def repaired_measure(model, loader):
#     losses, shares = [], []
#     for X, y in loader:
#         logits = model(X)
#         losses.append(F.cross_entropy(logits, y).item())
#         shares.append((logits.argmax(dim=1) == y).float().mean().item())
#     return sum(losses) / len(losses), sum(shares) / len(shares)
# ```
# :::


# %%
def repaired_measure(model, loader):
    return ...


check("12.measure", repaired_measure)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-fool
# (Half an hour, breaking things on purpose.) Fool the doctor. Write a step to which it has nothing to object, and which does not train: after 200 calls the loss must still be above 80 % of what it was. (Hint: count how often the doctor calls a healthy step.) What does your step know about the doctor that it should not?
# :::


# %%
def fooling_step(model, loss_fn, optimizer, X, y):
    return ...


check("12.fool", fooling_step)

# %% [markdown]
# :::{exercise}
# :label: ex-debug-where
# (An evening.) Write a check of your own. A network answers the same for every picture; the question is where the pictures get lost. `first_equal` gets a `nn.Sequential` and inputs `X`, and returns the index of the first layer whose output is the same for all examples, or −1 if there is none. Then use it: make the hidden units of `network()` silent with a bias of −100 and find the place. For the rest of the evening: extend it to any model with `register_forward_hook`, and to layers in which *nearly* all units are silent.
# :::


# %%
def first_equal(model, X):
    return ...


check("12.where", first_equal)

# %%
summary()

# %% [markdown]
# ## Summary
#
# * You have met the mistakes that beginners copy, and know a number for many of them: no negative score, a loss of $\log K$ or 1.461, 100.0 %, a gradient that is five times as long, two measurements that differ.
# * You look in the order of causes: data, output and loss, gradients and steps, measurement. The learning rate comes late.
# * You can have a PyTorch classifier with one row of scores per example examined, on the command line too, and you know what an examination cannot show.
#
# It all began with sixteen bytes of a file. You can now train a network that reads digits, measure it without fooling yourself, and say what to look at when it does not learn. Next: it learns, and takes its time. {ref}`Where do the seconds go <ch-faster>`, and which of them can be had back?

# %% [markdown]
# ## Solutions
#
# :::{solution-start} ex-debug-letters
# :class: dropdown
# :::
#
# (b). A network that answers every picture alike, with scores of 0, pays exactly $\log K$. A good start is not exactly there: its scores differ from picture to picture, by chance, and mostly that costs a little. (A single layer that starts at zero pays $\log K$, too, and wakes at its first step.)

# %%
check_solution("12.letters", "b")

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-flat
# :class: dropdown
# :::
#
# It learned at first, so the rate is not too low. Then one step was too long and silenced the hidden units: the model ignores its input, and the loss is that of a guess. "The loss does not move, so I raise the learning rate" is the wrong reflex.

# %%
check_solution("12.flat", "b")

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-scale
# :class: dropdown
# :::
#
# With $n$ batches of 32 the program prints $\sum L_i / (32 n)$, and the mean is $\sum L_i / n$.

# %%
check_solution("12.scale", 0.0131 * 32)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-fourth
# :class: dropdown
# :::
#
# Gradients add up. The sum of four means over 64 is four times the mean over all 256. This is how large batches are computed in little memory, so a missing `zero_grad` is a mistake only where a step is made.

# %%
check_solution("12.fourth", [256, 4])

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-step
# :class: dropdown
# :::
#
# `cross_entropy` wants logits, and `zero_grad` stood between `backward` and `step`.


# %%
def repaired_step(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


check_solution("12.step", repaired_step)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-measure
# :class: dropdown
# :::
#
# Evaluation mode, no gradients, averages over the examples. The fourth mistake comes with the repair: the model must be set back to the mode in which it came, or the next pass trains without dropout.


# %%
@torch.no_grad()
def repaired_measure(model, loader):
    was_training = model.training
    model.eval()
    loss, right, count = 0.0, 0, 0
    for X, y in loader:
        logits = model(X)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        right += (logits.argmax(dim=1) == y).sum().item()
        count += len(y)
    model.train(was_training)
    return loss / count, right / count


check_solution("12.measure", repaired_measure)

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-fool
# :class: dropdown
# :::
#
# It behaves while it is watched, and the doctor does not watch for long: it calls a step a few times. Every test is finite: it can show that something is wrong, never that nothing is.


# %%
class FoolingStep:
    calls = 0

    def __call__(self, model, loss_fn, optimizer, X, y):
        self.calls += 1
        if self.calls > 10:  # the doctor has gone home
            return 0.0
        return step(model, loss_fn, optimizer, X, y)


check_solution("12.fool", FoolingStep())

watched = FoolingStep()
report = examine_program(program(train_step=watched))
print("healthy:", report.healthy, "after", watched.calls, "calls")

# %% tags=["remove-cell"]
assert report.healthy and watched.calls < 10

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{solution-start} ex-debug-where
# :class: dropdown
# :::


# %%
@torch.no_grad()
def first_equal(model, X):
    was_training, found_at = model.training, -1
    model.eval()
    for index, layer in enumerate(model):
        X = layer(X)
        if torch.allclose(X, X[:1].expand_as(X), atol=1e-6):
            found_at = index
            break
    model.train(was_training)
    return found_at


check_solution("12.where", first_equal)

# %%
silent = network().to(device)
print(f"as built: {first_equal(silent, X[:100])}", end=", ")
nn.init.constant_(silent[1].bias, -100.0)
print(f"with a bias of -100: {first_equal(silent, X[:100])}")

# %% tags=["remove-cell"]
assert (
    first_equal(silent, X[:100]) == 2
    and first_equal(network(), X[:9].cpu()) == -1
)

# %% [markdown]
# Layer 2, the ReLU. Its inputs still differ from picture to picture; its outputs are all 0.

# %% [markdown]
# :::{solution-end}
# :::
