import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors import Query, read_query
from predictors.reading import TEXT_BUDGET_CHARS, shorten
from predictors.tokens import estimate_tokens

KEYS = [
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "tools",
    "response_format",
    "max_tokens",
    "text",
    "logprobs",
]
PARTS = ["role", "content", "type", "text", "function", "name", "tool_calls", "output", "json_schema"]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["user", "image"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=3),
    max_leaves=12,
)


def test_a_plain_chat_is_its_question() -> None:
    query = read_query({"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 2?"}]})
    assert query.text == "What is 2 + 2?"
    assert query.n_turns == 1
    assert query.input_tokens == round(estimate_tokens("What is 2 + 2?") + 4)  # 4 for the turn's role and separators
    assert query.needs == frozenset()


def test_a_conversation_keeps_its_system_prompt_and_its_turns_in_order() -> None:
    query = read_query(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi!"},
                {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
            ],
            "max_completion_tokens": 64,
        }
    )
    assert query.text == "Be brief.\n\nHello\n\nHi!\n\nAnd now?"
    assert query.n_turns == 2
    assert query.max_output_tokens == 64


def test_what_the_body_asks_for_is_what_it_needs() -> None:
    body = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                ],
            }
        ],
        "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}},
        "logprobs": True,
        "stream": True,
    }
    query = read_query(body)
    assert query.needs == {"vision", "audio", "tools", "json_schema", "logprobs", "streaming"}
    assert query.tool_names == ("look_up",)
    assert query.input_tokens > 800 + 300  # an image and a clip


def test_tools_that_may_not_be_called_need_no_tools() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    query = read_query({"messages": [], "tools": tools, "tool_choice": "none"})
    assert "tools" not in query.needs
    assert query.tool_names == ("f",)


def test_plain_json_mode_needs_no_schema() -> None:
    assert read_query({"messages": [], "response_format": {"type": "json_object"}}).needs == frozenset()


def test_a_completion_has_a_prompt_a_list_of_them_or_token_ids() -> None:
    assert read_query({"prompt": "Once upon"}).text == "Once upon"
    assert read_query({"prompt": ["Once", "Twice"]}).n_turns == 2
    assert read_query({"prompt": [1, 2, 3]}).input_tokens == 3
    assert read_query({"prompt": [[1, 2], [3, 4, 5]]}).input_tokens == 5


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, 1),
        ({"messages": [{"role": "user", "content": "hi"}], "n": 5}, 5),
        ({"prompt": "Once", "n": 2, "best_of": 4}, 4),  # all four are written and billed
        ({"prompt": ["Once", "Twice"], "n": 3}, 6),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3, 4, 5]]}, 2),
        ({"prompt": "Once", "n": -1}, 1),
        ({"prompt": "Once", "n": True, "best_of": "many"}, 1),
        ({"prompt": "Once", "n": 10**30}, 1_000_000),
    ],
)
def test_as_many_answers_as_are_written_are_counted(body: dict[str, object], answers: int) -> None:
    assert read_query(body).n_answers == answers


def test_the_responses_dialect_is_read() -> None:
    query = read_query(
        {
            "instructions": "Be kind.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}, {"type": "input_image"}]},
                {"type": "function_call", "name": "weather", "arguments": '{"city": "Rome"}'},
                {"type": "function_call_output", "output": "sunny"},
            ],
            "text": {"format": {"type": "json_schema", "name": "w", "schema": {"type": "object"}}},
            "tools": [{"type": "function", "name": "weather"}, {"type": "web_search"}],
            "max_output_tokens": 100,
        }
    )
    assert query.text == 'Be kind.\n\nWeather?\n\n{"city": "Rome"}\n\nsunny'
    assert query.needs == {"vision", "tools", "json_schema"}
    assert query.tool_names == ("weather", "web_search")
    assert query.max_output_tokens == 100


def test_the_anthropic_dialect_is_read() -> None:
    query = read_query(
        {
            "system": [{"type": "text", "text": "Be kind."}],
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": [{"type": "tool_use", "name": "weather", "input": {"city": "Rome"}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "sunny"}]}]},
            ],
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
            "max_tokens": 50,
        }
    )
    assert query.text == 'Be kind.\n\nWeather?\n\n{"city":"Rome"}\n\nsunny'
    assert query.tool_names == ("weather",)
    assert query.n_turns == 2


def test_tools_and_schemas_are_paid_for_at_full_length() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    bare = read_query({"messages": messages})
    tool = {"type": "function", "function": {"name": "f", "description": "word " * 100}}
    assert read_query({"messages": messages, "tools": [tool]}).input_tokens > bare.input_tokens + 90


def test_a_long_question_keeps_its_head_and_its_tail_and_its_whole_price() -> None:
    question = "HEAD " + "x" * 20_000 + " TAIL"
    query = read_query({"messages": [{"role": "user", "content": question}]})
    assert len(query.text) == TEXT_BUDGET_CHARS
    assert query.text.startswith("HEAD")
    assert query.text.endswith("TAIL")
    assert query.input_tokens == round(estimate_tokens(question) + 4)


def test_a_long_conversation_keeps_the_last_user_turn_whole() -> None:
    turns = [("user", "first " * 1000), ("assistant", "second " * 1000), ("user", "What now?"), ("tool", "r" * 3000)]
    text = shorten(["s" * 5000], turns)
    assert text.endswith("\n\nWhat now?")
    assert text.startswith("s" * 300 + "\n\n")
    assert len(text) == 300 + 2 + 500 + 2 + len("What now?")


@pytest.mark.parametrize("budget", [100, 1_000, 50_000])
def test_a_budget_is_kept(budget: int) -> None:
    turns = [("user", "first " * 1000), ("assistant", "second " * 1000), ("user", "HEAD " + "x " * 5000 + "TAIL")]
    text = shorten(["s" * 5000], turns, budget=budget)
    assert len(text) == min(budget, 5_000 + 6_000 + 7_000 + 10_009 + 3 * 2)
    assert text.endswith("TAIL")


@given(st.dictionaries(st.sampled_from(KEYS), ODD, max_size=5))
def test_no_body_is_too_odd_to_be_read(body: dict[str, object]) -> None:
    query = read_query(body)
    assert isinstance(query, Query)
    assert query.input_tokens >= 1
    assert len(query.text) <= TEXT_BUDGET_CHARS


def test_a_body_nested_without_end_is_read_as_far_as_makes_sense() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    assert read_query({"messages": [{"role": "user", "content": nested}], "tools": nested}).text == ""


@pytest.mark.parametrize("limit", [True, "100", -1, 0, None, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_no_limit(limit: object) -> None:
    assert read_query({"prompt": "x", "max_tokens": limit}).max_output_tokens is None
