from copy import deepcopy

import numpy as np

from predictors.encoders.word_table import LONGEST_WORD, PADDING, WordTable


def found(table: WordTable, *words: bytes) -> list[int]:
    starts = np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
    return table.find(b" ".join(words) + PADDING, starts, np.array([len(word) for word in words])).tolist()


def tokens(table: WordTable, *words: bytes) -> list[list[int]]:
    entries = np.array(found(table, *words))
    by_word = np.concatenate(table.tokens(entries, 1_000 * np.arange(len(words)))).tolist()
    return [sorted(token % 1_000 for token in by_word if token // 1_000 == k) for k in range(len(words))]


def test_a_word_is_found_only_whole() -> None:
    table = WordTable({b"cat": 7, b"c": 1, b"sixteen-letters!": 2}, room=0)
    assert tokens(table, b"cat", b"sixteen-letters!", b"c") == [[7], [2], [1]]
    assert found(table, b"cats", b"ca", b"at", b"sixteen-letters?") == [0, 0, 0, 0]


def test_a_word_that_is_too_long_is_left_out() -> None:
    long = b"l" * (LONGEST_WORD + 1)
    table = WordTable({long: 3, b"short": 4}, room=1)
    assert table.left_out == {long}
    assert found(table, long, long[:-1]) == [0, 0]
    assert not table.learn(long, [3])


def test_a_learned_word_has_all_its_tokens() -> None:
    table = WordTable({b"known": 1}, room=2)
    assert table.learn(b"embedding", [4, 5, 6])
    assert table.learn(b"pareto", [8])
    assert tokens(table, b"embedding", b"known", b"pareto", b"embedding") == [[4, 5, 6], [1], [8], [4, 5, 6]]


def test_nothing_is_learned_beyond_the_room() -> None:
    table = WordTable({b"known": 1}, room=1)
    assert table.learn(b"one", [2])
    assert not table.learn(b"two", [3])
    assert found(table, b"two") == [0]


def test_all_of_many_words_are_found() -> None:
    words = {f"w{i}".encode(): i for i in range(25_000)}
    table = WordTable(dict(list(words.items())[:20_000]), room=5_000)
    assert all(table.learn(word, [words[word]]) for word in list(words)[20_000:])
    assert not table.left_out  # where both places of a word were taken, another went elsewhere
    entries = np.array(found(table, *words))
    (first,) = table.tokens(entries, np.zeros(len(entries), dtype=np.int64))
    assert first.tolist() == list(words.values())
    assert not any(found(table, b"w25000", b"w", b"20000"))


def test_a_copy_learns_for_itself() -> None:
    table = WordTable({b"known": 1}, room=1)
    copied = deepcopy(table)
    assert copied.learn(b"new", [2, 3])
    assert found(table, b"new") == [0]
    assert tokens(copied, b"new") == [[2, 3]]
