import pytest

from catalog import Usage
from gateway.wire.usage import read_usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 3}, Usage(input_tokens=10, output_tokens=3)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(input_tokens=10, output_tokens=3, cached_input_tokens=4, reasoning_tokens=2),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 3, "prompt_cache_hit_tokens": 6},
            Usage(input_tokens=10, output_tokens=3, cached_input_tokens=6),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 3, "cache_creation_input_tokens": 5},
            Usage(input_tokens=10, output_tokens=3, cache_write_tokens=5),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": None, "total_tokens": 7, "prompt_tokens_details": None},
            Usage(input_tokens=5, output_tokens=2),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(input_tokens=5, output_tokens=1, cached_input_tokens=5),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "server_tool_use": {"web_search_requests": 2}},
            Usage(input_tokens=5, output_tokens=1, web_searches=2),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"web_search_requests": 3}},
            Usage(input_tokens=5, output_tokens=1, web_searches=3),
        ),
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(input_tokens=5, output_tokens=0)),  # embeddings
        ({"prompt_tokens": 5, "completion_tokens": None}, None),  # unknown is not 0
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": True}, None),
        (None, None),
    ],
)
def test_every_dialect_of_token_counts_reads_the_same(reported: object, usage: Usage | None) -> None:
    assert read_usage(reported) == usage
