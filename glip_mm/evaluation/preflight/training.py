"""Checks of training sets: classes, boxes, images and prompts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.bad_sample_counter import MAX_DROPPED
from glip_mm.datasets.stream.grounding_stream import seeded
from glip_mm.datasets.transforms.build_prompt import BuildPrompt
from glip_mm.evaluation.tested_datasets import TestedDataset
from glip_mm.text import Prompt
from glip_mm.text.names import listed
from glip_mm.text.prompt import GAP

from .annotations import check_annotations, read_annotations
from .box_positions import check_positions
from .boxes import check_boxes
from .findings import Findings, both_sides
from .image_checks import check_images, some_samples
from .pipeline_order import order_fault
from .prompt_checks import check_names, unwrapped

#: Maximum size of an annotation file that is read before a training: a few seconds.
LARGEST = 1 << 26
#: Number of samples whose boxes are counted, evenly over a data set.
SAMPLES = 500


def check_training_set(dataset: TestedDataset, model: nn.Module, findings: Findings,
                       work_dir: str | Path | None = None) -> None:
    """Check a training set before the first batch.

    Args:
        dataset: Training set, or a member of one.
        model: A GLIP, or a detector without prompts.
        findings: Findings to add to.
        work_dir: Folder in which it is remembered which images are sound.
    """
    content = read_annotations(dataset, findings, LARGEST)
    title = f"{dataset.name}: '{dataset.ann_file}'"
    if content is not None:
        check_boxes(title, content, findings)
        if hasattr(dataset.dataset, 'cat_ids'):  # it looks categories up by name
            check_annotations(dataset, content, findings, training=True)
    check_images(dataset, findings, work_dir)
    check_pipeline(dataset, findings)
    names = _class_names(dataset, title, findings)
    if names:
        _count_boxes(dataset, names, title, findings)
    dropped = getattr(dataset.dataset, 'dropped_boxes', None)  # of all samples read until here
    if dropped is not None and dropped.share:
        target = findings.errors if dropped.share > MAX_DROPPED else findings.warnings
        target.append(f'{title}: {dropped}; tools/misc/validate_odvg.py names the lines')
    prompt = _first_prompt(dataset, findings)
    glip = unwrapped(model)
    if prompt is None or not hasattr(glip, 'prompts'):
        return
    _check_builder(dataset, glip, names, findings)
    try:
        read = glip.prompts.describe(prompt)
    except ValueError as error:
        findings.errors.append(f'{dataset.name}: {error}')
        return
    named = sum(entity != GAP for entity in prompt.entities)
    findings.notes.append(
        f'{dataset.name}: {dataset.num_images} training images, '
        + (f'{len(names)} classes' if names else 'each with its own phrases')
        + f'; a prompt of the first: {named} names, {read[:400]}')


def check_pipeline(dataset: TestedDataset, findings: Findings) -> None:
    """Check that a training pipeline loads boxes first, and moves them with the image."""
    steps = getattr(getattr(dataset.dataset, 'pipeline', None), 'transforms', None) or ()
    wrong = order_fault(steps)
    if wrong:
        findings.errors.append(f"{dataset.name}: train_dataloader's pipeline of this data set: "
                               f'{wrong}')
    else:
        check_positions(dataset, findings)


def check_vocabularies(training: Sequence[TestedDataset], tested: Sequence[TestedDataset],
                       findings: Findings) -> None:
    """Find classes that are evaluated during a training but missing from its data.

    That may be intended, to test generalisation, but not if names differ by spelling alone.
    """
    learned = {name for d in training for name in _names(d.dataset)}
    if not learned:
        return
    plain = {_plain(name): name for name in learned}
    for dataset in tested:
        strange = [c for c in dataset.classes if c not in learned]
        spelled = [f'{c!r} (trained as {plain[_plain(c)]!r})' for c in strange
                   if _plain(c) in plain]
        if spelled:
            findings.warnings.append(f'{dataset.name}: evaluated classes are spelled differently '
                                     f'in training: {", ".join(spelled)}; make metainfo.classes '
                                     'and the categories the same')
        if strange and len(strange) == len(dataset.classes) and not spelled:
            findings.warnings.append(
                f'{dataset.name}: no evaluated class is in the training data; meant for a '
                'zero-shot evaluation alone:\n'
                + both_sides('evaluated', list(dataset.classes), 'trained', sorted(learned)[:50]))


def _names(dataset: Any) -> tuple[str, ...]:
    names = getattr(dataset, 'label_map', None)
    if isinstance(names, Mapping):
        return tuple(names[label] for label in sorted(names))
    return tuple(listed((getattr(dataset, 'metainfo', None) or {}).get('classes') or ()))


def _class_names(dataset: TestedDataset, title: str, findings: Findings) -> tuple[str, ...]:
    """Return the names of the labels; a data set with a label map ignores those of metainfo."""
    names = _names(dataset.dataset)
    if dataset.classes and names != tuple(dataset.classes):
        findings.errors.append(
            f'{title}: training takes the names of the file (label_map), which metainfo '
            'contradicts; remove metainfo or correct the names:\n'
            + both_sides('metainfo.classes', dataset.classes, 'file', names))
    return names


def _count_boxes(dataset: TestedDataset, names: Sequence[str], title: str,
                 findings: Findings) -> None:
    counts: Counter[int] = Counter()
    samples = 0
    for info in some_samples(dataset, SAMPLES):
        samples += 1
        counts.update(i['bbox_label'] for i in info.get('instances', ())
                      if not i.get('ignore_flag'))
    looked_at = f'{samples} of {dataset.num_images} images that were looked at'
    if not samples:
        return
    if not counts:
        findings.errors.append(f'{title}: none of the {looked_at} has a usable box, so there is '
                               'nothing to learn from: check annotations and class names')
    empty = [name for label, name in enumerate(names) if not counts[label]]
    if counts and empty and samples == dataset.num_images:
        findings.warnings.append(
            f'{title}: {len(empty)} of {len(names)} classes have no boxes in training and are '
            f'learned as background alone: {empty[:20]}{"..." * (len(empty) > 20)}; add images or '
            'remove the categories')


def _first_prompt(dataset: TestedDataset, findings: Findings) -> Prompt | None:
    """Return the prompt of the first sample that the pipeline accepts."""
    prepare = getattr(dataset.dataset, 'prepare_data', None)
    if prepare is None:
        return None
    failed: list[str] = []
    for index in range(min(dataset.num_images, 8)):
        # augmentation must not advance the random generators of the training
        with seeded(0):
            try:
                data = prepare(index)
                sample = None if data is None else data['data_samples']
                if sample is not None:
                    return Prompt.from_data_sample(sample)
            except BadSample as error:
                failed.append(str(error))
            except (ValueError, TypeError, KeyError, OSError, AssertionError) as error:
                findings.errors.append(f'{dataset.name}: training sample {index} cannot be '
                                       f'prepared: {error}')
                return None
    if failed:
        findings.warnings.append(f'{dataset.name}: the first training samples cannot be used: '
                                 f'{failed[0]}')
    return None


def _check_builder(dataset: TestedDataset, model: Any, names: Sequence[str],
                   findings: Findings) -> None:
    steps = getattr(getattr(dataset.dataset, 'pipeline', None), 'transforms', ())
    builder = next((s for s in steps if isinstance(s, BuildPrompt)), None)
    if builder is None:
        return
    language_model = model.language_model
    if builder.max_tokens > language_model.max_tokens:
        findings.errors.append(
            f'{dataset.name}: BuildPrompt.max_tokens={builder.max_tokens} makes prompts that '
            f'language_model.max_tokens={language_model.max_tokens} cuts: give both the same')
    if builder.tokenizer.get_vocab() != language_model.tokenizer.get_vocab():
        findings.errors.append(
            f"{dataset.name}: BuildPrompt.tokenizer='{builder.tokenizer_name}' has another "
            "vocabulary than the model's language_model.name: give both the same")
    if not names:
        return
    try:
        whole = Prompt.from_names(names, caption_prompt=builder.caption_prompt)
        check_names(dataset.name, whole, model, findings)
    except ValueError as error:
        findings.errors.append(f'{dataset.name}: {error}')
        return
    room = builder.max_tokens - 2
    huge = [n for n, (b, e) in zip(whole.names, whole.pieces or ())
            if e - b > room and language_model.count_tokens([whole.caption[b:e]])[0] > room]
    if huge:
        findings.errors.append(
            f'{dataset.name}: {len(huge)} class names alone are longer than a prompt of '
            f'{builder.max_tokens} tokens, so their boxes cannot be learned: '
            f'{[n[:60] + "..." for n in huge]}; rename them or use BuildPrompt.caption_prompt')


def _plain(name: str) -> str:
    return ' '.join(name.replace('_', ' ').replace('-', ' ').casefold().split())
