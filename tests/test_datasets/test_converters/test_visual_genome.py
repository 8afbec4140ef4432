"""Visual Genome: frequent names become classes, the others are counted."""

import pytest

from glip_mm.datasets.converters import visual_genome_records
from glip_mm.datasets.json_container import iterate_array

from .conftest import dump


def thing(name, x=1, w=9):
    return dict(x=x, y=1, w=w, h=9, names=[name] if name else [])


def test_records(tmp_path):
    objects = dump(tmp_path / 'objects.json', [
        dict(image_id=1, objects=[thing('Dog'), thing('cat'), thing('rare'), thing('')]),
        dict(image_id=2, objects=[thing(' dog'), thing('dog', x=48), thing('cat', w='9')]),
        dict(image_id=3, objects=[thing('cat')]), dict(image_id=4)])
    images = dump(tmp_path / 'image_data.json', [
        dict(image_id=i, url=f'https://x/y/VG_100K/{i}.jpg', height=40, width=50)
        for i in (1, 2)])
    records = visual_genome_records(objects, images, min_boxes=2, progress=False)
    first, second = records
    assert records.label_map == {0: 'cat', 1: 'dog'}
    assert (first['filename'], first['height'], first['width']) == ('VG_100K/1.jpg', 40, 50)
    assert [(i['bbox'], i['category']) for i in first['detection']['instances']] == [
        ([1, 1, 10, 10], 'dog'), ([1, 1, 10, 10], 'cat')]
    assert [i['bbox'] for i in second['detection']['instances']] == [
        [1, 1, 10, 10], [48, 1, 50, 10]]
    assert records.report.dropped == {
        'box of a name that is rare or missing': 2, 'box that is not four finite numbers': 1,
        'image without an entry in image_data.json': 2, 'box of a row that is left out': 1}
    with pytest.raises(ValueError, match='--min-boxes'):
        visual_genome_records(objects, images, progress=False)
    with pytest.raises(ValueError, match='image_data.json of Visual Genome'):
        visual_genome_records(objects, objects, progress=False)


def test_arrays(tmp_path):
    path = dump(tmp_path / 'a.json', [1, [2], {'a': 3}])
    assert list(iterate_array(path, progress=False, window=1)) == [1, [2], {'a': 3}]
    with pytest.raises(ValueError, match='a JSON array'):
        list(iterate_array(dump(tmp_path / 'b.json', {}), progress=False))
