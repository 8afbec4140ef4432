_base_ = '../benchmarks/lvis_minival.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/lvis_minival.py',
    reference='docs/migration.md')
