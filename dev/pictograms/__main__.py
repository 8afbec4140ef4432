"""Make a folder of pictograms with names, from packages that `npm pack` has downloaded.

Each family of drawings is an archive that holds an image of each emoji, named by its code points:
emoji-datasource-twitter and -google (PNG), @lobehub/fluent-emoji-3d (WebP), openmoji (SVG, needs
`pip install resvg-py`). The groups of emojis come from an emoji-datasource archive, names and
keywords from cldr-annotations-full. docs/pictograms.md has their licences.

Example:
    npm pack emoji-datasource-twitter@16.0.0 emoji-datasource-google@16.0.0 openmoji@17.0.0 \\
        @lobehub/fluent-emoji-3d@1.1.0 cldr-annotations-full@48.2.0
    python -m dev.pictograms --out data/pictograms --names cldr-annotations-full-48.2.0.tgz \\
        --family twemoji=emoji-datasource-twitter-16.0.0.tgz \\
        --family noto=emoji-datasource-google-16.0.0.tgz \\
        --family openmoji=openmoji-17.0.0.tgz --family fluent=lobehub-fluent-emoji-3d-1.1.0.tgz
"""

import argparse
import io
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from glip_mm_cli.ending import end_clearly


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='python -m dev.pictograms', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER')
    parser.add_argument('--names', type=Path, required=True, metavar='TGZ',
                        help='archive of cldr-annotations-full')
    parser.add_argument('--family', action='append', required=True, metavar='NAME=TGZ',
                        help='drawings; repeat for more. One must be of emoji-datasource')
    parser.add_argument('--side', type=int, default=96, help='pixels at most (default: 96)')
    args = parser.parse_args()
    args.families = {}
    for text in args.family:
        name, equals, path = text.partition('=')
        if not equals or not re.fullmatch('[a-z0-9_-]+', name) or name in args.families:
            parser.error(f"--family '{text}' must be NAME=TGZ, with another name of small letters "
                         'for each family')
        args.families[name] = Path(path)
    for path in (args.names, *args.families.values()):
        if not path.is_file():
            parser.error(f"'{path}' is not a file: make it with npm pack (see --help)")
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from PIL import Image
from tqdm import tqdm

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.pictogram_world.vocabulary import INDEX
from glip_mm.image_decoding import open_image

#: Bytes of a member of an archive at most.
LARGEST = 64 << 20
_IMAGE = re.compile(r'(?:^|/)([0-9a-f]{2,6}(?:-[0-9a-f]{2,6})*)\.(png|webp|svg)$', re.IGNORECASE)
#: Folders of other drawings: without colour.
_LEFT_OUT = re.compile('(^|/)black/')
#: Selector of coloured drawings, which some file names have and others lack.
_SELECTOR = 'fe0f'


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the files that are used, in the order of the archive.

    Raises:
        DataError: If it is no tar archive, or damaged.
    """
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                wanted = _IMAGE.search(member.name) and not _LEFT_OUT.search(member.name)
                wanted = wanted or member.name.endswith(('/emoji.json', '/en/annotations.json'))
                if wanted and member.isfile() and member.size <= LARGEST:
                    file = archive.extractfile(member)
                    assert file is not None
                    yield member.name, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"'{path}' cannot be read as a tar archive ({error}): "
                        'fetch it again') from error


def identity(code_points: str) -> str:
    """Return the name of an emoji's files: code points in small letters, without selectors."""
    return '-'.join(p for p in code_points.lower().split('-') if p != _SELECTOR)


def rasterise(content: bytes, suffix: str, side: int) -> Image.Image:
    """Return a drawing as an RGBA image of at most ``side`` pixels.

    Raises:
        DataError: If an SVG is met without a renderer, or the image is damaged.
    """
    if suffix == 'svg':
        try:
            from resvg_py import svg_to_bytes
        except ImportError as error:
            raise DataError('drawings in SVG need a renderer: pip install resvg-py, or leave the '
                            'family out') from error
        content = bytes(svg_to_bytes(svg_string=content.decode(), width=side,
                                     skip_system_fonts=True))
    image = open_image(content).convert('RGBA')
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def read_names(path: Path) -> dict[str, dict]:
    """Read names and keywords of emojis: id -> dict of ``name`` and ``keywords``.

    Raises:
        DataError: If the archive holds no English annotations.
    """
    for name, content in members(path):
        if name.endswith('/annotations/en/annotations.json'):
            rows = json.loads(content)['annotations']['annotations']
            return {identity('-'.join(f'{ord(c):x}' for c in text)): dict(
                name=row['tts'][0], keywords=row.get('default', []))
                for text, row in rows.items() if 'tts' in row}
    raise DataError(f"'{path}' has no annotations/en/annotations.json: it must be the archive of "
                    'cldr-annotations-full')


def make_folder(args: argparse.Namespace) -> int:
    """Write drawings and index; return the number of pictograms that all families have."""
    names = read_names(args.names)
    groups: dict[str, dict] = {}
    drawn: dict[str, set[str]] = {}
    for family, path in args.families.items():
        drawn[family] = set()
        for name, content in tqdm(members(path), desc=family, unit='file'):
            if name.endswith('/emoji.json'):
                groups = {identity(row['unified']): row for row in json.loads(content)}
            if not (found := _IMAGE.search(name)):
                continue
            emoji = identity(found[1])
            if emoji in names and emoji not in drawn[family]:
                data = io.BytesIO()
                try:
                    rasterise(content, found[2].lower(), args.side).save(data, format='PNG')
                except (OSError, ValueError) as error:
                    raise DataError(f"'{path}': {name}: {error}") from error
                write_atomically(args.out / family / f'{emoji}.png', data.getvalue(),
                                 durable=False)
                drawn[family].add(emoji)
    if not groups:
        raise DataError('no family is an archive of emoji-datasource, whose emoji.json says which '
                        'group an emoji belongs to')
    common = set.intersection(*drawn.values())
    things = [dict(id=emoji, name=names[emoji]['name'], group=row['category'],
                   subgroup=row['subcategory'].replace(' ', ''),
                   keywords=names[emoji]['keywords'])
              for emoji, row in sorted(groups.items(), key=lambda item: item[1]['sort_order'])
              if emoji in common]
    content = dict(families=list(args.families), things=things)
    write_atomically(args.out / INDEX, (json.dumps(content, indent=1) + '\n').encode())
    return len(things)


def main() -> None:
    """Make the folder."""
    args = parse_args()
    try:
        count = make_folder(args)
    except DataError as error:
        sys.exit(f'error: {error}')
    except (KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError) as error:
        sys.exit(f'error: emoji.json or annotations.json of an archive is not as expected '
                 f'({error!r}): take the versions of --help')
    print(f"{count} pictograms of {', '.join(args.families)} in '{args.out}'")


if __name__ == '__main__':
    main()
