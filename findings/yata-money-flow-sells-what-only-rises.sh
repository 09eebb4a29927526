#!/usr/bin/env bash
# A market that has only risen for fourteen bars has a money flow index of a half, and a full signal to sell.
#
# Guess before the run (2026-11-30; a first print of a rise without any fall had hinted otherwise): the index is what flowed in over
# all that flowed, so after one small fall it climbs with each bar that rises, and is 1 when the fall has left the window.
# Seen, the crate yata 0.7.0 (Rust): it climbs to 0.929, and with the bar that pushes the only fall out it is 0.5, the value of
# a price that does not move, and stays there however long the rise goes on: where nothing flowed out, in and out count
# as equal. The index has then crossed its upper bound of 0.8 downwards, which the crate answers with a signal of -1. Of
# the same rise without the fall the index was never above 0.5. Its RSI of a price that only rises is 1.
# What VELOX does: it computes no money flow; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "flow"
version = "0.1.0"
edition = "2021"

[dependencies]
yata = "=0.7.0"
TOML
cat > src/main.rs <<'RUST'
use yata::core::Candle;
use yata::indicators::MoneyFlowIndex;
use yata::prelude::*;

fn candle(close: f64) -> Candle {
    Candle { open: close, high: close + 0.5, low: close - 0.5, close, volume: 1000.0 }
}

fn main() {
    let fall = [100.0, 99.5];
    let closes: Vec<f64> = fall.into_iter().chain((1..=18).map(|bar| 99.5 + bar as f64)).collect();
    let mut index = MoneyFlowIndex::default().init(&candle(closes[0])).unwrap();
    for close in &closes[1..] {
        let result = index.next(&candle(*close));
        println!("{close:.1}: {:.3} {:?}", result.values()[1], result.signals()[1].analog());
    }
}
RUST
cargo run --quiet 2> errors | tee output || { cat errors; exit 1; }
grep -qx "112.5: 0.929 0" output || { echo "changed: while the fall is in the window"; exit 1; }
grep -qx "113.5: 0.500 -1" output || { echo "changed: once the fall has left the window"; exit 1; }
grep -qx "117.5: 0.500 0" output || { echo "changed: while the rise goes on"; exit 1; }
echo "as stated"
