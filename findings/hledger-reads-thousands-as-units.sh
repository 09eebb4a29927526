#!/usr/bin/env bash
# In one journal 2,450.50 INR is two thousand rupees and 2,450 INR is two and a half.
#
# Guess before the run (2026-11-30): a file that writes 2,450.50 and 1,00,000 has commas for its groups and a point for its decimals,
# so 2,450 is 2450 there; or the amount is refused, as it may be read in two ways.
# Seen, hledger 1.25 (Debian 12): each amount is read by itself, and a mark that stands alone in one is its decimal mark,
# as the manual says. Of two postings of one transaction 2,450.50 is 2450.50 and 2,450 is 2.450; 1,00,000, with two
# marks, is a lakh. No warning; the total, 2,452.95, looks like any other, and its third decimal is all that tells. A line
# "commodity 1,000.00 INR" at the top makes all right.
# What VELOX does: a statement's layout says how it writes numbers, and a cell that is none of that kind is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
download() {
    apt-get -qq download hledger=1.25-2+b5 > /dev/null 2>&1
}
download || { apt-get -qq update > /dev/null && download; }
dpkg -x hledger_*.deb root
cat > book.journal <<'JOURNAL'
2026-01-05 two shares and a deposit
    assets:shares      2,450.50 INR
    assets:shares      2,450 INR
    assets:deposit     1,00,000 INR
    equity
JOURNAL
{ echo "commodity 1,000.00 INR"; cat book.journal; } > said.journal
root/usr/bin/hledger --version
root/usr/bin/hledger -f book.journal balance --no-total | sed 's/^ *//' | tee output
root/usr/bin/hledger -f said.journal balance --no-total | sed 's/^ *//' | tee said
grep -q "^100,000.000 INR  assets:deposit" output || { echo "changed: the lakh"; exit 1; }
grep -q "^2,452.950 INR  assets:shares" output || { echo "changed: what 2,450 is"; exit 1; }
grep -q "^4,900.50 INR  assets:shares" said || { echo "changed: what 2,450 is where its format is said"; exit 1; }
echo "as stated"
