"""What the coordinator may tell a box → one closed, bounded pydantic model per payload."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from common.ids import Slug
from common.messages import FlowLayout, SectionLayout
from common.plates import PlateRequest
from common.release.manifest import ModelVersion
from common.wire import MOST_SECTIONS, Code, Kind, Message, PrivacyMode


class Refusal(Message):
    """A report that the coordinator has, but did not take into its store."""

    sequence: Annotated[int, Field(ge=1, le=2**62)]
    reason: Code


class Acknowledgement(Message):
    """Reports of one stream that are committed (or in quarantine, with the reason).

    The box may forget all of them; only this, signed by the coordinator, makes it forget.
    """

    kind: ClassVar[Kind] = Kind.ACK
    device: Slug
    epoch: Annotated[int, Field(ge=1, le=2**62)]
    stored: Annotated[tuple[Annotated[int, Field(ge=1, le=2**62)], ...], Field(max_length=1000)]
    refused: Annotated[tuple[Refusal, ...], Field(max_length=1000)] = ()
    at: AwareDatetime


class DesiredCamera(Message):
    """Counting geometry and privacy mode of one camera."""

    camera: Slug
    mode: PrivacyMode = PrivacyMode.STATISTICS
    sections: Annotated[tuple[SectionLayout, ...], Field(max_length=MOST_SECTIONS)] = ()
    flows: Annotated[tuple[FlowLayout, ...], Field(max_length=256)] = ()


class DesiredRelease(Message):
    """The release of a model that a box shall run; it fetches, judges and may refuse it.

    The same wish said again after a refusal asks for nothing new: ``attempt`` rises when an
    operator wants it tried once more.
    """

    name: Slug
    version: ModelVersion
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class DesiredConfiguration(Message):
    """What the coordinator wants a box to run; validated there before it takes effect.

    Attributes:
        release: None leaves the model as it is.
    """

    kind: ClassVar[Kind] = Kind.TWIN
    device: Slug
    version: Annotated[int, Field(ge=1, le=2**31)]
    at: AwareDatetime
    cameras: Annotated[tuple[DesiredCamera, ...], Field(max_length=16)] = ()
    release: DesiredRelease | None = None


Wish = DesiredConfiguration | PlateRequest
"""What a box is asked to do."""

DownMessage = Acknowledgement | Wish
