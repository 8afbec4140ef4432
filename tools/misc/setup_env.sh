# Makes the environment that glip_mm runs in, and activates it. Source it; needs set -euo pipefail.
#
# Needs Python >= 3.10 and a package index; no compiler. A finished environment is stamped, so a
# second run starts at once; an interrupted run continues where it stopped. The screen shows the
# stages, setup.log in the environment everything that pip and compilers say.
#
#   GLIP_MM_VENV     folder of the environment                            (.venv of the clone)
#   GLIP_MM_PYTHON   interpreter to make it with                          (python3, then others)
#   GLIP_MM_TORCH    what to give pip for torch, options allowed          (torch==2.13.0)
#   GLIP_MM_MMCV     MMCV with compiled operators, e.g. mmcv==2.1.0       (mmcv-lite, without)
#   GLIP_MM_CACHE    where MMCV wheels that were built here are kept      (~/.cache/glip_mm)

glip_mm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
glip_mm_venv=${GLIP_MM_VENV:-$glip_mm_root/.venv}
glip_mm_log=$glip_mm_venv/setup.log
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

glip_mm_say() { printf '\n== %s\n' "$*"; }
glip_mm_fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# The first interpreter that is new enough.
glip_mm_find_python() {
    local candidate found=''
    for candidate in ${GLIP_MM_PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python}; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
        found="$found $candidate is $("$candidate" --version 2>&1);"
    done
    glip_mm_fail "Python >= 3.10 is needed;${found:- none was found.}" \
        "Install one, or name it: GLIP_MM_PYTHON=/path/to/python3.11"
}

# Whether a finished environment still belongs to these files.
glip_mm_stamp() {
    {
        echo "$glip_mm_root ${GLIP_MM_TORCH:-} ${GLIP_MM_MMCV:-}"
        cat "$glip_mm_root"/requirements/*.txt "$glip_mm_root"/setup.{cfg,py} "${BASH_SOURCE[0]}"
    } | cksum
}

glip_mm_make_venv() {
    local python
    if "$glip_mm_venv/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
    python=$(glip_mm_find_python)
    "$python" -c 'import venv, ensurepip' 2>/dev/null || glip_mm_fail \
        "$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"
    echo "   new environment in $glip_mm_venv with $("$python" --version)"
    "$python" -m venv --clear "$glip_mm_venv"
}

glip_mm_python() { "$glip_mm_venv/bin/python" "$@"; }

# pip, its talk in the log. Arguments: those of pip.
glip_mm_pip() { glip_mm_python -m pip "$@" < /dev/null >> "$glip_mm_log" 2>&1; }

# What a stage has to say, on a line of its own. Arguments: words...
glip_mm_note() { printf '\n   %s\n   ' "$*"; }

# A stage of the installation: its name and how long it took. Arguments: name, command...
glip_mm_stage() {
    local name=$1 start=$SECONDS
    shift
    printf '   %s ... ' "$name"
    "$@" || {
        tail -n 15 "$glip_mm_log" >&2
        glip_mm_fail "$name could not be installed; the whole log: $glip_mm_log"
    }
    printf '%d s\n' $((SECONDS - start))
}

glip_mm_install_torch() {
    local good='import torch; v = torch.__version__.split("."); assert (int(v[0]), int(v[1])) >= (2, 6)'
    if ! glip_mm_python -c "$good" 2>/dev/null; then
        # shellcheck disable=SC2086  # may hold options
        if ! glip_mm_pip install ${GLIP_MM_TORCH:-torch==2.13.0}; then
            [ -z "${GLIP_MM_TORCH:-}" ] || glip_mm_fail "pip found no '$GLIP_MM_TORCH': see $glip_mm_log"
            glip_mm_note "torch 2.13.0 cannot be had for this Python: taking what the index offers"
            glip_mm_pip install 'torch>=2.6' || glip_mm_fail \
                "pip found no torch. Name one that your index has: GLIP_MM_TORCH='torch==2.7.1'"
        fi
        glip_mm_python -W ignore -c "$good" || glip_mm_fail "the torch that was installed cannot be imported" \
            "or is older than 2.6"
    fi
    # from here on nothing may replace it
    glip_mm_python -W ignore -c 'import torch; print(f"torch=={torch.__version__}")' \
        > "$glip_mm_venv/constraints.txt"
    export PIP_CONSTRAINT=$glip_mm_venv/constraints.txt
}

# Without its system libraries (libGL), opencv-python cannot be imported; the headless one can.
glip_mm_mend_opencv() {
    if glip_mm_python -c 'import cv2' 2>/dev/null; then return; fi
    glip_mm_pip uninstall -y opencv-python opencv-python-headless
    glip_mm_pip install opencv-python-headless
    glip_mm_python -c 'import cv2' || glip_mm_fail "OpenCV cannot be imported"
}

glip_mm_has_mmcv_ops() { glip_mm_python -c 'import torch, mmcv, mmcv._ext' 2>/dev/null; }

# Where a wheel of MMCV that was built here for this Python and torch is kept, and for what it is
# built. 1: the GPU; hide: there is one, but no compiler for it; 0: there is none. Argument: MMCV.
glip_mm_wheels() {
    local key cuda
    read -r key cuda < <(glip_mm_python - <<'PY'
import sys, sysconfig, torch
from torch.utils.cpp_extension import CUDA_HOME
cuda = ('1' if CUDA_HOME else 'hide') if torch.cuda.is_available() else '0'
print(f'{sysconfig.get_platform()}-{sys.implementation.cache_tag}-torch{torch.__version__}'
      f'-cuda{cuda}', cuda)
PY
)
    echo "${GLIP_MM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/glip_mm}/wheels/$key-${1//[^a-zA-Z0-9.]/_} $cuda"
}

# MMCV with compiled operators, which GLIP_MM_MMCV asks for: a wheel built here before, one of the
# index, or compiled now.
glip_mm_install_mmcv_ops() {
    local spec=$GLIP_MM_MMCV cache cuda built
    if glip_mm_has_mmcv_ops; then return; fi
    read -r cache cuda < <(glip_mm_wheels "$spec")
    # both write to one folder: the light one first gives it up
    glip_mm_pip uninstall -y mmcv mmcv-lite

    if compgen -G "$cache/*.whl" >/dev/null; then
        glip_mm_note "MMCV: the wheel built here before, for the same Python and torch ($cache)"
        glip_mm_pip install --force-reinstall --no-deps "$cache"/*.whl || true
        if glip_mm_has_mmcv_ops; then return; fi
        rm -rf "$cache"
    fi

    if glip_mm_pip install --only-binary :all: --no-deps "$spec"; then
        if glip_mm_has_mmcv_ops; then return; fi
        glip_mm_note "MMCV: the wheel on offer does not fit this torch"
    fi
    glip_mm_pip uninstall -y mmcv

    glip_mm_note "MMCV: no wheel fits; compiling it, about 10 minutes on two cores ($glip_mm_log)"
    command -v "${CXX:-c++}" >/dev/null 2>&1 || glip_mm_fail "no C++ compiler ('${CXX:-c++}') was" \
        "found. On Debian and Ubuntu: apt-get install g++. Without GLIP_MM_MMCV none is needed"
    glip_mm_python -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        glip_mm_fail "Python's headers are missing. On Debian and Ubuntu: apt-get install python3-dev"
    if [ "$cuda" = hide ]; then
        glip_mm_note "warning: there is a GPU but no nvcc: MMCV's operators will run on the CPU alone"
    fi
    # beside its place in the cache, so that it appears there whole or not at all
    mkdir -p "$(dirname "$cache")" 2>/dev/null || true
    built=$(mktemp -d "$(dirname "$cache")/building.XXXXXX" 2>/dev/null || mktemp -d)
    # MMCV's own choice is at least four jobs, however few the cores and the memory
    if ! MMCV_WITH_OPS=1 FORCE_CUDA="${cuda/hide/0}" \
        MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}" \
        CUDA_VISIBLE_DEVICES="$([ "$cuda" = hide ] || echo "${CUDA_VISIBLE_DEVICES-0}")" \
        glip_mm_pip wheel -v --no-build-isolation --no-deps --no-cache-dir -w "$built" "$spec"; then
        rm -rf "$built"
        return 1
    fi
    glip_mm_pip install --no-deps "$built"/*.whl
    glip_mm_has_mmcv_ops || glip_mm_fail "MMCV was compiled but cannot be imported: see $glip_mm_log"
    [ -e "$cache" ] || mv "$built" "$cache" 2>/dev/null || true
    rm -rf "$built"
}

glip_mm_install_mmcv() {
    local requirements=$glip_mm_root/requirements
    if [ -n "${GLIP_MM_MMCV:-}" ]; then
        # what MMCV imports, so that it can be tried as soon as it is there
        glip_mm_pip install -r "$requirements/build.txt" \
            "$(grep -o '^mmengine[^ ]*' "$requirements/mminstall.txt")" && glip_mm_mend_opencv &&
            glip_mm_install_mmcv_ops && glip_mm_pip install -r "$requirements/mminstall.txt"
    else
        if glip_mm_python -m pip show -q mmcv 2>/dev/null; then glip_mm_pip uninstall -y mmcv mmcv-lite; fi
        glip_mm_pip install -r "$requirements/lite.txt"
    fi && glip_mm_mend_opencv
}

glip_mm_install_rest() {
    local requirements=$glip_mm_root/requirements
    glip_mm_pip install -r "$requirements/build.txt" -r "$requirements/runtime.txt" \
        -r "$requirements/optional.txt" -r "$requirements/tests.txt" &&
        glip_mm_pip install --no-deps -r "$requirements/nodeps.txt" && glip_mm_mend_opencv &&
        glip_mm_pip install --no-build-isolation --no-deps -e "$glip_mm_root"
}

glip_mm_install() {
    glip_mm_say "environment"
    glip_mm_make_venv
    glip_mm_stage "torch" glip_mm_install_torch
    glip_mm_stage "MMCV ${GLIP_MM_MMCV:-without compiled operators} and MMDetection" glip_mm_install_mmcv
    glip_mm_stage "glip_mm, what it needs, and what its tests need" glip_mm_install_rest
    if ! glip_mm_python "$glip_mm_root/tools/misc/check_env.py" > "$glip_mm_venv/check_env.txt"; then
        cat "$glip_mm_venv/check_env.txt" >&2
        glip_mm_fail "the environment in $glip_mm_venv is not complete: see the table above"
    fi
    tail -n 1 "$glip_mm_venv/check_env.txt"
}

if [ "$(cat "$glip_mm_venv/.glip_mm_stamp" 2>/dev/null)" != "$(glip_mm_stamp)" ]; then
    mkdir -p "$glip_mm_venv"
    if command -v flock >/dev/null 2>&1; then
        # two scripts started at once make one environment
        exec 9> "$glip_mm_venv.lock"
        flock 9
    fi
    if [ "$(cat "$glip_mm_venv/.glip_mm_stamp" 2>/dev/null)" != "$(glip_mm_stamp)" ]; then
        glip_mm_install
        glip_mm_stamp > "$glip_mm_venv/.glip_mm_stamp"
    fi
    exec 9>&-
fi
unset PIP_CONSTRAINT
export VIRTUAL_ENV=$glip_mm_venv PATH=$glip_mm_venv/bin:$PATH
