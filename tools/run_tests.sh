#!/usr/bin/env bash
# Run the tests in an environment of their own, made if missing: see tools/misc/setup_env.sh.
# Usage: bash tools/run_tests.sh [options of pytest]
# A process for each core shares the tests (pytest-xdist); -n 0 runs them in one.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/misc/setup_env.sh"
cd "$glip_mm_root"
# the same on every machine, however many cores it has
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# options given by hand come later and win; each process is a PyTorch, so of many cores not all
case " ${PYTEST_ADDOPTS:-} $* " in
    *no:xdist*) ;;
    *) export PYTEST_ADDOPTS="-n auto --maxprocesses 8 --dist worksteal ${PYTEST_ADDOPTS:-}" ;;
esac
exec python -m pytest "$@"
