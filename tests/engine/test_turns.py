"""So many at the same time, in the order in which they came, and a turn is given back whatever happens in it."""

from __future__ import annotations

from threading import Lock, Thread

import pytest

from pipeline.engine.turns import Turns
from tests.waiting import HANGS_S, wait_until


@pytest.mark.parametrize("most", [1, 3])
def test_those_that_wait_have_their_turn_in_their_order(most):
    turns, came, lock = Turns(most), [], Lock()
    for _ in range(most):
        turns.__enter__()

    def ask(number: int) -> None:
        with turns, lock:
            came.append(number)

    threads = [Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda number=number: len(turns._waiting) == number + 1, lambda: True, "the thread")
    turns.__exit__()
    with turns:  # asked last: behind all of them, although it comes from the thread that had a turn just now
        assert came == list(range(8))
    for thread in threads:
        thread.join(HANGS_S)
    assert not turns._waiting and turns._free == 1


def test_a_turn_is_given_back_whatever_happens_in_it():
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns:
            raise ZeroDivisionError
    with turns:
        assert turns._free == 0
