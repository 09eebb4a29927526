#!/usr/bin/env bash
# Without a version pip installs the models of Grafana 10.1, the oldest that grafana-foundation-sdk has.
#
# Guess before the run (2026-11-29): `pip install grafana-foundation-sdk` brings the models of the newest Grafana, as the
# newest version of a package does; older ones are asked for by a version such as ==11.6.0.
# Seen, grafana-foundation-sdk of January 2026: each release is EPOCH!GRAFANA, and the epoch is the second at which that
# one was built. Those of one day are built from the newest Grafana down to the oldest, so the oldest has the highest epoch
# and pip takes 1769699998!10.1.0. ==11.6.0 is no version at all; `>=11` is met by 10.1.0, and so is any upgrade.
# What VELOX does: it pins 1769699379!11.6.0, epoch and all, in pyproject.toml and the locks, and says so beside it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
for asked in "grafana-foundation-sdk" "grafana-foundation-sdk>=11" "grafana-foundation-sdk==1769699379!11.6.0"; do
  "${pip[@]}" install --upgrade --no-deps "$asked"
  seen=$("$folder/venv/bin/python" -c 'from importlib.metadata import version; print(version("grafana-foundation-sdk"))')
  echo "$asked brings $seen"
  case "$asked" in
    *==*) [ "$seen" = '1769699379!11.6.0' ] || { echo "changed"; exit 1; } ;;
    *) [ "${seen#*!}" = "10.1.0" ] || { echo "changed: it is no longer the oldest"; exit 1; } ;;
  esac
done
if "${pip[@]}" install --no-deps "grafana-foundation-sdk==11.6.0" 2>/dev/null; then
  echo "changed: 11.6.0 is a version"
  exit 1
fi
echo "grafana-foundation-sdk==11.6.0 is no version"
echo "as stated"
