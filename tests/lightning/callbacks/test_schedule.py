"""Progress that stays continuous when the end moves."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.quantizers import QuantNoise
from nvrc_lightning.callbacks.schedule import Plan
from nvrc_lightning.callbacks.stages import Stage, Stages


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_a_plan_that_stays_is_the_share_of_the_steps(end, part):
    step = int(part * end)
    assert Plan(end).progress(step) == step / end


@given(st.integers(100, 5000), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3000)), max_size=20))
def test_progress_is_continuous_and_ends_with_the_last_step(end, moves):
    plan, step = Plan(end), 0
    for ahead, left in moves:
        step = min(step + ahead, plan.end - 1)
        before = [plan.progress(s) for s in range(step + 1)]
        plan.move_end(step, step + left)
        assert [plan.progress(s) for s in range(step + 1)] == before
    assert plan.progress(plan.end) == 1
    assert plan.progress(plan.end - 1) < 1
    assert all(a <= b for a, b in pairwise(plan.progress(s) for s in range(plan.end + 1)))


@given(st.lists(st.floats(0.05, 10), min_size=1, max_size=4), st.lists(st.integers(80, 400), max_size=6))
def test_every_stage_begins_once_however_the_end_moves(shares, lefts):
    noise = QuantNoise(0.5)
    stages = Stages([Stage(str(i), share, noise, noise) for i, share in enumerate(shares)])
    plan, begun, step = Plan(200), [], 0
    while step < plan.end:
        if stages.begins(step, plan):
            begun.append(stages.locate(plan.progress(step))[0].name)
        step += 1
        if lefts and step % 17 == 0:
            plan.move_end(step, step + lefts.pop())
    assert len(begun) == len(set(begun))
    assert begun == sorted(begun)
    assert begun[-1] == str(len(shares) - 1) or shares[-1] / sum(shares) < 0.02
