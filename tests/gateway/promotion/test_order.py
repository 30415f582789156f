import pytest

from gateway.promotion import Order
from gateway.promotion.order import MOST_IN_FORCE
from predictors import BadArtefactError
from predictors.versions import NothingToRollBackError

A, B = "a" * 64, "b" * 64


def numbers(order: Order) -> list[int]:
    return [version.number for version in order.in_force]


def test_numbers_grow_and_are_not_given_twice() -> None:
    order = Order().promoted(A, above=3)
    assert numbers(order) == [4]
    assert numbers(order.rolled_back()) == []
    assert numbers(order.rolled_back().promoted(B)) == [5]
    with pytest.raises(NothingToRollBackError, match="the predictor that ships decides"):
        order.rolled_back().rolled_back()


def test_what_decides_already_is_not_promoted_again() -> None:
    order = Order().promoted(A).promoted(B)
    assert order.promoted(B) == order
    assert numbers(order.promoted(A)) == [1, 2, 3]


def test_the_last_few_can_be_gone_back_to_and_what_ships() -> None:
    order = Order()
    for i in range(MOST_IN_FORCE + 2):
        order = order.promoted(f"{i:064x}")
    assert numbers(order) == [3, 4, 5, 6]
    assert numbers(order.rolled_back(4)) == [3, 4]
    assert numbers(order.rolled_back(0)) == []
    with pytest.raises(NothingToRollBackError, match="no version 2; earlier ones: 0, 3, 4, 5"):
        order.rolled_back(2)


def test_what_is_written_is_read_and_every_order_has_a_name_of_its_own() -> None:
    orders = [Order(), Order().promoted(A), Order().promoted(A).rolled_back(), Order().promoted(B)]
    assert [Order.read(order.content, key="x:{journal}:predictors") for order in orders] == orders
    assert len({order.name for order in orders}) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format_version":2,"last":0,"in_force":[]}',
        b'{"format_version":1,"last":0,"in_force":[{"number":1,"digest":"%s"}]}' % A.encode(),  # above the last
        b'{"format_version":1,"last":1.5,"in_force":[]}',
        b'{"format_version":1,"last":10000000000,"in_force":[]}',
        b'{"format_version":1,"last":1,"in_force":[{"number":0,"digest":"%s"}]}' % A.encode(),
        b'{"format_version":1,"last":1,"in_force":[{"number":"../1","digest":"%s"}]}' % A.encode(),
        b'{"format_version":1,"last":1,"in_force":[{"number":1,"digest":"../../x"}]}',
        b'{"format_version":1,"last":9,"in_force":%s}'
        % str([{"number": n, "digest": A} for n in range(1, MOST_IN_FORCE + 2)]).replace("'", '"').encode(),
    ],
)
def test_what_is_no_order_is_refused_with_the_remedy(content: bytes) -> None:
    with pytest.raises(BadArtefactError, match=r"delete that key there \(DEL\)"):
        Order.read(content, key="x:{journal}:predictors")
