"""The prompt of a data set, as the model will read it."""

from collections import defaultdict
from typing import Any

from torch import nn

from glip_mm.text import Prompt
from glip_mm.text.names import clean_name

from ..tested_datasets import TestedDataset
from .findings import Findings, both_sides


def check_prompt(dataset: TestedDataset, model: nn.Module, findings: Findings) -> None:
    """Prompt and chunks of the first image: what has no tokens, what cannot be told apart."""
    model = getattr(model, 'module', model)
    # test-time augmentation wraps the model once more
    model = getattr(model, 'module', model)
    batcher = getattr(model, 'prompts', None)
    if batcher is None or not dataset.num_images:
        return
    sample: Any = dataset.dataset[0]['data_samples']
    sample = sample[0] if isinstance(sample, (list, tuple)) else sample
    try:
        prompt = Prompt.from_data_sample(sample)
    except (ValueError, TypeError) as error:
        findings.errors.append(
            f'{dataset.name}: the model is not told what to look for: {error}\n'
            f'  metainfo.classes: {list(dataset.classes)}\n'
            f'  the first sample has: {sorted(sample.metainfo_keys())}')
        return
    text = sample.get('text', None)
    by_class = not isinstance(text, str) and bool(dataset.classes)
    if by_class and list(prompt.names) != list(dataset.classes):
        findings.errors.append(
            f'{dataset.name}: the prompt names other classes than metainfo, so labels would stand '
            'for other classes:\n'
            + both_sides('prompt', prompt.names, 'metainfo.classes', dataset.classes))
    if by_class:
        _collisions(dataset, findings)
    size = model.test_cfg.get('chunked_size', -1)
    chunks = batcher.chunks(prompt, size if size and size > 0 else None)
    lines = [f'{dataset.name}: {dataset.num_images} images, '
             + (f'one prompt of {len(prompt.entities)} classes' if by_class else
                'each with its own prompt; that of the first has '
                f'{len(prompt.entities)} phrases')
             + f' in {len(chunks)} chunk(s) (model.test_cfg.chunked_size={size})']
    silent = []
    for i, chunk in enumerate(chunks):
        owned = batcher.token_map(chunk.prompt)
        silent += [name for name, row in zip(chunk.prompt.names, owned) if not bool(row.any())]
        lines.append(f'  chunk {i + 1}: {len(chunk.prompt.entities)} names, {owned.shape[1]} '
                     f'tokens: {chunk.prompt.caption!r}')
    findings.notes.append('\n'.join(lines))
    if silent:
        text = (f'{dataset.name}: {len(silent)} of {len(prompt.entities)} names own no token and '
                f'can never be found: {silent} (blank names, or words beyond '
                'language_model.max_tokens)')
        # published data have blank names; a prompt that holds nothing at all is a mistake
        target = findings.errors if len(silent) == len(prompt.entities) else findings.warnings
        target.append(text)


def _collisions(dataset: TestedDataset, findings: Findings) -> None:
    same = defaultdict(list)
    for name in dataset.classes:
        same[' '.join(clean_name(name).lower().split())].append(name)
    double = {k: v for k, v in same.items() if len(v) > 1}
    if double:
        findings.warnings.append(
            f'{dataset.name}: the model cannot tell these classes apart, their names are the same '
            'after cleaning: ' + '; '.join(f'{k!r} <- {v}' for k, v in double.items()))
