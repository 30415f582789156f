"""Budgets, and going on after a kill."""

from decimal import Decimal
from pathlib import Path

import pytest

from catalog import Price
from eval.probing import Asking, Budget, BudgetSpentError, Ledger
from eval.probing.ledger import LedgerTakenError

from .answering import Answering


def test_what_was_answered_before_is_not_asked_again(tmp_path: Path) -> None:
    endpoint = Answering(lambda prompt: prompt.upper())
    for _ in range(2):
        with Ledger(tmp_path / "answers.jsonl") as ledger:
            asking = Asking(endpoint, ledger, Budget(calls=5), model="m")
            assert asking.chat("hello", max_tokens=4).text == "HELLO"
    assert endpoint.asked == 1


def test_a_line_torn_by_a_kill_is_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    endpoint = Answering(lambda _: "yes")
    with Ledger(path) as ledger:
        asking = Asking(endpoint, ledger, Budget(calls=5), model="m")
        asking.chat("one", max_tokens=4)
        asking.chat("two", max_tokens=4)
    path.write_bytes(path.read_bytes()[:-9])
    with Ledger(path) as ledger:
        assert len(ledger) == 1
        asking = Asking(endpoint, ledger, Budget(calls=5), model="m")
        asking.chat("two", max_tokens=4)
    with Ledger(path) as ledger:
        assert len(ledger) == 2


def test_a_damaged_line_costs_its_own_answer_and_none_that_was_paid_for_later(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    endpoint = Answering(lambda _: "yes")
    with Ledger(path) as ledger:
        asking = Asking(endpoint, ledger, Budget(calls=9), model="m")
        for prompt in ("one", "two", "three", "four", "five"):
            asking.chat(prompt, max_tokens=4)
    first, second, third, fourth, fifth = path.read_bytes().splitlines(keepends=True)
    odd = b'{"key": "k", "answer": [1]}\n'
    path.write_bytes(first + b"\0" * len(second) + b"\n" + third[:9] + b"\xff\n" + fourth + odd + fifth)
    with Ledger(path) as ledger:
        asking = Asking(endpoint, ledger, Budget(calls=9), model="m")
        assert (asking.calls, asking.tokens > 0) == (3, True)
        asking.chat("five", max_tokens=4)
        asking.chat("two", max_tokens=4)
    with Ledger(path) as ledger:
        assert len(ledger) == 4
    assert endpoint.asked == 6


def test_of_two_probes_at_once_the_second_is_refused_and_the_answers_of_the_first_stay(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Ledger(path) as ledger:
        Asking(Answering(lambda _: "yes"), ledger, Budget(calls=5), model="m").chat("one", max_tokens=4)
        with pytest.raises(LedgerTakenError, match=r"another probe is at work on .*--out"):
            Ledger(path)
        Asking(Answering(lambda _: "yes"), ledger, Budget(calls=5), model="m").chat("two", max_tokens=4)
    with Ledger(path) as ledger:
        assert len(ledger) == 2


def test_nothing_is_asked_beyond_the_calls_of_all_runs(tmp_path: Path) -> None:
    endpoint = Answering(lambda _: "yes")
    with Ledger(tmp_path / "answers.jsonl") as ledger:
        asking = Asking(endpoint, ledger, Budget(calls=2), model="m")
        asking.chat("one", max_tokens=4)
        asking.chat("two", max_tokens=4)
        with pytest.raises(BudgetSpentError, match="2 calls"):
            asking.chat("three", max_tokens=4)
        assert asking.chat("one", max_tokens=4).text == "yes"  # known, so it costs nothing
    assert endpoint.asked == 2


def test_dollars_and_tokens_are_limits_too(tmp_path: Path) -> None:
    price = Price(input_usd_per_mtok=Decimal(1_000_000), output_usd_per_mtok=Decimal(0))  # a dollar a word
    with Ledger(tmp_path / "answers.jsonl") as ledger:
        asking = Asking(Answering(lambda _: "yes"), ledger, Budget(calls=9, usd=2.0), model="m", price=price)
        asking.chat("two words", max_tokens=4)
        assert asking.usd == 2.0
        with pytest.raises(BudgetSpentError, match="USD"):
            asking.chat("more", max_tokens=4)
        asking = Asking(Answering(lambda _: "yes"), ledger, Budget(calls=9, tokens=3), model="m")
        with pytest.raises(BudgetSpentError, match="tokens"):
            asking.chat("more", max_tokens=4)
