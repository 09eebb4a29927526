#!/usr/bin/env bash
# In a market that rises with every bar, Aroon says 100 for the fall as it does for the rise.
#
# Guess before the run (2026-11-30; a first print of a rise had hinted otherwise): Aroon tells how many bars ago the highest and the
# lowest price of its window were: of a rise without a pause the highest is of this bar and the lowest as old as the window,
# so up is 100 and down is 0, or near it.
# Seen, indicatorts 2.2.2 (npm): both are 100 from the sixth bar on of aroon with a period of 5. It counts the bars since the
# lowest price of the window last changed, and in a rise it changes with every bar, as the oldest one leaves. So too of a
# fall, where up is 100; a trend looks like a market without one, and the rule "up above down" never holds again once it
# has lasted for the window's length.
# What VELOX does: it computes no Aroon; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund indicatorts@2.2.2 >/dev/null
cat >trend.mjs <<'JS'
import { aroon } from 'indicatorts'

function trend(step) {
  const closes = Array.from({ length: 12 }, (_, bar) => 100 + step * bar)
  const highs = closes.map((close) => close + 0.5)
  const lows = closes.map((close) => close - 0.5)
  const { up, down } = aroon(highs, lows, { period: 5 })
  return `up ${up.join(' ')} - down ${down.join(' ')}`
}
const [rise, fall] = [trend(1), trend(-1)]
console.log('a rise:', rise)
console.log('a fall:', fall)
const always = Array(12).fill(100).join(' ')
const late = [100, 80, 60, 40, 20, ...Array(7).fill(100)].join(' ')
if (rise !== `up ${always} - down ${late}`) throw new Error('changed: of a rise')
if (fall !== `up ${late} - down ${always}`) throw new Error('changed: of a fall')
JS
node trend.mjs
echo "as stated"
