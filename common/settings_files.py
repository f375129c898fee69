"""A YAML file that people write → validated settings, or every mistake in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from common.errors import ConfigError
from common.ids import PATTERN_MEANINGS

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(
    path: Path, kind: type[Settings], *, name: str, option: str, hint: str
) -> Settings:
    """Read and validate one file.

    Args:
        path: The file.
        kind: What it must hold.
        name: What people call the file.
        option: Command line option that names it.
        hint: What to do about a mistake in it.

    Raises:
        ConfigError: Missing, not YAML, a key written twice, or not valid.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{name} {path} does not exist", hint=f"give its path with {option}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{name} {path} is not YAML: {' '.join(str(error).split())}", hint=hint
        ) from error
    if repeated := _repeated_keys(text):
        raise ConfigError(
            f"{name} {path}: {'; '.join(repeated)}",
            hint="join the two, the first would be ignored",
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{name} {path}: {explain(error)}", hint=hint) from error


def explain(error: ValidationError) -> str:
    """Pydantic's findings as one line: key, expectation, value."""
    findings = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "file"
        message = item["msg"].removeprefix("Value error, ")
        shown = repr(item["input"])
        if item["type"] == "missing":
            findings.append(f"{key} is missing")
        elif item["type"] == "extra_forbidden":
            findings.append(f"{key} is not a known key")
        elif item["type"] == "value_error":
            findings.append(f"{key}: {message}" if item["loc"] else message)
        elif item["type"] == "string_pattern_mismatch":
            pattern = item["ctx"]["pattern"]
            findings.append(f"{key} is {shown}, expected {PATTERN_MEANINGS.get(pattern, pattern)}")
        else:
            value = shown if len(shown) <= 60 else f"{shown[:57]}..."
            findings.append(f"{key} is {value}, {message[:1].lower()}{message[1:]}")
    return "; ".join(findings)


def _repeated_keys(text: str) -> list[str]:
    """Keys that one YAML mapping holds twice; the loader would silently keep the last."""
    findings = []
    nodes = [yaml.compose(text, Loader=yaml.SafeLoader)]
    seen = set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an alias leads back to its anchor
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in lines and isinstance(key, yaml.ScalarNode):
                    findings.append(
                        f"key {key.value!r} on line {line} is already on line {lines[key.value]}"
                    )
                elif isinstance(key, yaml.ScalarNode):
                    lines[key.value] = line
                nodes.append(value)
    return findings
