"""Settings → the concrete objects of one edge process; nobody else chooses a class."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from dependency_injector import containers, providers

from common.errors import ConfigError
from common.site import Camera
from common.timing import Clock, SystemClock
from edge.agent import Agent, AgentSettings
from edge.capture.frames import FrameSource
from edge.capture.ingestion import CaptureSettings, DataIngestionPipeline
from edge.capture.opening import SourceFactory, open_source
from edge.config import EdgeConfig
from edge.detect.backend import Backend
from edge.detect.batching import BatchingDetector
from edge.detect.decode import Thresholds
from edge.detect.engine import InferenceEngine
from edge.detect.engine_cache import EngineCache
from edge.detect.lanes import CpuShare
from edge.detect.models import ModelFile, find_model
from edge.detect.onnx_backend import Device, OnnxBackend
from edge.detect.tensorrt_backend import TensorRtBackend
from edge.health import HealthWriter
from edge.keeping.incident_board import IncidentBoard
from edge.keeping.keeper import BinKeeper
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.learn.learning import learning
from edge.measure.stage import Measure
from edge.passwords import Passwords
from edge.pipeline import CameraPipeline, Detector, Stages
from edge.plate_taking import plate_taker, together
from edge.services import Box, HealthBoard, services
from edge.simulate.opening import open_simulated
from edge.track.tracker import Tracker
from edge.update.releases import USUAL_LONG_SIDE, choose, open_releases
from edge.worker import CameraWorker, OpenedCamera

SCORE_FLOOR = 0.1
"""What the tracker's last round of association may still use; nothing below leaves the engine."""

DEFAULT_ENGINE_CACHE = Path.home() / ".cache" / "its-camera-ai" / "engines"
"""Where TensorRT engines are kept unless the agent's data folder is named."""

BACKENDS = ("onnx", "onnx-cuda", "onnx-tensorrt", "tensorrt")


def open_backend(model: ModelFile, *, kind: str, threads: int, cache: Path) -> Backend:
    """The runtime that an operator asked for.

    Raises:
        ConfigError: No such backend, or it is not available on this machine.
    """
    match kind:
        case "onnx":
            share = CpuShare.of(threads)
            return OnnxBackend(model.path, device=Device.CPU, threads=share.threads)
        case "onnx-cuda":
            return OnnxBackend(model.path, device=Device.CUDA, threads=threads)
        case "onnx-tensorrt":
            return OnnxBackend(model.path, device=Device.TENSORRT, threads=threads)
        case "tensorrt":
            return TensorRtBackend(model, cache=EngineCache(cache))
        case _:
            raise ConfigError(f"backend {kind!r} is unknown, expected one of {', '.join(BACKENDS)}")


SCHEMES: Mapping[str, SourceFactory] = MappingProxyType({"simulate": open_simulated})


def lanes_of(kind: str, threads: int) -> int:
    """Inferences side by side: a GPU works in batches instead."""
    return CpuShare.of(threads).lanes if kind == "onnx" else 1


def open_shared_detector(
    engine: InferenceEngine, *, kind: str
) -> BatchingDetector | InferenceEngine:
    """What the cameras of a box share: batches for a GPU, lanes for a CPU."""
    return engine if kind == "onnx" else BatchingDetector(engine)


def open_capture(
    camera: Camera,
    *,
    clock: Clock,
    stop: threading.Event,
    settings: CaptureSettings,
    passwords: Passwords,
) -> DataIngestionPipeline:
    """Frames of the camera, at its native size; secrets are looked up at each opening."""

    def open_camera() -> FrameSource:
        source = passwords.filled(camera.source)
        return open_source(source, camera_id=camera.id, clock=clock, schemes=SCHEMES)

    return DataIngestionPipeline(
        open_camera, camera_id=camera.id, clock=clock, stop=stop, settings=settings
    )


class EdgeContainer(containers.DeclarativeContainer):
    """One process on the box: one engine, and per camera a capture, a tracker and a measure."""

    config = providers.Configuration()
    clock = providers.Singleton(SystemClock)
    stop = providers.Singleton(threading.Event)
    factory = providers.Singleton(find_model, config.model)
    releases = providers.ThreadSafeSingleton(
        open_releases, config.release_folder, factory=factory, clock=clock
    )
    chosen = providers.ThreadSafeSingleton(
        choose, releases, factory=factory, input_long_side=config.input_long_side.as_int()
    )
    model = chosen.provided.model
    backend = providers.Singleton(
        open_backend,
        model,
        kind=config.backend,
        threads=config.threads.as_int(),
        cache=config.engine_cache.as_(Path),
    )
    lanes = providers.Singleton(lanes_of, config.backend, config.threads.as_int())
    engine = providers.Singleton(
        InferenceEngine,
        backend,
        thresholds=Thresholds(floor=SCORE_FLOOR),
        input_long_side=chosen.provided.input_long_side,
        model=model,
        lanes=lanes,
    )
    # Camera threads ask for it at the same moment.
    shared_detector = providers.ThreadSafeSingleton(
        open_shared_detector, engine, kind=config.backend
    )
    capture_settings = providers.Factory(CaptureSettings)
    tracker = providers.Factory(Tracker)
    passwords = providers.Singleton(Passwords, secrets_file=config.secrets_file)
    capture = providers.Factory(
        open_capture, clock=clock, stop=stop, settings=capture_settings, passwords=passwords
    )
    measure = providers.Factory(Measure)
    agent_settings = providers.Factory(AgentSettings)
    plates = providers.Factory(plate_taker, detector=shared_detector.provider, clock=clock)


def edge_container(
    *,
    model: str | None = None,
    backend: str = "onnx",
    threads: int = 0,
    engine_cache: Path = DEFAULT_ENGINE_CACHE,
    input_long_side: int = USUAL_LONG_SIDE,
) -> EdgeContainer:
    """A container with its settings in place."""
    container = EdgeContainer()
    container.config.from_dict(
        {
            "model": model,
            "backend": backend,
            "threads": threads,
            "engine_cache": str(engine_cache),
            "input_long_side": input_long_side,
        }
    )
    return container


def camera_pipeline(
    container: EdgeContainer,
    camera: Camera,
    detector: Detector,
    *,
    capture: DataIngestionPipeline | None = None,
    in_flight: int = 1,
) -> CameraPipeline:
    """The whole chain for one camera; ``capture`` only where the caller asks for its status."""
    return CameraPipeline(
        camera=camera,
        capture=capture or container.capture(camera),
        stages=Stages(
            detector=detector,
            tracker=container.tracker(),
            measure=container.measure(camera),
            in_flight=in_flight,
        ),
        stop=container.stop(),
    )


def agent_container(config: EdgeConfig) -> EdgeContainer:
    """A container with the settings of an agent."""
    container = edge_container(
        model=config.model,
        backend=config.backend,
        threads=config.threads,
        engine_cache=config.engine_cache,
    )
    release_folder = config.release_folder if config.takes_releases else None
    container.config.from_dict(
        {"secrets_file": config.secrets_file, "release_folder": release_folder}
    )
    return container


def edge_agent(
    container: EdgeContainer,
    config: EdgeConfig,
    cameras: Sequence[Camera],
    store: BinStore,
    *,
    restart: Callable[[], None] | None = None,
) -> Agent:
    """The agent for these cameras; the model is loaded here, so that a bad one is told at once.

    Args:
        container: What it is made of.
        config: Settings of this box.
        cameras: To count on.
        store: Where bins are kept.
        restart: Asks for another agent, with the site file as it is then; default: stop.

    Raises:
        ConfigError: The model or the backend cannot be used.
    """
    engine = container.engine()
    info, clock, stop = engine.info, container.clock(), container.stop()
    learn = learning(config, clock=clock, model=container.model)
    plates = container.plates(config, cameras)

    def open_camera(camera: Camera) -> OpenedCamera:
        capture = container.capture(camera)
        pipeline = camera_pipeline(
            container,
            camera,
            container.shared_detector(),
            capture=capture,
            in_flight=max(engine.lanes // len(cameras), 1),
        )
        onlooker = together(learn.onlooker(camera), plates.onlooker(camera.id))
        return OpenedCamera(pipeline=pipeline, capture=capture, onlooker=onlooker)

    incidents = IncidentBoard()
    workers = [
        CameraWorker(
            camera,
            open_camera=open_camera,
            keeper=BinKeeper(store, camera_id=camera.id, clock=clock),
            clock=clock,
            incidents=incidents,
        )
        for camera in cameras
    ]
    model = f"{info.name} {info.version} {info.backend}"
    writer = HealthWriter(config.health_file, model=model, clock=clock, losses=store.losses)
    board = HealthBoard(writer, clock=clock)
    settings = container.agent_settings(
        health_every_s=config.health.every_s, no_progress_s=config.health.no_progress_s
    )
    agent = Agent(workers, write_health=board, stop=stop, clock=clock, settings=settings)
    box = Box(
        config=config,
        cameras=tuple(cameras),
        store=store,
        board=board,
        incidents=incidents,
        clock=clock,
        model=model,
        restart=restart or stop.set,
        learning=learn.state,
        plates=plates,
        releases=container.releases(),
        running=container.chosen(),
    )
    agent.accompany(*services(box), *learn.services, plates)
    return agent


def open_store(container: EdgeContainer, config: EdgeConfig) -> BinStore:
    """The bins of this box.

    Raises:
        ConfigError: A newer version of the product wrote them.
        UnreachableError: The disk cannot be used.
    """
    limits = StoreLimits(
        max_days=config.store.max_days, max_bytes=int(config.store.max_mb * 1_000_000)
    )
    return BinStore(config.store_file, limits=limits, clock=container.clock())
