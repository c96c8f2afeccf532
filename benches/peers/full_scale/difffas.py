"""DiffFAS in PyTorch: U-Net, STFM and style encoder with the names and the arithmetic of the released code.

Dead layers of the released code are left out. Style maps come in; keys and values are made in each pass.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 32


def conv3x3(channels, out, stride=1, bias=True):
    return nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=bias)


class StyleFusion(nn.Module):
    """STFM: means of 5x5 patches, `E[x] - E[x^2]` of 3x3 patches, the whole map as first token."""

    def __init__(self, channels):
        super().__init__()
        layer = lambda factor: nn.Conv1d(channels, factor * channels, 1)
        self.to_q1, self.to_kv1, self.proj_out1 = layer(1), layer(2), layer(1)
        self.to_q2, self.to_kv2, self.proj_out2 = layer(1), layer(2), layer(1)
        self.bn = nn.BatchNorm2d(channels)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.conv1 = conv3x3(channels, channels)

    @staticmethod
    def tokens(x, patch):
        """Patch means `[batch_size, channels, 1 + patches]`."""
        pooled = F.avg_pool2d(x, min(patch, x.shape[2])).flatten(2)
        return torch.cat([x.mean((2, 3)).unsqueeze(2), pooled], 2)

    @classmethod
    def statistics(cls, x):
        return cls.tokens(x, 5), cls.tokens(x, 3) - cls.tokens(x * x, 3)

    @staticmethod
    def attend(query, key_value, output, x, style, size):
        query, (key, value) = query(x), key_value(style).chunk(2, 1)
        attended = F.scaled_dot_product_attention(query.mT, key.mT, value.mT)
        grid = output(attended.mT)[:, :, :-1]
        side = math.isqrt(grid.shape[2])
        grid = grid.unflatten(2, (side, side))
        return F.interpolate(grid, size=(size, size), mode="bicubic", align_corners=True)

    def forward(self, x, style):
        size = x.shape[2]
        mean, spread = self.statistics(x)
        style_mean, style_spread = self.statistics(self.bn(style))
        mean = self.attend(self.to_q1, self.to_kv1, self.proj_out1, mean, style_mean, size)
        spread = self.attend(self.to_q2, self.to_kv2, self.proj_out2, spread, style_spread, size)
        return x + self.norm(self.conv1(self.norm(x) * spread + mean))


class ResidualBlock(nn.Module):
    def __init__(self, channels, out, embedding, dropout, resample=None):
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.SiLU(), conv3x3(channels, out))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out), nn.SiLU(), nn.Dropout(dropout), conv3x3(out, out)
        )
        self.skip_connection = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        self.resample = {
            None: nn.Identity(),
            "down": nn.AvgPool2d(2),
            "up": nn.Upsample(scale_factor=2, mode="nearest"),
        }[resample]

    def forward(self, x, embedding):
        norm, activation, conv = self.in_layers
        hidden = conv(self.resample(activation(norm(x))))
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, 1)
        norm, *rest = self.out_layers
        hidden = norm(hidden) * (1 + scale) + shift
        for layer in rest:
            hidden = layer(hidden)
        return self.skip_connection(self.resample(x)) + hidden


class TimeEmbedding(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width))
        frequencies = torch.exp(-math.log(10000) * torch.arange(channels // 2) / (channels // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, timesteps):
        angles = timesteps[:, None].float() * self.frequencies
        return self.time_embed(torch.cat([angles.cos(), angles.sin()], 1))


class Block(nn.ModuleList):
    """An entry of the released block lists."""

    def forward(self, x, embedding, maps):
        for layer in self:
            match layer:
                case ResidualBlock():
                    x = layer(x, embedding)
                case StyleFusion():
                    x = layer(x, maps[x.shape[2]])
                case _:
                    x = layer(x)
        return x


class UNet(nn.Module):
    def __init__(self, size=256, channels=128, mult=(1, 1, 2, 2, 4, 4), embedding=512, dropout=0.1):
        super().__init__()
        residual = lambda *args: ResidualBlock(*args[:2], embedding, dropout, *args[2:])
        fused = lambda size, index: index == 1 and size in (32, 16, 8)
        self.time_embed = TimeEmbedding(channels, embedding)
        self.input_blocks = nn.ModuleList([Block([conv3x3(6, channels)])])
        width, skips = channels, [channels]
        for level, factor in enumerate(mult):
            for index in range(2):
                block = [residual(width, channels * factor)]
                width = channels * factor
                block += [StyleFusion(width)] if fused(size, index) else []
                self.input_blocks.append(Block(block))
                skips.append(width)
            if level + 1 < len(mult):
                self.input_blocks.append(Block([residual(width, width, "down")]))
                skips.append(width)
                size //= 2
        self.middle_block = Block([residual(width, width), StyleFusion(width), residual(width, width)])
        self.output_blocks = nn.ModuleList()
        for level, factor in reversed(list(enumerate(mult))):
            for index in range(3):
                block = [residual(width + skips.pop(), channels * factor)]
                width = channels * factor
                block += [StyleFusion(width)] if fused(size, index) else []
                if level and index == 2:
                    block.append(residual(width, width, "up"))
                    size *= 2
                self.output_blocks.append(Block(block))
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), conv3x3(width, 6))

    def forward(self, x_t, content, timesteps, maps):
        """Noise and variance logits; `maps` by their size in pixels."""
        embedding = self.time_embed(timesteps)
        hidden, skips = torch.cat([x_t, content], 1), []
        for block in self.input_blocks:
            hidden = block(hidden, embedding, maps)
            skips.append(hidden)
        hidden = self.middle_block(hidden, embedding, maps)
        for block in self.output_blocks:
            hidden = block(torch.cat([hidden, skips.pop()], 1), embedding, maps)
        return self.out(hidden)


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, out, stride, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = conv3x3(out, out, bias=False), nn.BatchNorm2d(out)
        shortcut = [nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)]
        self.downsample = nn.Sequential(*shortcut if stride != 1 or channels != out else [])

    def forward(self, x):
        hidden = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(hidden + self.downsample(x))


class StyleEncoder(nn.Module):
    def __init__(self, styles=17):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        width = 64
        for stage, (out, depth) in enumerate([(64, 3), (256, 4), (512, 6), (512, 3)]):
            blocks = []
            for index in range(depth):
                blocks.append(BasicBlock(width, out, 2 if stage and not index else 1))
                width = out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(width, styles)

    def forward(self, images):
        """Maps of 32, 16 and 8 px."""
        hidden = F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            hidden = stage(hidden)
            maps.append(hidden)
        return maps[1:]


ALPHAS = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


def guided_ddim(unet, x, content, maps, null_maps, steps, scale):
    """The released sampler: two passes a step, then DDIM's step; the last gives the clean image."""
    for step, after in zip(steps, [*steps[1:], None]):
        timesteps = torch.tensor([step])
        conditional = unet(x, content, timesteps, maps)[:, :3]
        unconditional = unet(x, content, timesteps, null_maps)[:, :3]
        noise = unconditional + scale * (conditional - unconditional)
        alpha = ALPHAS[step]
        clean = (x - noise * float((1 - alpha).sqrt())) / float(alpha.sqrt())
        if after is None:
            return clean
        x = clean * float(ALPHAS[after].sqrt()) + noise * float((1 - ALPHAS[after]).sqrt())
