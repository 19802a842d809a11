"""What this machine has, found without importing torch: that import takes seconds.

The run cache and the ledger are keyed by torch's minor version and by the kind of device, and a
check that finds everything in the cache should not need torch at all.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vaeflash.errors import MachineError, Problem, VaeflashError

_SHORTAGES = {
    number
    for name in ("ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "ENOSPC", "EDQUOT", "EIO")
    if (number := getattr(errno, name, None))
}
"""Memory, open files, processes, room on the disk: what the operating system may run out of."""
_SIGNS = (
    *(os.strerror(number).casefold() for number in sorted(_SHORTAGES)),
    "can't allocate memory",
    "out of memory",
    "alloc_failed",
    "can't start new thread",
    "failed to map segment",
    "killed by signal",
    "exited unexpectedly",
    "terminated abruptly",
)
"""What the exceptions of libraries say instead, as those of torch and of dynamic linkers."""


@cache
def torch_version() -> str:
    """The installed torch, e.g. `2.13.0+cpu`; empty if there is none.

    Read from the file in which torch keeps it: importlib.metadata costs more to import than
    everything else that `list` does with a version.
    """
    spec = find_spec("torch")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, "version.py")
        found = file.is_file() and re.search(r"__version__ = '([^']+)'", file.read_text())
        if found:
            return found[1]
    return ""


def torch_minor() -> str:
    """The part of torch's version that evidence depends on, e.g. `2.13`."""
    return ".".join(torch_version().split(".")[:2])


@cache
def cuda_devices() -> int:
    """How many NVIDIA GPUs the driver offers to this process; 0 with a CPU build of torch."""
    if "+cpu" in torch_version() or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


def choose_device(wanted: str = "auto") -> str:
    """The device to run on: "cpu", "cuda" or "cuda:N".

    Raises:
        VaeflashError: There is no such device here, or no such word.
    """
    if wanted == "auto":
        return "cuda" if cuda_devices() else "cpu"
    kind, _, number = wanted.partition(":")
    if wanted == "cpu":
        return "cpu"
    if kind != "cuda" or (number and not number.isdigit()) or wanted.endswith(":"):
        raise VaeflashError(
            Problem(f"--device {wanted}", "no such device.", "Use auto, cpu, cuda or cuda:N.")
        )
    if int(number or 0) >= cuda_devices():
        raise VaeflashError(
            Problem(
                f"--device {wanted}",
                f"this machine offers {cuda_devices()} CUDA devices to torch.",
                "Use --device cpu; `vaeflash doctor` says what is missing for a GPU.",
            )
        )
    return wanted


def of_this_machine(error: BaseException) -> bool:
    """Whether an exception, or one that it came from, says that this machine ran out of something.

    Then it says nothing of the program that it ended: elsewhere, or later, that may end well. A
    process of its own that was killed counts likewise.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return any(map(_is_shortage, chain))


def _is_shortage(error: BaseException) -> bool:
    return (
        isinstance(error, MemoryError | MachineError)
        or (isinstance(error, OSError) and error.errno in _SHORTAGES)
        or any(sign in str(error).casefold() for sign in _SIGNS)
    )


def processors() -> int:
    """How many processors this process may use.

    In a container these are fewer than there are; of processes that torchrun started, each has
    its share.
    """
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return max(1, found // max(1, _told_by_torchrun("LOCAL_WORLD_SIZE", 1)))


def is_joined() -> bool:
    """Whether this process is one of several that torchrun started."""
    return _told_by_torchrun("WORLD_SIZE", 1) > 1


def follows() -> bool:
    """Whether another of them shows and records what happens: all but the first follow."""
    return is_joined() and _told_by_torchrun("RANK", 0) > 0


def _told_by_torchrun(variable: str, alone: int) -> int:
    """A number of the environment; `alone` where torchrun did not start this process.

    Raises:
        VaeflashError: It is set, and not to a number.
    """
    value = os.environ.get(variable, str(alone))
    if not re.fullmatch("[0-9]{1,9}", value):
        raise VaeflashError(
            Problem(variable, f"'{value}' is no number.", "torchrun sets it: unset it otherwise.")
        )
    return int(value)


def device_kind(device: str) -> str:
    """`cuda` for `cuda:1`: evidence names the kind of device, not its number."""
    return device.partition(":")[0]


def has_extra(name: str) -> bool:
    """Whether the module that an extra installs can be found; nothing is imported."""
    if not name.isidentifier():
        return False  # to look inside of a package, Python would import that package
    try:
        return find_spec(name) is not None
    except ValueError:  # of a module that came from nowhere, such as `__main__`
        return False
