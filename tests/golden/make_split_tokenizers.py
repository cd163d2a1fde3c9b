#!/usr/bin/env python3
"""Makes tokenizers/NAME/tokenizer.json and expected.json for the pre-tokenizers of Llama-3, Qwen-2 and SmolLM.

    python3 tests/golden/make_split_tokenizers.py

The vocabulary is trained by Hugging Face's library (pip install tokenizers) on the texts themselves without any split.
Its merges thus reach over the borders of words, so that a wrong split changes ids.
"""
import json
import unicodedata

import make_tokenizers
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LETTERS = r"|[^\r\n\p{L}\p{N}]?\p{L}+"
LLAMA3 = CONTRACTIONS + LETTERS + r"|\p{N}{1,3}" + REST
QWEN2 = CONTRACTIONS + LETTERS + r"|\p{N}" + REST

TEXTS = make_tokenizers.TEXTS + [
    "a'\u017f b'S '\u017fx", "it'S'RE'lL'", "a\r\n\r\n b\n \n", "x \u2028\n y", " \n  z", "!!\n\n?", "\u0085\n a",
    "\u1680\n", "\u00bd\u00b2\u216712", " 'lllama", " \t\tx", "'tis", " \r", "\n\n  ", "!\r\n\r\n  a", "1 234,567",
    "the cat's CAT'S 12345", "  a\n\nb \n c", "\u00abx\u00bb (the)  !?\n\nok", "\u65e5\u672c 1234567 \u00e9"]


# Each of them twice: as it is, and taken apart, which Qwen-2 puts together again.
ACCENTS = ["caf\u00e9 na\u00efve r\u00e9sum\u00e9", "\u00c5ngstr\u00f6m \u1ea5\u1ed7", "\ud55c\uad6d\uc5b4 \uac01",
           "\u0928\u092e\u0938\u094d\u0924\u0947 \u0958", "\u05e9\u05c1\u05dc\u05d5\u05dd",
           "e\u0323\u0301 q\u0307\u0323", "\u212b \u2126"]


def split(pattern):
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, bytes_only]}


SMOLLM = {"type": "Sequence", "pretokenizers": [
    {"type": "Digits", "individual_digits": True},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}


def main():
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(TEXTS * 2, trainers.BpeTrainer(vocab_size=640, initial_alphabet=alphabet,
                                                               show_progress=False))
    texts = TEXTS + [unicodedata.normalize(form, text) for text in ACCENTS for form in ("NFC", "NFD")]
    for name, pre_tokenizer in {"llama3": split(LLAMA3), "qwen2": split(QWEN2), "smollm": SMOLLM}.items():
        spec = json.loads(trained.to_str())
        spec["pre_tokenizer"] = pre_tokenizer
        if name == "qwen2":
            spec["normalizer"] = {"type": "NFC"}
        spec["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(spec))
        directory = make_tokenizers.HERE / "tokenizers" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "tokenizer.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False) + "\n")
        rows = [json.dumps(make_tokenizers.expected(tokenizer, text), ensure_ascii=False) for text in texts]
        (directory / "expected.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
        print(f"{directory}: {len(rows)} texts, tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main()
