import json
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

from dev.speed.pipeline import steps, with_backend
from tests import forked

ROOT = Path(__file__).parents[2]


def test_both_libraries_read_the_same_samples(tmp_path):
    (tmp_path / 'images').mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 255, (60, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/{i}.jpg')
    (tmp_path / 'train.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=90, height=60) for i in range(4)],
        annotations=[dict(id=i + 1, image_id=i, category_id=1, bbox=[5, 5, 30, 30], area=900,
                          iscrowd=0) for i in range(4)],
        categories=[dict(id=1, name='raccoon')])))
    done = forked.run(
        ROOT / 'dev/speed/pipeline.py',
        ROOT / 'configs/real/glip_nano_raccoon.py', '--samples', '5', '--rounds', '2',
        '--out', tmp_path / 'out.json', '--cfg-options',
        f'train_dataloader.dataset.datasets.0.data_root={tmp_path}', cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / 'out.json').read_text())
    assert list(results) == ['pillow', 'cv2'] and results['pillow']['ratio'] == 1
    for name, row in results.items():
        assert f'{name} ' in done.stdout and row['images_per_second'] > 0
        assert abs(sum(row['share_of_time'].values()) - 1) < 1e-6
        assert {'LoadImage', 'RandomChoiceResize', 'BuildPrompt'} <= set(
            row['share_of_time'])


def test_every_step_gets_the_library():
    config = Config.fromfile(ROOT / 'configs/glip/glip_swin-t_o365-goldg.py')
    kinds = {}
    for step in steps(with_backend(config, 'turbojpeg').train_dataloader.dataset):
        kinds.setdefault(step['type'].rsplit('.', 1)[-1], []).append(step)
    assert kinds['LoadImage'] and all(s['imdecode_backend'] == 'turbojpeg'
                                      for s in kinds['LoadImage'])
    resizes = [s for k, found in kinds.items() if 'Resize' in k for s in found]
    assert resizes and all(s['backend'] == 'cv2' for s in resizes)
