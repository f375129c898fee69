"""A run folder and hundreds of virtual boxes → the same rounds under Flower's simulation engine.

Orders, training, screening and aggregation are the ones of the fleet; only nodes, keys and
sockets are missing. Each virtual box is a learn folder of its own below one folder, named as the
plan names its devices. Flower reads its switches when it is first imported, so ``simulate``
belongs into a process that set them (``common.flower_processes.SILENT``) before.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation
from flwr.supercore import telemetry

from common.errors import ConfigError, ConflictError, UnreachableError
from common.rounds import STATUS_FILE, RunState, RunStatus
from models.federated.client_app import answered
from models.federated.client_work import Box
from models.federated.grid_exchange import GridExchange
from models.federated.installed_trainers import bench_for, trainer_for
from models.federated.round_files import read_plan
from models.federated.round_loop import run_rounds

_PARTITION = "partition-id"
_WHO, _NUMBER = "who", "number"
_ASK_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualFleet:
    """Boxes that exist as folders alone.

    Attributes:
        boxes: Above the learn folders, each named as its device.
        at_once: So many train side by side.
    """

    boxes: Path
    at_once: int = 2


def simulate(folder: Path, fleet: VirtualFleet) -> RunStatus:
    """Work on a run with virtual boxes until there is a verdict.

    Raises:
        ConfigError: Flower was imported before its reports were switched off.
        ConflictError: The run failed; its status says why.
    """
    if telemetry.FLWR_TELEMETRY_ENABLED != "0":
        raise ConfigError(
            "Flower was imported with its usage reports on",
            hint="set FLWR_TELEMETRY_ENABLED=0 before the process starts",
        )
    plan = read_plan(folder)
    devices = tuple(client.device for client in plan.clients)
    run_simulation(
        server_app=_server(folder),
        client_app=_client(fleet.boxes, devices),
        num_supernodes=len(devices),
        backend_config={
            "init_args": {"num_cpus": fleet.at_once, "include_dashboard": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    status = RunStatus.model_validate_json((folder / STATUS_FILE).read_bytes())
    if status.state is RunState.FAILED:
        raise ConflictError(f"run {plan.run} failed: {status.reason}")
    return status


def _client(boxes: Path, devices: tuple[str, ...]) -> ClientApp:
    app = ClientApp()

    def box_of(context: Context) -> Box:
        device = devices[int(context.node_config[_PARTITION])]
        return Box(device=device, learn_folder=boxes / device, trainer_for=trainer_for)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return answered(message, box_of(context))

    @app.query()
    def who(message: Message, context: Context) -> Message:
        told = ConfigRecord({_NUMBER: int(context.node_config[_PARTITION])})
        return Message(RecordDict({_WHO: told}), reply_to=message)

    return app


def _server(folder: Path) -> ServerApp:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:  # noqa: ARG001 - Flower passes both
        plan = read_plan(folder)
        devices = tuple(client.device for client in plan.clients)
        nodes = _who_is_who(grid, devices)
        exchange = GridExchange(grid, partial(dict, nodes))
        run_rounds(exchange, folder, bench=bench_for(plan, folder))

    return app


def _who_is_who(grid: Grid, devices: tuple[str, ...]) -> dict[int, str]:
    """Node id → device; virtual nodes are believed, nobody else is there.

    Raises:
        UnreachableError: The engine did not bring up its nodes.
    """
    pause = threading.Event()
    nodes: list[int] = []
    for _ in range(int(_ASK_S)):
        nodes = list(grid.get_node_ids())
        if len(nodes) == len(devices):
            break
        pause.wait(1.0)
    else:
        raise UnreachableError(f"{len(nodes)} virtual nodes came up, expected {len(devices)}")
    asked = [
        Message(RecordDict({_WHO: ConfigRecord({})}), node, MessageType.QUERY) for node in nodes
    ]
    found = {}
    for reply in grid.send_and_receive(asked, timeout=_ASK_S):
        number = reply.content.config_records[_WHO][_NUMBER]
        if isinstance(number, int):
            found[reply.metadata.src_node_id] = devices[number]
    if len(found) != len(devices):
        raise UnreachableError(
            f"{len(found)} of {len(devices)} virtual boxes answered within {_ASK_S:.0f} s",
            hint="see the log of Ray's workers; a loaded machine starts them slowly",
        )
    return found
