#!/bin/sh
# Installs this folder's wheels, without a network, as a version of its own beside those before:
#   ./install.sh [/opt/linewarden]     installs, and makes it the current one
#   ./install.sh --back [/opt/linewarden]     makes the one before the current one again
# What is installed is what requirements.txt names, by SHA-256. Services run /opt/linewarden/current/bin/linewarden.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
back=""
[ "${1:-}" = --back ] && { back=1; shift; }
prefix=${1:-/opt/linewarden}

# The link changes in one step: a service that starts meanwhile finds one of the two.
switch() { ln -sfn "$1" "$prefix/.next" && mv -T "$prefix/.next" "$prefix/current"; }

if [ -n "$back" ]; then
    [ -L "$prefix/previous" ] || { echo "there is no version before in $prefix" >&2; exit 1; }
    now=$(readlink "$prefix/current")
    switch "$(readlink "$prefix/previous")"
    ln -sfn "$now" "$prefix/previous"
    echo "current: $(readlink "$prefix/current"); restart the services: systemctl restart 'linewarden@*'"
    exit 0
fi

wanted=@PYTHON@
found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || { echo "python3 is missing" >&2; exit 1; }
[ "$found" = "$wanted" ] || { echo "these wheels are for Python $wanted, and python3 is $found" >&2; exit 1; }
version=$(sed -n 's/^linewarden==\([^ ]*\) .*/\1/p' "$here/requirements.txt")-$(sha256sum "$here/requirements.txt" | cut -c1-8)
[ -e "$prefix/$version" ] && { echo "$prefix/$version is there already" >&2; exit 1; }
mkdir -p "$prefix"
# Whole or not at all: a folder of a version exists once everything in it does.
trap 'rm -rf "$prefix/$version"' EXIT
python3 -m venv "$prefix/$version"
"$prefix/$version/bin/pip" install -q --no-index --find-links "$here/wheels" --require-hashes -r "$here/requirements.txt"
"$prefix/$version/bin/linewarden" --version
cp "$here/sbom.cdx.json" "$prefix/$version/"
trap - EXIT
[ -L "$prefix/current" ] && ln -sfn "$(readlink "$prefix/current")" "$prefix/previous"
switch "$version"
echo "current: $version; restart the services: systemctl restart 'linewarden@*'"
