#!/usr/bin/env bash
# The on-balance volume of a price that only rises goes up and down by turns.
#
# Guess before the run (2026-11-30): closes of 1 to 6 with a volume of 100 each add up: 100 (or 0), 200, 300, 400, 500, 600.
# Seen, cinar/indicator v2.1.16 (Go): 100, 0, 100, 0, 100, 0. A close is compared with the former on-balance volume, and
# not with the former close: as soon as the volume's sum is above the price, each bar is taken off, whatever the price
# did. Of a share at 2,450 with millions of pieces a day the line tells the sign of itself.
# What VELOX does: it has no on-balance volume; volumes of candles are the feed's.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module obv

go 1.22

require github.com/cinar/indicator/v2 v2.1.16
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/cinar/indicator/v2/helper"
	"github.com/cinar/indicator/v2/volume"
)

func main() {
	closes := helper.SliceToChan([]float64{1, 2, 3, 4, 5, 6})
	volumes := helper.SliceToChan([]float64{100, 100, 100, 100, 100, 100})
	fmt.Println(helper.ChanToSlice(volume.NewObv[float64]().Compute(closes, volumes)))
}
GO
go mod tidy > /dev/null 2>&1
go run . | tee output
grep -qxF "[100 0 100 0 100 0]" output || { echo "changed: it adds up"; exit 1; }
echo "as stated"
