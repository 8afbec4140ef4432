#!/usr/bin/env bash
# Run the tests in an environment of their own, made if missing: see tools/misc/setup_env.sh.
# Usage: bash tools/run_tests.sh [options of pytest]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/misc/setup_env.sh"
cd "$glip_mm_root"
exec python -m pytest "$@"
