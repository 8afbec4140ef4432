"""Disks that are full, and file systems that are read-only."""

import ctypes
import json
import os
from pathlib import Path

from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Refusal, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'full disk, read-only file system'
# flags of Linux
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x20000
_READ_ONLY, _REMOUNT, _PRIVATE = 1, 32, 1 << 18 | 1 << 14


def prepare(world: World) -> None:
    """Write the checkpoint."""
    world.kept['disks'] = world.files


def mount(target: Path, kilobytes: int) -> None:
    """Mount a small file system for this process alone.

    Raises:
        OSError: If the system does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(status: int) -> None:
        if status:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_MOUNTS):
        call(libc.unshare(_NEW_USER | _NEW_MOUNTS))
        Path('/proc/self/setgroups').write_text('deny')
        Path('/proc/self/uid_map').write_text(f'0 {user} 1')
        Path('/proc/self/gid_map').write_text(f'0 {group} 1')
    call(libc.mount(b'none', b'/', None, _PRIVATE, None))
    call(libc.mount(b'tmpfs', bytes(target), b'tmpfs', 0, f'size={kilobytes}k'.encode()))


def remount_read_only(target: Path) -> None:
    """Let nothing more be written to what :func:`mount` mounted."""
    if ctypes.CDLL(None, use_errno=True).mount(b'tmpfs', bytes(target), b'tmpfs',
                                               _READ_ONLY | _REMOUNT, None):
        raise OSError(ctypes.get_errno(), 'remount')


def _data(place: Place) -> None:
    rows = [dict(filename=f'{i}.png', width=WIDTH, height=HEIGHT, grounding=dict(
        caption='a dog ' + 'x' * 900, regions=[dict(
            bbox=[1, 2, 30, 40], phrase='a dog', tokens_positive=[[0, 5]], score=.5)]))
        for i in range(300)]
    Path('labels.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    Path('coco.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name='x' * 900, width=WIDTH, height=HEIGHT) for i in range(300)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 30, 40])],
        categories=[dict(id=1, name='dog')])))
    for number in range(3):
        place.world.link(number, place.folder / 'images' / f'{number}.png')


def make(place: Place) -> Try:
    """Write to a disk without room."""
    rng = place.rng
    config, checkpoint = place.world.kept['disks']
    _data(place)
    disk = place.folder / 'disk'
    disk.mkdir()
    tools = {
        'converter': ('tools/dataset_converters/coco2odvg.py', 'coco.json', '-o', 'disk/o.jsonl'),
        'coco': ('tools/analysis_tools/export_labels.py', 'labels.jsonl', '--to', 'coco', '--out',
                 'disk/o'),
        'odvg': ('tools/analysis_tools/export_labels.py', 'labels.jsonl', '--to', 'odvg', '--out',
                 'disk/o'),
        'review': ('tools/analysis_tools/review_labels.py', 'labels.jsonl', '--images', 'images',
                   '--samples', '2', '--out', 'disk/o'),
        'checkpoint': ('tools/model_converters/convert_glip.py', checkpoint, 'disk/o.pth'),
        'interpolation': ('tools/misc/interpolate_weights.py', checkpoint, checkpoint, '--alphas',
                          '0', '--out', 'disk/o'),
        'demo': ('demo/image_demo.py', 'images', config, '--weights', checkpoint, '--texts',
                 'a dog', '--out-dir', 'disk/o'),
        'labelling': ('tools/pseudo_label.py', config, checkpoint, '--data', 'rows.jsonl',
                      '--out', 'disk/o', '--device', 'cpu'),
        'testing': ('tools/test.py', config, checkpoint, '--work-dir', 'disk/o')}
    Path('rows.jsonl').write_text(json.dumps(
        dict(filename='images/0.png', caption='a dog ' * 3000)) + '\n')
    which, kind = rng.choice(sorted(tools)), rng.choice(['full', 'read-only'])
    kilobytes = rng.choice([4, 8, 16])
    if which in ('labelling', 'testing', 'demo', 'review'):
        kind, kilobytes = rng.choice(['read-only', 'full']), 4
    mount(disk, kilobytes)
    (disk / 'kept').write_bytes(b'x' * 1024)
    if kind == 'full' and which in ('labelling', 'testing', 'demo', 'review'):
        (disk / 'kept').write_bytes(b'x' * 4096)
    if kind == 'read-only':
        remount_read_only(disk)

    def act() -> None:
        try:
            run_tool(*tools[which])
        except Refusal:
            left = [str(path) for path in disk.rglob('*') if path.is_file()
                    and path.name != 'kept' and not path.name.startswith('.')
                    and path.suffix not in ('.log', '.py')]
            for path in left:
                if path.endswith(('.json', '.jsonl')):
                    json.loads(Path(path).read_text().splitlines()[-1])
                if path.endswith('.pth'):
                    raise AssertionError(f'half a file is left: {path}') from None
            raise
    words = ('Read-only file system', ) if kind == 'read-only' else ('No space left', )
    return Try(f'{which} on a disk that is {kind}', act, None, words)
