#!/bin/sh
# Makes .venv with Python 3.11 or newer; does nothing when it is there.
set -eu
[ -x .venv/bin/python ] && [ -e .venv/bin/pip ] && exit 0

# 3.11 comes first because that is the version every change is tested on.
# The candidate is started, not only found: a pyenv shim may stand for nothing.
find_python() {
    for name in ${PYTHON3:-} python3.11 python3.12 python3.13 python3; do
        "$name" -c "import sys, sqlite3, ssl, $1; sys.exit(sys.version_info < (3, 11))" \
            >/dev/null 2>&1 && echo "$name" && return
    done
    return 1
}

if ! python=$(find_python ensurepip); then
    python=$(find_python sys) || {
        echo "Lipa needs Python 3.11 or newer, with ssl and sqlite3, and found none." >&2
        echo "Install one, for example: sudo apt-get install python3 python3-venv" >&2
        echo "or name one: PYTHON3=/path/to/python3 make run" >&2
        exit 1
    }
    # Debian leaves ensurepip out of its Python and ships it in a package per version.
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    sh scripts/apt.sh "$package" || {
        echo "$python cannot make an environment, because its venv package is missing." >&2
        echo "Run: sudo apt-get install $package" >&2
        echo "and then the same make command again." >&2
        exit 1
    }
fi

echo "Making the environment in .venv with $("$python" --version)…" >&2
"$python" -m venv --clear .venv
