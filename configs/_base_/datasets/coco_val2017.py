_base_ = '../benchmarks/coco.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/coco.py',
    reference='docs/migration.md')
