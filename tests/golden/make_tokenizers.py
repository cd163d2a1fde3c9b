#!/usr/bin/env python3
"""Makes tokenizers/NAME/tokenizer.json, a small part of a full one, and expected.json, what Hugging Face's library
(pip install tokenizers) makes of the texts below with it.

    make_tokenizers.py gpt2 ../shared/data/gpt2-tokenizer/tokenizer.json
    make_tokenizers.py llama ../shared/data/llama-tokenizer/tokenizer.json

Kept are the single bytes, the added tokens, and the characters and merges that the texts need; everything around the
vocabulary stays as it is.
"""
import argparse
import json
import pathlib
import re

import tokenizers

HERE = pathlib.Path(__file__).resolve().parent

TEXTS = [
    "",
    "Hello, world!",
    "Hello world",
    "Once upon a time,\n  there  was a fox who lived near the river.",
    "The meaning of life is not known; the theory of relativity states that ",
    " one space before, two behind  ",
    "   ",
    "\n",
    "\n\n\t\n  \n x",
    "a\tb\nc\r\n\r\nd",
    "A short note:\n\n        Hi all,\n\n        the launch is at 10:30.\n",
    "English to French:\n\n        sea => mer\n        plush giraffe => girafe peluche\n        cheese =>",
    "don't you'll we've I'm he'd they're it's IT'S ’s 's'",
    "0 7 42 365 1024 65536 3.14159 1,000,000 -12 ½ ² Ⅷ ٣٤ 十",
    "$12/60 = $<<12/60=0.2>>0.2 a minute",
    "#include <cstdio>\nint main() { return 0; }\n",
    "def f(x):\n    return [x**2 for x in range(10) if x % 3 != 0]",
    '{"role": "user", "content": null}',
    "https://example.com/a_b?c=d&e=%20#f",
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa                       b",
    "HELLO hElLo snake_case camelCase Straße ﬁne",
    "café naïve résumé Ångström; e\u0301 is not \u00e9",
    "Привет, мир! Γειά σου Κόσμε",
    "日本語のテキスト 中文 한국어",
    "مرحبا بالعالم שלום नमस्ते ไทย",
    "😀 👩\u200d👩\u200d👧 🇩🇪 👍🏽 \U0001F9E0",
    "\U00010348 \U0010FFFF \uFFFD \uFEFF \u200D",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u1680g",
    "\u0000\u0001\u001f\u007f",
    "▁ one ▁▁two▁",
    "x <0x41> <0xE2> y",
    "<s>a</s>",
    "alpha</s>beta",
    "<unk> </s> </s></s> <|endoftext|><|endoftext|> x",
    "<|system|>\nYou are a helpful assistant.</s>\n<|user|>\nWhat is 2+2?</s>\n<|assistant|>\n",
    "<|system|>\nYou are a helpful assistant.</s><|user|>\nWhat is 2+2?</s>\n<|assistant|>\n",
    "<|user|> [MASK] [INST] x [/INST] ### Response:",
]


def words(full, text):
    """What the library sets the merges to: the text normalised and cut by its own rules."""
    if full.normalizer:
        text = full.normalizer.normalize_str(text)
    return [word for word, _ in full.pre_tokenizer.pre_tokenize_str(text)] if full.pre_tokenizer else [text]


def applied_merges(word, ranks):
    """The pairs that byte-pair encoding merges in a word: the first of the lowest rank, until none is left."""
    symbols, applied = list(word), set()
    while True:
        found = [(ranks[pair], i, pair) for i, pair in enumerate(zip(symbols, symbols[1:])) if pair in ranks]
        if not found:
            return applied
        _, i, pair = min(found)
        symbols[i:i + 2] = ["".join(pair)]
        applied.add(pair)


def prune(full, spec):
    """The part of `spec`, the content of the full tokenizer.json, that TEXTS need; ids dense, in the old order."""
    model = spec["model"]
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(model["merges"])}
    added = [token["content"] for token in spec["added_tokens"]]
    # An added token in a text stands for itself or, in words of a user, for its characters.
    between = re.compile("|".join(map(re.escape, added)))
    pieces = {piece for text in TEXTS for piece in [text, *between.split(text)]}
    used = {word for piece in pieces for word in words(full, piece)}
    merges = {pair for word in used for pair in applied_merges(word, ranks)}

    def is_byte(token):
        return re.fullmatch(r"<0x[0-9A-F]{2}>", token) if model["byte_fallback"] else len(token) == 1

    kept = set(added) | {c for word in used for c in word} | {"".join(pair) for pair in merges}
    vocab = [token for token in sorted(model["vocab"], key=model["vocab"].get) if token in kept or is_byte(token)]
    ids = {token: i for i, token in enumerate(vocab)}
    model["vocab"] = ids
    model["merges"] = [" ".join(pair) for pair in sorted(merges, key=ranks.get)]
    for token in spec["added_tokens"]:
        token["id"] = ids[token["content"]]
    for special in spec["post_processor"].get("special_tokens", {}).values():
        special["ids"] = [ids[token] for token in special["tokens"]]
    return spec


def load(spec):
    """The library's tokenizer of a tokenizer.json; that texts be cut at 50 tokens, as GPT-2's asks, is turned off."""
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(spec))
    tokenizer.no_truncation()
    return tokenizer


def expected(tokenizer, text):
    """A row of expected.json."""
    ids = tokenizer.encode(text).ids
    return {"text": text, "ids": ids, "ids_no_special": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(ids)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("full", type=pathlib.Path, help="the full tokenizer.json")
    args = parser.parse_args()
    spec = json.loads(args.full.read_text())
    full = load(spec)
    small = load(prune(full, spec))
    for text in TEXTS:
        assert small.encode(text).tokens == full.encode(text).tokens, text

    directory = HERE / "tokenizers" / args.name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokenizer.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False) + "\n")
    rows = [json.dumps(expected(small, text), ensure_ascii=False) for text in TEXTS]
    (directory / "expected.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
    print(f"{directory}: {len(spec['model']['vocab'])} tokens, {len(spec['model']['merges'])} merges, "
          f"tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main()
