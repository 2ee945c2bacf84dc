"""Does the output fit the loss? The checks of the scores of an untrained model."""

import math
from dataclasses import dataclass

import torch

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem, warning
from mnist_course.doctor.patient import Patient


@dataclass(frozen=True)
class Scores:
    """What the last layer hands to the loss.

    Attributes
    ----------
    Z : torch.Tensor
        ``(n, K)`` outputs in evaluation mode, before any training.
    last : str
        The name of the last operation, as autograd knows it.
    family : str
        Of the loss: ``"cross-entropy"``, ``"nll"`` or ``"other"``.
    low, high, zeros : float
        The smallest and the largest output, and the share that is exactly 0.
    """

    Z: torch.Tensor
    last: str
    family: str
    low: float
    high: float
    zeros: float

    @property
    def seen(self) -> str:
        """What there is to see."""
        low, high = f"{self.low:.3g}", f"{self.high:.3g}"
        return f"outputs from {low} to {high}, the last operation is {self.last}"

    @property
    def are_probabilities(self) -> bool:
        """Whether every row is a distribution."""
        ones = torch.ones(len(self.Z), device=self.Z.device)
        return self.low >= 0 and torch.allclose(self.Z.sum(1), ones, atol=1e-3)

    @property
    def are_log_probabilities(self) -> bool:
        """Whether every row is the logarithm of a distribution."""
        return self.high <= 0 and float(self.Z.cpu().double().logsumexp(1).abs().max()) < 1e-3


def _look_at_output(patient: Patient) -> Finding:
    """Does the last layer hand the loss what it expects?

    Look for a softmax, ReLU, sigmoid or dropout on the scores.
    """
    Z = patient.outputs
    low, high, zeros = float(Z.min()), float(Z.max()), float((Z == 0).float().mean())
    scores = Scores(Z, patient.last_operation, patient.family, low, high, zeros)
    return (
        _softmax_on_scores(scores)
        or _scores_into_nll(scores)
        or _log_softmax_twice(scores)
        or _relu_on_scores(scores)
        or _bound_on_scores(scores)
        or _dropout_on_scores(scores, patient)
        or ok(scores.seen)
    )


def _softmax_on_scores(scores: Scores) -> Finding | None:
    """Find a softmax in front of a loss that has its own, or that wants the logarithm."""
    if not scores.are_probabilities or scores.family == "other":
        return None
    twice = scores.family == "cross-entropy"
    key = "softmax-on-scores" if twice else "probabilities-into-nll"
    return problem(key, f"{scores.seen}; every row sums to 1")


def _scores_into_nll(scores: Scores) -> Finding | None:
    """Find an NLLLoss without a log_softmax before it."""
    if scores.family != "nll" or scores.are_log_probabilities:
        return None
    seen = f"{scores.seen}; the exponentials of a row do not sum to 1"
    return problem("scores-into-nll", seen)


def _log_softmax_twice(scores: Scores) -> Finding | None:
    """Find a log_softmax in front of a loss that has its own."""
    if scores.family != "cross-entropy" or not scores.are_log_probabilities:
        return None
    seen = f"{scores.seen}; the exponentials of every row sum to 1"
    return warning("log-softmax-twice", seen)


def _relu_on_scores(scores: Scores) -> Finding | None:
    """Find scores of which none is below 0, and many are exactly 0."""
    Z, zeros = scores.Z, scores.zeros
    if scores.low < 0 or not (0.02 < zeros < 1 or "Relu" in scores.last) or len(Z) < 16:
        return None
    never = int((Z == 0).all(0).sum())
    seen = f"{100 * zeros:.0f} % are exactly 0, and {never} classes are 0 for all {len(Z):,}"
    return problem("relu-on-scores", f"{scores.seen}; {seen} examples")


def _bound_on_scores(scores: Scores) -> Finding | None:
    """Find scores that cannot grow."""
    if scores.family == "other":
        return None
    bounds = ("Sigmoid", "Hardtanh", "Tanh", "Clamp")
    bound = next((name for name in bounds if name in scores.last), "")
    linear = scores.last in ("Addmm", "Mm", "Add")  # all scores may be above 0 by chance
    positive = scores.low >= 0 and scores.zeros < 1 and len(scores.Z) >= 16 and not linear
    if not bound and not positive:
        return None
    return problem("bound-on-scores", scores.seen, bound=bound.lower() or "a bound")


def _dropout_on_scores(scores: Scores, patient: Patient) -> Finding | None:
    """Find scores that are erased in training mode."""
    twin = patient.twin()
    twin.model.train()
    with torch.no_grad():
        noisy = float((twin.outputs(patient.runs[0][0]) == 0).float().mean())
    if noisy <= 0.02 or scores.zeros > 0:
        return None
    seen = f"{100 * noisy:.0f} % of the outputs are exactly 0 in training mode"
    return problem("dropout-on-scores", f"{seen}, none in evaluation mode")


def _look_for_dead_outputs(patient: Patient) -> Finding:
    """Can every output unit still learn?

    Look for outputs that are constant and pass no gradient on.
    """
    if not patient.twin().outputs(patient.runs[0][0]).requires_grad:
        return not_looked("nothing leads from the outputs to the parameters, see 'gradient'")
    Z = patient.outputs
    still = (Z.amax(0) == Z.amin(0)).nonzero().flatten().tolist()
    dead = [k for k in still if not _passes_gradient(patient, k)]
    if dead:
        seen = f"outputs {dead} have one value for all {len(Z):,} examples"
        return problem("dead-outputs", f"{seen} and pass no gradient on")
    return ok(f"all {Z.shape[1]} outputs pass a gradient on")


def _passes_gradient(patient: Patient, k: int) -> bool:
    """Return whether output ``k`` depends on any parameter, at any example of a batch."""
    twin = patient.twin()
    twin.model.eval()
    column = twin.outputs(patient.runs[0][0])[:, k]
    if not column.requires_grad:
        return False
    wanted = [q for q in twin.model.parameters() if q.requires_grad]
    grads = torch.autograd.grad(column.sum(), wanted, allow_unused=True)
    return any(g is not None and bool((g != 0).any()) for g in grads)


def _look_at_first_loss(patient: Patient) -> Finding:
    """Is the first loss that of a guess?

    Compare the loss before training with the logarithm of the number of classes.
    """
    K = patient.num_classes
    guess, level = math.log(K), patient.twin().level(patient.runs)
    if patient.is_sum:
        level /= sum(len(y) for _, y in patient.runs) / len(patient.runs)
    if patient.family == "other":
        return ok(f"{level:.3f}; the rule of ln {K} is for cross-entropy only")
    seen = f"{level:.3f}, and ln {K} = {guess:.3f} is the loss of a guess"
    if level > guess + max(guess, 1.5):
        return problem("first-loss-too-large", seen)
    return problem("negative-loss", seen) if level < -1e-3 else ok(seen)


CHECKS = [
    Check("output", _look_at_output, "loss rows scale"),
    Check("dead-output", _look_for_dead_outputs, "output"),
    Check("first-loss", _look_at_first_loss, "output"),
]
