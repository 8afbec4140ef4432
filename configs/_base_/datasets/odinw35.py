_base_ = '../benchmarks/odinw35.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/odinw35.py',
    reference='docs/migration.md')
