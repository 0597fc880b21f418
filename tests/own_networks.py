"""Networks in the styles of other repositories, written to files for the tests of networks of one's own."""

from pathlib import Path

BASICSR_LIKE = '''
"""As BasicSR's architectures: `upscale`, RGB in [0, 1], an upsampler by pixel shuffle, a helper in another file."""
import torch.nn.functional as F
from torch import nn

from blocks import ResidualBlock


class PlainNet(nn.Module):
    def __init__(self, num_in_ch=3, num_feat=8, num_block=2, upscale=4):
        super().__init__()
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*[ResidualBlock(num_feat) for _ in range(num_block)])
        self.upsampler = nn.Sequential(nn.Conv2d(num_feat, 3 * upscale**2, 3, 1, 1), nn.PixelShuffle(upscale))
        self.upscale = upscale

    def forward(self, x):
        base = F.interpolate(x, scale_factor=self.upscale, mode="bilinear", align_corners=False)
        return self.upsampler(self.body(self.conv_first(x))) + base
'''
BLOCKS = """
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x):
        return x + self.conv(x).relu()
"""
EDSR_LIKE = '''
"""As EDSR-PyTorch: 0..255, a mean shift of its own, `scale`, two outputs while training."""
import torch
from torch import nn


class MeanShift(nn.Conv2d):
    def __init__(self, rgb_range, sign):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * rgb_range * torch.tensor([0.4488, 0.4371, 0.4040])
        self.requires_grad_(False)


class EDSRLike(nn.Module):
    SAFMN_BENCH = {"input_range": 255}

    def __init__(self, scale=2, n_feats=8):
        super().__init__()
        self.sub_mean, self.add_mean = MeanShift(255, -1), MeanShift(255, 1)
        self.head = nn.Conv2d(3, n_feats, 3, padding=1)
        self.tail = nn.Sequential(nn.Conv2d(n_feats, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        features = self.head(self.sub_mean(x))
        sr = self.add_mean(self.tail(features))
        return (features, sr) if self.training else sr
'''
REPARAMETERISED = '''
"""As RepVGG's followers: branches while training, one convolution after `switch_to_deploy`; sides a multiple of 4."""
import torch.nn.functional as F
from torch import nn


class RepConv(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.wide, self.point = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.deploy = False

    def switch_to_deploy(self):
        self.wide.weight.data += F.pad(self.point.weight.data, (1, 1, 1, 1))
        self.wide.bias.data += self.point.bias.data
        del self.point
        self.deploy = True

    def forward(self, x):
        return self.wide(x) if self.deploy else self.wide(x) + self.point(x)


class RepNet(nn.Module):
    size_multiple = 4

    def __init__(self, dim=8, sf=4):
        super().__init__()
        self.head = nn.Conv2d(3, dim, 3, padding=1)
        self.body = RepConv(dim)
        self.tail = nn.Conv2d(dim, 3 * sf * sf, 3, padding=1)
        self.shuffle = nn.PixelShuffle(sf)

    def forward(self, x):
        b, c, h, w = x.shape
        assert h % 4 == 0 and w % 4 == 0, "sides must be multiples of 4"
        return self.shuffle(self.tail(self.body(self.head(x))))
'''
STYLES = {"plain.py:PlainNet": BASICSR_LIKE, "edsr_like.py:EDSRLike": EDSR_LIKE, "rep.py:RepNet": REPARAMETERISED}


def write_networks(folder: Path) -> dict[str, str]:
    """Write all styles into a folder; class -> how a user names it."""
    (folder / "blocks.py").write_text(BLOCKS)
    for name, code in STYLES.items():
        (folder / name.split(":")[0]).write_text(code)
    return {name.split(":")[1]: str(folder / name) for name in STYLES}


def write_class(folder: Path, name: str, body: str = "", before: str = "", forward: str = "") -> str:
    """One tiny network NAME in NAME.py with lines in its constructor; how a user names it."""
    forward = forward or "return F.interpolate(self.conv(x), scale_factor=self.up, mode='nearest')"
    code = f"""import os, sys, torch
import torch.nn.functional as F
from torch import nn
{before}

class {name}(nn.Module):
    def __init__(self, scale=4):
        super().__init__()
        self.up = scale
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        {body or "pass"}

    def forward(self, x):
        {forward}
"""
    (folder / f"{name.lower()}.py").write_text(code)
    return f"{folder / name.lower()}.py:{name}"
