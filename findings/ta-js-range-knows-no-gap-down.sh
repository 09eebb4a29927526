#!/usr/bin/env bash
# An average true range grows with a gap upwards and does not move with the same gap downwards.
#
# Guess before the run (2026-11-29): ta.js' ATR is Wilder's: the true range is the largest of high - low and of the distances of high
# and low from the close before, so gaps of 10 either way give the same.
# Seen, ta.js 1.17.0 (npm): the distances keep their signs, so that of a low below the last close is never the largest. After a
# gap of 10 upwards the ATR(2) of candles of a range of 2 is 6.5, after a gap of 10 downwards it stays 2: stops that are set by it
# are three times as tight on the way down, where they are needed.
# What VELOX does: it computes no ATR; what a strategy records is kept as it is handed over.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund ta.js@1.17.0 >/dev/null
cat >range.js <<'JS'
const ta = require('ta.js')

// High, close and low: two candles at 100, then one after a gap.
const candles = (gap) => [100, 100, 100 + gap].map((close) => [close + 1, close, close - 1])
async function main() {
  const [up, down] = [(await ta.atr(candles(10), 2)).at(-1), (await ta.atr(candles(-10), 2)).at(-1)]
  console.log('ATR(2) after a gap of 10 upwards', up, '- downwards', down)
  if (up !== 6.5) throw new Error('changed: a gap upwards')
  if (down !== 2) throw new Error('changed: a gap downwards')
}
main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
JS
node range.js
echo "as stated"
