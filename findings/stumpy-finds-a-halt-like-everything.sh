#!/usr/bin/env bash
# A stretch in which nothing was traded is the nearest neighbour of most other stretches.
#
# Guess before the run (2026-11-29): a window of one price has no shape, z-normalised it is 0/0; so it is as far away from
# every other window as can be, infinitely or by NaN, and a halt in a day of returns is nobody's motif.
# Seen, stumpy 1.14.1: a flat window lies at exactly √m from every window that is not flat, which is a correlation of
# 0.5. Two windows of returns without anything in common lie about √(2m) apart, so of a day with one halt of seventy
# minutes 96 % of the other windows of an hour have the halt for their nearest neighbour (of windows of twenty minutes
# 3 %, among which chance finds likenesses above 0.5): a list of what came again begins with what resembles a halt.
# What VELOX does: `patterns motifs` leaves flat, forward-filled and gap windows out before it compares any.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check stumpy==1.14.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import stumpy

window, halt = 60, slice(180, 250)  # minutes: an hour, and a halt of seventy minutes
returns = np.random.default_rng(20260412).normal(size=375)
returns[halt] = 0.0
starts = np.arange(len(returns) - window + 1)
is_flat = (starts >= halt.start) & (starts + window <= halt.stop)

distances = stumpy.mass(returns[:window], returns)
neighbours = stumpy.stump(returns, window)[:, 1].astype(int)
share = is_flat[neighbours[~is_flat]].mean()
print("distances to the halt:", sorted(set(np.round(distances[is_flat], 12))), " √m:", window**0.5)
print("median distance of other windows:", round(float(np.median(distances[~is_flat][1:])), 2), " √(2m):", round((2 * window) ** 0.5, 2))
print(f"windows whose nearest neighbour is the halt: {share:.0%}")
assert np.allclose(distances[is_flat], window**0.5), "changed: the distance to a flat window"
assert share > 0.5, "changed: nearest neighbours"
PY
echo "as stated"
