"""The small U-Net of `fas-diffusion` (`UNetConfig::small`) in PyTorch, and a training step of it."""

import math

import torch
import torch.nn.functional as F
from torch import nn

GROUPS, EMBED, SIZE = 8, 128, 64


def bilinear(side, size):
    """Interpolation matrix `[side^2, size^2]`, patch centres on pixel centres."""
    identity = torch.eye(side * side).reshape(side * side, 1, side, side)
    maps = F.interpolate(identity, size=(size, size), mode="bilinear", align_corners=False)
    return maps.reshape(side * side, size * size)


def pooling(size, patch):
    """Averaging matrix `[size^2, side^2 + 1]`, the whole map last."""
    side = max(size // patch, 1)
    patch = min(patch, size)
    matrix = torch.zeros(size, size, side * side + 1)
    for y in range(side):
        for x in range(side):
            cell = (slice(y * patch, (y + 1) * patch), slice(x * patch, (x + 1) * patch))
            matrix[(*cell, y * side + x)] = 1 / patch**2
    matrix[:, :, -1] = 1 / size**2
    return matrix.reshape(size * size, side * side + 1)


class StatisticAttention(nn.Module):
    def __init__(self, channels, size, patch):
        super().__init__()
        self.query, self.key, self.value, self.output = (
            nn.Linear(channels, channels) for _ in range(4)
        )
        self.register_buffer("pool", pooling(size, patch))
        self.register_buffer("upsample", bilinear(max(size // patch, 1), size))

    def tokens(self, pixels):
        return (pixels @ self.pool).transpose(1, 2)

    def forward(self, x, style):
        query, key, value = self.query(x), self.key(style), self.value(style)
        fused = self.output(F.scaled_dot_product_attention(query, key, value))
        return fused[:, :-1].transpose(1, 2) @ self.upsample


class StyleFusion(nn.Module):
    def __init__(self, channels, size):
        super().__init__()
        self.size = size
        self.mean = StatisticAttention(channels, size, 6)
        self.spread = StatisticAttention(channels, size, 2)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def statistics(self, x):
        pixels = x.flatten(2)
        mean = self.spread.tokens(pixels)
        square = self.spread.tokens(pixels * pixels)
        return self.mean.tokens(pixels), (square - mean * mean).clamp_min(0)

    def forward(self, x, style):
        tokens, style = self.statistics(x), self.statistics(style)
        mean = self.mean(tokens[0], style[0]).reshape(x.shape)
        spread = self.spread(tokens[1], style[1]).reshape(x.shape)
        return x + self.conv(self.norm(x) * spread + mean)


class Residual(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.norm_1 = nn.GroupNorm(GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, out, 3, padding=1)
        self.time_projection = nn.Linear(EMBED, 2 * out)
        self.norm_2 = nn.GroupNorm(GROUPS, out)
        self.conv_2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x, embedding):
        hidden = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.time_projection(F.silu(embedding))[:, :, None, None].chunk(2, 1)
        hidden = F.silu((1 + scale) * self.norm_2(hidden) + shift)
        return self.skip(x) + self.conv_2(hidden)


class Block(nn.Module):
    def __init__(self, residual=None, fusion=None, down=None, up=None):
        super().__init__()
        self.residual, self.fusion, self.down, self.up = residual, fusion, down, up

    def forward(self, x, embedding, features):
        if self.residual:
            x = self.residual(x, embedding)
        if self.fusion:
            x = self.fusion(x, features[self.fusion.size])
        if self.down:
            x = self.down(x)
        if self.up:
            x = self.up(F.interpolate(x, scale_factor=2, mode="nearest"))
        return x


class UNet(nn.Module):
    def __init__(self, channels=32, mult=(1, 2, 3), fused=(16, 8), patch=2):
        super().__init__()
        self.patch = patch
        inputs = 6 * patch**2
        half = channels // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half) / half)
        self.register_buffer("frequencies", frequencies)
        self.linear_1, self.linear_2 = nn.Linear(channels, EMBED), nn.Linear(EMBED, EMBED)
        self.stem = nn.Conv2d(inputs, channels, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        size, width, skips = SIZE // patch, channels, [channels]
        fusion = lambda: StyleFusion(width, size) if size in fused else None
        for level, factor in enumerate(mult):
            residual, width = Residual(width, channels * factor), channels * factor
            self.encoder.append(Block(residual, fusion()))
            skips.append(width)
            if level + 1 < len(mult):
                self.encoder.append(Block(down=nn.Conv2d(width, width, 3, stride=2, padding=1)))
                size //= 2
                skips.append(width)
        self.middle = nn.ModuleList(
            [Residual(width, width), StyleFusion(width, size), Residual(width, width)]
        )
        for level in reversed(range(len(mult))):
            for index in range(2):
                out = channels * mult[level]
                residual, width = Residual(width + skips.pop(), out), out
                fused_here = fusion() if index == 0 else None
                up = nn.Conv2d(width, width, 3, padding=1) if level and index else None
                self.decoder.append(Block(residual, fused_here, up=up))
                size *= 2 if up else 1
        self.out_norm = nn.GroupNorm(GROUPS, width)
        self.input_scale = nn.Linear(EMBED, inputs)
        self.out_conv = nn.Conv2d(width + inputs, 3 * patch**2, 3, padding=1)

    def forward(self, x_t, content, timesteps, features):
        angles = timesteps[:, None].float() * self.frequencies
        code = torch.cat([angles.cos(), angles.sin()], 1)
        embedding = self.linear_2(F.silu(self.linear_1(code)))
        given = F.pixel_unshuffle(torch.cat([x_t, content], 1), self.patch)
        hidden = self.stem(given)
        skips = [hidden]
        for block in self.encoder:
            hidden = block(hidden, embedding, features)
            skips.append(hidden)
        first, fusion, second = self.middle
        hidden = fusion(first(hidden, embedding), features[fusion.size])
        hidden = second(hidden, embedding)
        for block in self.decoder:
            hidden = block(torch.cat([hidden, skips.pop()], 1), embedding, features)
        hidden = F.silu(self.out_norm(hidden))
        scaled = given * (1 + self.input_scale(embedding)[:, :, None, None])
        return F.pixel_shuffle(self.out_conv(torch.cat([hidden, scaled], 1)), self.patch)


class Network:
    """The network, its optimiser and one batch."""

    def __init__(self, batch_size, values):
        self.unet = UNet()
        count = sum(parameter.numel() for parameter in self.unet.parameters())
        print(f"PyTorch's U-Net: {count} parameters", flush=True)
        self.optimiser = torch.optim.AdamW(self.unet.parameters(), 1e-4, weight_decay=0.0)
        self.images = [values(seed, (batch_size, 3, SIZE, SIZE)) for seed in (1, 2, 3)]
        self.timesteps = 60 * torch.arange(batch_size) + 7
        self.features = {
            size: values(seed, (batch_size, channels, size, size))
            for seed, channels, size in ((4, 64, 16), (5, 96, 8))
        }

    def step(self):
        x_t, content, target = self.images
        output = self.unet(x_t, content, self.timesteps, self.features)
        loss = F.mse_loss(output, target)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()
