#!/usr/bin/env bash
# Five-minute bars made of one-minute bars leave the clock after a minute without trades, for the rest of the series.
#
# Guess before the run (2026-11-30): minutes of a share that did not trade from 09:18 to 09:21 make bars of 09:15 to 09:20,
# 09:20 to 09:25 and 09:25 to 09:30: a gap keeps the alignment to the clock, or to the first bar.
# Seen, ta4j-core 0.17 (the newest for Java 17): DurationBarAggregator begins a bar where the next minute begins: 09:15 to
# 09:20, then 09:21 to 09:26, then 09:26 to 09:31, and every later gap moves the bars again. So two shares of one exchange
# have five-minute bars of different minutes, and none is that of a chart. No warning; without the gap the bars are
# those of the clock.
# What VELOX does: a candle is of the clock's own span, however many ticks it has.
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
cat > Bars.java <<'JAVA'
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.ta4j.core.Bar;
import org.ta4j.core.BaseBar;
import org.ta4j.core.aggregator.DurationBarAggregator;
import org.ta4j.core.num.DecimalNum;
import org.ta4j.core.num.Num;

public class Bars {
    static String spans(Set<Integer> quiet) {
        ZonedDateTime opening = ZonedDateTime.parse("2026-01-05T09:15:00+05:30[Asia/Kolkata]");
        List<Bar> minutes = new ArrayList<>();
        for (int minute = 1; minute <= 20; minute++) {
            Num price = DecimalNum.valueOf(100 + minute);
            if (!quiet.contains(minute)) {
                minutes.add(BaseBar.builder().timePeriod(Duration.ofMinutes(1)).endTime(opening.plusMinutes(minute))
                    .openPrice(price).highPrice(price).lowPrice(price).closePrice(price)
                    .volume(DecimalNum.valueOf(1)).amount(price).build());
            }
        }
        return new DurationBarAggregator(Duration.ofMinutes(5)).aggregate(minutes).stream()
            .map(bar -> bar.getBeginTime().toLocalTime() + "-" + bar.getEndTime().toLocalTime())
            .collect(Collectors.joining(" "));
    }

    public static void main(String[] arguments) {
        System.out.println("every minute: " + spans(Set.of()));
        System.out.println("quiet from 09:18 to 09:21: " + spans(Set.of(4, 5, 6)));
    }
}
JAVA
java -cp 'lib/*' Bars.java 2> errors | tee output || { cat errors; exit 1; }
grep -qx "every minute: 09:15-09:20 09:20-09:25 09:25-09:30 09:30-09:35" output || { echo "changed: without a gap"; exit 1; }
grep -qx "quiet from 09:18 to 09:21: 09:15-09:20 09:21-09:26 09:26-09:31" output || { echo "changed: after a gap"; exit 1; }
echo "as stated"
