#!/usr/bin/env bash
# A price that falls with every bar has a force index above zero for 56 bars.
#
# Guess before the run (2026-11-30; a first print had hinted otherwise): the force of a bar is what its close moved times its volume,
# so of a price that only falls the index is below zero from its second bar on, and the first bar has none.
# Seen, indicatorts 2.2.2 (npm): the first bar's move is counted from zero, so that its force is the whole price times the volume,
# and the average of 13 bars begins there. Of a share at 2,450 that falls by 0.50 a minute with 1,000 shares each the index
# begins with 2,450,000 and is below zero from the 57th bar on, though each force after the first is -500. The longer the
# history that is handed over, the less one sees of it; a session that starts anew buys for an hour.
# What VELOX does: it computes no force index; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund indicatorts@2.2.2 >/dev/null
cat >force.mjs <<'JS'
import { forceIndex } from 'indicatorts'

const closes = Array.from({ length: 60 }, (_, bar) => 2450 - 0.5 * bar)
const force = forceIndex(closes, Array(60).fill(1000), { period: 13 })
const below = force.findIndex((value) => value < 0)
console.log('first', force[0], 'second', Math.round(force[1]), '- bars before it is below zero:', below)
if (force[0] !== 2450000) throw new Error('changed: the first bar')
if (below !== 56) throw new Error('changed: when it is below zero')
JS
node force.mjs
echo "as stated"
