#!/usr/bin/env bash
# Asking for a deviation of the last three prices deletes all earlier ones from the caller's list.
#
# Guess before the run (2026-11-29): ta.js' std(data, length) reads the last prices of a list, as its mean of them (sma) does, and
# what comes after it sees the list as it was.
# Seen, ta.js 1.17.0 (npm): std splices the caller's own array. Ten prices are three after std(prices, 3), the figure itself is
# right, and the next mean of five of them is an empty list: no error, no signal for the rest of the day.
# What VELOX does: its figures come from columns of its own; nothing of this library is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund ta.js@1.17.0 >/dev/null
cat >deviation.js <<'JS'
const ta = require('ta.js')

async function main() {
  const prices = [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]
  const before = (await ta.sma(prices, 5)).length
  const kept = prices.length
  const deviation = await ta.std(prices, 3)
  const after = (await ta.sma(prices, 5)).length
  console.log('deviation of the last three', deviation)
  console.log('prices before', kept, 'after', prices.length, '- means of five before', before, 'after', after)
  if (Math.abs(deviation - Math.sqrt(2 / 3)) > 1e-12) throw new Error('changed: the deviation')
  if (kept !== 10 || prices.join() !== '107,108,109') throw new Error("changed: what is left of the caller's list")
  if (before !== 6 || after !== 0) throw new Error('changed: the mean of what is left')
}
main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
JS
node deviation.js
echo "as stated"
