#!/usr/bin/env bash
# The relative strength index of one price differs between rupees and paise, and of a price that only rises it is not 100.
#
# Guess before the run (2026-11-30): RSI(3) of a price that only rises is 100 from the first value on (or from the third),
# and an index of 0 to 100 is the same whatever unit the price has.
# Seen, the crate ta 0.5.0 (Rust): a price that rises by 0.05 each minute has 50, 60, 71.4, 81.8, 89.5 and 94.3 in rupees, and
# 50, 98.1, 99.3, 99.7, 99.9 and 99.9 in paise. It begins with a gain and a loss of 0.1 that nobody had, and they fade by an
# exponential mean: of a share that moves by paise they count for many bars, of an index of 25,000 for none.
# What VELOX does: it computes no RSI; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "strength"
version = "0.1.0"
edition = "2021"

[dependencies]
ta = "=0.5.0"
TOML
cat > src/main.rs <<'RUST'
use ta::indicators::RelativeStrengthIndex;
use ta::Next;

fn main() {
    for (unit, step) in [("rupees", 0.05), ("paise", 5.0)] {
        let mut index = RelativeStrengthIndex::new(3).unwrap();
        let values: Vec<String> = (1..=6).map(|n| format!("{:.1}", index.next(100.0 + step * n as f64))).collect();
        println!("{unit}: {}", values.join(" "));
    }
}
RUST
cargo run --quiet 2> errors | tee output || { cat errors; exit 1; }
grep -qx "rupees: 50.0 60.0 71.4 81.8 89.5 94.3" output || { echo "changed: in rupees"; exit 1; }
grep -qx "paise: 50.0 98.1 99.3 99.7 99.9 99.9" output || { echo "changed: in paise"; exit 1; }
echo "as stated"
