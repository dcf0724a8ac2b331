#!/bin/sh
# Installs the real things the tests run against, where apt may be used without asking.
# Never fails: what is missing afterwards is named by the tests themselves, at the end.
# INSTALL_PACKAGES=no leaves the machine as it is.
set -u

has() { for name in "$@"; do command -v "$name" >/dev/null 2>&1 && return; done; return 1; }
# Debian keeps PostgreSQL's server programs out of the PATH.
has_postgres() { has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

# One call for each, so that one package that cannot be had does not keep the others away.
has_postgres || sh scripts/apt.sh postgresql
has redis-server valkey-server || sh scripts/apt.sh redis-server
has nginx || [ -x /usr/sbin/nginx ] || sh scripts/apt.sh nginx-light
has "${CHROMIUM:-chromium}" chromium-headless-shell chromium chromium-browser google-chrome ||
    sh scripts/apt.sh chromium-headless-shell || sh scripts/apt.sh chromium
exit 0
