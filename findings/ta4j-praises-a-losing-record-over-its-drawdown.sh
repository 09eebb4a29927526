#!/usr/bin/env bash
# The return over the maximum drawdown of a record that lost is a great number above zero.
#
# Guess before the run (2026-11-30): a record that ends with 95 of 100 and fell by 13.6 % on the way has lost five per cent:
# -0.05 / 0.136 is -0.37. Above zero is what earned.
# Seen, ta4j-core 0.17 (the newest for Java 17): ReturnOverMaxDrawdownCriterion answers 6.97. It takes the return with its
# base, 0.95 for a loss of 5 %, so that every record that is not ruined stands above zero, and of two that lose
# the same the one with the smaller drawdown by far the higher: a criterion that is meant to choose strategies calls
# one that lost little in a straight line good.
# What VELOX does: a ratio to the drawdown takes what was earned, which has its sign.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies><dependency>
<groupId>org.ta4j</groupId><artifactId>ta4j-core</artifactId><version>0.17</version>
</dependency></dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > /dev/null
cat > Ratio.java <<'JAVA'
import java.time.ZonedDateTime;
import java.util.Locale;
import org.ta4j.core.BarSeries;
import org.ta4j.core.BaseBarSeriesBuilder;
import org.ta4j.core.BaseTradingRecord;
import org.ta4j.core.criteria.MaximumDrawdownCriterion;
import org.ta4j.core.criteria.ReturnOverMaxDrawdownCriterion;
import org.ta4j.core.criteria.pnl.ReturnCriterion;

public class Ratio {
    public static void main(String[] arguments) {
        BarSeries bars = new BaseBarSeriesBuilder().build();
        ZonedDateTime end = ZonedDateTime.parse("2026-01-05T09:16:00+05:30[Asia/Kolkata]");
        for (double close : new double[] {100, 110, 90, 110, 95}) {
            bars.addBar(end, close, close, close, close, 100);
            end = end.plusMinutes(1);
        }
        BaseTradingRecord record = new BaseTradingRecord();
        record.enter(0, bars.numOf(100), bars.numOf(10));
        record.exit(1, bars.numOf(110), bars.numOf(10));
        record.enter(3, bars.numOf(110), bars.numOf(10));
        record.exit(4, bars.numOf(95), bars.numOf(10));
        double total = new ReturnCriterion().calculate(bars, record).doubleValue();
        double drawdown = new MaximumDrawdownCriterion().calculate(bars, record).doubleValue();
        double ratio = new ReturnOverMaxDrawdownCriterion().calculate(bars, record).doubleValue();
        System.out.printf(Locale.ROOT, "return %.4f, drawdown %.4f, ratio %.4f%n", total, drawdown, ratio);
    }
}
JAVA
java -cp 'lib/*' Ratio.java 2> errors | tee output || { cat errors; exit 1; }
grep -qx "return 0.9500, drawdown 0.1364, ratio 6.9667" output || { echo "changed: a loss stands below zero"; exit 1; }
echo "as stated"
