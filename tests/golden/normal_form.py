#!/usr/bin/env python3
"""Prints the hashes that tests/models/unicode/test_normal_form.cc expects, from Python's own normalization to form C.

    python3 tests/golden/normal_form.py
"""
import unicodedata

MASK = 2**64 - 1


def hash_of(texts):
    """FNV-1a over the UTF-8 of all normalized texts, each ended by a zero byte."""
    value = 0xCBF29CE484222325
    for text in texts:
        for byte in unicodedata.normalize('NFC', text).encode() + b'\0':
            value = (value ^ byte) * 0x100000001B3 & MASK
    return f'0x{value:016X}'


def code_points():
    return [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def mixtures():
    """Texts of what takes part in composition, drawn by a linear congruential generator."""
    parts = [c for c in code_points() if unicodedata.combining(c) or unicodedata.normalize('NFD', c) != c]
    for letters in range(0x41, 0x7B), range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A7, 0x11C3):
        parts += map(chr, letters)
    state = 1
    for _ in range(100000):
        text = ''
        for _ in range(6):
            state = (state * 6364136223846793005 + 1442695040888963407) & MASK
            text += parts[(state >> 33) % len(parts)]
        yield text


if __name__ == '__main__':
    print('every code point:', hash_of(code_points()))
    print('between letters: ', hash_of('a' + c + '\u0301b' for c in code_points()))
    print('mixtures:        ', hash_of(mixtures()))
