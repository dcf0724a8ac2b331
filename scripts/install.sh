#!/bin/sh
# install.sh LOCK : brings .venv to what the lock file says, with every hash checked.
# A copy of the lock is kept in .venv; while the two are the same there is nothing to do.
set -eu
lock=$1
done_lock=.venv/$(basename "$lock")
python=.venv/bin/python

sh scripts/make_venv.sh
cmp -s "$lock" "$done_lock" && exit 0

say() { echo "$*" >&2; }

get_uv() {
    $python -m uv --version >/dev/null 2>&1 && return
    $python -m pip install --quiet --disable-pip-version-check --retries 1 \
        --require-hashes -r scripts/uv.txt >/dev/null 2>&1
}

# Packages are added, never removed: the environment is shared by run and test.
with_uv() { $python -m uv pip install --quiet --compile-bytecode --python $python --require-hashes -r "$lock"; }
with_pip() {
    $python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
}

say "Installing the packages of $lock, once…"
if get_uv; then
    with_uv || { say "uv could not install them; trying pip."; with_pip; }
else
    say "uv cannot be had here; using pip, which takes a minute."
    with_pip
fi || {
    say "The packages could not be installed; the reason stands above."
    say "Check that this machine reaches its package index, then run the same make command again."
    exit 1
}
cp "$lock" "$done_lock"
