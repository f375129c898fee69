"""Libraries that report to their makers → told not to, before they begin.

A box sends nothing but what ``common.messages`` allows. onnxruntime is built with its maker's
telemetry switched on: when it is loaded it writes a device id and queues events. Only this
variable, set before the import, keeps it from both.
"""

from __future__ import annotations

import os


def refuse_telemetry() -> None:
    """Call before a library is imported that would report home."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
