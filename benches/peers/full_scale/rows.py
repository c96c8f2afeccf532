"""The peer's side of each row: a network with its inputs, in PyTorch or a package built on it."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from difffas import ALPHAS, GROUPS, StyleEncoder, StyleFusion, UNet, guided_ddim

MAPS = [(256, 32), (512, 16), (512, 8)]


@dataclasses.dataclass
class Row:
    inputs: dict[str, torch.Tensor]
    call: Callable[[], torch.Tensor]
    """Gives the output that both sides must agree on."""
    network: nn.Module | None = None
    train: bool = False


def images(batch_size, size, channels=3):
    return torch.rand(batch_size, channels, size, size) * 2 - 1


def style_maps(prefix, sizes=MAPS, batch_size=1):
    return {f"{prefix}_{size}": torch.randn(batch_size, c, size, size) for c, size in sizes}


def by_size(inputs, prefix):
    return {size: inputs[f"{prefix}_{size}"] for _, size in MAPS if f"{prefix}_{size}" in inputs}


def unet():
    inputs = {"x_t": images(1, 256), "content": images(1, 256), **style_maps("map")}
    network = UNet()
    call = lambda: network(
        inputs["x_t"], inputs["content"], torch.tensor([240]), by_size(inputs, "map")
    )
    return Row(inputs, call, network)


def guided(steps):
    """Steps of the released sampler, from an image noised to step 250."""
    content = images(1, 256)
    x_t = content * float(ALPHAS[250].sqrt())
    x_t = x_t + torch.randn_like(content) * float((1 - ALPHAS[250]).sqrt())
    inputs = {"x_t": x_t, "content": content, **style_maps("map"), **style_maps("null")}
    network = UNet()
    with torch.no_grad():
        # Predictions of the size of trained ones, or 25 steps of random weights leave every range.
        network.out[2].weight *= 0.1
    call = lambda: guided_ddim(
        network, x_t, content, by_size(inputs, "map"), by_size(inputs, "null"), steps, 2.0
    )
    return Row(inputs, call, network)


def stfm(channels, size):
    inputs = {"x": torch.randn(1, channels, size, size), "style": torch.randn(1, channels, size, size)}
    network = StyleFusion(channels)
    return Row(inputs, lambda: network(inputs["x"], inputs["style"]), network)


def group_norm_silu():
    inputs = {"x": torch.randn(1, 128, 256, 256), "weight": torch.randn(128), "bias": torch.randn(128)}
    return Row(inputs, lambda: F.silu(F.group_norm(inputs["x"], GROUPS, inputs["weight"], inputs["bias"])))


def convolution():
    inputs = {
        "x": torch.randn(1, 128, 256, 256),
        "weight": torch.randn(128, 128, 3, 3) / 34,
        "bias": torch.randn(128),
    }
    return Row(inputs, lambda: F.conv2d(*inputs.values(), padding=1))


def style_encoder():
    inputs = {"images": images(1, 256)}
    network = StyleEncoder()
    return Row(inputs, lambda: torch.cat([m.flatten() for m in network(inputs["images"])]), network)


def training_step(batch_size=8):
    """Forward, mean squared error, backward, clipping and AdamW; 9.0 million parameters, 64 px."""
    network = UNet(64, 32, (1, 2, 4, 4), 128, dropout=0.0)
    inputs = {
        "x_t": images(batch_size, 64),
        "content": images(batch_size, 64),
        "target": images(batch_size, 64, 6),
        "timesteps": torch.arange(batch_size, dtype=torch.float32) * 100 + 7,
        **style_maps("map", [(128, 16), (128, 8), (64, 32)], batch_size),
    }
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.0)

    def call():
        output = network(inputs["x_t"], inputs["content"], inputs["timesteps"], by_size(inputs, "map"))
        loss = F.mse_loss(output, inputs["target"])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        return loss.detach().reshape(1)

    return Row(inputs, call, network, train=True)


def sd_unet():
    from diffusers import UNet2DConditionModel

    network = UNet2DConditionModel(
        sample_size=32, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)
    )
    inputs = {"x_t": torch.randn(1, 4, 32, 32), "context": torch.randn(1, 49, 768)}
    call = lambda: network(inputs["x_t"], torch.tensor([500]), inputs["context"]).sample
    return Row(inputs, call, network)


def kl_decode():
    from diffusers import AutoencoderKL

    widths = (128, 256, 512, 512)
    network = AutoencoderKL(
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    inputs = {"latents": torch.randn(1, 4, 32, 32)}
    return Row(inputs, lambda: network.decode(inputs["latents"]).sample, network)


def resnet18():
    import torchvision

    network = torchvision.models.resnet18()
    network.fc = nn.Identity()
    inputs = {"images": images(8, 256)}
    return Row(inputs, lambda: network(inputs["images"]), network)


def mobilevit():
    import timm

    network = timm.create_model("mobilevit_s", num_classes=0)
    inputs = {"images": images(8, 256)}
    return Row(inputs, lambda: network(inputs["images"]), network)


def vit():
    import timm

    network = timm.create_model("vit_base_patch16_224", num_classes=0)
    inputs = {"images": images(8, 224)}
    return Row(inputs, lambda: network(inputs["images"]), network)


def rq_loss(batch_size=256, classes=40):
    """Equations 14 to 18 of DiffFAS and the gradient of the cosines; margins 0.4 and 0.2, scale 30."""
    inputs = {
        "cosines": torch.rand(batch_size, classes) * 1.8 - 0.9,
        "classes": torch.randint(classes, (batch_size,)).float(),
        "bona_fide": (torch.arange(batch_size) % 2).float(),
        "quality": torch.rand(batch_size) * 80,
    }
    labels = inputs["classes"].long()
    cosines = inputs["cosines"].clone().requires_grad_()
    margins = torch.where(inputs["bona_fide"] == 1, 0.4, 0.2)

    def call():
        quality = inputs["quality"]
        mean, deviation = quality.mean(), quality.std() + 1e-3
        lowest = -(quality < mean).float().mean()
        highest = (quality > mean).float().mean()
        relative = torch.clamp((mean - quality) / deviation / 3, lowest, highest)
        rows = torch.arange(batch_size)
        cosine = cosines[rows, labels].clamp(-1 + 1e-3, 1 - 1e-3)
        right = torch.cos(torch.acos(cosine) - margins * relative) - margins * (1 + relative)
        logits = cosines.clone()
        logits[rows, labels] = right
        loss = F.cross_entropy(30 * logits, labels)
        (gradient,) = torch.autograd.grad(loss, cosines)
        return torch.cat([loss.detach().reshape(1), gradient.flatten()])

    return Row(inputs, call, train=True)


ROWS = {
    "unet": unet,
    "guided_step": lambda: guided([240]),
    "edit": lambda: guided(list(range(240, -1, -10))),
    "stfm_32": lambda: stfm(256, 32),
    "stfm_16": lambda: stfm(512, 16),
    "stfm_8": lambda: stfm(512, 8),
    # Ours has the style's keys and values before the call, as in a sampler; the released code makes them anew.
    "stfm_32_step": lambda: stfm(256, 32),
    "stfm_16_step": lambda: stfm(512, 16),
    "stfm_8_step": lambda: stfm(512, 8),
    "group_norm_silu": group_norm_silu,
    "conv3x3": convolution,
    "style_encoder": style_encoder,
    "training_step": training_step,
    "sd_unet": sd_unet,
    "kl_decode": kl_decode,
    "resnet18": resnet18,
    "mobilevit": mobilevit,
    "vit": vit,
    "rq_loss": rq_loss,
}


def awake(network):
    """Norms that do something, and running statistics of something."""
    for value in network.state_dict().values():
        if value.dim() == 1 and value.is_floating_point():
            value += 0.1 * torch.rand_like(value)
