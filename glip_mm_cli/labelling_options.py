"""Options of the labelling tool."""

import argparse
from pathlib import Path
from typing import Any

#: Model of the index that labels where no other is named.
DEFAULT_MODEL = 'glip_swin-t_o365-goldg'
#: Formats of data sets, see :data:`glip_mm.pseudo_labels.export.FORMATS`.
FORMATS = ('coco', 'yolo', 'voc', 'labelstudio', 'odvg')


class LabellingParser(argparse.ArgumentParser):
    """Parser that sorts what stands without an option: the data, or a config and weights."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the command line, also with options between what stands without one."""
        found = self.parse_intermixed_args(args, namespace)
        words = found.inputs
        if found.data is None and len(words) == 1:
            found.data = words.pop()
        elif words and found.config is None:
            found.config = words.pop(0)
            if words and found.checkpoint is None:
                found.checkpoint = words.pop(0)
        if words:
            self.error(f"'{words[0]}': give the images, and the model as --model; or CONFIG and "
                       'CHECKPOINT, and the images as --data')
        if found.data is None:
            self.error('give the images: a folder, tar shards, JSON lines or CSV')
        if found.config is None:
            found.config = DEFAULT_MODEL
        _check(self, found)
        return found


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    by_names = bool(args.classes or args.classes_file)
    if args.classes and args.classes_file:
        parser.error('--classes and --classes-file: give one of them')
    for option in ('prompts', 'thresholds', 'negatives', 'chunked_size'):
        if getattr(args, option) and not by_names:
            parser.error(f"--{option.replace('_', '-')} is of class names: give --classes")
    if args.counts and by_names:
        parser.error('--counts is of captions: class names say no number')
    for option in ('val', 'images_as'):
        if getattr(args, option) and not args.to:
            parser.error(f"--{option.replace('_', '-')} is of a data set: give --to")
    out, data = Path(args.out).resolve(), Path(args.data).resolve()
    if (by_names or args.to or args.review) and data.is_dir() and out.is_relative_to(data):
        parser.error(f"--out '{args.out}' lies among the images of '{args.data}': choose a folder "
                     'beside it')
    if args.to and (out.is_file() or out.is_dir() and any(out.iterdir())):
        parser.error(f"--out '{args.out}' is there already: delete it to write the data set again, "
                     'or choose another folder')


def share(text: str) -> float:
    """Read a score, a share or an IoU, from 0 to below 1; of a score of 1 nothing would be left."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'{text} must be from 0 to below 1')
    return value


def add_names_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which classes are looked for."""
    group = parser.add_argument_group('class names (default: the phrases of captions)')
    group.add_argument('--classes', nargs='+', metavar='NAME', help='names of what to look for, '
                       'as many as you like')
    group.add_argument('--classes-file', type=Path, metavar='FILE', help='file with a name on each '
                       'line')
    group.add_argument('--prompts', type=Path, metavar='FILE.json', help='how classes stand in the '
                       'prompt: {"CLASS": {"phrase", "prefix", "suffix"}}')
    group.add_argument('--thresholds', nargs='+', metavar='NAME=SCORE', help='scores that boxes of '
                       'these classes must exceed, in place of --threshold, or a JSON file of '
                       'thresholds (default: those stored beside the weights, if any)')
    group.add_argument('--negatives', nargs='+', default=[], metavar='NAME', help='names that '
                       'compete for boxes and are not written')
    group.add_argument('--chunked-size', type=int, metavar='N', help='names per prompt (default: '
                       'as the model says, most often as many as fit)')


def add_data_set_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the data set that labels become."""
    group = parser.add_argument_group('the data set')
    group.add_argument('--to', choices=FORMATS, help='write a data set in this format to DIR, and '
                       'the labels with their scores to DIR_labels (default: only labels, to DIR)')
    group.add_argument('--val', type=share, default=0., metavar='SHARE', help='share of the images '
                       'that become the val split (default: no split)')
    group.add_argument('--seed', type=int, default=0, help='of the split (default: 0)')
    group.add_argument('--images-as', choices=['link', 'copy', 'none'], help='how the data set '
                       'gets the images (default: link, a link to their folder; for labelstudio '
                       'none)')
    group.add_argument('--review', action='store_true', help='write a page to look at the labels')


def names_of(args: argparse.Namespace) -> list[str]:
    """Return the class names of the command line; none for captions.

    Raises:
        FileNotFoundError: If the file of names is missing.
        ValueError: If it is no UTF-8 text, or has no name.
    """
    if args.classes_file is None:
        return list(args.classes or ())
    from glip_mm.text.names import read_names  # slow, so only when needed
    return read_names(args.classes_file)
