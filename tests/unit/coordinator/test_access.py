import re

import pytest

from coordinator.broker.access import (
    INGEST_NAMES,
    ORDERS_NAME,
    may_publish,
    may_receive,
    may_sign_in,
    may_subscribe,
    mosquitto_acl,
)

pytestmark = pytest.mark.unit
INGEST = INGEST_NAMES[0]


@pytest.mark.parametrize(
    ("name", "topic", "is_allowed"),
    [
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/up/bins", True, id="own report"),
        pytest.param("main-aaaaaa", "its/v1/main-bbbbbb/up/bins", False, id="another's report"),
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/down/ack", False, id="own orders"),
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/up/other", False, id="unknown kind"),
        pytest.param("main-aaaaaa", "$SYS/broker", False, id="the broker's own"),
        pytest.param(ORDERS_NAME, "its/v1/main-aaaaaa/down/twin", True, id="an order"),
        pytest.param(INGEST, "its/v1/main-aaaaaa/up/bins", False, id="a report by us"),
    ],
)
def test_only_the_owner_publishes(name: str, topic: str, is_allowed: bool) -> None:
    assert may_publish(name, topic) is is_allowed


@pytest.mark.parametrize(
    ("name", "wanted", "is_allowed"),
    [
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/down/+", True, id="own orders"),
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/down/#", True, id="all own orders"),
        pytest.param("main-aaaaaa", "its/v1/main-bbbbbb/down/+", False, id="another's orders"),
        pytest.param("main-aaaaaa", "its/v1/+/down/+", False, id="everybody's orders"),
        pytest.param("main-aaaaaa", "its/v1/main-aaaaaa/up/+", False, id="own reports"),
        pytest.param("main-aaaaaa", "#", False, id="everything"),
        pytest.param(INGEST, "its/v1/+/up/+", True, id="all reports"),
        pytest.param(INGEST, "its/v1/+/down/+", False, id="all orders"),
        pytest.param("coordinator-thief-aa", "its/v1/+/up/+", False, id="a name like ours"),
    ],
)
def test_a_filter_reaches_no_further_than_its_owner_may_hear(
    name: str, wanted: str, is_allowed: bool
) -> None:
    assert may_subscribe(name, wanted) is is_allowed


@pytest.mark.parametrize(
    ("name", "topic", "is_allowed"),
    [
        ("main-aaaaaa", "its/v1/main-aaaaaa/down/ack", True),
        ("main-aaaaaa", "its/v1/main-bbbbbb/down/ack", False),
        (INGEST, "its/v1/main-aaaaaa/up/bins", True),
        (INGEST, "its/v1/main-aaaaaa/down/ack", False),
    ],
)
def test_messages_reach_whom_they_are_for(name: str, topic: str, is_allowed: bool) -> None:
    assert may_receive(name, topic) is is_allowed


def test_a_session_belongs_to_the_name_in_the_certificate() -> None:
    assert may_sign_in("main-aaaaaa", "main-aaaaaa")
    assert not may_sign_in("main-aaaaaa", "main-bbbbbb")
    assert not may_sign_in("main-aaaaaa", "")


def test_the_acl_names_every_connection_of_ours_and_no_wider_pattern() -> None:
    acl = mosquitto_acl()

    assert re.findall(r"^user (\S+)$", acl, re.MULTILINE) == [ORDERS_NAME, *INGEST_NAMES]
    assert re.findall(r"^pattern (.+)$", acl, re.MULTILINE) == [
        "write its/v1/%u/up/#",
        "read its/v1/%u/down/#",
    ]
