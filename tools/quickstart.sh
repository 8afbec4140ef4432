#!/usr/bin/env bash
# The main job at a size for two CPU cores: draw the grounding world, pre-train a small GLIP on its
# detection and grounding halves, test it zero-shot, and report in numbers and pictures.
# Makes its own environment: see tools/misc/setup_env.sh. Run again, it continues where it stopped.
set -euo pipefail

# Two threads where two cores are idle as this begins, else one: threads that wait for each other
# beside other work on the same cores cost most of the speed (docs/troubleshooting.md).
idle_threads() {
    local cores load
    cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
    load=$(LC_ALL=C uptime | sed 's/.*load averages*: *//; s/[, ].*//')
    awk -v cores="$cores" -v load="$load" 'BEGIN { print (cores - load >= 1.5 ? 2 : 1) }'
}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(idle_threads)}
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-10000}  # how long a waiting thread keeps its core

. "$(dirname "${BASH_SOURCE[0]}")/misc/setup_env.sh"
cd "$glip_mm_root"

config=configs/quickstart/glip_nano_grounding-world.py
world=data/grounding_world
out=work_dirs/quickstart
export HF_HUB_OFFLINE=1  # the language model comes from a package

glip_mm_say "1/4  the grounding world"
python tools/misc/make_grounding_world.py --out "$world"

glip_mm_say "2/4  pre-training"
# the training writes this file at its end
finished=$out/training_cost.json
if [ -f "$finished" ] && [ "$config" -nt "$finished" ]; then
    echo "   $config has changed since the last run: starting anew"
    rm -f "$finished" "$out"/last_checkpoint "$out"/epoch_*.pth
fi
newest() { python -m glip_mm_cli.training_folder "$out"; }
if [ -f "$finished" ] && newest > /dev/null 2>&1; then
    echo "   found finished in $out"
else
    python tools/train.py "$config" --work-dir "$out" --resume auto
fi
checkpoint=$(newest)

glip_mm_say "3/4  zero-shot test"
tested=$out/test/finished
if [ "$tested" -nt "$checkpoint" ] && [ "$tested" -nt "$config" ]; then
    echo "   found finished in $out/test"
else
    python tools/test.py "$config" "$checkpoint" --work-dir "$out/test"
    touch "$tested"
fi

glip_mm_say "4/4  report"
python tools/misc/quickstart_report.py --config "$config" --checkpoint "$checkpoint" \
    --train-dir "$out" --test-dir "$out/test" --data "$world" --out "$out"
