"""Candlesticks and motifs: what is planted is found, noise shows nothing, and no future is looked at."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from bench.backtest import STEMS, day_of
from lab.domain.candle_grid import apart, repeating, windows_of
from lab.domain.followed import chance_above_zero, holm
from lab.models import KeptRun, Trial
from lab.optimise import extras
from lab.patterns import motif_looks
from lab.patterns.candle_looks import candle_looks
from lab.patterns.candlesticks import LOOKBACK, NAMES, signs_of
from lab.patterns.grids import grid_of
from lab.patterns.looks import PatternLook, looked_day
from lab.patterns.motifs import Shapes, motifs_of, profile, seen, seen_by_chance, shapes_of, shuffled
from lab.queries.trials import trial_faults
from tests.lab.made_candles import cut, lifted, noise, of_columns, of_prices, wandering
from tests.lab.made_days import ticks_of
from tests.lab.test_optimize import record_days
from tests.lab.test_pages import QUERIES_MAX
from tests.trading.test_web_pages import Read, read, words
from trading import summon
from trading.domain import display

__all__ = ["read"]

SPAN = ("--from", "2021-04-12", "--to", "2021-04-23", "--format", "json")
WIDTH = 20


def looked(kind: str, *arguments: str) -> dict:
    out = io.StringIO()
    call_command("patterns", kind, *SPAN, *arguments, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.fixture
def desk(ledger, made_as, monkeypatch):
    monkeypatch.setattr(summon, "summon", lambda: None)
    made_as(record_days)


def minutes_of(path: Path) -> dict[int, list[float]]:
    """Open, high, low and close of each minute that ticked, counted from a file by hand; late ticks dropped."""
    candles: dict[int, list[float]] = {}
    newest = ""
    for row in csv.DictReader(path.read_text().splitlines()):
        if row["timestamp"] >= newest:
            newest, price = row["timestamp"], float(row["ltp"])
            minute = int(newest[11:13]) * 60 + int(newest[14:16]) - 555
            candle = candles.setdefault(minute, [price] * 4)
            candle[1:] = [max(candle[1], price), min(candle[2], price), price]
    return candles


def engulfing(candles: dict[int, list[float]], minute: int) -> int:
    """1 where a white body covers the black one before, -1 the other way round, as TA-Lib documents it."""
    (opened, _, _, closed), (now_opened, _, _, now_closed) = candles[minute - 1], candles[minute]
    before, body = sorted((opened, closed)), sorted((now_opened, now_closed))
    turns = (closed >= opened) != (now_closed >= now_opened)
    covers = body[0] <= before[0] and body[1] >= before[1] and body != before
    return (1 if now_closed >= now_opened else -1) if turns and covers else 0


@pytest.mark.data
def test_engulfing_candles_of_real_ticks_and_what_followed_are_those_counted_by_hand(market_data: Path):
    """12 April 2021: how often a candle engulfs the one before, and what followed until five later, in basis points."""
    folder, width = market_data / "nse-ticks-2021", LOOKBACK + 1
    files = {symbol: folder / f"{stem}_12_April.csv" for symbol, stem in STEMS.items()}
    told = {}
    for ticks in day_of(files).symbols:
        candles = minutes_of(files[ticks.symbol])
        grid = grid_of(ticks, 1, 0.05)
        day = looked_day(grid, windows_of(grid, width).clear, 5, is_held_out=True)
        looks = {look.sign: look.seen[0] for look in candle_looks([day]) if look.pattern == "engulfing"}
        for sign in (1, -1):
            rows = [minute for minute in candles if all(before in candles for before in range(minute - 14, minute))
                    and engulfing(candles, minute) == sign]  # fmt: skip
            assert looks[sign].tolist() == rows
            moves = [(candles[max(of for of in candles if of <= row + 5)][3] / candles[row + 1][0] - 1) * 10_000
                     for row in rows if row + 5 < 375 and row + 1 in candles]  # fmt: skip
            assert np.nansum(day.basis_points[rows]) == pytest.approx(sum(moves), abs=1e-8)
            told[ticks.symbol, sign] = (len(rows), round(sum(moves), 6))
    assert told == {
        ("BAJAJ-AUTO", 1): (34, 121.085218), ("BAJAJ-AUTO", -1): (28, 101.154791),
        ("M&M", 1): (21, 36.985344), ("M&M", -1): (31, -5.098567),
        ("RELIANCE", 1): (26, -26.343685), ("RELIANCE", -1): (27, -73.115302),
    }  # fmt: skip


class TestCandles:
    def test_they_are_of_the_ticks_that_a_strategy_would_trade_on(self):
        ticks = ticks_of("A", [-5, 0, 30, 61, 59, 185, 190], [9, 10, 12, 11, 99, 14, 13])  # one early, one late
        grid = grid_of(ticks, 1, 0.05)
        assert len(grid.close) == 375
        assert grid.open[:4].tolist()[:2] == [10, 11] and np.isnan(grid.open[2]) and grid.open[3] == 14
        assert (grid.high[0], grid.low[0], grid.close[0]) == (12, 10, 12)
        assert (grid.high[3], grid.low[3], grid.close[3]) == (14, 13, 13)
        assert np.isnan(grid.close[4:]).all()

    def test_a_window_with_a_gap_a_filled_or_a_flat_one_says_nothing(self):
        close = np.array([10, 11, 12, 12, 12, 12, 13, 14, np.nan, 15, 15.05, 15.1, 15.15, 16])
        high = close.copy()
        high[[0, 1, 2, 6, 7, 9, 10, 11, 12, 13]] += 0.5
        windows = windows_of(of_prices(close, high, close, close), 3)
        assert repeating(high, close, close).nonzero()[0].tolist() == [5]  # the third that only repeats
        # Those that end at 8, 9 and 10 have the gap, at 5, 6 and 7 the filled one; at 4, 11 and 12 closes span too few.
        assert windows.clear.nonzero()[0].tolist() == [2, 3, 13]
        assert (windows.gap, windows.filled, windows.flat) == (3, 3, 3)
        assert not windows_of(of_prices(close, high, close, close), 15).clear.any()

    def test_what_followed_begins_at_the_next_candles_first_price(self):
        opened = np.array([10.0, 20, 30, np.nan, 50])
        close = np.array([11.0, 22, 33, np.nan, 55])
        grid = of_prices(opened, close, opened, close)
        assert grid.followed(1).step[[0, 1]].tolist() == [2, 3]
        assert np.isnan(grid.followed(1).step[[2, 4]]).all()  # no tick to be filled by, and no candle left
        assert grid.followed(2).step[:2].tolist() == [33 - 20, 33 - 30]  # the last price before the gap
        assert grid.followed(2).basis_points[0] == 10_000 * 13 / 20
        assert np.isnan(grid.followed(5).step).all()

    def test_rows_are_apart(self):
        assert apart(np.array([1, 2, 4, 5, 9]), 3).tolist() == [1, 4, 9]


class TestChances:
    def test_chances_are_corrected_as_holm_did(self):
        corrected = holm([0.01, 0.04, None, 0.03, 0.005], 4 + 1)
        assert corrected == [0.04, 0.09, None, 0.09, 0.025]
        assert holm([0.2, 0.9], 100) == [1.0, 1.0] and holm([], 0) == []
        with pytest.raises(ValueError, match="2 chances come from 1 looks"):
            holm([0.1, 0.2], 1)

    @given(st.lists(st.integers(-1000, 1000), min_size=5, max_size=30))
    def test_a_chance_is_students(self, days: list[int]):
        told = chance_above_zero(days)
        if len(set(days)) == 1:
            assert told == (0.0 if days[0] > 0 else 1.0)
        else:
            assert told == pytest.approx(ttest_1samp(days, 0, alternative="greater").pvalue, abs=1e-9)

    def test_few_days_have_none(self):
        assert chance_above_zero([1.0, 2.0, 3.0, 4.0]) is None


class TestCandlesticks:
    def test_no_candlestick_asks_for_more_candles_than_a_window_has(self):
        grid, place = wandering(1), 200
        before = {name: signs[place] for name, signs in signs_of(grid).items()}
        other = wandering(2)
        rows = np.arange(len(grid.close)) < place - LOOKBACK
        columns = (
            np.where(rows, getattr(other, name), getattr(grid, name)) for name in ("open", "high", "low", "close")
        )
        assert {name: signs[place] for name, signs in signs_of(of_prices(*columns)).items()} == before
        assert len(NAMES) == 61

    def test_an_engulfing_candle_is_one_by_its_definition(self):
        signs = signs_of(grid := wandering(3))["CDLENGULFING"]
        rising, before = grid.close > grid.open, np.concatenate([[False], grid.close[:-1] > grid.open[:-1]])
        opened, close = (np.concatenate([[np.nan], of[:-1]]) for of in (grid.open, grid.close))
        wider = np.where(
            rising, (grid.close > opened) & (grid.open < close), (grid.open > close) & (grid.close < opened)
        )
        expected = np.where(wider & (rising != before), np.where(rising, 1, -1), 0)
        assert (signs != 0).sum() > 10
        assert signs[LOOKBACK:].tolist() == expected[LOOKBACK:].tolist()

    def test_what_is_planted_behind_a_candlestick_is_found_among_all(self):
        grids = []
        for grid in noise(7, 20):
            engulfing = np.flatnonzero(signs_of(grid)["CDLENGULFING"] == 1)
            for row in apart(engulfing[engulfing < 360], 12).tolist():
                grid = lifted(grid, row + 2, np.linspace(0.4, 2.0, 4))
            grids.append(grid)
        days = cut(grids, LOOKBACK + 1, 10)
        looks = candle_looks(days)
        rows = [look.row(days) for look in looks]
        corrected = holm([row["p"] for row in rows], len(rows))
        found = {
            (row["pattern"], row["sign"]) for row, p in zip(rows, corrected, strict=True) if p is not None and p < 0.05
        }
        assert ("engulfing", 1) in found
        [row] = [row for row in rows if (row["pattern"], row["sign"]) == ("engulfing", 1)]
        assert row["side"] == "LONG" and row["followed_bp"] > 3 > abs(row["usual_bp"])
        assert row["seen"] / sum(day.clear.sum() for day in days[10:]) == row["base_rate"]

    def test_noise_shows_nothing_after_correction(self):
        lucky, runs_with_one = 0, 0
        for seed in range(8):
            days = cut(noise(seed, 12), LOOKBACK + 1, 6)
            chances = [look.row(days)["p"] for look in candle_looks(days)]
            lucky += sum(p < 0.05 for p in chances if p is not None)
            runs_with_one += any(p < 0.05 for p in holm(chances, len(chances)) if p is not None)
        assert lucky > 8  # each by itself would be told as found
        assert runs_with_one <= 1

    @pytest.mark.parametrize("cut_at", [20, 150, 360])
    def test_a_poisoned_future_changes_nothing_before_it(self, cut_at: int):
        grid, poison = wandering(5), wandering(6)
        rows = np.arange(len(grid.close)) < cut_at
        poisoned = of_prices(*(np.where(rows, getattr(grid, name), 3 * getattr(poison, name))
                               for name in ("open", "high", "low", "close")))  # fmt: skip
        for name, signs in signs_of(grid).items():
            assert signs[:cut_at].tolist() == signs_of(poisoned)[name][:cut_at].tolist()
        clear, other = (windows_of(of, LOOKBACK + 1).clear[:cut_at].tolist() for of in (grid, poisoned))
        assert clear == other


class TestMotifs:
    def test_the_profile_is_that_of_the_definition(self):
        grids = [wandering(number, candles=60) for number in range(2)]
        grids[0].close[25] = np.nan
        shapes = shapes_of(grids, 8)
        best, nearest = profile(shapes, 8)
        windows = [
            grids[shapes.grid[row]].close[shapes.end[row] - 7 : shapes.end[row] + 1] for row in range(len(shapes))
        ]
        normal = [(window - window.mean()) / window.std() for window in windows]
        for row in range(len(shapes)):
            distances = {
                other: sqrt(((normal[row] - normal[other]) ** 2).sum())
                for other in range(len(shapes))
                if abs(shapes.place[row] - shapes.place[other]) > 2 or shapes.grid[row] != shapes.grid[other]
            }
            least = min(distances.values())
            assert sqrt(2 * 8 * (1 - best[row])) == pytest.approx(least, abs=1e-6)
            assert distances[int(nearest[row])] == pytest.approx(least, abs=1e-6)

    def planted(self, seed: int) -> list:
        """Days of noise; into most of them one shape is planted, and a rise behind it."""
        shape = np.concatenate([np.sin(np.linspace(0, 9, WIDTH)) * np.linspace(6, 14, WIDTH), [9, 12, 15, 15, 15]])
        grids = []
        for number, grid in enumerate(noise(seed, 20)):
            start = 40 + 13 * number
            quiet = replace(grid, close=grid.close.copy())
            quiet.close[start : start + WIDTH] = quiet.close[start]
            grids.append(lifted(quiet, start, shape) if number % 5 else grid)
        return grids

    def test_a_planted_shape_is_found_comes_again_and_is_followed(self):
        days = cut(self.planted(3), WIDTH, 10)
        taught = [day for day in days if not day.is_held_out]
        motifs = motifs_of(shapes_of([day.grid for day in taught], WIDTH), WIDTH, 3)
        rows_seen = [seen(motifs, day.grid, WIDTH) for day in days]
        ends = {int(shapes_of([day.grid for day in taught], WIDTH).end[row]) for row in motifs[0].pair}
        assert ends <= {40 + 13 * number + WIDTH - 1 + shift for number in range(10) for shift in (-1, 0, 1)}
        row = PatternLook("motif 1", None, [of_day[0] for of_day in rows_seen]).row(days)
        excess = []
        chance = np.random.default_rng(0)
        for day, of_day in zip(days[10:], rows_seen[10:], strict=True):
            excess.append(len(of_day[0]) - seen_by_chance(motifs, day.grid, WIDTH, chance)[0])
        by_luck, by_chance = holm([row["p"], chance_above_zero(excess)], 6)
        assert row["seen"] >= 8 and row["side"] == "LONG"
        assert by_luck < 0.05 and by_chance < 0.05

    def test_noise_shows_nothing_after_correction(self):
        found = 0
        for seed in range(4):
            days = cut(noise(seed, 12), WIDTH, 6)
            motifs = motifs_of(shapes_of([day.grid for day in days[:6]], WIDTH), WIDTH, 5)
            assert len(motifs) == 5
            rows_seen, chance = [seen(motifs, day.grid, WIDTH) for day in days], np.random.default_rng(seed)
            by_chance = [seen_by_chance(motifs, day.grid, WIDTH, chance) for day in days[6:]]
            chances = []
            for number in range(5):
                chances.append(PatternLook("", None, [of_day[number] for of_day in rows_seen]).row(days)["p"])
                excess = [
                    len(of_day[number]) - by_day[number]
                    for of_day, by_day in zip(rows_seen[6:], by_chance, strict=True)
                ]
                chances.append(chance_above_zero(excess))
            found += any(p < 0.05 for p in holm(chances, len(chances)) if p is not None)
        assert found <= 1

    @pytest.mark.parametrize(("cut_at", "seed"), [(30, 1), (150, 2), (233, 3), (370, 4)])
    def test_a_poisoned_future_changes_nothing_before_it(self, cut_at: int, seed: int):
        motifs = motifs_of(shapes_of(noise(1, 1), WIDTH), WIDTH, 2)
        grid, poison = wandering(seed), wandering(seed + 100)
        rows = np.arange(len(grid.close)) < cut_at
        poisoned = of_prices(*(np.where(rows, getattr(grid, name), 3 * getattr(poison, name))
                               for name in ("open", "high", "low", "close")))  # fmt: skip
        before, after = seen(motifs, grid, WIDTH), seen(motifs, poisoned, WIDTH)
        assert [of[of < cut_at].tolist() for of in before] == [of[of < cut_at].tolist() for of in after]

    def test_a_shuffled_day_keeps_its_gaps_its_ends_and_its_moves(self):
        grid = wandering(4)
        grid.close[50:60] = np.nan
        other = shuffled(grid, np.random.default_rng(1))
        assert np.isnan(other.close[50:60]).all() and np.isnan(other.close).sum() == 10
        assert other.close[[0, -1]] == pytest.approx(grid.close[[0, -1]])
        moves = [np.sort(np.diff(np.log(of.close[~np.isnan(of.close)]))) for of in (grid, other)]
        assert moves[0] == pytest.approx(moves[1], abs=1e-12)
        assert not np.allclose(grid.close, other.close, equal_nan=True)

    def test_nothing_is_found_in_nothing(self):
        empty = shapes_of([of_columns(np.full((30, 4), 100.0))], WIDTH)
        assert len(empty) == 0 and motifs_of(empty, WIDTH, 3) == []
        one = Shapes(np.ones((1, 4)) / 2, *(np.array([number]) for number in (0, 3, 3)))
        assert motifs_of(one, 4, 3) == []


class TestCommand:
    def test_every_candlestick_that_there_is_is_a_trial_once(self, desk):
        answer = looked("candles", "--hold-out", "5")
        assert (answer["days"], answer["held_out_days"], answer["correction"]) == (8, 5, "Holm")
        assert answer["held_out_from"] == "2021-04-16"
        assert answer["trials"] == len(answer["patterns"]) == Trial.objects.count() > 10
        assert looked("candles", "--hold-out", "5") == answer and Trial.objects.count() == answer["trials"]
        again = looked("candles", "--hold-out", "5", "--horizon", "9")
        assert again["trials"] > answer["trials"]
        assert list(trial_faults()) == []
        assert KeptRun.objects.filter(kind="candles").count() == 2
        for row in answer["patterns"]:
            assert row["p"] is None or row["p_corrected"] >= row["p"]

    def test_motifs_are_trials_of_their_own(self, desk):
        answer = looked("motifs", "--minutes", "5", "--width", "15", "--count", "3", "--hold-out", "5")
        assert answer["trials"] == len(answer["patterns"]) == Trial.objects.filter(strategy="patterns motifs").count()
        assert answer["left_out"] == 0 and answer["windows"] > 200
        for row in answer["patterns"]:
            assert row["first"].startswith("RELIANCE 2021-04-") and 0 < row["correlation"] <= 1

    def test_windows_beyond_the_cap_are_left_out_and_that_is_said(self, desk, monkeypatch):
        monkeypatch.setattr(motif_looks, "WINDOWS_MAX", 100)
        out, arguments = io.StringIO(), ("--minutes", "5", "--width", "15", "--count", "1")
        call_command("patterns", "motifs", *SPAN[:-2], *arguments, stdout=out, stderr=io.StringIO())
        answer = looked("motifs", *arguments)
        assert answer["left_out"] > 0
        assert f"{answer['left_out']} older windows were not compared" in out.getvalue().replace("\n", " ")

    def test_csv_is_the_table(self, desk):
        out = io.StringIO()
        call_command("patterns", "candles", *SPAN[:-1], "csv", stdout=out, stderr=io.StringIO())
        head, *rows = out.getvalue().splitlines()
        assert head.startswith("Pattern,Sign,Seen before") and len(rows) == Trial.objects.count()

    def test_without_the_extra_candles_name_it_and_motifs_work(self, desk, monkeypatch):
        find = extras.find_spec
        monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "talib" else find(name))
        with pytest.raises(CommandError, match="needs talib"):
            looked("candles")
        assert looked("motifs", "--count", "1")["kind"] == "motifs"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--horizon", "0"), "horizon is 0"),
            (("--width", "5"), "width is 5"),
            (("--minutes", "90"), "minutes is 90"),
            (("--count", "0"), "count is 0"),
            (("--hold-out", "8"), "8 of 8 days are held out"),
            (("--hold-out", "0"), "0 of 8 days are held out"),
            (("--symbol", "TCS"), "0 days with ticks of TCS"),
        ],
        ids=["horizon", "width", "minutes", "count", "all held out", "none held out", "no ticks"],
    )
    def test_what_cannot_be_looked_at_is_refused(self, desk, arguments, told):
        with pytest.raises(CommandError, match=told) as refused:
            looked("motifs", *arguments)
        assert refused.value.returncode == 2
        assert Trial.objects.count() == 0


class TestPage:
    @pytest.mark.parametrize("kind", ["candles", "motifs"])
    def test_it_tells_what_the_command_tells_and_hands_it_on(self, desk, read: Read, client: Client, kind: str):
        answer = looked(kind, *(() if kind == "candles" else ("--minutes", "5", "--width", "15", "--count", "3")))
        address = f"/lab/runs/{KeptRun.objects.get().pk}/"
        read(address)
        with CaptureQueriesContext(connection) as questions:
            page = words(read(address)).replace("−", "-")
        assert len(questions) <= QUERIES_MAX
        assert f"Looks on these days (N) {answer['trials']}" in page
        assert answer["patterns"]
        for row in answer["patterns"]:
            followed = [row[name] for name in ("followed_before_bp", "followed_bp", "usual_bp")]
            shown = ["—" if figure is None else display.ratio(figure, decimals=2) for figure in followed]
            assert row["pattern"] in page and " ".join(shown) in page
        assert json.loads(client.get(address, {"format": "json"}).content) == answer
        assert client.get(address, {"format": "csv"}).content.decode().count("\n") == len(answer["patterns"]) + 1
        assert ("Candlesticks" if kind == "candles" else "Motifs") in words(read("/lab/"))
