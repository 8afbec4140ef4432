_base_ = '../benchmarks/odinw13_prompts.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/odinw13_prompts.py',
    reference='docs/migration.md')
