#!/usr/bin/env bash
# An NSE commodity at 7,125 rupees is at 712,500 in Zerodha's clients for Java and JavaScript.
#
# Guess before the run (2026-11-30; the Python client's divisor for the segment had hinted otherwise): the number of a price in a
# tick is divided by what the segment asks for, paise or finer, and one packet has one price in all clients of the broker.
# Seen, kiteconnect 5.2.2 (PyPI), 5.3.0 (npm) and 3.5.1 (Maven): Python divides what comes from segment 12, NSE's commodities,
# by 10,000, as it does for BSE's currencies (6); the other two know 3 and 6 alone and divide by 100. The price is a hundred
# times too high, in each field of the tick, and per cent of change are right, so that nothing looks odd but the level: a
# stop below the market is passed at no price.
# What VELOX does: it decodes the message itself, with the divisor of each segment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kiteconnect==5.2.2
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund kiteconnect@5.3.0 > /dev/null
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies><dependency>
<groupId>com.zerodhatech.kiteconnect</groupId><artifactId>kiteconnect</artifactId><version>3.5.1</version>
</dependency></dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > /dev/null
venv/bin/python -W ignore - <<'PY' | tee output
import pathlib
import struct

from kiteconnect import KiteTicker

packets = [struct.pack(">II", 1000 << 8 | segment, price) for segment, price in ((1, 712_500), (6, 71_250_000), (12, 71_250_000))]
message = struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
pathlib.Path("message").write_bytes(message)
prices = [tick["last_price"] for tick in KiteTicker("key", "token")._parse_binary(message)]
print("Python:", *(f"{price:.2f}" for price in prices))
PY
cat > tick.js <<'JS'
const { readFileSync } = require('fs')
const { KiteTicker } = require('kiteconnect')

const message = new Uint8Array(readFileSync('message')).buffer
const ticks = new KiteTicker({ api_key: 'key', access_token: 'token' }).parseBinary(message)
console.log('JavaScript:', ...ticks.map((tick) => tick.last_price.toFixed(2)))
process.exit(0)
JS
node tick.js | tee -a output
cat > Prices.java <<'JAVA'
import com.zerodhatech.models.Tick;
import com.zerodhatech.ticker.KiteTicker;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

public class Prices {
    public static void main(String[] arguments) throws Exception {
        Method parse = KiteTicker.class.getDeclaredMethod("parseBinary", byte[].class);
        parse.setAccessible(true);
        byte[] message = Files.readAllBytes(Path.of("message"));
        System.out.print("Java:");
        for (Object tick : (List<?>) parse.invoke(new KiteTicker("token", "key"), message)) {
            System.out.printf(" %.2f", ((Tick) tick).getLastTradedPrice());
        }
        System.out.println();
    }
}
JAVA
java -cp 'lib/*' Prices.java 2> errors | tee -a output || { cat errors; exit 1; }
grep -qx "Python: 7125.00 7125.00 7125.00" output || { echo "changed: Python"; exit 1; }
grep -qx "JavaScript: 7125.00 7125.00 712500.00" output || { echo "changed: JavaScript"; exit 1; }
grep -qx "Java: 7125.00 7125.00 712500.00" output || { echo "changed: Java"; exit 1; }
echo "as stated"
