#!/usr/bin/env bash
# The Ulcer Index is the plain mean of the falls, so that one deep fall weighs no more than many small ones.
#
# Guess before the run (2026-11-30): of closes 100, 80, 100, 100 over two bars the falls are 20, 0 and 0 per cent of the higher
# of two: the root of the mean of their squares is 14.14 (20 and 0), then 0. That is what the index is for: Martin's squares
# make a deep fall weigh more.
# Seen, cinar/indicator v2.1.16 (Go): 10, then 0. The mean of the falls is squared and its root taken, which is the mean
# again. A portfolio of steady falls of 10 % and one that fell by 20 % half of the time have the same index.
# What VELOX does: it has no Ulcer Index; its drawdowns are told by their depth and their days.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module ulcer

go 1.22

require github.com/cinar/indicator/v2 v2.1.16
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/cinar/indicator/v2/helper"
	"github.com/cinar/indicator/v2/volatility"
)

func main() {
	index := volatility.NewUlcerIndex[float64]()
	index.Period = 2
	closes := helper.SliceToChan([]float64{100, 80, 100, 100})
	for _, value := range helper.ChanToSlice(index.Compute(closes)) {
		fmt.Printf("%.4f ", value)
	}
	fmt.Println()
}
GO
go mod tidy > /dev/null 2>&1
go run . | tee output
grep -qx "10.0000 0.0000 " output || { echo "changed: falls are squared one by one"; exit 1; }
echo "as stated"
