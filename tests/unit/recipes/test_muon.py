import torch

from recipes.muon import Muon, orthogonalise


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((5, 12), (12, 5), (3, 6, 4)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape, dtype=torch.float64)))
        assert values.min() > 0.5 and values.max() < 1.3


def test_orthogonalising_keeps_the_singular_vectors():
    torch.manual_seed(0)
    matrix = torch.randn(6, 4, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.mT @ orthogonalise(matrix) @ vh.mT
    assert torch.allclose(inner, torch.diag(inner.diagonal()), atol=1e-9)
    assert (inner.diagonal() > 0).all()


def test_each_expert_is_updated_on_its_own():
    torch.manual_seed(0)
    weights, gradient = torch.randn(3, 6, 4), torch.randn(3, 6, 4)
    together = torch.nn.Parameter(weights.clone())
    apart = [torch.nn.Parameter(matrix.clone()) for matrix in weights]
    for parameters, gradients in (([together], [gradient]), (apart, list(gradient))):
        optimizer = Muon(parameters, lr=0.1)
        for _ in range(3):
            for parameter, value in zip(parameters, gradients, strict=True):
                parameter.grad = value.clone()
            optimizer.step()
    assert torch.allclose(together.data, torch.stack([p.data for p in apart]), atol=1e-5)


def test_it_descends():
    torch.manual_seed(0)
    target, weights = torch.randn(8, 4), torch.nn.Parameter(torch.zeros(8, 4))
    optimizer = Muon([weights], lr=0.05)
    for _ in range(100):
        loss = (weights - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1 * target.square().mean()
