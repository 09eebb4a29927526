#!/usr/bin/env bash
# An RSI is rounded to two decimals, so a value just below a limit has reached it.
#
# Guess before the run (2026-11-28): technicalindicators' README says of precision "By default there is no precision set"; RSI,
# like SMA and EMA of the same library, has all the digits of its doubles.
# Seen, technicalindicators 3.1.0 (npm): RSI goes through toFixed(2), whatever the configuration. Average gain 69.998 and loss
# 30.002 make 69.998 by hand and 70 here: a rule "RSI at least 70" fires a trade that other libraries do not have,
# and a backtest there differs from the live indicator elsewhere. The mean of the same prices keeps its digits.
# What VELOX does: an indicator is recorded as a double, as it is handed over, and compared unrounded.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund technicalindicators@3.1.0 >/dev/null
cat >rsi.js <<'JS'
const { RSI, SMA } = require('technicalindicators')

// One rise and one fall: of period 2 the averages are half of each, so the RSI is 100 * rise / (rise + fall).
const rise = 69.998
const fall = 30.002
const prices = [100, 100 + rise, 100 + rise - fall]
const [seen] = RSI.calculate({ period: 2, values: prices })
const byHand = (100 * rise) / (rise + fall)
const [mean] = SMA.calculate({ period: 3, values: prices })
console.log('RSI by hand', byHand.toFixed(6), 'seen', seen, '- at least 70:', byHand >= 70, seen >= 70)
console.log('the mean of the same prices', mean)
if (seen !== 70 || !(byHand < 70)) throw new Error('changed: the RSI has all its digits')
if (Math.abs(mean - (prices[0] + prices[1] + prices[2]) / 3) > 1e-9) throw new Error('changed: the mean is rounded, too')
JS
node rsi.js
echo "as stated"
