"""Orthogonal updates: what they are, which parameters get them, and Adam for the rest."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import Adam

from nvrc_lightning.modules.muon import MuonAdam, is_matrix, orthogonalized

SIZES = st.integers(1, 40)


@given(st.integers(1, 3), SIZES, SIZES, st.floats(1e-3, 1e3), st.integers(0, 99))
def test_singular_values_come_near_one_and_vectors_stay(count, rows, columns, scale, seed):
    matrices = scale * torch.randn(count, rows, columns, generator=torch.Generator().manual_seed(seed))
    updates = orthogonalized(matrices)
    values = torch.linalg.svdvals(updates)
    large = torch.linalg.svdvals(matrices)
    assert values.max() < 1.3
    assert values[large > 0.05 * large[:, :1]].min() > 0.4
    overlap = (updates * matrices).sum((1, 2)) / large.sum(1)  # 1 if only the singular values changed, to 1
    assert overlap.min() > 0.5


def test_nothing_comes_of_nothing():
    assert orthogonalized(torch.zeros(2, 8, 9)).abs().max() == 0


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((96, 384), True),
        ((96, 2, 3, 3, 3), True),  # a convolution is a matrix of all its taps
        ((96, 1, 3, 3), False),  # one filter a channel mixes none
        ((3, 12), False),
        ((96,), False),
    ],
)
def test_matrices_are_what_mixes_channels(shape, wanted):
    assert is_matrix(torch.zeros(shape)) == wanted


def twins():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
    return first, copy.deepcopy(first)


def step(network, optimizer):
    optimizer.zero_grad()
    network(torch.eye(16)).square().sum().backward()
    optimizer.step()


def groups(network, muon):
    matrices = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() == 1]
    return [{"params": matrices, "muon": muon}, {"params": vectors}]


def test_other_groups_get_adams_step():
    ours, theirs = twins()
    step(ours, MuonAdam(groups(ours, True), lr=0.01))
    step(theirs, Adam(theirs.parameters(), lr=0.01))
    assert torch.equal(ours[0].bias, theirs[0].bias)
    assert not torch.equal(ours[0].weight, theirs[0].weight)


def test_without_muon_it_is_adam():
    ours, theirs = twins()
    step(ours, MuonAdam(groups(ours, False), lr=0.01))
    step(theirs, Adam(theirs.parameters(), lr=0.01))
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_updates_are_as_large_as_adams():
    ours, _ = twins()
    before = ours[0].weight.detach().clone()
    step(ours, MuonAdam(groups(ours, True), lr=0.01))
    change = (ours[0].weight - before).square().mean().sqrt()
    assert 0.1 * 0.01 < change < 0.01


def test_a_state_goes_on_as_if_nothing_had_happened():
    ours, theirs = twins()
    first = MuonAdam(groups(ours, True), lr=0.01)
    step(ours, first)
    second = MuonAdam(groups(theirs, True), lr=0.01)
    theirs.load_state_dict(ours.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(ours, first)
    step(theirs, second)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_weight_decay_shrinks_matrices_apart_from_the_gradient():
    ours, theirs = twins()
    start = ours[0].weight.detach().clone()
    for network, decay in ((ours, 0.5), (theirs, 0.0)):
        first, second = groups(network, True)
        step(network, MuonAdam([first | {"weight_decay": decay}, second], lr=0.01))
    torch.testing.assert_close(theirs[0].weight - ours[0].weight, 0.5 * 0.01 * start)
