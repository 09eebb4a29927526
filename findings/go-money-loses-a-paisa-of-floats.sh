#!/usr/bin/env bash
# 1.15 rupees are ₹1.14, and so a paisa is gone of every seventeenth amount up to a hundred rupees.
#
# Guess before the run (2026-11-30): NewFromFloat says that it rounds trailing decimals down; 1.15 of a currency with two decimals
# has none, so it is ₹1.15.
# Seen, Rhymond/go-money v1.0.15: the float times a hundred is cut to a whole number, and 1.15 * 100 is 114.99999999999999. Of
# the 10,000 amounts from 0.01 to 100.00 there are 573 with a paisa less, 1.15 and 4.35 among them; 2450.05 is whole. A sum
# of fills is then below the broker's for good, and never above it, so nothing evens out.
# What VELOX does: a price is taken exactly, a float by its shortest decimal form, so 1.15 is 1.15.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module paise

go 1.22

require github.com/Rhymond/go-money v1.0.15
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/Rhymond/go-money"
)

func main() {
	for _, amount := range []float64{1.15, 4.35, 2450.05} {
		fmt.Printf("%.2f is %s\n", amount, money.NewFromFloat(amount, money.INR).Display())
	}
	less, more := 0, 0
	for paise := int64(1); paise <= 10000; paise++ {
		switch amount := money.NewFromFloat(float64(paise)/100, money.INR).Amount(); {
		case amount < paise:
			less++
		case amount > paise:
			more++
		}
	}
	fmt.Printf("of 10000 amounts %d are a paisa short and %d above\n", less, more)
}
GO
go mod tidy > /dev/null 2>&1
go run . | tee output
grep -qx "1.15 is ₹1.14" output || { echo "changed: 1.15"; exit 1; }
grep -qx "2450.05 is ₹2,450.05" output || { echo "changed: 2450.05"; exit 1; }
grep -qx "of 10000 amounts 573 are a paisa short and 0 above" output || { echo "changed: how many lose a paisa"; exit 1; }
echo "as stated"
