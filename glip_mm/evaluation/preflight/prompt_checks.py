"""Checks of a data set's prompt, with the model's tokenizer."""

from typing import Any

from torch import nn

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.evaluation.tested_datasets import TestedDataset
from glip_mm.text import Prompt

from .findings import Findings, both_sides

REWORD = ('; rename them, or say them in other words: --prompts of tools/finetune.py, or '
          "caption_prompt={NAME: dict(name='WORDS')} of BuildPrompt and of the tested data set")


def check_prompt(dataset: TestedDataset, model: nn.Module, findings: Findings) -> None:
    """Check prompt and chunks of the first image: missing tokens, indistinguishable names."""
    glip = unwrapped(model)
    batcher = getattr(glip, 'prompts', None)
    if batcher is None or not dataset.num_images:
        return
    try:
        sample: Any = dataset.dataset[0]['data_samples']
    except (OSError, AssertionError, BadSample) as error:  # the image; MMCV raises AssertionError
        findings.errors.append(f'{dataset.name}: the first sample cannot be prepared: {error}')
        return
    sample = sample[0] if isinstance(sample, (list, tuple)) else sample
    try:
        prompt = Prompt.from_data_sample(sample)
        batcher.texts(prompt)  # raises for unknown or unencodable texts
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
        check_names(dataset.name, prompt, glip, findings)
    settings = glip.test_cfg
    chunks = batcher.chunks(prompt, settings.max_classes)
    title = (f'{dataset.name}: {dataset.num_images} images, '
             + (f'one prompt of {len(prompt.entities)} classes' if by_class else
                'each with its own prompt; that of the first has '
                f'{len(prompt.entities)} phrases'))
    described, silent = [], []
    for chunk in chunks:
        owned = batcher.token_map(chunk.prompt)
        silent += [name for name, row in zip(chunk.prompt.names, owned) if not bool(row.any())]
        described.append(batcher.describe(chunk.prompt))
    if len(chunks) == 1:
        lines = [f'{title}, {described[0]}']
    else:
        lines = [f'{title} in {len(chunks)} chunks '
                 f'(model.test_cfg.chunked_size={settings.chunked_size})',
                 *(f'  chunk {i}: {len(chunk.prompt.entities)} names, {text}'
                   for i, (chunk, text) in enumerate(zip(chunks, described), 1))]
    findings.notes.append('\n'.join(lines))
    if silent:
        text = (f'{dataset.name}: {len(silent)} of {len(prompt.entities)} names own no token and '
                f'can never be found: {silent} (blank names, or words beyond '
                f'language_model.max_tokens){REWORD}')
        # published data have blank names; a prompt without any token is a mistake
        target = findings.errors if len(silent) == len(prompt.entities) else findings.warnings
        target.append(text)


def unwrapped(model: nn.Module) -> Any:
    """Return the detector without wrappers for distribution, averaging or test augmentation."""
    model = getattr(model, 'module', model)
    # test-time augmentation wraps the model once more
    return getattr(model, 'module', model)


def check_names(title: str, prompt: Prompt, model: Any, findings: Findings) -> None:
    """Warn of names that the model reads otherwise than their author meant.

    Args:
        title: Name of the data set, for messages.
        prompt: Prompt of class names.
        model: A GLIP.
        findings: Findings to add warnings to.
    """
    problems = model.prompts.name_problems(prompt)
    findings.warnings += [f'{title}: {message}{REWORD}' for message in problems.messages()]
