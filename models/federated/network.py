"""A network ↔ one flat vector of its weights, the only thing of it that ever travels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.federated.parameters import Layout, flatten, layout_of, unflatten
from models.training import clean, copy_of

F32 = NDArray[np.float32]


def layout_of_network(model: Any) -> Layout:
    """Where each tensor of a network lies in its vector.

    Args:
        model: ``ultralytics.YOLO``.
    """
    return layout_of(_state(model.model))


def vector_of(model: Any, layout: Layout) -> F32:
    """The weights of a network, shape (layout.size,), a copy.

    Args:
        model: ``ultralytics.YOLO``.
        layout: Of this network.
    """
    return flatten(_state(model.model), layout)


def vector_of_network(network: Any, layout: Layout) -> F32:
    """The same of the torch module inside a YOLO."""
    return flatten(_state(network), layout)


def load_vector(model: Any, vector: F32, layout: Layout) -> None:
    """Write a vector into a network; what is not in it stays.

    Args:
        model: ``ultralytics.YOLO`` of this layout.
        vector: Shape (layout.size,).
        layout: Of this network.

    Raises:
        ValueError: The vector is of another length.
    """
    _load(model.model, vector, layout)


def network_with(model: Any, vector: F32, layout: Layout) -> Any:
    """The torch module alone, with other weights: what training needs, at half the copying."""
    network = clean(model.model)
    _load(network, vector, layout)
    return network


def with_vector(model: Any, vector: F32, layout: Layout) -> Any:
    """A copy of a network that holds other weights; ``model`` stays as it is."""
    twin = copy_of(model)
    load_vector(twin, vector, layout)
    return twin


def _load(network: Any, vector: F32, layout: Layout) -> None:
    import torch

    if vector.shape != (layout.size,):
        raise ValueError(f"vector of shape {vector.shape}, expected ({layout.size},)")
    state = network.state_dict()
    with torch.no_grad():
        for name, values in unflatten(vector, layout).items():
            state[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))


def _state(network: Any) -> dict[str, NDArray[Any]]:
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}
