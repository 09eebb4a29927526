#!/bin/sh
# One trade from signal to statistics by curl: what workflow.py does, in the same order, from any language's shell.
#
#   VELOX_URL=http://localhost:8000 VELOX_TOKEN_FILE=token sh examples/workflow.sh
#
# The token needs the scopes record and read. It goes to curl in a file of its own: what stands in a command line can be
# read by everybody on the machine, and what stands in an address is logged on the way.
set -eu
: "${VELOX_URL:?the address of the desk}" "${VELOX_TOKEN_FILE:?a file with a token}"
NOW=${NOW:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}

HEADERS=$(mktemp)
trap 'rm -f "$HEADERS"' EXIT
printf 'Authorization: Bearer %s\nContent-Type: application/json\n' "$(cat "$VELOX_TOKEN_FILE")" > "$HEADERS"

ask() {  # ask PATH [more of curl's]: what is sent again while the desk is busy is one record all the same
  path=$1
  shift
  curl --silent --show-error --fail-with-body --retry 5 --header "@$HEADERS" "$@" "$VELOX_URL/api/v1/$path"
  echo
}

# The signal was taken: open the position, with what was seen.
ask positions --data '{"trade_id": "TRD001", "strategy_id": "scalping_pro", "symbol": "RELIANCE", "entry_price": "2450.00",
  "quantity": "10", "entry_time": "'"$NOW"'", "signal_conditions": {"rsi": 45.5, "ema9": 2448.0}}'

# The market moves: a bar, the indicators computed from it, how the position stands.
ask "ticks?stream=workflow-$NOW&sequence=1" --data '[{"symbol": "RELIANCE", "open": "2450", "high": "2455", "low": "2448",
  "close": "2453", "volume": "1500", "timestamp": "'"$NOW"'"}]'
ask indicators --header "Idempotency-Key: indicators-$NOW" --data '{"symbol": "RELIANCE", "at": "'"$NOW"'",
  "values": {"rsi": 45.5, "ema9": 2448.0, "atr": 15.5}}'
ask snapshots --header "Idempotency-Key: snapshot-$NOW" --data '{"strategy_id": "scalping_pro", "symbol": "RELIANCE",
  "current_price": "2453.00", "quantity": "10", "pnl": "30.00", "pnl_percent": "1.22", "at": "'"$NOW"'"}'

# The stop follows the price, then the target is hit.
ask stops --data '{"trade_id": "TRD001", "strategy_id": "scalping_pro", "symbol": "RELIANCE", "stop_price": "2445.00",
  "extreme_price": "2455.00", "method": "ATR", "at": "'"$NOW"'"}'
ask closings --data '{"trade_id": "TRD001", "strategy_id": "scalping_pro", "symbol": "RELIANCE", "exit_price": "2465.00",
  "exit_time": "'"$NOW"'", "pnl": "150.00", "pnl_percent": "6.12", "exit_reason": "Target hit"}'

ask 'statistics/strategy?strategy_id=scalping_pro&days=30'
