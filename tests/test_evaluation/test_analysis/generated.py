"""Generated data sets and test runs: what a report is made of."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from glip_mm.evaluation.predictions import Prediction, PredictionWriter

COLOURS = dict(red=(220, 60, 60), green=(60, 170, 80), blue=(60, 110, 220), gold=(230, 180, 50),
               violet=(150, 90, 210), teal=(40, 150, 150))
SHAPES = ('disk', 'square')
SIDE = 120


@dataclass
class Part:
    """A data set in a folder, and its true boxes by image."""

    name: str
    ann_file: Path
    img_prefix: Path
    classes: tuple
    ids: list
    paths: list
    boxes: list = field(default_factory=list)  # of arrays [K, 4]
    labels: list = field(default_factory=list)  # of arrays [K]
    names: list | None = None  # phrases of each image
    prompt: dict | None = None  # words that the prompt has instead of names


def make_coco(root: Path, name: str = 'shapes', count: int = 20, classes: int = 6,
              seed: int = 0) -> Part:
    """A COCO file with a crowd, and a class without boxes."""
    part, images, rows = _draw(root, name, count, classes, seed)
    rows[0]['iscrowd'] = 1
    _write(part, images, rows, [*part.classes, 'unicorn'])
    part.classes = (*part.classes, 'unicorn')
    return part


def make_lvis(root: Path, name: str = 'long_tail', count: int = 24, classes: int = 12,
              seed: int = 1) -> Part:
    """An LVIS file: frequencies, classes nobody looked for, classes of which some boxes lack."""
    part, images, rows = _draw(root, name, count, classes, seed, tail=True)
    rng = np.random.default_rng(seed)
    for image, labels in zip(images, part.labels):
        absent = np.setdiff1d(np.arange(classes), labels)
        image['neg_category_ids'] = (rng.permutation(absent)[:4] + 1).tolist()
        image['not_exhaustive_category_ids'] = [int(labels[0]) + 1] if image['id'] % 3 == 0 else []
    letters = ['f'] * (classes // 3) + ['c'] * (classes // 3)
    letters += ['r'] * (classes - len(letters))
    _write(part, images, rows, part.classes, letters)
    return part


def make_phrases(root: Path, name: str = 'captions', count: int = 10, seed: int = 2) -> Part:
    """Captions with phrases, ODVG."""
    part, images, rows = _draw(root, name, count, 6, seed)
    lines, part.names, kept = [], [], []
    for image, boxes, labels in zip(images, part.boxes, part.labels):
        caption, regions = 'a picture of', []
        unique = list(dict.fromkeys(labels.tolist()))
        for label in unique:
            start = len(caption) + 1 + (4 if regions else 0)
            caption += (' and ' if regions else ' ') + part.classes[label]
            regions.append(dict(phrase=part.classes[label], tokens_positive=[[start, len(caption)]],
                                bbox=boxes[labels == label].tolist()))
        lines.append(json.dumps(dict(filename=image['file_name'], height=SIDE, width=SIDE,
                                     grounding=dict(caption=caption, regions=regions))))
        part.names.append(tuple(part.classes[label] for label in unique))
        kept.append(np.array([unique.index(label) for label in labels.tolist()]))
    part.labels, part.classes, part.ann_file = kept, (), root / name / 'captions.jsonl'
    part.ann_file.write_text('\n'.join(lines) + '\n')
    return part


def make_run(folder: Path, parts: list, quality: float = 0.8, seed: int = 0, model: str = 'nano',
             images: int | None = None, **extra) -> Path:
    """The work directory of a test of a model that finds a share ``quality`` of the boxes."""
    rng = np.random.default_rng(seed)
    writer = PredictionWriter(folder / 'predictions', dict(), 0)
    index = 0
    for part in parts:
        for i in range(len(part.ids)):
            if images is None or index < images:
                boxes, scores, labels = _detect(part, i, quality, rng)
                writer.add(Prediction(
                    index, part.ids[i], str(part.paths[i]), (SIDE, SIDE),
                    boxes.astype(np.float32), scores.astype(np.float32), labels.astype(np.int32),
                    part.names[i] if part.names else None))
            index += 1
    writer.close()
    members = [dict(type='GroundingDataset' if p.names else 'CocoDataset', ann_file=str(p.ann_file),
                    data_prefix=dict(img=str(p.img_prefix)),
                    **(dict(caption_prompt=p.prompt) if p.prompt else {})) for p in parts]
    (folder / 'config.py').write_text(
        f"default_scope = 'glip_mm'\nmodel = dict(type='GLIP', quality={quality})\n"
        f"test_dataloader = dict(dataset=dict(type='ConcatDataset', datasets={members}))\n")
    content = dict(
        metrics={'shapes/coco/bbox_mAP': 0.5 * quality, 'lvis/AP': 0.4 * quality,
                 'lvis/APr': 0.21, 'phrases/Recall@1': 0.9 * quality},
        expected={'shapes/coco/bbox_mAP': 0.42, 'lvis/AP': 0.3201}, model=model,
        benchmark='generated', checkpoint=f'{model}.pth', config='config.py', seconds=12.5,
        environment={'Python': '3.11', 'GPU': 'none', 'sys.platform': 'linux <&>'},
        datasets=[dict(name=p.name, ann_file=str(p.ann_file), img_prefix=str(p.img_prefix),
                       num_images=len(p.ids), classes=list(p.classes)) for p in parts])
    (folder / 'metrics.json').write_text(json.dumps({**content, **extra}))
    return folder


def _draw(root, name, count, classes, seed, tail=False):
    rng = np.random.default_rng(seed)
    names = [f'{c} {s}' for s in SHAPES for c in COLOURS][:classes]
    folder = root / name / 'images'
    folder.mkdir(parents=True)
    part = Part(name, root / name / 'boxes.json', folder, tuple(names), [], [])
    images, rows = [], []
    weights = 1 / np.arange(1, classes + 1) if tail else np.ones(classes)
    for number in range(count):
        picture = Image.new('RGB', (SIDE, SIDE), tuple(rng.integers(200, 250, 3).tolist()))
        pen, boxes, labels = ImageDraw.Draw(picture), [], []
        for place in rng.permutation(4)[:rng.integers(2, 5)]:
            label = int(rng.choice(classes, p=weights / weights.sum()))
            side = int(rng.integers(20, 50))
            x, y = (int(v) for v in 60 * np.array([place % 2, place // 2]) + rng.integers(0, 8, 2))
            box = [x, y, x + side, y + side]
            colour = list(COLOURS.values())[label % 6]
            draw = pen.ellipse if label < 6 else pen.rectangle
            draw((x, y, x + side - 1, y + side - 1), fill=colour)
            boxes.append(box)
            labels.append(label)
            rows.append(dict(id=len(rows) + 1, image_id=number + 1, category_id=label + 1,
                             bbox=[x, y, side, side], area=side * side, iscrowd=0))
        path = folder / f'{number}.jpg'
        picture.save(path)
        images.append(dict(id=number + 1, file_name=path.name, width=SIDE, height=SIDE))
        part.ids.append(number + 1)
        part.paths.append(path)
        part.boxes.append(np.array(boxes, float))
        part.labels.append(np.array(labels))
    return part, images, rows


def _write(part, images, rows, classes, frequency=None):
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    for category, letter in zip(categories, frequency or ()):
        category['frequency'] = letter
    part.ann_file.write_text(json.dumps(dict(images=images, annotations=rows,
                                             categories=categories)))


def _detect(part, i, quality, rng):
    boxes, labels, scores = [], [], []
    count = len(part.names[i]) if part.names else len(part.classes)
    for box, label in zip(part.boxes[i], part.labels[i]):
        if rng.random() < quality:
            boxes.append(box + rng.normal(0, 2, 4))
            labels.append(label if rng.random() < quality + 0.1 else rng.integers(count))
            scores.append(rng.uniform(0.3, 1))
        if rng.random() < 0.3:  # badly placed, or found twice
            boxes.append(box + rng.normal(0, 9, 4))
            labels.append(label)
            scores.append(rng.uniform(0.05, 0.7))
    for _ in range(3):
        x, y = rng.uniform(0, SIDE - 40, 2)
        boxes.append([x, y, x + rng.uniform(10, 40), y + rng.uniform(10, 40)])
        labels.append(rng.integers(count))
        scores.append(rng.uniform(0, 0.6) * rng.random())
    boxes = np.clip(np.array(boxes), 0, SIDE)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    # scores that tie, as coarse ones do
    return boxes, np.round(np.array(scores), 2), np.array(labels)
