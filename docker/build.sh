#!/bin/sh
# The door of `make image`: docker/build.sh [--arch x86_64|arm64] [--base debootstrap] [--help]
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/python -m build_tools.image "$@"
