"""An ONNX file → the metadata stored in it, without an ONNX library.

A TensorRT box has neither onnx nor onnxruntime, but must know the class names. Only
the outermost message is walked (protobuf wire format, ``ModelProto`` in onnx.proto);
the weights are stepped over.
"""

from __future__ import annotations

import ast
import mmap
from pathlib import Path

from common.errors import ConfigError, NotFoundError

# ModelProto.metadata_props is field 14; its StringStringEntryProto has key 1, value 2.
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(model: Path) -> dict[str, str]:
    """Key-value pairs that the exporter stored.

    Raises:
        NotFoundError: There is no such file.
        ConfigError: It is not an ONNX file.
    """
    try:
        with (
            model.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            entries = [value for field, value in _fields(content) if field == _METADATA_PROPS]
            return dict(_entry(entry) for entry in entries)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"model {model} does not exist", hint="give a path to an .onnx file"
        ) from error
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(
            f"model {model} cannot be read as ONNX", hint="export it again, the file is damaged"
        ) from error


def class_names(metadata: dict[str, str], *, model: Path) -> tuple[str, ...]:
    """Class names in output order, as Ultralytics stores them: ``{0: 'person', 1: 'car'}``.

    Raises:
        ConfigError: There are none, or they are not numbered from 0.
    """
    hint = "export it with its-camera-ai ml export, which stores the names"
    text = metadata.get("names")
    if text is None:
        raise ConfigError(
            f"model {model} stores no class names, expected metadata 'names'", hint=hint
        )
    try:
        names = ast.literal_eval(text)
        return tuple(str(names[index]) for index in range(len(names)))
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise ConfigError(
            f"model {model} has the class names {text[:60]!r}, expected them numbered from 0",
            hint=hint,
        ) from error


def _fields(content: mmap.mmap | bytes) -> list[tuple[int, bytes]]:
    """Length-delimited fields of one message; of the large ones only the small are copied."""
    found = []
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _, at = _varint(content, at)
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            length, at = _varint(content, at)
            if field in (_METADATA_PROPS, _KEY, _VALUE):
                found.append((field, bytes(content[at : at + length])))
            at += length
        else:
            raise ValueError(f"wire type {wire}, expected 0, 1, 2 or 5")
    if at != len(content):
        raise ValueError(f"message ends at {at} bytes, expected {len(content)}")
    return found


def _entry(message: bytes) -> tuple[str, str]:
    fields = dict(_fields(message))
    return fields[_KEY].decode(), fields.get(_VALUE, b"").decode()


def _varint(content: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("varint longer than ten bytes")
