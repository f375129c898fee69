"""``rtsp://user:${CAMERA_PASSWORD}@…`` → the address with the secret in its place."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from common.errors import ConfigError

_PLACE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Passwords:
    """Fill secrets into sources, from the environment or a file that only its owner reads.

    The file is read anew each time, so a password that was corrected there helps with
    the next attempt to open the camera, without a restart.
    """

    def __init__(
        self, *, secrets_file: Path | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            secrets_file: ``NAME=value`` lines, ``#`` starts a comment line.
            environment: What the file does not name is looked up here.
        """
        self._file = secrets_file
        self._environment = environment

    def filled(self, source: str) -> str:
        """The source with every ``${NAME}`` replaced.

        In an ``rtsp://`` address the value is percent-encoded, so secrets are written
        as they are.

        Raises:
            ConfigError: A name that is not set, or a secrets file that others can read.
        """
        if not _PLACE.search(source):
            return source
        known = self._from_file()
        is_address = source.startswith(("rtsp://", "rtsps://"))

        def value_of(place: re.Match[str]) -> str:
            name = place[1]
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"${{{name}}} in a source is not a name, expected letters, digits and _",
                    hint="write it like ${CAMERA_PASSWORD}",
                )
            value = known.get(name) or self._environment.get(name)
            if not value:
                raise ConfigError(
                    f"${{{name}}} in a source is not set, expected it in {self._places}",
                    hint=f"add the line {name}=… there; write the password as it is",
                )
            return quote(value, safe="") if is_address else value

        return _PLACE.sub(value_of, source)

    @property
    def _places(self) -> str:
        return f"{self._file} or the environment" if self._file else "the environment"

    def _from_file(self) -> dict[str, str]:
        if self._file is None:
            return {}
        try:
            mode = self._file.stat().st_mode
            text = self._file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"secrets file {self._file} cannot be read: {error}",
                hint="create it with mode 0600, owned by the user that the agent runs as",
            ) from error
        if mode & _OTHERS:
            raise ConfigError(
                f"secrets file {self._file} has mode {stat.S_IMODE(mode):04o}, expected 0600",
                hint=f"run: chmod 600 {self._file}",
            )
        found = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not _NAME.fullmatch(name.strip()):
                # The line itself may hold the secret, so it is not shown.
                raise ConfigError(f"secrets file {self._file}, line {number}: expected NAME=value")
            found[name.strip()] = value.strip()
        return found
