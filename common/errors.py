"""A fault of the world → one line an operator can act on, and an exit code.

* ItsError             1
  - ConfigError        3  the operator wrote something we cannot run with
  - TrustError         4  a signature, certificate, hash or expiry did not hold
  - UnreachableError   5  the other side is away; the same call may work later
  - NotFoundError      6  no such device, camera, release or round
  - ConflictError      7  valid request, wrong state

Exit code 2 stays with the command line parser (unknown option, missing argument).
"""


class ItsError(Exception):
    """Root of the tree; ``hint`` tells an operator what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message for the log and the hint for the operator."""
        super().__init__(message)
        self.hint = hint


class ConfigError(ItsError):
    """The operator wrote something we cannot run with."""

    exit_code = 3


class TrustError(ItsError):
    """A signature, certificate, hash or expiry did not hold."""

    exit_code = 4


class UnreachableError(ItsError):
    """The other side is away; the same call may work later."""

    exit_code = 5


class NotFoundError(ItsError):
    """No such device, camera, release or round."""

    exit_code = 6


class ConflictError(ItsError):
    """A valid request in the wrong state."""

    exit_code = 7
