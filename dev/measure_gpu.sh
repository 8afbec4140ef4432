#!/usr/bin/env bash
# Measure everything on one GPU in at most eight minutes: python -m dev.speed.card --help
# Needs no network and no compiler. Run again with the same --out, it measures what is left.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
# the script itself stops after --minutes; this ends a kernel that never returns
exec timeout --kill-after=10 "${GLIP_MM_GPU_SECONDS:-490}" python -m dev.speed.card "$@"
