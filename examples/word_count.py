"""The same operation as word-count.ts, in Python: hints say the types, Annotated says what hints cannot."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated


@dataclass
class WordCountInput:
    text: Annotated[str, {"maxLength": 1_000_000}]
    top: Annotated[int, "How many of the most frequent words to list.", {"minimum": 1, "maximum": 100}] = 10
    ignore_case: Annotated[bool, "Whether `The` and `the` are the same word."] = True


@dataclass
class WordFrequency:
    word: str
    count: int


@dataclass
class WordCountOutput:
    words: int
    most_frequent: list[WordFrequency]


def word_count(input: WordCountInput) -> WordCountOutput:
    """Counts words and lists the most frequent ones, in order of frequency and then of the alphabet."""
    text = input.text.lower() if input.ignore_case else input.text
    # A letter or digit is what \w has but the underscore.
    words = re.findall(r"(?:[^\W_]|['’-])+", text)
    ranked = sorted(Counter(words).items(), key=lambda each: (-each[1], each[0]))
    return WordCountOutput(len(words), [WordFrequency(word, count) for word, count in ranked[: input.top]])
