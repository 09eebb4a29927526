"""The child of the feed ib: it alone imports ib_async and prints its tickers. It needs nothing of VELOX.

TWS or the gateway has to run on IB_HOST (127.0.0.1) at IB_PORT (4001). A key is a contract: `AAPL` a share in USD on
SMART, `AAPL@NASDAQ` of that primary exchange, a number IB's own id.
"""

import json
import os
import sys

try:
    from ib_async import IB, Contract, Stock, Ticker
except ImportError:
    sys.exit(3)


def contract_of(key: str) -> Contract:
    """Return the contract of a key."""
    if key.isdigit():
        return Contract(conId=int(key))
    symbol, _, exchange = key.partition("@")
    return Stock(symbol, "SMART", "USD", primaryExchange=exchange)


def main() -> None:
    """Subscribe to the contracts of the first line, until the connection ends."""
    keys = json.loads(sys.stdin.readline())
    ib = IB()
    ib.connect(
        os.environ.get("IB_HOST", "127.0.0.1"), int(os.environ.get("IB_PORT", "4001")), clientId=71, readonly=True
    )
    ib.disconnectedEvent += lambda: os._exit(0)
    names = {}
    for key in keys:
        (contract,) = ib.qualifyContracts(contract_of(key))
        names[contract.conId] = key
        ib.reqMktData(contract)

    def emit(tickers: set[Ticker]) -> None:
        for ticker in tickers:
            fields = {name: getattr(ticker, name) for name in ("last", "lastSize", "bid", "ask", "volume")}
            fields |= {"symbol": names[ticker.contract.conId], "time": ticker.time.isoformat() if ticker.time else None}
            try:
                sys.stdout.write(json.dumps(fields) + "\n")
                sys.stdout.flush()
            except OSError:
                os._exit(0)

    ib.pendingTickersEvent += emit
    ib.run()


if __name__ == "__main__":
    main()
