#!/usr/bin/env bash
# A volume of 2,500,000,000 shares is -1,794,967,296 in Zerodha's clients for Java and JavaScript, and whole in the one for Python.
#
# Guess before the run (2026-11-30): a count of a tick takes four bytes; Kite's Python client reads them without a sign, and
# so do the others of the same broker: what goes up to 4,294,967,295 is the same in all of them.
# Seen, kiteconnect 5.2.2 (PyPI), 5.3.0 (npm) and 3.5.1 (Maven): in JavaScript and Java the four bytes have a sign. From
# 2,147,483,648 on the volume of a penny share, its pending quantities and its open interest are below zero; in Java the number
# of orders at a price, of two bytes, is from 32,768 on. A rule "volume above its average" goes quiet on the very day that
# it waits for, and a difference of two volumes is minus four billion.
# What VELOX does: it decodes the message itself, and counts have no sign.
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

PAISE, TIME, SHARES = 705, 1767584700, 2_500_000_000
fields = [738561, PAISE, 1, PAISE, SHARES, 1000, 2000, *[PAISE] * 4, TIME, 0, 0, 0, TIME]
packet = struct.pack(">16I", *fields) + struct.pack(">IIHH", 10, PAISE, 40_000, 0) * 10
message = struct.pack(">HH", 1, len(packet)) + packet
pathlib.Path("message").write_bytes(message)
(tick,) = KiteTicker("key", "token")._parse_binary(message)
print("Python:", tick["volume_traded"], "shares,", tick["depth"]["buy"][0]["orders"], "orders")
PY
cat > tick.js <<'JS'
const { readFileSync } = require('fs')
const { KiteTicker } = require('kiteconnect')

const message = new Uint8Array(readFileSync('message')).buffer
const [tick] = new KiteTicker({ api_key: 'key', access_token: 'token' }).parseBinary(message)
console.log('JavaScript:', tick.volume_traded, 'shares,', tick.depth.buy[0].orders, 'orders')
process.exit(0)
JS
node tick.js | tee -a output
cat > Counts.java <<'JAVA'
import com.zerodhatech.models.Tick;
import com.zerodhatech.ticker.KiteTicker;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

public class Counts {
    public static void main(String[] arguments) throws Exception {
        Method parse = KiteTicker.class.getDeclaredMethod("parseBinary", byte[].class);
        parse.setAccessible(true);
        byte[] message = Files.readAllBytes(Path.of("message"));
        Tick tick = (Tick) ((List<?>) parse.invoke(new KiteTicker("token", "key"), message)).get(0);
        int orders = tick.getMarketDepth().get("buy").get(0).getOrders();
        System.out.println("Java: " + tick.getVolumeTradedToday() + " shares, " + orders + " orders");
    }
}
JAVA
java -cp 'lib/*' Counts.java 2> errors | tee -a output || { cat errors; exit 1; }
grep -qx "Python: 2500000000 shares, 40000 orders" output || { echo "changed: Python"; exit 1; }
grep -qx "JavaScript: -1794967296 shares, 40000 orders" output || { echo "changed: JavaScript"; exit 1; }
grep -qx "Java: -1794967296 shares, -25536 orders" output || { echo "changed: Java"; exit 1; }
echo "as stated"
