import pytest

from gateway.upstreams.server_load import ServerLoad, read_server_load

# As vLLM 0.32 writes it, shortened: the histograms that follow are a hundred times as long.
VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 3.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-8B"} 2.0
# HELP vllm:num_requests_waiting_by_reason Number of requests waiting, by reason.
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="Qwen/Qwen3-8B",reason="capacity"} 2.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.4375
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="Qwen/Qwen3-8B"} 1043.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="Qwen/Qwen3-8B"} 0.0
"""
LLAMA_CPP = """\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 1
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 4
"""


def test_vllm_tells_running_waiting_and_how_full_its_cache_is() -> None:
    assert read_server_load(VLLM) == ServerLoad(running=3.0, waiting=2.0, cache_use=0.4375)


def test_vllm_called_its_cache_otherwise_before() -> None:
    older = VLLM.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace('engine="0",', "")
    assert read_server_load(older) == ServerLoad(running=3.0, waiting=2.0, cache_use=0.4375)


def test_engines_add_up_and_the_fullest_cache_counts() -> None:
    second = VLLM.replace('engine="0"', 'engine="1"').replace("0.4375", "0.75")
    lines = [line for line in second.splitlines() if not line.startswith("#")]
    assert read_server_load(VLLM + "\n".join(lines) + "\n") == ServerLoad(running=6.0, waiting=4.0, cache_use=0.75)


def test_llama_cpp_may_say_nothing_of_its_cache() -> None:
    assert read_server_load(LLAMA_CPP) == ServerLoad(running=1.0, waiting=4.0, cache_use=None)
    older = f"{LLAMA_CPP}llamacpp:kv_cache_usage_ratio 0.25\n"
    assert read_server_load(older) == ServerLoad(running=1.0, waiting=4.0, cache_use=0.25)


@pytest.mark.parametrize("text", ["", "<html>no metrics here</html>", 'requests_total{door="chat"} 3.0\n'])
def test_a_server_that_says_nothing_of_its_load_has_none_known(text: str) -> None:
    assert read_server_load(text) is None


def test_what_is_no_number_of_requests_is_no_load() -> None:
    assert read_server_load("vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\n") is None


def test_a_broken_line_is_an_error_of_the_text() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        read_server_load('vllm:num_requests_running{engine="0" three\n')


@pytest.mark.parametrize(
    "text",
    [
        "vllm:num_requests_running{" + ",".join(f'a{i}="x"' for i in range(300)) + "} 1",
        "\n".join(f'vllm:num_requests_running{{engine="{i}"}} 1' for i in range(10_000)),
    ],
    ids=["labels", "engines"],
)
def test_more_than_any_server_has_to_say_is_not_parsed(text: str) -> None:
    """300,000 labels in 4 MB took 77 s, in which nobody was answered."""
    with pytest.raises(ValueError, match="more engines or labels than any server has"):
        read_server_load(text)


def test_no_sum_of_requests_is_without_end() -> None:
    text = "vllm:num_requests_running 1e308\nvllm:num_requests_running{a='b'} 1.7e308\n".replace("'", '"')
    assert read_server_load(text + "vllm:num_requests_waiting 1\n") == ServerLoad(running=0, waiting=1)
