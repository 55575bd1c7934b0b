#!/usr/bin/env bash
# Makes $VENV (default .venv) hold exactly requirements.lock and this checkout, editable.
#
# The stamp in the environment names the lock and the checkout that it was made from. It says
# "incomplete" while an installation is under way, so that an interrupted one is done afresh:
# an installer would take a half-copied package for an installed one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
python=$venv/bin/python
stamp=$venv/.installed-from
lock_digest=$(sha256sum requirements.lock | cut -d' ' -f1)

is_suitable() { # Python 3.12 that can make an environment with pip in it
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null
}

find_python() { # `python3` first: under pyenv that is what .python-version asks for
    local candidate
    for candidate in python3 python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
        if is_suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.12 not found: install it ('pyenv install 3.12', or Debian's python3.12-venv)" >&2
    return 1
}

read_stamp() { cat "$stamp" 2>/dev/null || true; }

holds_the_lock() { [[ -x $python && $(read_stamp) == "$lock_digest "* ]]; }

holds_lock_and_project() { [[ -x $python && $(read_stamp) == "$lock_digest $PWD" ]]; }

install_lock() {
    if [[ $(read_stamp) == incomplete ]] || ! is_suitable "$python" ||
        ! "$python" -m pip --version &>/dev/null; then
        local base
        base=$(find_python)
        echo "making $venv with $("$base" --version)" >&2
        mkdir -p "$venv"
        find "$venv" -mindepth 1 -delete
        echo incomplete >"$stamp"
        "$base" -m venv "$venv"
    fi
    echo incomplete >"$stamp"
    echo "installing requirements.lock into $venv (the first time: several GB)" >&2
    # -qq: warnings about an unreachable optional source of packages are noise, errors are shown
    "$python" -m pip install -qq --no-deps "$(grep -E '^uv==' requirements.lock)"
    "$python" -m uv pip sync "${quiet[@]}" --python "$python" requirements.lock
}

install_project() {
    echo incomplete >"$stamp"
    "$python" -m uv pip install "${quiet[@]}" --python "$python" --no-deps --no-build-isolation -e .
    echo "$lock_digest $PWD" >"$stamp"
}

holds_lock_and_project && exit
quiet=(--quiet)
if [[ -t 2 ]]; then quiet=(); fi # progress bars for a person

mkdir -p "$(dirname "$venv")"
exec 9<"$(dirname "$venv")" # held until this script ends, however it ends
if ! flock --nonblock 9; then
    echo "waiting for another installation to finish" >&2
    flock 9
fi
holds_lock_and_project && exit # the other one has done it
holds_the_lock || install_lock
install_project
