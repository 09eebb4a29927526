#!/usr/bin/env bash
# The median of trades' results is whatever lies in the middle of the list.
#
# Guess before the run (2026-11-29): trading-signals says of getMedian "middle value of a series", and its getQuartile sorts a copy
# of what it is given; so the median of five results in the order of their days is the third largest of them.
# Seen, trading-signals 8.3.0 (npm): getMedian takes the element in the middle and sorts nothing. Of the results 250, 100, 400,
# -50, -900 in the order of their days it says 400, the best of them; sorted they say 100, as getQuartile(…, 0.5) does of any
# order. Nothing complains, and the figure looks like one of the desk's.
# What VELOX does: it counts with its own columns in Python; how they are ordered changes no figure, which tests hold.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund trading-signals@8.3.0 >/dev/null
cat >median.mjs <<'JS'
import { getMedian, getQuartile } from 'trading-signals'

const results = [250, 100, 400, -50, -900]
const sorted = [...results].sort((a, b) => a - b)
const seen = { asTraded: getMedian(results), sorted: getMedian(sorted), quartile: getQuartile(results, 0.5) }
console.log('getMedian of the results as they were traded', seen.asTraded, '- sorted', seen.sorted)
console.log('getQuartile(0.5) of the results as they were traded', seen.quartile)
if (seen.asTraded !== 400) throw new Error('changed: the median of an unsorted list')
if (seen.sorted !== 100) throw new Error('changed: the median of a sorted list')
if (seen.quartile !== 100) throw new Error('changed: getQuartile sorts no longer')
JS
node median.mjs
echo "as stated"
