"""Rows put down in any order come back by group, in the order in which they were put down."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.external_sort import ExternalSort

pieces = st.lists(st.lists(st.integers(-3, 3), max_size=8), max_size=8)


@given(pieces)
def test_every_row_comes_back_in_its_group_and_in_order(groups):
    expected: dict[int, list[list[int]]] = {}
    count = 0
    with ExternalSort(2) as spill:
        for piece in groups:
            rows = [[count + place, group] for place, group in enumerate(piece)]
            count += len(piece)
            spill.add(np.array(piece, dtype=np.int64), np.array(rows, dtype=np.int64).reshape(-1, 2))
            for row in rows:
                expected.setdefault(row[1], []).append(row)
        for group in range(-3, 4):
            assert spill.take(group).tolist() == expected.get(group, [])


def test_rows_may_be_taken_while_others_are_still_put_down():
    with ExternalSort(1) as spill:
        spill.add(np.array([7, 8]), np.array([[1], [2]]))
        assert spill.take(7).tolist() == [[1]]
        spill.add(np.array([7]), np.array([[3]]))
        assert spill.take(7).tolist() == [[1], [3]]
        assert spill.take(8).tolist() == [[2]]
