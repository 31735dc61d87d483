#!/bin/sh
# Checks everything updates and recovery depend on, and says what to do about
# what is wrong. Nothing is changed. Exits with 13 when the device does not run what
# it should or the next update cannot succeed, and only then.
#
# Usage: verify_setup.sh [--json]
#
# TOPE_UPDATER is the command it uses (default: tope-updater).
set -eu
# shellcheck disable=SC2086 # a command with its flags
exec ${TOPE_UPDATER:-tope-updater} doctor "$@"
