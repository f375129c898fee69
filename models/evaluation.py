"""A model and evaluation folders → mAP per set and class, and how fast the file runs.

Scores are Ultralytics' own validator's (COCO-style AP, 101 recall points), on the file
as it is deployed: a checkpoint or an ONNX file, 640 px, rectangular batches.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common.telemetry import refuse_telemetry
from models.dataset import class_counts, write_data_yaml
from models.detector import load_model
from models.runtime import CPU_THREADS, prepare, use_all_threads
from models.scores import Precision, Scores, SetScore

DEPLOYED_PX = 640
SPEED_SIZE = (384, 640)  # a 16:9 camera


def evaluate(
    model: Any,
    folders: Mapping[str, Path],
    *,
    image_px: int = DEPLOYED_PX,
    batch: int = 8,
    threads: int = 0,
) -> Scores:
    """Score a model on each folder.

    Args:
        model: ``ultralytics.YOLO`` with our classes, from a checkpoint or an ONNX file.
        folders: Name → folder with ``images`` and ``labels``.
        image_px: Longer side of the input.
        batch: Images per inference.
        threads: Of torch; 0 for every core.
    """
    return {
        name: _evaluate_one(model, folder, (image_px, batch, threads))
        for name, folder in folders.items()
    }


def open_for_evaluation(path: str | Path) -> Any:
    """Open a checkpoint, or an ONNX file, as something ``evaluate`` takes.

    Raises:
        ConfigError: It does not exist, or is no detector of our classes.
    """
    if str(path).endswith(".onnx") and Path(path).exists():
        prepare()
        from ultralytics import YOLO

        return YOLO(str(path), task="detect")
    return load_model(path)


def milliseconds(
    files: Mapping[str, Path], *, rounds: int = 40, size: tuple[int, int] = SPEED_SIZE
) -> dict[str, float]:
    """Median time of one inference per ONNX file on this machine's CPU.

    The files take turns, so that whatever else the machine does slows all of them alike.

    Args:
        files: Name → ONNX file.
        rounds: Inferences of each file.
        size: Height and width of the input.
    """
    refuse_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CPU_THREADS
    image = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
    sessions = {
        name: onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        for name, file in files.items()
    }
    took_s: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds + 1):
        for name, session in sessions.items():
            started_s = time.perf_counter()
            session.run(None, {"images": image})
            took_s[name].append(time.perf_counter() - started_s)
    # the first inference allocates
    return {name: 1000 * statistics.median(took[1:]) for name, took in took_s.items()}


def _evaluate_one(model: Any, folder: Path, how: tuple[int, int, int]) -> SetScore:
    image_px, batch, threads = how
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the validator: pinned memory, old APIs
        data = write_data_yaml(
            Path(scratch) / "data.yaml", train=folder / "images", val=folder / "images"
        )
        # the validator selects its device first, and takes a thread away when it does
        model.callbacks["on_val_start"] = [lambda _: use_all_threads(threads)]
        metrics = model.val(
            data=str(data),
            imgsz=image_px,
            batch=batch,
            device="cpu",
            workers=0,
            conf=0.001,
            iou=0.7,
            plots=False,
            save_json=False,
            verbose=False,
            project=scratch,
            name="val",
        )
    counts = class_counts([folder])
    names = {int(i): str(name) for i, name in metrics.names.items()}
    classes = {}
    for position, index in enumerate(metrics.box.ap_class_index):
        label = names[int(index)]
        if label in counts:
            classes[label] = Precision(
                map50=float(metrics.box.ap50[position]),
                map50_95=float(metrics.box.ap[position]),
                boxes=counts[label],
            )
    mean = Precision(
        map50=sum(p.map50 for p in classes.values()) / max(len(classes), 1),
        map50_95=sum(p.map50_95 for p in classes.values()) / max(len(classes), 1),
        boxes=sum(counts.values()),
    )
    return SetScore(mean=mean, classes=classes)
