"""What all tries read: a tiny model, its config and checkpoint, and pictures."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: Width and height of the pictures.
WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class World:
    """Files that valid inputs consist of.

    Attributes:
        folder: where they are.
        kept: what a kind of tries has made of them.
    """

    folder: Path
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> 'World':
        """Write the files; the model is made when it is first asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(4):
            picture(number).save(folder / f'{number}.png')
        return cls(folder)

    def link(self, number: int, path: Path) -> None:
        """Put a picture into the folder of a try."""
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.folder / f'{number}.png', path)

    @cached_property
    def config(self) -> Any:
        """Config of the tiny model."""
        from tests.test_apis.conftest import make_config
        from tests.test_models.nano import write_tiny_bert
        config = make_config(write_tiny_bert(self.folder / 'bert'))
        (self.folder / 'nano.py').write_text(config.pretty_text)
        return config

    @cached_property
    def model(self) -> Any:
        """Build the model, with weights that tell its entities apart."""
        import torch

        from glip_mm.apis.building import build_model
        torch.manual_seed(0)
        model = build_model(self.config)
        for parameter in model.bbox_head.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        torch.save(dict(state_dict=model.state_dict(), meta={}), self.folder / 'nano.pth')
        return model

    @property
    def files(self) -> tuple[Path, Path]:
        """Paths of the config and the checkpoint."""
        self.model  # noqa: B018  writes them
        return self.folder / 'nano.py', self.folder / 'nano.pth'


def picture(number: int) -> Image.Image:
    """Draw a picture."""
    small = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
