#!/usr/bin/env bash
# Volumes and times of Upstox' live ticks are texts, and what is 0 is not there.
#
# Guess before the run (2026-11-29): the SDK's streamer hands over the fields of the published message with their types: `vtt`, `ltq`
# and `ltt` are whole numbers (int64), prices floats, and an open interest or a bid quantity of 0 is 0.
# Seen, upstox-python-sdk 2.30.0: the message goes through protobuf's mapping to JSON. Whole numbers of 64 bits come as texts,
# so that the higher of two volumes is told by their first digit ("1500" < "300"); and a field that is 0 is missing: an open
# interest that fell to 0 and one that a short mode never sends look alike, and `feed["oi"]` is a KeyError on the day it does.
# What VELOX does: it decodes the message itself, by field numbers; a missing number is 0, as protobuf says, and an empty side of
# a book is no bid.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check upstox-python-sdk==2.30.0 protobuf==7.36.2
"$folder/venv/bin/python" -W ignore - <<'PY'
import upstox_client
from upstox_client.feeder.proto import MarketDataFeedV3_pb2 as messages

sent = messages.FeedResponse(type=messages.live_feed, currentTs=1767585399250)
full = sent.feeds["NSE_FO|1"].fullFeed.marketFF
full.ltpc.ltp, full.ltpc.ltt, full.ltpc.ltq = 101.25, 1767585399100, 75
full.vtt, full.oi = 1500, 0
full.marketLevel.bidAskQuote.add(bidQ=0, bidP=0, askQ=75, askP=101.3)

streamer, taken = upstox_client.MarketDataStreamerV3(upstox_client.ApiClient(), ["NSE_FO|1"], "full"), []
streamer.on("message", taken.append)
streamer.handle_message(None, sent.SerializeToString())
seen = taken[0]["feeds"]["NSE_FO|1"]["fullFeed"]["marketFF"]
print(seen)
assert seen["ltpc"] == {"ltp": 101.25, "ltt": "1767585399100", "ltq": "75"}, "changed: the last trade"
assert seen["vtt"] == "1500" and "oi" not in seen, "changed: volume or open interest"
assert seen["marketLevel"]["bidAskQuote"] == [{"askQ": "75", "askP": 101.3}], "changed: the side that is empty"
PY
echo "as stated"
