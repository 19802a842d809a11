"""CPU seconds to a published quality: the published way and the lab's, side by side.

Both train the same network on the 60,000 digits of MNIST until the same measure on the 10,000 test
digits reaches the same value. The published way is torchvision's data set, a DataLoader and the
published settings, judged after every quarter of an epoch; ours is `vaeflash.lab`, judged in the
end. What counts is the CPU time of the whole process, imports and data included and judging left
out, on one thread.

    python benchmarks/quality.py [TASK ...] [--seed N]      vae, pythae, dense, conv

The digits are those of `vaeflash data`: full MNIST, unpacked. pythae is measured where it can be
imported, e.g. `pip install --target DIR --no-deps pythae tqdm imageio` and PYTHONPATH=DIR. Goals
are for CPUs with AVX-512; others have no fast bfloat16, and half is expected of them.

Both ways draw from one seed. The lecture's network can get stuck at all black from its default
start: such a seed is told, and the next one taken, at no charge to the published way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import vaeflash.lab  # noqa: F401 -- first of all: it sets the thread count that torch reads once
from vaeflash import data

AVX512 = "AVX512"
MOST_EPOCHS = 20


@dataclass(frozen=True)
class Task:
    """A quality, and how much sooner than as published it should be reached."""

    about: str
    target: float
    unit: str
    goal: float
    stuck: float = float("inf")  # a published run that is no better than this will never be


TASKS = {
    "vae": Task("VAE of pytorch/examples", 105.5, "nats", 10),
    "pythae": Task("pythae's trainer", 108.5, "nats", 8),
    "dense": Task("dense AE of source 004", 0.0103, "MSE", 15),
    "conv": Task("convolutional AE of source 002", 0.0466, "MSE", 4, stuck=0.1),
}


# What both ways share


@dataclass
class Judge:
    """Measures on the test digits while the clock stands still."""

    task: str
    seed: int
    epochs: float = 0.0
    found: list[float] = field(default_factory=list)
    cpu: float = 0.0
    paused: float = 0.0

    @contextmanager
    def off_the_clock(self) -> Iterator[None]:
        """What happens here costs nothing."""
        self.cpu = time.process_time() - self.paused
        try:
            yield
        finally:
            self.paused = time.process_time() - self.cpu

    def measure(self, evaluate: Callable[[Any], Any], x: Any, epochs: float) -> bool:
        """Note the mean of `evaluate` over test digits `(M, ...)`; whether training is over."""
        import torch

        task = TASKS[self.task]
        with self.off_the_clock(), torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(1)
            parts = [evaluate(part) * len(part) for part in x.split(1000)]
            self.found.append(float(sum(parts)) / len(x))
            self.epochs = epochs
        reached, stuck = self.found[-1] <= task.target, self.found[-1] >= task.stuck
        return reached or stuck or epochs >= MOST_EPOCHS

    def tell(self, network: Any, imports: float, **more: Any) -> None:
        """Print what came out, for the parent to read."""
        from vaeflash.lab.metrics import parameter_count

        more |= {"seed": self.seed, "epochs": self.epochs, "found": self.found[-1]}
        more |= {"cpu": self.cpu, "imports": imports, "parameters": parameter_count(network)}
        print(json.dumps(more))


def mnist_folder() -> Path:
    """What torchvision calls the root of its MNIST."""
    source = data.find("digits")
    if source.kind != "mnist" or any(path.suffix for path in source.files):
        raise SystemExit(f"Here are {source.origin}; this needs all of MNIST, unpacked.")
    return source.files[0].parents[2]


# The published way


def published(task: str, seed: int) -> None:
    """Train as published until the target is reached."""
    import torch

    from vaeflash.lab.vision import torchvision

    datasets, transforms = torchvision().datasets, torchvision().transforms
    torch.manual_seed(seed)
    to_tensor = transforms.ToTensor()
    train, test = (datasets.MNIST(mnist_folder(), t, transform=to_tensor) for t in (True, False))
    judge = Judge(task, seed)
    with judge.off_the_clock():
        x_test = test.data.float().div(255).unsqueeze(1)
    if task == "pythae":
        return published_pythae(judge, train.data.float().div(255).unsqueeze(1), x_test)
    imports = time.process_time() - judge.paused
    network, loss, rate, size = {"vae": a_vae, "dense": a_dense_ae, "conv": a_conv_ae}[task]()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    loader = torch.utils.data.DataLoader(train, batch_size=size, shuffle=True)
    quarter, taken = len(loader) // 4, count(1)
    for _ in range(MOST_EPOCHS):
        for x, _ in loader:
            optimizer.zero_grad()
            value = loss(x)
            value.backward()
            value.item()
            optimizer.step()
            step = next(taken)
            if step % quarter == 0 and judge.measure(loss, x_test, step / len(loader)):
                return judge.tell(network, imports)
    raise AssertionError("the judge ends every training")


def a_vae() -> tuple[Any, Callable[[Any], Any], float, int]:
    """784-400-20 as in pytorch/examples/vae: network, loss of a batch, rate, batch size."""
    import torch
    from torch import nn
    from torch.nn import functional as F  # noqa: N812 -- its usual name

    parts = {"fc1": (784, 400), "mu": (400, 20), "logvar": (400, 20), "fc3": (20, 400)}
    net = nn.ModuleDict({k: nn.Linear(*v) for k, v in (parts | {"fc4": (400, 784)}).items()})

    def loss(x: Any) -> Any:
        x = x.view(-1, 784)
        h = F.relu(net["fc1"](x))
        mu, logvar = net["mu"](h), net["logvar"](h)
        std = torch.exp(0.5 * logvar)
        z = mu + std * torch.randn_like(std)
        x_hat = torch.sigmoid(net["fc4"](F.relu(net["fc3"](z))))
        bce = F.binary_cross_entropy(x_hat, x, reduction="sum")
        return (bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())) / len(x)

    return net, loss, 1e-3, 128


def a_dense_ae() -> tuple[Any, Callable[[Any], Any], float, int]:
    """784-200-20-200-784 with the settings of source 004."""
    from torch.nn import functional as F  # noqa: N812 -- its usual name

    from vaeflash.lab.networks import DenseAutoencoder

    net = DenseAutoencoder(784, 200, 20)
    return net, lambda x: F.mse_loss(net(x.view(-1, 784)), x.view(-1, 784)), 2.5e-4, 32


def a_conv_ae() -> tuple[Any, Callable[[Any], Any], float, int]:
    """The network of source 002 on batches of 32; its rate is the lecture's."""
    from torch.nn import functional as F  # noqa: N812 -- its usual name

    from vaeflash.lab.networks import ConvAutoencoder

    net = ConvAutoencoder(2)
    return net, lambda x: F.mse_loss(net(x), x), 5e-4, 32


def published_pythae(judge: Judge, x: Any, x_test: Any) -> None:
    """The VAE and the trainer of pythae, on cross-entropy, with the README's rate and batches."""
    from pythae.models import VAE, VAEConfig
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    imports = time.process_time() - judge.paused
    settings = VAEConfig(input_dim=(1, 28, 28), latent_dim=16, reconstruction_loss="bce")
    net = VAE(settings)
    epoch = len(x) // 64

    class Judging(TrainingCallback):  # type: ignore[misc]
        steps = 0

        def on_train_step_end(self, training_config: Any, **_: Any) -> None:  # noqa: ARG002
            self.steps += 1
            if self.steps % (epoch // 4) == 0:
                done = judge.measure(lambda x: net({"data": x}).loss, x_test, self.steps / epoch)
                if done:
                    judge.tell(net, imports)
                    sys.stdout.flush()
                    os._exit(0)  # its trainer has no other way to stop

    with TemporaryDirectory() as folder, redirect_stderr(StringIO()):  # its progress bars
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=MOST_EPOCHS,
            learning_rate=1e-3,
            per_device_train_batch_size=64,
            seed=judge.seed,
        )
        TrainingPipeline(training_config=config, model=net)(x, callbacks=[Judging()])


# Ours


@dataclass(frozen=True)
class Recipe:
    """How the lab trains: found on pilot seeds, and the same for every seed."""

    epochs: float
    batch_size: int
    rate: float


RECIPES = {
    "vae": Recipe(3, 128, 8e-3),
    "pythae": Recipe(1.25, 128, 1.2e-2),
    "dense": Recipe(1.3, 128, 1.2e-2),
    "conv": Recipe(0.28, 32, 6e-3),
}


def ours(task: str, seed: int) -> None:
    """Train with the lab, judge once, then look where the time goes."""
    import torch
    from torch.nn import functional as F  # noqa: N812 -- its usual name

    from vaeflash.lab import networks
    from vaeflash.lab.bench import Bench
    from vaeflash.lab.elbo import kl_to_prior
    from vaeflash.lab.precision import fastest
    from vaeflash.lab.schedules import linear
    from vaeflash.lab.training import train

    imports = time.process_time()
    lab, recipe, judge = Bench(seed, needs=("digits",)), RECIPES[task], Judge(task, seed)
    digits = lab.data("digits")
    x, x_test = digits.train, digits.test
    network: Any
    if task == "conv":
        last = torch.channels_last
        network = networks.Centred(networks.ConvAutoencoder(2), x.mean(0)).to(memory_format=last)
        x = x.contiguous(memory_format=last)
    else:
        x, x_test = x.flatten(1), x_test.flatten(1)
        build = networks.DenseAutoencoder if task == "dense" else networks.GaussianVAE
        widths = {"vae": (784, 400, 20), "pythae": (784, 512, 16), "dense": (784, 200, 20)}
        network = build(*widths[task])
        networks.start_at_mean(network.encoder, network.decoder, x)

    def squared_error(network: Any, x: Any) -> Any:
        return F.mse_loss(network(x), x)

    def negative_elbo(network: Any, x: Any) -> Any:
        mu, logvar = network.encode(x)
        logits = network.decode(networks.reparameterize(mu, logvar))
        bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return (bce + kl_to_prior(mu, logvar).sum()) / len(x)

    loss = squared_error if task in ("dense", "conv") else negative_elbo
    steps = round(recipe.epochs * len(x) / recipe.batch_size)
    adam = torch.optim.Adam(network.parameters(), recipe.rate, betas=(0.9, 0.99), fused=True)

    def take(steps: int) -> None:
        train(
            network,
            loss,
            x,
            steps=steps,
            batch_size=recipe.batch_size,
            optimizer=adam,
            generator=lab.generator("batches"),
            schedule=linear(steps),
            precision=fastest(lab.device),
        )

    take(steps)
    judge.measure(lambda x: loss(network, x), x_test, recipe.epochs)
    with torch.profiler.profile() as profiler:
        take(20)
    judge.tell(network, imports, precision=fastest(lab.device), products=products(profiler))


PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "mkldnn::_linear_pointwise")


def products(profiler: Any) -> float:
    """The share of the time in matrix products and convolutions themselves, forth and back."""
    times = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    inner = sum(
        t
        for key, t in times.items()
        if key in PRODUCTS or "convolution" in key.removeprefix("aten::").split("::")[0]
    )
    return inner / sum(times.values())


# The parent


def arm(way: str, task: str, seed: int) -> dict[str, Any]:
    """One way in a process of its own."""
    words = [sys.executable, "-W", "ignore", __file__, task, "--arm", way, "--seed", str(seed)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def race(name: str, seed: int, share: float) -> None:
    """Both ways at one task, and what came of it."""
    task = TASKS[name]
    print(f"{task.about}, to {task.target} {task.unit}")
    theirs = arm("published", name, seed)
    while theirs["found"] >= task.stuck:
        print(f"  as published   stuck at {theirs['found']:.4f} from seed {theirs['seed']}")
        theirs = arm("published", name, theirs["seed"] + 1)
    ours = arm("ours", name, seed)
    if theirs["parameters"] != ours["parameters"]:
        raise SystemExit(f"not the same network: {theirs['parameters']}, {ours['parameters']}")
    for way, found in (("as published", theirs), ("vaeflash.lab", ours)):
        spent = f"{found['cpu']:6.1f} s CPU ({found['imports']:.1f} s of them imports)"
        missed = "" if found["found"] <= task.target else "   MISSED"
        print(f"  {way:14s} {spent}, {found['epochs']:.2f} epochs: {found['found']:.5g}{missed}")
    ratio = theirs["cpu"] / ours["cpu"]
    bare = (theirs["cpu"] - theirs["imports"]) / (ours["cpu"] - ours["imports"])
    goal = f"goal {share * task.goal:g} x on this CPU"
    print(f"  {ratio:.1f} x faster, {bare:.1f} x without imports; {goal}")
    inner = f"{ours['products']:.0%} of our training in products and convolutions"
    print(f"  {inner}, {ours['precision']}")


def main() -> None:
    """Race at each task asked for."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("tasks", nargs="*", choices=[*TASKS, []], default=[], metavar="TASK")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--arm", choices=("published", "ours"), help=argparse.SUPPRESS)
    asked = words.parse_args()
    tasks = asked.tasks or list(TASKS)
    if asked.arm:
        return {"published": published, "ours": ours}[asked.arm](tasks[0], asked.seed)
    import torch

    mnist_folder()
    capability = torch.backends.cpu.get_cpu_capability()
    share = 1.0 if capability == AVX512 else 0.5
    print(
        f"CPU with {capability}{'' if share == 1 else ', without AVX-512: half is expected'}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    for name in tasks:
        race(name, asked.seed, share)
    return None


if __name__ == "__main__":
    main()
