#!/usr/bin/env bash
# Teacher -> labels -> student -> evaluation of both (GLIP, section 3.3).
# Usage: tools/self_train.sh TEACHER_CONFIG STUDENT_CONFIG OUT --data DATA [options of pseudo_label.py]
# The student's config reads LABELS, the folder of the round's labels, and if it is to start from the
# teacher TEACHER_WEIGHTS. Interrupted, the same command goes on where it stopped: a step that is done is
# not repeated.
#   TEACHER=FILE      start from these weights instead of training a teacher
#   ROUNDS=1          a student becomes the teacher of the next round
#   DEVICES=1         train, label and test on so many
#   TRAIN_OPTIONS=    options of train.py for teacher and student, such as --cfg-options ...
set -euo pipefail
[ $# -ge 5 ] || { sed -n '2,10s/^# \?//p' "$0" >&2; exit 2; }
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
teacher_config=$1 student_config=$2 out=$3
shift 3
devices=${DEVICES:-1}
export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"

run() { # TOOL ARGUMENTS: on one device, or on all
    local tool=$1
    shift
    if [ "$devices" = 1 ]; then
        "${PYTHON:-python}" "$tools/$tool" "$@"
    else
        "${PYTHON:-python}" -m torch.distributed.run --nproc_per_node="$devices" \
            --master_port="${PORT:-29500}" "$tools/$tool" "$@"
    fi
}
launcher=()
[ "$devices" = 1 ] || launcher=(--launcher pytorch)

newest() { # FOLDER: its newest complete checkpoint
    "${PYTHON:-python}" -m glip_mm_cli.training_folder "$1"
}
train() { # CONFIG FOLDER
    [ -f "$2/trained" ] && newest "$2" > "$2/trained" && return
    # shellcheck disable=SC2086
    run train.py "$1" --work-dir "$2" --resume auto "${launcher[@]}" ${TRAIN_OPTIONS:-}
    newest "$2" > "$2/trained"
}
evaluate() { # CONFIG CHECKPOINT FOLDER
    [ -f "$3/tested" ] && return
    run test.py "$1" "$2" --work-dir "$3" "${launcher[@]}"
    touch "$3/tested"
}

if [ -n "${TEACHER:-}" ]; then
    weights=$TEACHER
else
    train "$teacher_config" "$out/teacher"
    weights=$(cat "$out/teacher/trained")
fi
evaluate "$teacher_config" "$weights" "$out/teacher/test"

config=$teacher_config
for round in $(seq "${ROUNDS:-1}"); do
    folder=$out/round$round
    run pseudo_label.py "$config" "$weights" --out "$folder/labels" "$@"
    LABELS=$(cd "$folder/labels" && pwd)
    export LABELS TEACHER_WEIGHTS=$weights
    train "$student_config" "$folder/student"
    weights=$(cat "$folder/student/trained")
    evaluate "$student_config" "$weights" "$folder/student/test"
    config=$student_config
done
