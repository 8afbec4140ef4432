#!/usr/bin/env bash
# Test on several devices of this machine, or on several machines.
# Usage: tools/dist_test.sh CONFIG CHECKPOINT DEVICES [options of test.py]
# Several machines: the same on each, with NNODES, its NODE_RANK and the first one's MASTER_ADDR set.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT DEVICES [options of test.py]" >&2; exit 2; }
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=$1 checkpoint=$2 devices=$3
shift 3
export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$devices" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
