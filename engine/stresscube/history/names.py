"""Asset and venue in what exchanges and tools call a pair: BTCUSDT, BTC/USDT:USDT, PF_XBTUSD."""

from __future__ import annotations

import re

QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDE", "DAI"),
    *("USD", "EUR", "GBP", "JPY", "KRW", "TRY", "BRL", "AUD"),
)
ALIASES = {"XBT": "BTC"}
VENUES = (
    *("binanceus", "binanceusdm", "binancecoinm", "binance", "bybit", "okx", "okex", "kraken"),
    *("krakenfutures", "bitstamp", "bitfinex", "coinbase", "gemini", "ftx", "dydx", "hyperliquid"),
    *("lighter", "kucoin", "gateio", "gate", "bitget", "deribit", "bitmex", "huobi", "htx"),
    *("poloniex", "mexc", "paradex", "aster", "phemex"),
)
_FILLERS = re.compile(
    r"\d+(ms|s|m|min|mins|minute|minutes|h|hr|hour|hours|d|day|days|w|mo)?"
    r"|m|h|d|w|min|minute|hour|hourly|daily|day"
    r"|futures?|spot|swaps?|perps?|perpetual|linear|inverse|pf|pi|um|cm|mark|index"
    r"|ohlcv?|klines?|candles?|bars?|prices?|data|history|funding|fundingrates?|rates?"
)


def asset_of(symbol: str) -> str:
    """The asset that a symbol prices: its base currency, in capitals."""
    words = [word for word in re.split(r"[/:\-_ .]+", symbol.strip()) if word]
    words = [word for word in words if not _FILLERS.fullmatch(word.lower())] or words
    word = words[0].upper() if words else symbol.upper()
    word = next((ALIASES[old] + word[len(old) :] for old in ALIASES if word.startswith(old)), word)
    for quote in QUOTES:
        if word.endswith(quote) and len(word) - len(quote) >= 2:
            word = word.removesuffix(quote)
            break
    return word


def of_file(stem: str) -> tuple[str | None, str | None]:
    """Asset and venue in a file's name without its ending, where it names them.

    BTCUSDT-1m-2025-05, BTC_USDT_USDT-1h-futures and Binance_BTCUSDT_2021_minute are such names.
    """
    words = [word for word in re.split(r"[\-_. @]+", stem) if word]
    venue = next((word.lower() for word in words if word.lower() in VENUES), None)
    rest = [w for w in words if w.lower() not in VENUES and not _FILLERS.fullmatch(w.lower())]
    known = [word for word in rest if re.fullmatch(r"[A-Za-z0-9]{2,12}", word)]
    return (asset_of(known[0]) if known else None), venue


def label(asset: str, venue: str | None) -> str:
    """How a leg is called where two legs are the same asset."""
    return f"{asset}-{venue}" if venue else asset
