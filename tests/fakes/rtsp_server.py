"""A folder of H.264 access units → a real RTSP server on 127.0.0.1, in a loop.

GStreamer's Python bindings come with the operating system, so tests start this file as
a process of the system's own Python:
``/usr/bin/python3 rtsp_server.py FOLDER PORT [USER PASSWORD]``.
It prints ``ready`` once clients may come.
"""

import itertools
import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first

PATH = "/cam"
FRAME_NS = Gst.SECOND // 25


def main(folder: str, port: str, *credentials: str) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    # appsrc, because a file source gives raw H.264 no presentation times, and RTP then
    # carries the same time for ever.
    factory.set_launch(
        "( appsrc name=loop format=time"
        " caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1"
        " ! h264parse config-interval=1 ! rtph264pay name=pay0 pt=96 )"
    )
    units = [path.read_bytes() for path in sorted(Path(folder).glob("*.h264"))]
    factory.connect("media-configure", lambda _, media: feed(media, units))
    if credentials:
        guard(server, factory, *credentials)
    server.get_mount_points().add_factory(PATH, factory)
    server.attach(None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def feed(media: GstRtspServer.RTSPMedia, units: list[bytes]) -> None:
    """Hand the units to the pipeline, timed, whenever it asks for more."""
    numbered = enumerate(itertools.cycle(units))

    def push(source: Gst.Element, _wanted_bytes: int) -> None:
        position, unit = next(numbered)
        buffer = Gst.Buffer.new_wrapped(unit)
        buffer.pts = buffer.dts = position * FRAME_NS
        buffer.duration = FRAME_NS
        source.emit("push-buffer", buffer)

    media.get_element().get_by_name("loop").connect("need-data", push)


def guard(
    server: GstRtspServer.RTSPServer,
    factory: GstRtspServer.RTSPMediaFactory,
    user: str,
    password: str,
) -> None:
    """Ask for ``user`` and ``password`` by digest authentication (RFC 7616)."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", right, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(*sys.argv[1:])
