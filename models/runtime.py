"""Ultralytics as installed → Ultralytics without a network, a console or surprises.

Its settings live in module globals that are read once at import, so every module
that needs torch or ultralytics asks here first.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from common.errors import ConfigError

# read before we set it ourselves: somebody who switched the network off means it
NETWORK_IS_OFF = os.environ.get("YOLO_OFFLINE", "").lower() in ("1", "true", "yes")
_CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
CPU_THREADS = max(1, min(_CPUS, 8))
"""Of the processors that this process may use: on Linux taskset(1) or a container limits them."""
HEAVY_LIBRARIES = ("torch", "torchvision", "ultralytics", "onnx", "onnxruntime", "cv2")

# <malloc.h> of glibc
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER_TRIM_BYTES, _NEVER_MAP_BYTES = 2**31 - 1, 2**30


def prepare(*, offline: bool = True) -> None:
    """Make ultralytics importable, quiet, and (by default) unable to reach out.

    Args:
        offline: False lets Ultralytics download a model that was asked for by name.

    Raises:
        ConfigError: A library of the ``train`` extra is not installed.
    """
    missing = [name for name in HEAVY_LIBRARIES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} not installed, expected the train extra",
            hint="pip install 'its-camera-ai[train]'",
        )
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder() / "ultralytics"))
    os.environ["YOLO_OFFLINE"] = "true" if offline or NETWORK_IS_OFF else "false"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ.setdefault("YOLO_VERBOSE", "false")
    _place_fonts(Path(os.environ["YOLO_CONFIG_DIR"]) / "Ultralytics")


def use_all_threads(most: int = 0) -> None:
    """Give torch every core again: Ultralytics takes one away when it selects the CPU.

    Args:
        most: So many threads and no more; 0 for every core.
    """
    import torch

    torch.set_num_threads(min(most, CPU_THREADS) if most else CPU_THREADS)


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of freed tensors instead of handing it back.

    glibc maps every large tensor anew, and a virtual machine pays dearly for each fresh
    page: a training step of 16 images took 11 to 17 s before this and 1.9 s after.

    Returns:
        Whether it took effect; other C libraries than glibc have no such switch.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wishes = ((_M_MMAP_THRESHOLD, _NEVER_MAP_BYTES), (_M_TRIM_THRESHOLD, _NEVER_TRIM_BYTES))
    return all(mallopt(switch, value_bytes) for switch, value_bytes in wishes)


def cache_folder() -> Path:
    """Where derived files of the bench live; ``ITS_CACHE_DIR`` moves it.

    Raises:
        ConfigError: The folder cannot be created.
    """
    default = Path.home() / ".cache" / "its-camera-ai"
    folder = Path(os.environ.get("ITS_CACHE_DIR", default)).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cache folder {folder} cannot be created: {error.strerror}",
            hint="name a writable folder in ITS_CACHE_DIR",
        ) from error
    return folder


def _place_fonts(folder: Path) -> None:
    # check_det_dataset fetches a label font on first use; a TrueType file in its place stops that
    wanted = [folder / name for name in ("Arial.ttf", "Arial.Unicode.ttf")]
    if all(path.exists() for path in wanted):
        return
    folder.mkdir(parents=True, exist_ok=True)
    fonts: list[Path] = []
    for library, below in (("cv2", "qt/fonts"), ("matplotlib", "mpl-data/fonts/ttf")):
        spec = find_spec(library)
        if spec is not None and spec.origin is not None:
            fonts += sorted((Path(spec.origin).parent / below).glob("*.ttf"))
    fonts += sorted(Path("/usr/share/fonts").rglob("*.ttf"))
    for path in wanted:
        if fonts and not path.exists():
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(fonts[0].read_bytes())
            shutil.move(part.name, path)
