"""What codes tell: classes without labels, how they fill the prior, how smoothly they decode.

Codes are `(N, D)`: those of an autoencoder, or the posterior's means of a VAE. Labels are `(N,)`,
int64 from 0 up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.lab.neighbours import nearest

ACTIVE = 0.01
"""The variance of its posterior mean above which Burda et al. call a unit active."""


def active_units(mu: Tensor, threshold: float = ACTIVE) -> int:
    """How many latents say anything about the picture: Var_x(E_q[z]) > threshold.

    Source: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.

    Args:
        mu: `(N, D)`, means of the posteriors of many pictures.
        threshold: Of the variance over pictures.
    """
    return int((mu.var(0, correction=0) > threshold).sum())


def knn_predict(codes: Tensor, labels: Tensor, queries: Tensor, k: int = 15) -> Tensor:
    """The commonest label among the `k` nearest codes; `(M,)`. In a tie the smallest label.

    Args:
        codes: `(N, D)`, of known labels.
        labels: `(N,)`.
        queries: `(M, D)`.
        k: From 1 to N.

    Raises:
        DataError: There are fewer than `k` codes.
    """
    votes = F.one_hot(labels)[nearest(codes, queries, k)].sum(1)
    smaller_first = torch.arange(votes.shape[1], 0, -1, device=votes.device)
    return (votes * (votes.shape[1] + 1) + smaller_first).argmax(1)


def knn_accuracy(
    codes: Tensor, labels: Tensor, queries: Tensor, answers: Tensor, k: int = 15
) -> float:
    """The share of `queries`, `(M, D)`, whose `answers`, `(M,)`, their neighbours give.

    Raises:
        DataError: There are fewer than `k` codes.
    """
    return share(knn_predict(codes, labels, queries, k) == answers)


def share(right: Tensor) -> float:
    """The share of True in a bool tensor; NaN of none."""
    return right.double().mean().item()


def confusion(labels: Tensor, predicted: Tensor, classes: int = 10) -> Tensor:
    """How often each class (row) is taken for each other (column); counts, `(classes, classes)`."""
    pairs = labels * classes + predicted
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def recall(matrix: Tensor) -> Tensor:
    """Of each class the share that is recognised, from a confusion matrix `(C, C)`; `(C,)`."""
    return matrix.diagonal() / matrix.sum(1)


def confused_pairs(matrix: Tensor) -> list[tuple[int, int]]:
    """Pairs of classes `(a, b)`, a < b, the most confused first, from a confusion matrix.

    Counted is a taken for b and b for a, as a share of all that are a or b. Ties in order.
    """
    rows = matrix.double().cpu()
    sizes = rows.sum(1)

    def confused(pair: tuple[int, int]) -> float:
        a, b = pair
        return float((rows[a, b] + rows[b, a]) / (sizes[a] + sizes[b]).clamp(min=1))

    return sorted(combinations(range(len(rows)), 2), key=confused, reverse=True)


def linear_probe(codes: Tensor, labels: Tensor, queries: Tensor, penalty: float = 1.0) -> Tensor:
    """What multinomial logistic regression on the codes makes of the queries: labels, `(M,)`.

    Codes are standardised; minimised is the summed cross-entropy plus penalty/2 times the summed
    squared weights, without the biases: convex, so there is one answer, and no chance in it.

    Args:
        codes: `(N, D)`, of known labels.
        labels: `(N,)`.
        queries: `(M, D)`.
        penalty: Above 0; 1 is scikit-learn's default.
    """
    codes, mean, std = codes.double(), codes.double().mean(0), codes.double().std(0)
    std[std == 0] = 1
    codes, queries = (codes - mean) / std, (queries.double() - mean) / std
    weights = codes.new_zeros(codes.shape[1], int(labels.max()) + 1, requires_grad=True)
    biases = codes.new_zeros(weights.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, biases], max_iter=300, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        missed = F.cross_entropy(codes @ weights + biases, labels, reduction="sum")
        value: Tensor = (missed + 0.5 * penalty * weights.square().sum()) / len(codes)
        value.backward()
        return value

    optimizer.step(objective)  # with gradients, even where the caller has switched them off
    logits: Tensor = queries @ weights.detach() + biases.detach()
    return logits.argmax(1)


def centroids(codes: Tensor, labels: Tensor) -> Tensor:
    """The mean code of each class, `(classes, D)`; NaN of a class without any."""
    members = F.one_hot(labels).to(codes)
    means: Tensor = members.T @ codes / members.sum(0)[:, None]
    return means


def nearest_centroid(codes: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """The class whose mean code is nearest to each of `(M, D)` queries; labels, `(M,)`."""
    return nearest(centroids(codes, labels), queries)[:, 0]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean and covariance of all codes together.

    Attributes:
        mean: `(D,)`.
        covariance: `(D, D)`.
    """

    mean: Tensor
    covariance: Tensor

    def wasserstein_to_prior(self) -> float:
        """2-Wasserstein distance of the Gaussian with these moments to N(0, I); 0 at the prior.

        W^2 = |mean|^2 + sum over the eigenvalues l of the covariance of (sqrt(l) - 1)^2.

        Source: Dowson and Landau (1982), The Fréchet distance between multivariate normal
        distributions.
        """
        stds = torch.linalg.eigvalsh(self.covariance).clamp(min=0).sqrt()
        return float((self.mean.square().sum() + (stds - 1).square().sum()).sqrt())

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Codes from the Gaussian with these moments, float32, `(n, D)`."""
        eigenvalues, vectors = torch.linalg.eigh(self.covariance)
        noise = torch.randn(n, len(self.mean), generator=generator).to(self.mean)
        along = noise * eigenvalues.clamp(min=0).sqrt()
        codes: Tensor = self.mean + along @ vectors.T
        return codes.float()


def aggregate(mu: Tensor, logvar: Tensor | None = None) -> Moments:
    """Moments of the aggregate posterior, the mean of q(z|x) over pictures; float64.

    Its covariance is that of the means plus the mean of the variances.

    Args:
        mu: `(N, D)`; codes, or the posteriors' means.
        logvar: `(N, D)`; left out for codes without noise.
    """
    mu = mu.double()
    centred = mu - mu.mean(0)
    covariance = centred.T @ centred / len(mu)
    if logvar is not None:
        covariance = covariance + logvar.double().exp().mean(0).diag()
    return Moments(mu.mean(0), covariance)


def largest_step(path: Tensor) -> float:
    """How unevenly pictures change along a path: the largest step over the mean step.

    1 is a steady change, T - 1 a single jump; NaN where nothing changes. Steps are Euclidean.

    Args:
        path: `(T, ...)`, decoded at equal distances in the code.
    """
    steps = path.diff(dim=0).flatten(1).norm(dim=1)
    return float(steps.max() / steps.mean())


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's: the correlation of the ranks of two `(N,)`; ties share their mean rank."""
    return float(torch.corrcoef(torch.stack([_ranks(a), _ranks(b)]))[0, 1])


def _ranks(values: Tensor) -> Tensor:
    """From 1, `(N,)`, float64."""
    _, which, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = last - (counts - 1) / 2
    return ranks[which]
