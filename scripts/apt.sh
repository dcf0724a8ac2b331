#!/bin/sh
# apt.sh PACKAGE… : installs Debian packages where that needs no password.
# Exits 1, having printed nothing but progress, where it may not or cannot.
set -eu

sudo=
if [ "${INSTALL_PACKAGES:-yes}" = no ] || ! command -v apt-get >/dev/null; then
    exit 1
elif [ "$(id -u)" != 0 ]; then
    # -n refuses instead of asking, so that no build ever waits for a password.
    sudo -n true 2>/dev/null || exit 1
    sudo="sudo -n"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { $sudo env DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -qq \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=60 "$@"; }

echo "Installing with apt, once: $*" >&2
# A failed update is no reason to stop, the lists of last time may be good enough.
apt update >"$log" 2>&1 || true
apt install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null || {
    echo "apt could not install $*:" >&2
    tail -n 3 "$log" >&2
    exit 1
}
