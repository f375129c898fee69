"""What a box can be → one word that every part writes the same way."""

from enum import StrEnum


class DeviceState(StrEnum):
    """Only an enrolled box is believed."""

    ENROLLED = "enrolled"
    REPLACED = "replaced"
    RETIRED = "retired"
