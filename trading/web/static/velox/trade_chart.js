// Draws the chart of a trade with lightweight-charts from what the desk says; nothing is computed here.
"use strict";

(() => {
  const place = document.getElementById("chart");
  const note = document.getElementById("chart-note");
  const library = window.LightweightCharts;
  if (!place || !library) return;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const shapes = {
    entry: ["arrow", "accent"],
    exit: ["arrow", "accent"],
    split: ["square", "quiet"],
    signal: ["circle", "warn"],
    mae: ["circle", "loss"],
    mfe: ["circle", "gain"],
    gap: ["square", "warn"],
  };
  // At its price where it has one, else at its candle.
  const mark_of = (mark) => {
    const [name, tone] = shapes[mark.kind];
    const shape = name === "arrow" ? (mark.is_below ? "arrowUp" : "arrowDown") : name;
    const look = { time: mark.time, shape, color: colour(tone), text: mark.text };
    return mark.price === null
      ? { ...look, position: mark.is_below ? "belowBar" : "aboveBar" }
      : { ...look, position: mark.is_below ? "atPriceBottom" : "atPriceTop", price: mark.price };
  };
  const NAMES_SHARE = 0.14;
  const palette = ["accent", "warn", "focus", "violet", "quiet"];
  let chart = null;
  let drawn = null;

  const draw = (trade) => {
    if (chart) chart.remove();
    const format = { type: "price", precision: trade.decimals, minMove: 10 ** -trade.decimals };
    chart = library.createChart(place, {
      autoSize: true,
      // The notice of its licence stands at the foot of the page: the library's own mark would need an inline style.
      layout: {
        attributionLogo: false,
        background: { color: colour("surface") },
        textColor: colour("quiet"),
        fontFamily: colour("sans"),
        panes: { separatorColor: colour("line") },
      },
      grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
      rightPriceScale: { borderColor: colour("line-strong") },
      timeScale: { borderColor: colour("line-strong"), timeVisible: true, secondsVisible: trade.scale.endsWith("s") },
      crosshair: { mode: library.CrosshairMode.Normal },
      localization: { locale: "en-GB" },
    });
    const line = (pane, options) =>
      chart.addSeries(
        library.LineSeries,
        { lineWidth: 2, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false, ...options },
        pane,
      );
    const candles = chart.addSeries(library.CandlestickSeries, {
      priceFormat: format,
      upColor: colour("gain"),
      downColor: colour("loss"),
      wickUpColor: colour("gain"),
      wickDownColor: colour("loss"),
      borderVisible: false,
      priceLineVisible: false,
    });
    candles.setData(trade.candles);
    if (trade.stop.length) {
      line(0, {
        color: colour("loss"),
        lineStyle: library.LineStyle.Dashed,
        lineType: library.LineType.WithSteps,
        priceFormat: format,
        title: "Stop",
      }).setData(trade.stop);
    }
    if (trade.target !== null) {
      candles.createPriceLine({ price: trade.target, color: colour("gain"), lineStyle: library.LineStyle.Dashed, title: "Target" });
    }
    let panes = 0;
    trade.indicators.forEach((indicator, number) => {
      line(indicator.is_price ? 0 : ++panes, {
        color: colour(palette[number % palette.length]),
        lineWidth: 1,
        title: indicator.name,
      }).setData(indicator.points);
    });
    library.createSeriesMarkers(candles, trade.marks.map(mark_of));
    if (panes) chart.panes()[0].setStretchFactor(panes + 1); // the prices keep most of the room
    const hasNames = trade.stop.length || trade.indicators.length; // they are written at the right
    chart.timeScale().applyOptions({ rightOffset: hasNames ? Math.ceil(trade.candles.length * NAMES_SHARE) : 0 });
    chart.timeScale().fitContent();
    place.dataset.candles = trade.candles.length;
    place.dataset.drawn = trade.scale;
  };

  const say = (trade) => {
    const more = trade.indicators_left_out ? ` ${trade.indicators_left_out} more indicators stand in the tables.` : "";
    note.textContent = trade.candles.length
      ? `Candles of ${trade.scale}, times at the desk (UTC${trade.offset}). Drag to move, turn the wheel to zoom.${more}`
      : "No ticks are kept of this time: the tables say what happened.";
    place.hidden = !trade.candles.length;
  };

  const load = async (scale) => {
    const answer = await fetch(`${place.dataset.source}?scale=${encodeURIComponent(scale)}`);
    const trade = await answer.json();
    if (!answer.ok) {
      note.textContent = trade.error;
      return;
    }
    drawn = trade;
    say(trade);
    if (trade.candles.length) draw(trade);
    for (const link of document.querySelectorAll("[data-scale].button")) {
      const isShown = link.dataset.scale === trade.scale;
      link.classList.toggle("main", isShown);
      if (isShown) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  const show = (scale) => load(scale).catch(() => (note.textContent = "The desk does not answer: load the page again."));

  for (const link of document.querySelectorAll("[data-scale].button")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(link.dataset.scale);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn && drawn.candles.length && draw(drawn));
  show(place.dataset.scale);
})();
