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
        (  # xAI
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "prompt_tokens_details": {"cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(input_tokens=32, output_tokens=103, cached_input_tokens=6, reasoning_tokens=94),
        ),
        (  # Gemini
            {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
            Usage(input_tokens=20, output_tokens=603, reasoning_tokens=405),
        ),
        (  # a total that counts in what was read from a cache says nothing of thoughts
            {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 10, "prompt_cache_hit_tokens": 4},
            Usage(input_tokens=5, output_tokens=1, cached_input_tokens=4),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(input_tokens=5, output_tokens=7, reasoning_tokens=3),
        ),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 2}, Usage(input_tokens=5, output_tokens=7)),
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(input_tokens=5, output_tokens=0)),  # embeddings
        ({"prompt_tokens": 5, "completion_tokens": None}, None),  # unknown is not 0
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": True}, None),
        (None, None),
    ],
)
def test_every_dialect_of_token_counts_reads_the_same(reported: object, usage: Usage | None) -> None:
    assert read_usage(reported) == usage


@pytest.mark.parametrize(
    ("told", "billed_usd"),
    [
        ({"cost": 0.0033789, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0033789}}, 0.0033789),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.0}}, 1.05),
        ({"cost": 0.05, "is_byok": True, "cost_details": None}, None),  # the fee is known, the rest is not
        ({"cost": 0}, 0.0),
        ({"cost_in_usd_ticks": 37_756_000}, 0.0037756),
        ({"cost": {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}}, 0.006),
        ({"cost": {}}, None),
        ({"cost": -1.0}, None),
        ({"cost": True}, None),
        ({"cost": "0.1"}, None),
        ({"cost": 1e9}, None),
        ({"cost_in_usd_ticks": 10**400}, None),
        ({"cost_in_usd_ticks": True}, None),
    ],
)
def test_a_bill_is_read_in_each_of_the_ways_in_which_providers_tell_it(
    told: dict[str, object], billed_usd: float | None
) -> None:
    usage = read_usage({"prompt_tokens": 5, "completion_tokens": 1, **told})
    assert usage == Usage(input_tokens=5, output_tokens=1, billed_usd=billed_usd)
