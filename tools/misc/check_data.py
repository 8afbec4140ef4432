"""Check data before a training: COCO-format files or folders, and ODVG lines.

Exit status 1 if there is a fault.

Example:
    python tools/misc/check_data.py data/raccoon
    python tools/misc/check_data.py data/coco/annotations/instances_val2017.json
    python tools/misc/check_data.py data/coco/annotations/instances_train2017_od.jsonl
"""

import argparse
import sys
from pathlib import Path


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', nargs='+', metavar='PATH', type=existing,
                        help='a folder with train, val and test splits in COCO format; a '
                        'COCO-format .json; or ODVG lines')
    parser.add_argument('--label-map', help='label map of ODVG detection data')
    parser.add_argument('--image-root', help='folder of the images of ODVG lines: each must be '
                        'there')
    return parser


def existing(text: str) -> Path:
    """Parse a path that must exist."""
    if not Path(text).exists():
        raise argparse.ArgumentTypeError(f"'{text}' does not exist")
    return Path(text)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from glip_mm.apis.suite import find_datasets
from glip_mm.datasets.coco_file import read_coco
from glip_mm.datasets.validation import validate_odvg
from glip_mm.evaluation.preflight.boxes import check_boxes
from glip_mm.evaluation.preflight.findings import Findings
from glip_mm.finetuning.data import folder_splits


def is_odvg(path: Path) -> bool:
    """Return whether a file holds JSON lines rather than one COCO-format object."""
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        first = file.readline()
    return path.suffix == '.jsonl' or ('"grounding"' in first or '"detection"' in first
                                       ) and '"images"' not in first


def check_odvg(path: Path, args: argparse.Namespace) -> Findings:
    """Find the faults of an ODVG file."""
    found = validate_odvg(str(path), args.label_map, args.image_root)
    return Findings([str(fault) for fault in found.faults], notes=[found.summary()])


def check_coco_file(path: Path, images: Path | None = None) -> Findings:
    """Find the faults of a COCO-format file, and of its images if their folder is known."""
    findings, content = Findings(), read_coco(str(path))
    check_boxes(f"'{path}'", content, findings)
    missing = [] if images is None else [row['file_name'] for row in content['images']
                                         if not (images / row['file_name']).is_file()]
    if missing:
        findings.errors.append(f"'{path}': {len(missing)} of {len(content['images'])} images are "
                               f"not in '{images}', the first: '{missing[0]}'")
    findings.notes.append(
        f"'{path}': {len(content['images'])} images, {len(content.get('annotations', ()))} boxes, "
        f"{len(content['categories'])} classes")
    return findings


def check_folder(folder: Path) -> Findings:
    """Find the faults of a folder's splits, alone and together."""
    findings, parts, absent = Findings(), {}, []
    for split in ('train', 'val', 'test'):
        try:
            parts.update({part.ann_file: part.images
                          for part in find_datasets([str(folder)], split)})
        except FileNotFoundError as error:
            absent.append(str(error))
    if not parts:
        raise FileNotFoundError(f'{absent[0]}; likewise for val and test')
    for ann_file, images in parts.items():
        found = check_coco_file(Path(ann_file), Path(images))
        for kind in ('errors', 'warnings', 'notes'):
            getattr(findings, kind).extend(getattr(found, kind))
    try:
        findings.warnings.extend(folder_splits(folder).doubts)
    except (FileNotFoundError, ValueError) as error:
        findings.warnings.append(f'not ready for tools/finetune.py: {error}')
    return findings


def main() -> int:
    """Check all paths."""
    args = make_parser().parse_args()
    status = 0
    for path in args.paths:
        try:
            if path.is_dir():
                found = check_folder(path)
            else:
                found = check_odvg(path, args) if is_odvg(path) else check_coco_file(path)
        except (OSError, ValueError) as error:
            found = Findings([str(error)])
        for kind, lines in (('error: ', found.errors), ('warning: ', found.warnings),
                            ('', found.notes)):
            print(*(kind + line for line in dict.fromkeys(lines)), sep='\n', end='\n' * bool(lines))
        status |= bool(found.errors)
    return status


if __name__ == '__main__':
    sys.exit(main())
