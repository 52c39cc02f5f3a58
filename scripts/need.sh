#!/bin/sh
# Installs what the complete tests need beside Python, or says in one line how to: need.sh [node|faults]
set -eu
missing=""
have() { command -v "$1" >/dev/null 2>&1; }
if [ "${1:-}" = node ]; then
    have node && have npm || missing="$missing nodejs npm"
    have go || missing="$missing golang-go"
else
    have java && have mvn || missing="$missing maven openjdk-17-jre-headless"
    have redis-server || missing="$missing redis-server"
    [ "${1:-}" = faults ] || have chromium || missing="$missing chromium"
    [ "${1:-}" = faults ] || have promtool || missing="$missing prometheus"
    if [ "${1:-}" != faults ]; then
        have mosquitto && have mosquitto_sub || missing="$missing mosquitto mosquitto-clients"
        have mbpoll || missing="$missing mbpoll"
        have arv-fake-gv-camera-0.8 || missing="$missing aravis-tools"
        [ -e /usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib ] || missing="$missing python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
    fi
    [ "${1:-}" != faults ] || { have faketime && have mkfs.ext4; } || missing="$missing faketime e2fsprogs"
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "missing:$missing; install them with: sudo apt-get install --no-install-recommends$missing"
    exit 1
fi
