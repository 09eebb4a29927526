"""The child of the feed fyers: it alone imports fyers_apiv3 and prints its dicts. It needs nothing of VELOX."""

import json
import os
import sys
import tempfile

try:
    from fyers_apiv3.FyersWebsocket import data_ws
except ImportError:
    sys.exit(3)


def emit(message: dict[str, float | str]) -> None:
    """Print one dict of the SDK's, or end where nobody listens any more."""
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:
        os._exit(0)


def main() -> None:
    """Subscribe to the symbols of the first line, until the connection ends."""
    symbols = json.loads(sys.stdin.readline())
    socket = data_ws.FyersDataSocket(
        access_token=f"{os.environ['FYERS_APP_ID']}:{os.environ['FYERS_ACCESS_TOKEN']}",
        log_path=tempfile.mkdtemp(),
        reconnect=False,
        on_message=emit,
        on_close=lambda _: os._exit(0),
        on_error=lambda _: os._exit(1),
    )
    socket.on_connect = lambda: socket.subscribe(symbols=symbols, data_type="SymbolUpdate")
    socket.connect()
    socket.keep_running()


if __name__ == "__main__":
    main()
