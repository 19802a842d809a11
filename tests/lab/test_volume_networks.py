"""The 3-D networks: what the sources say of theirs, and the fast forms against the plain ones."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.errors import DemoError
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.volumes import networks
from vaeflash.lab.volumes.blocks import PooledConv, Residual, make_block, make_norm
from vaeflash.lab.volumes.networks import (
    InkNetwork,
    Size,
    halving_vae,
    ink_network,
    pooled_autoencoder,
    pooled_vae,
    source_vae,
    start_at_mean,
    strided_autoencoder,
    strided_vae,
)
from vaeflash.lab.volumes.pooled import ROWS, conv_then_pool

SMALL = Size(side=16, base=4, levels=3, latent=5)


def cubes(n: int, side: int) -> torch.Tensor:
    return torch.rand(n, 1, side, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [source_vae, lambda: pooled_vae(Size())])
def test_the_sources_network_has_the_sources_parameters(make):
    assert parameter_count(make()) == 4_655_905


def test_as_written_and_corrected_are_the_same_network_at_32():
    written, corrected = source_vae(), pooled_vae(Size())
    corrected.load_state_dict(written.state_dict())
    x = cubes(2, 32)

    assert torch.equal(corrected(x), written(x))


def test_the_first_form_is_the_sources_written_out():
    """Ordinary torch calls in the sources' order: ReLU, then pooling."""
    net = source_vae()
    x = cubes(2, 32)
    h = x
    for conv in net.encoder:
        h = F.max_pool3d(F.relu(F.conv3d(h, conv.weight, conv.bias, padding=1)), 2)
    mu = F.linear(h.flatten(1), net.to_mu.weight, net.to_mu.bias)
    logvar = F.linear(h.flatten(1), net.to_logvar.weight, net.to_logvar.bias)
    linear, ups = net.from_code[0], [m for m in net.decoder if isinstance(m, nn.ConvTranspose3d)]
    y = F.linear(mu, linear.weight, linear.bias).view(-1, 256, 2, 2, 2)
    for number, up in enumerate(ups):
        y = F.conv_transpose3d(y, up.weight, up.bias, stride=2)
        y = F.relu(y) if number < 3 else y.sigmoid()

    found = (*net.encode(x), net(x))

    for ours, plain in zip(found, (mu, logvar, y), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 16, 24, 48, 64])
def test_as_written_it_runs_at_no_other_side(side):
    net = source_vae(side)

    with pytest.raises(RuntimeError):
        net(cubes(1, side))


@pytest.mark.parametrize("side", [16, 32, 48])
def test_corrected_it_runs_at_any_side_that_16_divides(side):
    net = pooled_vae(Size(side, 4, 4, 10))
    x = cubes(2, side)

    assert net(x).shape == x.shape


@given(levels=st.integers(1, 3), times=st.integers(1, 2), base=st.sampled_from([2, 8]))
def test_every_form_gives_back_the_shape(levels, times, base):
    size = Size(times * 2**levels, base, levels, 3)
    x = cubes(1, size.side)

    shapes = {
        make(size)(x).shape
        for make in (pooled_vae, pooled_autoencoder, strided_vae, strided_autoencoder)
    }

    assert shapes == {x.shape}


@given(side=st.integers(1, 36))
def test_the_halving_form_takes_any_side(side):
    x = cubes(1, side)

    assert halving_vae(side, (2, 3), 4)(x).shape == x.shape


@pytest.mark.parametrize("size", [(24, 32, 4, 512), (0, 1, 1, 1), (16, 8, 2, 0)])
def test_a_size_that_cannot_be_is_refused(size):
    with pytest.raises(DemoError, match="Choose"):
        Size(*size)


def test_a_side_that_cannot_be_halved_so_often_is_told_which_would_be():
    with pytest.raises(DemoError, match="Choose a side that 16 divides"):
        Size(side=24)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("plain", ["Conv3d", "Conv3d", "BatchNorm3d", "ReLU"]),
        ("matched", ["Conv3d", "BatchNorm3d", "Conv3d"]),
        ("residual", ["Conv3d", "BatchNorm3d", "Conv3d", "Conv3d"]),
    ],
)
def test_blocks_are_made_as_the_notes_have_them(block, expected):
    layers = make_block(block, 4, 8, "batch").children()

    assert [type(layer).__name__ for layer in layers] == expected


def test_the_residual_block_is_the_sources_written_out():
    block = Residual(3, 6, "group")
    x = torch.randn(2, 3, 8, 8, 8)
    h = block.second(F.relu(F.group_norm(block.first(x), 1)))

    torch.testing.assert_close(block(x), F.relu(h + block.shortcut(x)))


def test_a_block_and_its_match_differ_by_the_shortcut_alone():
    residual, matched = (make_block(kind, 4, 8, "group") for kind in ("residual", "matched"))
    shortcut = 4 * 8 * 8 + 8

    assert parameter_count(residual) - parameter_count(matched) == shortcut


def test_group_norm_sees_one_cube_and_batch_norm_all_of_them():
    x = torch.randn(4, 8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[1:] *= 3

    kept = {
        norm: torch.equal(make_norm(norm, 8)(x)[0], make_norm(norm, 8)(changed)[0])
        for norm in ("group", "batch", "none")
    }

    assert kept == {"group": True, "batch": False, "none": True}


def test_a_smooth_decoder_carries_a_change_past_its_cell():
    """Transposed convolutions of kernel and stride 2 do not overlap: a cell is drawn by itself."""
    reached = {}
    for smooth in (False, True):
        torch.manual_seed(0)
        net = pooled_vae(Size(8, 4, 2, 3), smooth=smooth)
        h = torch.randn(1, 8, 2, 2, 2, requires_grad=True)
        # The first voxel behind the plane between the two bottleneck cells.
        net.decoder(h)[0, 0, 4, 0, 0].backward()
        reached[smooth] = bool(h.grad[0, :, 0].any())

    assert reached == {False: False, True: True}


def test_the_log_variance_stays_within_its_limit():
    net = pooled_vae(SMALL)
    nn.init.constant_(net.to_logvar.bias, 1e4)

    assert net.encode(cubes(2, 16))[1].unique().tolist() == [networks.LIMIT]


def test_the_sources_log_variance_has_no_limit():
    net = pooled_vae(SMALL, limit=None)
    nn.init.constant_(net.to_logvar.bias, 1e4)

    assert net.encode(cubes(2, 16))[1].min() > 9_000


def test_codes_and_cubes_are_float32_in_bfloat16_too():
    net = strided_vae(SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        mu, logvar = net.encode(cubes(2, 16))
        x_hat = net.decode(mu)

    assert {mu.dtype, logvar.dtype, x_hat.dtype} == {torch.float32}


def test_ink_is_the_output_averaged_over_the_depth():
    net = ink_network(SMALL)
    x = cubes(2, 16)
    inner = net.network

    assert torch.equal(net(x), inner.decode(inner.encode(x)).squeeze(1).mean(1))


def test_the_ink_head_leaves_a_sigmoid_out():
    inner = pooled_autoencoder(SMALL, output="sigmoid")
    x = cubes(2, 16)
    logits = InkNetwork(inner)(x)

    assert torch.equal(logits, inner.decode_raw(inner.encode(x))[:, 0].mean(1))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("output", "mean"), [("sigmoid", 0.3), ("linear", -1.5)])
def test_a_network_whose_last_layer_is_silent_starts_at_the_mean(smooth, output, mean):
    net = pooled_vae(SMALL, smooth=smooth, output=output)
    start_at_mean(net, mean)
    last = [m for m in net.decoder if not isinstance(m, nn.ReLU)][-1]
    nn.init.zeros_(last.weight)

    assert net(cubes(2, 16)).flatten().tolist() == pytest.approx([mean] * 2 * 16**3)


def test_a_mean_of_nothing_has_finite_logits():
    net = pooled_vae(SMALL)
    start_at_mean(net, 0.0)

    assert math.isfinite(net.decoder[-1].bias.item())


@pytest.mark.slow
@given(
    n=st.integers(1, 3),
    sides=st.tuples(*[st.sampled_from([2, 4, 6, 10])] * 3),
    channels=st.integers(1, 9),
    levels=st.sampled_from([2, 1000]),
    seed=st.integers(0, 99),
)
def test_the_product_is_convolution_and_pooling(n, sides, channels, levels, seed):
    """In exact arithmetic, few grey levels, so that many voxels tie."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(levels, (n, 1, *sides), generator=g).double()
    weight = torch.randint(-4, 5, (channels, 1, 3, 3, 3), generator=g).double()
    bias = torch.randint(-4, 5, (channels,), generator=g).double()
    values, gradients = [], []
    for form in (conv_then_pool, lambda x, w, b: F.max_pool3d(F.conv3d(x, w, b, padding=1), 2)):
        w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
        y = form(x, w, b)
        y.backward(torch.arange(y.numel()).view(y.shape).double())
        values.append(y)
        gradients.append(torch.cat((w.grad.flatten(), b.grad)))

    assert torch.equal(*values)
    assert torch.equal(*gradients)


def test_the_product_is_taken_in_pieces_that_fit_together():
    x = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    weight, bias = torch.randn(3, 1, 3, 3, 3), torch.randn(3)
    assert ROWS < 16**3

    torch.testing.assert_close(
        conv_then_pool(x, weight, bias), F.max_pool3d(F.conv3d(x, weight, bias, padding=1), 2)
    )


def test_the_product_passes_torchs_own_gradient_check():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 4, 4, 4, generator=g).double()
    weight = torch.randn(2, 1, 3, 3, 3, generator=g).double().requires_grad_()
    bias = torch.randn(2, generator=g).double().requires_grad_()

    assert torch.autograd.gradcheck(lambda w, b: conv_then_pool(x, w, b), (weight, bias))


@pytest.mark.parametrize(
    ("inputs", "side", "wants_gradient", "device"),
    [(2, 4, False, "cpu"), (1, 5, False, "cpu"), (1, 4, True, "cpu"), (1, 4, False, "meta")],
)
def test_what_is_no_product_is_convolved(monkeypatch, inputs, side, wants_gradient, device):
    monkeypatch.setattr("vaeflash.lab.volumes.blocks.conv_then_pool", None)
    layer = PooledConv(inputs, 3).to(device)
    x = torch.zeros(2, inputs, side, side, side, requires_grad=wants_gradient, device=device)

    assert layer(x).shape == (2, 3, side // 2, side // 2, side // 2)


@pytest.mark.parametrize("make", [source_vae, lambda: strided_vae(Size(16, 8, 3, 8))])
def test_a_whole_step_stays_on_its_device(make):
    """On the meta device there are no values: any step over to another device would raise."""
    net = make().to("meta")
    side = 32 if isinstance(net.encoder[0], PooledConv) else 16
    x = torch.zeros(2, 1, side, side, side, device="meta")

    mu, logvar = net.encode(x)
    loss = (net.decode(reparameterize(mu, logvar)) - x).square().sum()
    loss.backward()

    assert {
        p.grad.device.type for p in net.parameters() if p is not None and p.grad is not None
    } == {"meta"}


def test_channels_last_gives_the_same():
    net = pooled_vae(SMALL)
    x = cubes(3, 16)
    before = net(x)

    net.to(memory_format=torch.channels_last_3d)

    torch.testing.assert_close(net(x), before)
