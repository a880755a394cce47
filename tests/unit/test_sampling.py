"""Sampling on torch, which is imported in the tests: collecting them takes none of its seconds."""

import numpy as np
import pytest


def sample(*args):
    from cotfaith.workers.engines.transformers import sampling

    return sampling.sample(*args)


def uniforms(seed, count):
    from cotfaith.workers.engines.transformers import sampling

    return sampling.uniforms(seed, count)


def draw(logits_V, uniform_B, temperature=1.0, top_p=1.0):
    import torch

    count = len(uniform_B)
    logits_BV = torch.tensor(logits_V, dtype=torch.float32).expand(count, -1)
    column = [torch.full((count,), x, dtype=torch.float64) for x in (temperature, top_p)]
    return sample(logits_BV, *column, torch.tensor(uniform_B, dtype=torch.float64)).numpy()


def frequencies(logits_V, **settings):
    even_B = (np.arange(5_000) + 0.5) / 5_000
    return np.bincount(draw(logits_V, even_B, **settings), minlength=len(logits_V)) / 5_000


def test_even_uniforms_give_the_softmax():
    p_V = np.array([0.5, 0.2, 0.2, 0.1])
    np.testing.assert_allclose(frequencies(np.log(p_V)), p_V, atol=3e-4)


def test_temperature_flattens():
    p_V = np.array([0.8, 0.2])
    expected_V = p_V**0.5 / (p_V**0.5).sum()
    np.testing.assert_allclose(frequencies(np.log(p_V), temperature=2.0), expected_V, atol=3e-4)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.4, [0]), (0.5, [0]), (0.6, [0, 2]), (0.8, [0, 2]), (0.95, [0, 2, 3, 1])]
)
def test_nucleus_is_the_smallest_set_that_holds_top_p(top_p, kept):
    p_V = np.array([0.5, 0.05, 0.3, 0.15])
    expected_V = np.zeros(4)
    kept = [k for k in kept if k != 1] if top_p == 0.95 else kept
    expected_V[kept] = p_V[kept] / p_V[kept].sum()
    np.testing.assert_allclose(frequencies(np.log(p_V), top_p=top_p - 1e-6), expected_V, atol=3e-4)


def test_a_nucleus_wider_than_the_first_guess_is_found():
    flat_V = np.zeros(2000)  # the likeliest 256 have an eighth
    flat_V[-1] = -20.0
    seen_V = frequencies(flat_V, top_p=0.99)
    assert seen_V[-1] == 0
    assert (seen_V[:-1] > 0).all()


def test_temperature_zero_is_the_argmax_also_beside_sampled_rows():
    import torch

    logits_BV = torch.tensor([[0.0, 0.1, 0.0], [0.0, 0.1, 0.0]])
    ids_B = sample(logits_BV, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), torch.tensor([0.999, 0.999]))
    assert ids_B.tolist() == [1, 2]


def test_rows_do_not_depend_on_their_neighbours():
    import torch

    generator = torch.Generator().manual_seed(0)
    logits_BV = torch.randn(64, 500, generator=generator) * 3
    uniform_B = torch.tensor(uniforms(1, 64))
    columns = [torch.full((64,), 0.8), torch.linspace(0.1, 1.0, 64), uniform_B]
    together = sample(logits_BV, *columns).tolist()
    alone = [sample(logits_BV[i : i + 1], *(c[i : i + 1] for c in columns)).item() for i in range(64)]
    assert together == alone


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_the_ends_of_the_unit_interval_give_possible_tokens(uniform):
    (token,) = draw([-np.inf, 0.0, 0.0, -np.inf], [uniform])
    assert token in (1, 2)


def test_uniform_t_depends_on_seed_and_t_alone():
    np.testing.assert_array_equal(uniforms(2**63 - 1, 5), uniforms(2**63 - 1, 50)[:5])
    assert not np.array_equal(uniforms(1, 5), uniforms(2, 5))
