"""The controller of lambda on a model of training: sizes follow lambda with a lag, from a wrong start."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_lightning.callbacks.lambda_control import LambdaControl

UPDATES = 200


def training(control, slope, lag, start, fixed_point, drift=0.0):
    """Return log2 of size / target, and of lambda, at every update.

    Args:
        control: the controller.
        slope: octaves of size for an octave of lambda, once it has settled.
        lag: updates until 63 % of a change is there, at the highest learning rate.
        start: log2 of size / target at the beginning.
        fixed_point: log2 of size / target that lambda = 1 comes to.
        drift: octaves by which sizes grow of themselves.
    """
    error, errors, course = start, [], []
    for update in range(UPDATES):
        pace = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * update / UPDATES))
        goal = fixed_point + slope * control.octaves + drift * update / UPDATES
        error += (goal - error) * (1 - math.exp(-pace / lag))
        errors.append(error)
        control.update(2.0**error, 1.0, pace / UPDATES, 0.1)
        course.append(control.octaves)
    return errors, course


PLANTS = {
    "slope": st.floats(0.3, 0.7),
    "lag": st.floats(1, 20),
    "start": st.floats(-1.5, 1.5),
    "fixed_point": st.floats(-1.5, 1.5),
    "drift": st.floats(-0.1, 0.1),
}


@given(st.fixed_dictionaries(PLANTS))
def test_sizes_come_to_the_target_and_stay_there(plant):
    errors, _ = training(LambdaControl(0.0), **plant)
    assert abs(errors[-1]) < 0.15
    far = [error for error in errors if abs(error) > 0.15]
    crossings = sum(a * b < 0 for a, b in pairwise(far))
    assert crossings <= 2


@given(st.fixed_dictionaries(PLANTS))
def test_lambda_is_steady_at_the_end(plant):
    control = LambdaControl(0.0)
    course = training(control, **plant)[1]
    last = course[-UPDATES // 10 :]
    assert max(last) - min(last) < 0.3


def test_a_size_that_is_no_number_moves_nothing():
    control = LambdaControl(1.0)
    control.update(3.0, 1.0, 0.01, 0.1)
    before = control.state_dict()
    control.update(math.nan, 1.0, 0.01, 0.1)
    assert control.state_dict() == before


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_lambda_stays_within_reach(size):
    control = LambdaControl(3.0, reach=12.0)
    for _ in range(1000):
        control.update(size, 1.0, 0.05, 0.1)
    assert abs(control.octaves - 3.0) == 12.0


def test_a_state_goes_on_as_if_nothing_had_happened():
    whole, first = LambdaControl(1.0), LambdaControl(1.0)
    for control in (whole, first):
        control.update(3.0, 1.0, 0.01, 0.1)
    second = LambdaControl(7.0)
    second.load_state_dict(first.state_dict())
    for control in (whole, second):
        control.update(2.0, 1.0, 0.01, 0.1)
    assert second.lmbda == whole.lmbda
