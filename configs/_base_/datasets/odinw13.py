_base_ = '../benchmarks/odinw13.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/odinw13.py',
    reference='docs/migration.md')
