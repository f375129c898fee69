"""A minimal Debian in a folder → a machine with real systemd and real sshd on loopback.

``debootstrap`` fills a folder once, each machine is a copy of it, ``systemd-nspawn`` boots it.
It shares the network of this host, so that its ssh listens on a free loopback port and machines
reach each other; nothing else of the host is visible.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.free_ports import free_ports

SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "ca-certificates",
    "python3", "python3-apt",
)  # fmt: skip
PROGRAMS = ("debootstrap", "systemd-nspawn", "ssh", "ssh-keygen")
_BOOTED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BootedRoot:
    """A machine that runs.

    Attributes:
        folder: Its root folder, seen from this host.
        port: Where its sshd listens on 127.0.0.1.
        key_file: Private key that root@ accepts.
    """

    folder: Path
    port: int
    key_file: Path

    @property
    def ssh_options(self) -> list[str]:
        """For ssh and for Ansible: only this key, no memory of host keys."""
        return [
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-i", str(self.key_file),
        ]  # fmt: skip

    def run(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """A command inside, through ssh."""
        return subprocess.run(
            ["ssh", *self.ssh_options, "-p", str(self.port), "root@127.0.0.1", *words],
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def property_of(self, unit: str, name: str) -> str:
        """What systemd says of a unit, such as ``MainPID``."""
        return self.run("systemctl", "show", unit, "--value", "-p", name).stdout.strip()

    def journal(self, unit: str, since_s: float = 0) -> str:
        """What a unit wrote since a moment, in seconds since 1970."""
        return self.run("journalctl", "-u", unit, "--no-pager", "--since", f"@{since_s:.0f}").stdout


def require_booted_roots() -> None:
    """Skip where such machines cannot be made; fail where they are required.

    Whether this kernel lets a container boot is found out by booting one.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        words = f"needs {', '.join(missing)} to boot a machine in a folder"
        if os.environ.get("ITS_REQUIRE_SYSTEM"):
            pytest.fail(words)
        pytest.skip(words)


def base_root(cache: Path) -> Path:
    """The folder that machines are copied from, filled at the first call."""
    digest = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:8]
    folder = cache / f"root-{SUITE}-{digest}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="root-", dir=cache))
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(part)],
        check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    part.chmod(0o755)
    part.rename(folder)
    return folder


@contextmanager
def booted_root(base: Path, scratch: Path, *, plugged: Mapping[Path, str]) -> Iterator[BootedRoot]:
    """Boot a copy of ``base`` below ``scratch`` until the block ends.

    Args:
        base: What ``base_root`` returned.
        scratch: Where the machine, its key and its boot log are made.
        plugged: Folders of this host and where the machine finds them, as disks plugged in.
    """
    scratch.mkdir(exist_ok=True)
    folder, key_file = scratch / "root", scratch / "key"
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(folder)], check=True, timeout=300)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key_file)], check=True, timeout=30
    )
    (port,) = free_ports(1)
    _let_in(folder, key_file.with_suffix(".pub").read_text(encoding="utf-8"), port)
    disks = [f"--bind-ro={here}:{there}" for here, there in plugged.items()]
    log = (scratch / "boot.log").open("wb")
    process = subprocess.Popen(
        ["systemd-nspawn", "-D", str(folder), "--register=no", "--keep-unit", "--quiet",
         f"--machine={scratch.name}", "--resolv-conf=replace-host", *disks, "-b"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    machine = BootedRoot(folder=folder, port=port, key_file=key_file)
    try:
        _wait(machine, process, scratch / "boot.log")
        yield machine
    finally:
        _power_off(process)
        log.close()


def _let_in(folder: Path, public_key: str, port: int) -> None:
    ssh = folder / "root" / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(public_key, encoding="utf-8")
    (ssh / "authorized_keys").chmod(0o600)
    settings = f"Port {port}\nListenAddress 127.0.0.1\nPermitRootLogin prohibit-password\n"
    (folder / "etc/ssh/sshd_config.d/00-loopback.conf").write_text(settings, encoding="utf-8")
    # An installer writes these two, debootstrap does not.
    name = folder.parent.name
    (folder / "etc/hostname").write_text(f"{name}\n", encoding="utf-8")
    (folder / "etc/hosts").write_text(f"127.0.0.1 localhost {name}\n", encoding="utf-8")


def _wait(machine: BootedRoot, process: subprocess.Popen[bytes], log_file: Path) -> None:
    give_up_s = time.monotonic() + _BOOTED_WITHIN_S
    while time.monotonic() < give_up_s and process.poll() is None:
        if "running" in machine.run("systemctl", "is-system-running", "--wait").stdout:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the machine did not boot, see {log_file}")


def _power_off(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM asks the init of the container to power off."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
