"""A run over the real SuperLink, SuperExec and SuperNodes; everything may be killed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from common.encryption import SigningKey
from common.flower_processes import (
    NodePlace,
    flower_environment,
    supernode_command,
    trusted_entities,
)
from common.free_ports import free_port
from common.private_files import write_private
from common.rounds import RunState
from coordinator.config import CoordinatorConfig, FederationSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.federation.driving import RunDriver
from coordinator.federation.flower_bench import FlowerBench
from coordinator.federation.flower_control import FlowerControl
from coordinator.federation.nodes import NodeRegistry
from coordinator.federation.part import _asks, _driver
from coordinator.federation.superlink import FlowerPart, FlowerPlace
from coordinator.federation.supervision import Supervised, Supervision
from coordinator.federation.views import RunWish
from coordinator.setting_up import set_up
from models.federated.bundle import build_bundle
from models.federated.bundle_signing import sign_bundle
from models.federated.hub_service import Hub
from tests.conftest import REPOSITORY
from tests.fakes.federated_fleet import enrol_box, synthetic_parent
from tests.fakes.flower_trainer import GATE, fill_learn_folder, package_with_trainer, samples_at
from tests.integration.federation.conftest import state_of, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.ml, pytest.mark.slow, pytest.mark.timeout(600)]

WAIT_S = 300.0
"""Each word with Flower is a fresh interpreter; a busy machine takes half a minute for one."""
ENDS = (RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED)


@dataclass
class Town:
    """One coordinator with three boxes."""

    container: CoordinatorContainer
    folder: Path
    gate: Path
    devices: list[str]
    first: tuple[FlowerPart, RunDriver] | None = None

    @property
    def place(self) -> Path:
        return self.container.settings().federation_folder / "flower"

    def parts(self) -> tuple[FlowerPart, RunDriver]:
        """What a coordinator that starts now has."""
        settings, container = self.container.settings(), self.container
        assert settings.federation is not None
        place = FlowerPlace(settings, settings.federation, container.certificates())
        control = FlowerControl(_asks(place))
        registry = NodeRegistry(
            container.database(),
            control,
            folder=place.folder / "nodes",
            tenant=settings.tenant.id,
            clock=container.clock(),
        )
        # The hub is a thread of this test.
        orders = (place.link_order, place.exec_order)
        flower = FlowerPart(
            Supervision([Supervised(order, container.clock()) for order in orders]),
            registry,
            answers=place.answers,
            is_idle=lambda: False,
        )
        bench = FlowerBench(control, clock=container.clock(), log_file=place.folder / "none")
        return flower, _driver(container, settings.federation, bench, nodes=registry.nodes)

    def kill(self, name: str) -> None:
        note = json.loads((self.place / f"{name}.pid.json").read_text())
        os.killpg(note["pid"], signal.SIGKILL)

    def nodes_registered(self) -> int:
        store = self.container.database()
        with store.session() as session:
            from coordinator.federation.nodes_store import NodeStore  # noqa: PLC0415

            return len(NodeStore(session, "city").nodes())


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    gate = tmp_path / "gate"
    gate.mkdir()
    package = package_with_trainer(tmp_path / "packages")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(package), str(REPOSITORY))))
    monkeypatch.setenv(GATE, str(gate))
    monkeypatch.setenv("FLWR_SUPEREXEC_TASK_POLL_INTERVAL", "0.2")
    release = SigningKey.generate()
    federation = FederationSettings(
        port=free_port(),
        hub_port=free_port(),
        release_key=base64.b64encode(release.public.raw).decode(),
        parent=synthetic_parent(tmp_path / "parent"),
    )
    container = coordinator_container(
        CoordinatorConfig(data_folder=tmp_path / "data", federation=federation)
    )
    set_up(container)
    bundle = build_bundle()
    signed = sign_bundle(bundle, release, at=datetime.now(UTC))
    hub = Hub(bundle, signed, port=federation.hub_port)
    serving = threading.Thread(target=hub.serve_forever, args=(0.05,))
    serving.start()
    trusted = tmp_path / "trusted.yaml"
    trusted.write_text(trusted_entities({release.public.key_id: release.public.raw}))
    town = Town(container, tmp_path, gate, [])
    with ExitStack() as stack:
        stack.callback(container.database().close)
        stack.callback(serving.join)
        stack.callback(hub.server_close)
        stack.callback(hub.shutdown)
        town.first = town.parts()
        town.first[0].start()
        stack.callback(town.first[0].stop)
        boxes = [box(town, trusted, place) for place in range(2)]
        for each in boxes:
            stack.enter_context(each)
        yield town


class box:  # noqa: N801 - reads like a word of the with statement
    """A box that was enrolled, and its SuperNode until the end of the block."""

    def __init__(self, town: Town, trusted: Path, place: int) -> None:
        key = ec.generate_private_key(ec.SECP384R1())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        device = enrol_box(town.container, key=public.decode())
        town.devices.append(device)
        folder = town.folder / device
        learn = fill_learn_folder(folder / "learn", samples_at(0.2 + 0.1 * place, count=30))
        secret = folder / "node.key"
        write_private(
            secret, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
        settings = town.container.settings()
        self._command = supernode_command(
            NodePlace(
                link=f"127.0.0.1:{settings.federation.port}",
                authority=town.container.certificates().trust_file,
                key=secret,
                trusted=trusted,
                own_port=free_port(),
                device=device,
                learn_folder=learn,
            )
        )
        self._town, self._folder, self._number = town, folder, place + 1

    def __enter__(self) -> None:
        wait_until("its key is registered", lambda: self._town.nodes_registered() >= self._number)
        home = self._folder / "home"
        home.mkdir()
        with (self._folder / "node.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=flower_environment(os.environ, home=home),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def test_a_run_survives_the_death_of_superlink_server_app_and_coordinator(town: Town) -> None:
    manager = town.container.training()
    samples = dict.fromkeys(town.devices, 30)
    (town.gate / "hold").touch()
    manager.launch(
        RunWish(
            run="first",
            samples=samples,
            quorum=2,
            deadline_s=240,
            local={"learning_rate": 0.5, "epochs": 1},  # type: ignore[arg-type]
        )
    )

    assert town.first is not None
    flower, driver = town.first
    with ExitStack() as stack:
        stepping = Stepping(driver)
        stack.callback(stepping.stop)
        wait_until("a box trains", (town.gate / "started").exists, wait_s=WAIT_S)
        town.kill("superlink")
        (town.gate / "hold").unlink()
        wait_until(
            "round 1 is taken in or the run goes on",
            lambda: manager.show("first").round >= 1 or state_of(town.container, "first") in ENDS,
            wait_s=WAIT_S,
        )
        stepping.stop()
        flower._stop.set()  # this coordinator is no more; its processes live

        again, later = town.parts()
        again.start()
        stack.callback(again.stop)
        town.kill("superexec")
        last = Stepping(later)
        stack.callback(last.stop)
        wait_until("it ends", lambda: state_of(town.container, "first") in ENDS, wait_s=WAIT_S)

    view = manager.show("first")
    assert (view.state, view.round, view.reason) == (RunState.CANDIDATE, 2, "")
    assert {client.device for client in view.finished[-1].clients} == set(town.devices)
    assert manager.verify("first").findings == []


class Stepping:
    """A driver in a thread, as ``coordinator serve`` has it."""

    def __init__(self, driver: RunDriver) -> None:
        from coordinator.metrics import Metrics  # noqa: PLC0415
        from coordinator.parts import Loop  # noqa: PLC0415

        self._loop = Loop("rounds", driver.step, every_s=0.5, metrics=Metrics())
        self._loop.start()
        self._ended = threading.Event()

    def stop(self) -> None:
        self._loop.stop()
