_base_ = '../benchmarks/refcoco.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/refcoco.py',
    reference='docs/migration.md')
