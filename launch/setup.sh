#!/usr/bin/env bash
# Makes .venv with everything a run and the tests need, from pinned lists. Runs again in no time
# when nothing changed. Choose the interpreter with PYTHON=...
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
pinned="$(cat launch/setup.sh launch/requirements-cpu.txt launch/requirements-dev.txt pyproject.toml | cksum)"
if [[ -f $stamp && "$(cat $stamp)" == "$pinned" ]]; then
    exit 0
fi

[[ "$(uname -sm)" == "Linux x86_64" ]] || {
    echo "error: $(uname -sm): the CPU builds of vLLM and torch pinned here are for Linux x86_64" >&2
    exit 2
}
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
for python in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
    if is_new_enough "$python"; then found=$python; break; fi
done
[[ -n ${found:-} ]] || {
    echo "error: no Python >= 3.11 found (tried: ${PYTHON:-python3.11, 3.12, 3.13, python3});" \
        "install one or name it: make setup PYTHON=/path/to/python" >&2
    exit 2
}
"$found" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "error: $found cannot make virtual environments; install its venv package" \
        "(Debian, Ubuntu: apt install python3-venv)" >&2
    exit 2
}

started=$SECONDS
if ! [[ -x .venv/bin/python ]] || ! is_new_enough .venv/bin/python; then
    rm -rf .venv
    "$found" -m venv .venv
fi
# --no-deps: the lists are complete, and what is not on them must not come (see their heads).
# --no-compile: all files are compiled below, on all cores. -qq: errors only.
install() { .venv/bin/python -m pip --disable-pip-version-check install -qq --no-deps --no-compile "$@"; }

echo "installing into .venv (about 1.5 GB to download on a fresh machine)"
torch="torch==2.13.0+cpu"
if ! install "$torch" 2>.venv/torch.log; then
    if ! grep -q "No matching distribution" .venv/torch.log; then
        cat .venv/torch.log >&2
        exit 1
    fi
    # The CPU build is not on the public package index but on PyTorch's own.
    install "$torch" --extra-index-url https://download.pytorch.org/whl/cpu
fi
install -r launch/requirements-cpu.txt -r launch/requirements-dev.txt
install --editable .
.venv/bin/python -m compileall -q -j 0 -x '/tests?/' .venv/lib >/dev/null || true # some ship templates
echo "$pinned" >$stamp
echo "installed in $((SECONDS - started)) s"
