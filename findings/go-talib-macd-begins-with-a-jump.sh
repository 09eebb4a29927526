#!/usr/bin/env bash
# A price that rises evenly has a MACD histogram of +4.48 at first, or of -13.83 by the other function for the same.
#
# Guess before the run (2026-11-30; a comparison with TA-Lib on noise had hinted otherwise): of a price that rises by 1 a bar the
# MACD(12, 26, 9) is 7 at every bar, so its signal line, an average of it, is 7 and the histogram 0 from the first value on,
# as TA-Lib says.
# Seen, markcheno/go-talib of 14 January 2025 (Go): the average of the signal line is begun with what stands before the first
# MACD. For Macd that is zero, so that the line is 2.52 and the histogram +4.48 at its first bar, and above 1 for seven bars;
# for MacdExt with three EMAs, which is the same by its name, they are 20.84 and -13.83, and below -1 for all ten that are
# shown. A rule that buys where the histogram is above zero buys at the first bar of each series that rises, and its twin sells.
# What VELOX does: it computes no MACD; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module jump

go 1.22

require github.com/markcheno/go-talib v0.0.0-20250114000313-ec55a20c902f
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/markcheno/go-talib"
)

const first = 33 // the bar of the first histogram

func show(name string, macd, signal, histogram []float64) {
	fmt.Printf("%s: %.3f - %.3f = %.3f, then", name, macd[first], signal[first], histogram[first])
	for _, value := range histogram[first+1 : first+10] {
		fmt.Printf(" %.2f", value)
	}
	fmt.Println()
}

func main() {
	closes := make([]float64, 60)
	for bar := range closes {
		closes[bar] = 100 + float64(bar)
	}
	macd, signal, histogram := talib.Macd(closes, 12, 26, 9)
	show("Macd", macd, signal, histogram)
	macd, signal, histogram = talib.MacdExt(closes, 12, talib.EMA, 26, talib.EMA, 9, talib.EMA)
	show("MacdExt", macd, signal, histogram)
}
GO
go mod tidy > /dev/null 2>&1
go run . | tee output
grep -q "^Macd: 7.000 - 2.520 = 4.480, then 3.58 2.87" output || { echo "changed: Macd"; exit 1; }
grep -q "^MacdExt: 7.000 - 20.835 = -13.835, then -11.07 -8.85" output || { echo "changed: MacdExt"; exit 1; }
echo "as stated"
