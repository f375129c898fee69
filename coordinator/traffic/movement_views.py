"""Turning movements, origins and destinations, safety and the city → JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from common.road_users import RoadUser
from coordinator.traffic.coverage import State, Verdict
from coordinator.traffic.views import AnswerView, View, WatchedView


class MovementView(View):
    """A column of the table: one movement out of one leg, a value for every quarter hour."""

    camera: str
    leg: str = Field(examples=["north-leg"])
    movement: str = Field(description="right, thru, left or u_turn", examples=["thru"])
    flows: list[str] = Field(description="The drawn flows that make it up")
    state: list[State] = Field(description="Whether there is a number, and if not, why")
    counts: dict[RoadUser, list[int | None]] = Field(
        description="Class → road users", examples=[{"car": [41, None]}]
    )
    vehicles: list[int | None] = Field(description="All classes but people on foot")


class PeakHourView(View):
    """The busiest four consecutive quarter hours that were watched throughout."""

    start: datetime
    volume: int = Field(examples=[1210])
    busiest_quarter: int = Field(examples=[345])
    factor: float | None = Field(description="V / (4 V15), HCM", examples=[0.877])
    least_coverage: float


class LegView(View):
    """One leg over the whole table and in the peak hour of the junction."""

    camera: str
    leg: str
    vehicles: int | None
    peak_hour_volume: int | None
    peak_hour_factor: float | None


class MovementTableView(AnswerView, WatchedView):
    """Leg × movement × class in quarter hours; every list has a value for each of them.

    Coverage, quality and verdict are those of the camera that watched least.
    """

    starts: list[datetime] = Field(description="First moment of every quarter hour")
    movements: list[MovementView]
    vehicles: list[int | None] = Field(
        description="All movements together; null when any of them is"
    )
    legs: list[LegView]
    peak_hour: PeakHourView | None = Field(
        description="Null when no hour of the range was watched throughout"
    )


class FlowCellView(View):
    """Road users from one section to another over the whole range."""

    camera: str
    from_section: str
    to_section: str
    flow: str
    state: State
    counts: dict[str, int] | None
    total: int | None


class FlowMatrixView(AnswerView):
    """Origins and destinations inside a scene; pairs that nobody drew are null."""

    coverage: float
    quality: float
    sections: list[str]
    matrix: list[list[int | None]] = Field(
        description="Row = from, column = to, in the order of sections"
    )
    cells: list[FlowCellView]


class CameraSafetyView(View):
    """Incidents and conflicts of one camera over the whole range."""

    camera: str
    state: State
    coverage: float
    quality: float
    incidents: dict[str, int] | None
    conflicts: dict[str, int] | None


class IncidentView(View):
    """One incident of a camera in operational mode."""

    id: int
    camera: str
    section: str
    incident: str = Field(examples=["stopped_vehicle"])
    road_user: str = Field(examples=["car"])
    at: datetime


class SafetyView(AnswerView):
    """Incidents and conflicts."""

    cameras: list[CameraSafetyView]
    incidents: list[IncidentView]
    next_after: int | None = Field(description="Id to ask the next page of incidents after")


class CitySiteView(View):
    """One site on one local day."""

    site: str
    name: str
    timezone: str
    start: datetime
    state: State
    vehicles: int | None = Field(
        description="Vehicles on all drawn flows; null where no flow is drawn or watched"
    )
    crossings: int | None = Field(description="Road users over all lines, both directions")
    people: int | None = Field(description="People on foot over all lines")
    coverage: float
    quality: float
    verdict: Verdict


class CityDayView(View):
    """All sites on one local day of each."""

    day: str = Field(examples=["2026-03-02"])
    sites: list[CitySiteView]
