_base_ = '../benchmarks/lvis_val.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/lvis_val.py',
    reference='docs/migration.md')
