#!/usr/bin/env bash
# Run the tests in an environment of their own, made if missing: see tools/misc/setup_env.sh.
# Usage: bash tools/run_tests.sh [options of pytest]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/misc/setup_env.sh"
cd "$glip_mm_root"
# the same on every machine, however many cores it has
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec python -m pytest "$@"
