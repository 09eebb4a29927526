#!/usr/bin/env bash
# An order that is made smaller goes to the end of the queue at its price.
#
# Guess before the run (2026-11-30): the book has "standard price-time priority", so an order that is changed to fewer shares keeps
# its place, as at the exchanges (NSE among them), and one that is changed to more goes to the end.
# Seen, hft-limit-order-book 7.0.2 (npm): both go to the end. Of two orders of 10 at 100.05 the first is made 5, and a buyer of 3
# gets them from the second; left alone, it is the first that fills. A simulation of a desk that takes back a part of what
# rests tells fewer fills than the exchange would have given, above all where the queue is long.
# What VELOX does: it matches no orders; fills are the broker's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund hft-limit-order-book@7.0.2 >/dev/null
cat >queue.js <<'JS'
const { OrderBook } = require('hft-limit-order-book')

function filledFirst(change) {
  const book = new OrderBook()
  for (const id of ['first', 'second']) book.limit({ id, side: 'sell', size: 10, price: 100.05 })
  if (change) {
    const { err } = book.modify('first', { size: change })
    if (err) throw err
  }
  const { partial } = book.market({ side: 'buy', size: 3 })
  return partial.id
}
const seen = { unchanged: filledFirst(null), smaller: filledFirst(5), larger: filledFirst(15) }
console.log('who sells 3, when the first of two orders of 10 is unchanged, smaller or larger:', seen)
if (seen.unchanged !== 'first') throw new Error('changed: an order that is left alone')
if (seen.smaller !== 'second') throw new Error('changed: a smaller order keeps its place')
if (seen.larger !== 'second') throw new Error('changed: a larger order keeps its place')
JS
node queue.js
echo "as stated"
