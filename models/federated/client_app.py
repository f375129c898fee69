"""A Flower message on a box → the box's own installed training → a Flower message.

Flower starts a fresh process for every message and hands in what the SuperNode was started
with: name of the device and its learn folder. Content: record ``order`` (one JSON text) and
``weights`` (one array of raw numbers) down, ``answer`` and ``update`` up.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from pydantic import ValidationError

from common.errors import ConfigError, TrustError
from common.flower_processes import DEVICE_KEY, LEARN_FOLDER_KEY
from models.federated.client_work import Box, work
from models.federated.installed_trainers import trainer_for
from models.federated.orders import TrainingAnswer, TrainingOrder
from models.federated.secure_sum import is_secure, secure_reply

ORDER, WEIGHTS, ANSWER, UPDATE = "order", "weights", "answer", "update"
JSON_KEY = "json"
"""Key inside the two records of text."""
RAW = "its.raw"
"""Serialisation of our arrays: bytes as they are, nothing that a parser could trip over."""

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer one order.

    Raises:
        ConfigError: The SuperNode was not told who it is.
        TrustError: What arrived is no order; the node reports it as an error.
    """
    told = context.node_config
    device, folder = told.get(DEVICE_KEY), told.get(LEARN_FOLDER_KEY)
    if not isinstance(device, str) or not isinstance(folder, str):
        raise ConfigError(f"node config without {DEVICE_KEY} or {LEARN_FOLDER_KEY}")
    box = Box(device=device, learn_folder=Path(folder), trainer_for=trainer_for)
    if is_secure(message):
        return secure_reply(message, context, box)
    return answered(message, box)


def answered(message: Message, box: Box) -> Message:
    """What a box replies to a message.

    Raises:
        TrustError: What arrived is no order.
    """
    order, weights = order_in(message.content)
    answer, update = work(order, weights, box)
    return Message(content_of(answer, update), reply_to=message)


def content_with(order: TrainingOrder, weights: bytes) -> RecordDict:
    """What goes down."""
    return _content(ORDER, order.model_dump_json(), WEIGHTS, weights)


def content_of(answer: TrainingAnswer, update: bytes) -> RecordDict:
    """What goes up."""
    return _content(ANSWER, answer.model_dump_json(), UPDATE, update)


def order_in(content: RecordDict) -> tuple[TrainingOrder, bytes]:
    """What came down.

    Raises:
        TrustError: No order of ours.
    """
    text, raw = _parts(content, ORDER, WEIGHTS)
    try:
        return TrainingOrder.model_validate_json(text), raw
    except ValidationError as error:
        raise TrustError("message holds no order of ours") from error


def answer_in(content: RecordDict) -> tuple[TrainingAnswer, bytes]:
    """What came up.

    Raises:
        TrustError: No answer of ours.
    """
    text, raw = _parts(content, ANSWER, UPDATE)
    try:
        return TrainingAnswer.model_validate_json(text), raw
    except ValidationError as error:
        raise TrustError("message holds no answer of ours") from error


def _content(words: str, text: str, numbers: str, raw: bytes) -> RecordDict:
    array = Array(dtype="uint8", shape=(len(raw),), stype=RAW, data=raw)
    return RecordDict(
        {words: ConfigRecord({JSON_KEY: text}), numbers: ArrayRecord({numbers: array})}
    )


def _parts(content: RecordDict, words: str, numbers: str) -> tuple[str, bytes]:
    try:
        text = content.config_records[words][JSON_KEY]
        array = content.array_records[numbers][numbers]
    except KeyError as error:
        raise TrustError(f"message without {words} or {numbers}") from error
    if not isinstance(text, str) or array.stype != RAW:
        raise TrustError(f"message with {words} or {numbers} of another kind")
    return text, array.data
