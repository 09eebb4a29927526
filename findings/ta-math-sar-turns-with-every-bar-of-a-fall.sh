#!/usr/bin/env bash
# A market that falls without a pause is told to turn at every bar; one that rises the same way never.
#
# Guess before the run (2026-11-30; a first print of a fall had hinted otherwise): Wilder's stop and reverse stays above a price that
# falls with every bar and comes nearer, as the mirror of a rise, below which it stays.
# Seen, ta-math 1.0.49 (npm): below the rise it stays, at 115 under the low of 118. In the fall, the same turned upside down, it is
# above the bar, at the bar's own low, above, at the low, by turns to the end: after its first turn to the short side it is told
# that the price has gone through it, and back, nine times each in twenty bars. Whoever sells short by it is stopped out at
# once, and a test of both sides has an advantage of the long one that no market had.
# What VELOX does: it computes no stop and reverse; a stop is what the strategy records.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund ta-math@1.0.49 >/dev/null
cat >stop.js <<'JS'
const module_ = require('ta-math')
const TA = module_.default || module_

function sides(step) {
  const bars = Array.from({ length: 20 }, (_, bar) => [bar * 60000, 100 + step * bar])
  const candles = bars.map(([time, close]) => [time, close, close + 1, close - 1, close, 10])
  const stops = new TA(candles, TA.exchangeFormat).psar()
  console.log(stops.map((stop) => stop.toFixed(1)).join(' '))
  return stops.map((stop, bar) => (stop > candles[bar][2] ? 'above' : stop <= candles[bar][3] ? 'below' : 'inside'))
}
const rise = sides(1)
const fall = sides(-1)
console.log('the fall:', fall.join(' '))
if (rise.some((side) => side !== 'below')) throw new Error('changed: of a rise')
const turns = fall.filter((side, bar) => bar > 0 && side !== fall[bar - 1]).length
console.log('turns:', turns)
if (turns !== 18) throw new Error('changed: of a fall')
JS
node stop.js
echo "as stated"
