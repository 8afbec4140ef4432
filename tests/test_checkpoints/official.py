"""Official state dicts of the released architectures, with small tensors where shapes allow."""

import json
from pathlib import Path

import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden'
# what the official code writes, and what MMDetection keeps of it
COUNTS = {'glip_a': (541, 534), 'glip_t': (745, 738), 'glip_l': (1021, 1014)}


def _block_copies(keys: dict[str, list]) -> dict[str, list]:
    """GLIP-L's names from GLIP-T's: 18 blocks in stage 2 and 8 fusion blocks (shapes stay T's)."""
    more = {}
    for key, shape in keys.items():
        if key.startswith('backbone.body.layers.2.blocks.5.'):
            for block in range(6, 18):
                more[key.replace('.blocks.5.', f'.blocks.{block}.')] = shape
        for module in (15, 16, 17):
            if f'dyhead_tower.{module}.' in key:
                for shift in (3, 6):
                    more[key.replace(f'.{module}.', f'.{module + shift}.')] = shape
    return {**keys, **more}


def official_shapes(name: str, with_mlm: bool = False) -> dict[str, list]:
    """Official key -> shape."""
    source = 'glip_t' if name == 'glip_l' else name
    entries = json.loads((GOLDEN / source / 'keys.json').read_text())['keys']
    shapes = {k: v['shape'] for k, v in entries.items() if with_mlm or not v.get('only_with_mlm')}
    return _block_copies(shapes) if name == 'glip_l' else shapes


def official_state(name: str, with_mlm: bool = False) -> dict[str, Tensor]:
    """Random values; tensors that no rule reorders are cut to 8 entries a dimension."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in official_shapes(name, with_mlm).items():
        if len(shape) > 1 and 'downsample' not in key:
            shape = [min(s, 8) for s in shape]
        state[key] = torch.randn(shape, generator=generator)
    if with_mlm:
        state['rpn.head.mlm_head.bias'] = state['rpn.head.mlm_head.decoder.bias']
    return state
