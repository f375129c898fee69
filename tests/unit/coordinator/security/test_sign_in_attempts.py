import pytest

from coordinator.security.attempts import network_of
from coordinator.security.attempts_store import pause_after

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("attempts", "pause_s"),
    [(1, 0), (4, 0), (5, 30), (6, 60), (9, 480), (10, 900), (99, 900), (100, 86_400)],
)
def test_wrong_attempts_cost_more_and_more_time(attempts: int, pause_s: float) -> None:
    assert pause_after(attempts) == pause_s


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_whoever_has_one_address_of_an_ipv6_network_has_them_all(
    address: str, network: str
) -> None:
    assert network_of(address) == network
