"""The clients that people have, unmodified: only the address is ours. Behind it, two models that say the expected.

Clients that are not installed here are skipped; none of them is needed to run the gateway.
"""

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import HI, pair
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
CALLED = {"tool_calls": [CALL]}


class City(pydantic.BaseModel):
    name: str
    people: int


OSLO = City(name="Oslo", people=700_000)
CITY_TOLD = {"content": OSLO.model_dump_json()}


def for_each(stream: Iterable[Any], act: Callable[[Any], object]) -> None:
    for event in stream:
        act(event)


@dataclass
class Served:
    url: str
    strong: FakeProvider

    def next_answer(self, message: dict[str, Any], finish_reason: str = "stop") -> None:
        self.strong.answer_with(message, finish_reason=finish_reason)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway in a thread of its own, so that clients that block can be used."""
    up, stop, found = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with pair(tmp_path_factory.mktemp("clients")) as (gateway, strong, _):
            found.append(Served(gateway.url, strong))
            up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(AT_MOST_S)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(AT_MOST_S)
    loop.close()


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="x", max_retries=0) as found:
        yield found


class TestOpenAI:
    """The official package."""

    def test_chats(self, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(model="auto:best", messages=HI)
        assert (answer.choices[0].message.content, answer.model) == ("strong words", "maker/strong")

    def test_calls_tools_in_a_stream(self, served: Served, client: openai.OpenAI) -> None:
        served.next_answer(CALLED, "tool_calls")
        tools = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
        # a model that is named is asked, whether or not its profile knows of tools
        with client.chat.completions.stream(model="strong", messages=HI, tools=tools) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.arguments == '{"city":"Oslo"}'

    def test_parses(self, served: Served, client: openai.OpenAI) -> None:
        served.next_answer(CITY_TOLD)
        answer = client.chat.completions.parse(model="strong", messages=HI, response_format=City)
        assert answer.choices[0].message.parsed == OSLO

    def test_responds(self, client: openai.OpenAI) -> None:
        answer = client.responses.create(model="auto:best", input="hi", instructions="Be brief.")
        assert (answer.output_text, answer.model, answer.status) == ("strong words", "maker/strong", "completed")
        assert answer.usage is not None
        assert answer.usage.input_tokens == 20

    def test_responds_in_a_stream(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="auto:cheap", input="hi") as stream:
            words = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()
        assert words == ["cheap", " words", " here"]
        assert final.output_text == "cheap words here"

    def test_responds_with_calls_and_takes_their_results(self, served: Served, client: openai.OpenAI) -> None:
        served.next_answer(CALLED, "tool_calls")
        tools = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}]
        first = client.responses.create(model="strong", input="Rain?", tools=tools)
        call = first.output[0]
        assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"city":"Oslo"}')
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        second = client.responses.create(
            model="strong", input=[{"role": "user", "content": "Rain?"}, call, result], tools=tools
        )
        assert second.output_text == "strong words"
        assert [m["role"] for m in served.strong.requests[-1]["messages"]] == ["user", "assistant", "tool"]

    def test_parses_a_response(self, served: Served, client: openai.OpenAI) -> None:
        served.next_answer(CITY_TOLD)
        assert client.responses.parse(model="strong", input="hi", text_format=City).output_parsed == OSLO

    def test_continues_a_prompt(self, client: openai.OpenAI) -> None:
        assert client.completions.create(model="auto:best", prompt="Once").choices[0].text == "strong words"
        chunks = client.completions.create(model="auto:best", prompt="Once", stream=True)
        assert "".join(c.text for chunk in chunks for c in chunk.choices) == "strong words"

    def test_learns_that_nothing_embeds_here(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError, match="modalities_out"):
            client.embeddings.create(model="auto", input="cat")

    def test_goes_on_from_a_stored_response(self, served: Served, client: openai.OpenAI) -> None:
        first = client.responses.create(model="strong", input="hi")
        client.responses.create(model="strong", input="and now?", previous_response_id=first.id)
        told = [message["content"] for message in served.strong.requests[-1]["messages"]]
        assert told == ["hi", "strong words", "and now?"]
        assert client.responses.retrieve(first.id).output_text == "strong words"

    def test_learns_what_is_not_kept(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match="no stored response resp_1") as refused:
            client.responses.create(model="auto", input="hi", previous_response_id="resp_1")
        assert (refused.value.param, refused.value.code) == ("previous_response_id", "previous_response_not_found")

    def test_sees_an_interrupted_response_as_an_error(self, served: Served, client: openai.OpenAI) -> None:
        served.strong.misbehave(Misbehaviour(fault="truncated_stream"))
        kinds: list[str] = []
        stream = client.responses.create(model="strong", input="hi", stream=True)
        with pytest.raises(openai.APIError, match="before the answer was finished"):
            for_each(stream, lambda event: kinds.append(event.type))
        assert kinds[-1] == "response.failed"

    async def test_does_all_that_asynchronously(self, served: Served) -> None:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="x") as client:
            whole = await client.responses.create(model="auto:best", input="hi")
            words = ""
            async for event in await client.responses.create(model="auto:best", input="hi", stream=True):
                words += event.delta if event.type == "response.output_text.delta" else ""
        assert whole.output_text == words == "strong words"


class TestAnthropic:
    """The official package."""

    TOOLS = ({"name": "weather", "description": "d", "input_schema": WEATHER},)

    @pytest.fixture
    def anthropic(self, served: Served) -> Iterator[Any]:
        package = pytest.importorskip("anthropic")
        with package.Anthropic(base_url=served.url, api_key="x", max_retries=0) as found:
            yield found

    def test_talks(self, anthropic: Any) -> None:
        answer = anthropic.messages.create(model="auto:best", max_tokens=9, messages=HI)
        assert (answer.content[0].text, answer.model, answer.stop_reason) == (
            "strong words",
            "maker/strong",
            "end_turn",
        )
        assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (6, 4)

    def test_streams(self, anthropic: Any) -> None:
        with anthropic.messages.stream(model="auto:cheap", max_tokens=9, messages=HI) as stream:
            assert list(stream.text_stream) == ["cheap", " words", " here"]
            final = stream.get_final_message()
        assert (final.usage.input_tokens, final.usage.output_tokens) == (6, 3)

    @pytest.mark.parametrize("streamed", [False, True])
    def test_calls_tools_and_returns_their_results(self, served: Served, anthropic: Any, streamed: bool) -> None:
        served.next_answer({"content": "Looking.", "reasoning_content": "hm", **CALLED}, "tool_calls")
        asked = {"model": "strong", "max_tokens": 9, "messages": HI, "tools": self.TOOLS}
        if streamed:
            with anthropic.messages.stream(**asked) as stream:
                first = stream.get_final_message()
        else:
            first = anthropic.messages.create(**asked)
        thought, text, call = first.content
        assert (thought.thinking, text.text, call.input) == ("hm", "Looking.", {"city": "Oslo"})
        assert first.stop_reason == "tool_use"
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
        history = [*HI, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        second = anthropic.messages.create(**{**asked, "messages": history})
        assert second.content[0].text == "strong words"
        assistant, tool = served.strong.requests[-1]["messages"][1:]
        assert assistant == {**assistant, "content": "Looking.", "reasoning_content": "hm", "tool_calls": [CALL]}
        assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "rain"}

    def test_counts(self, anthropic: Any) -> None:
        long = [{"role": "user", "content": "word " * 1_000}]
        count = anthropic.messages.count_tokens(model="auto", messages=long).input_tokens
        assert 800 < count < 1_600

    def test_is_told_what_is_wrong(self, anthropic: Any) -> None:
        package = pytest.importorskip("anthropic")
        with pytest.raises(package.NotFoundError, match="gpt-99") as missing:
            anthropic.messages.create(model="gpt-99", max_tokens=9, messages=HI)
        assert missing.value.body["error"]["type"] == "not_found_error"
        tools = [{"type": "web_search_20250305", "name": "web_search"}]
        with pytest.raises(package.BadRequestError, match=r"tools\[0\].type"):
            anthropic.messages.create(model="auto", max_tokens=9, messages=HI, tools=tools)
        wish = {"routing": {"require": {"min_quality": 1}}}
        with pytest.raises(package.UnprocessableEntityError, match="min_quality"):
            anthropic.messages.create(model="auto", max_tokens=9, messages=HI, extra_body=wish)

    def test_sees_an_interrupted_stream_as_an_error(self, served: Served, anthropic: Any) -> None:
        package = pytest.importorskip("anthropic")
        served.strong.misbehave(Misbehaviour(fault="cut_stream"))
        with (
            anthropic.messages.stream(model="strong", max_tokens=9, messages=HI) as stream,
            pytest.raises(package.APIError, match="closed the connection"),
        ):
            stream.until_done()

    async def test_does_all_that_asynchronously(self, served: Served) -> None:
        package = pytest.importorskip("anthropic")
        async with package.AsyncAnthropic(base_url=served.url, api_key="x") as client:
            answer = await client.messages.create(model="auto:best", max_tokens=9, messages=HI)
            async with client.messages.stream(model="auto:best", max_tokens=9, messages=HI) as stream:
                words = [word async for word in stream.text_stream]
        assert answer.content[0].text == "".join(words) == "strong words"


def test_langchain_talks_openai(served: Served) -> None:
    package = pytest.importorskip("langchain_openai")
    for responses in (False, True):
        model = package.ChatOpenAI(
            model="strong", base_url=f"{served.url}/v1", api_key="x", use_responses_api=responses, max_retries=0
        )
        assert model.invoke("hi").text == "strong words"
        assert "".join(chunk.text for chunk in model.stream("hi")) == "strong words"
        served.next_answer(CALLED, "tool_calls")
        tool = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": WEATHER}}
        assert model.bind_tools([tool]).invoke("hi").tool_calls[0]["args"] == {"city": "Oslo"}
    served.next_answer(CITY_TOLD)
    assert model.with_structured_output(City, method="json_schema").invoke("hi") == OSLO


def test_langchain_talks_anthropic(served: Served) -> None:
    package = pytest.importorskip("langchain_anthropic")
    model = package.ChatAnthropic(model="strong", base_url=served.url, api_key="x", max_tokens=9, max_retries=0)
    assert model.invoke("hi").text == "strong words"
    assert "".join(chunk.text for chunk in model.stream("hi")) == "strong words"


def test_llama_index_talks(served: Served) -> None:
    package = pytest.importorskip("llama_index.llms.openai_like")
    model = package.OpenAILike(model="strong", api_base=f"{served.url}/v1", api_key="x", is_chat_model=True)
    assert model.complete("hi").text == "strong words"
    assert [piece.delta for piece in model.stream_complete("hi") if piece.delta] == ["strong", " words"]
    legacy = package.OpenAILike(model="strong", api_base=f"{served.url}/v1", api_key="x", is_chat_model=False)
    assert legacy.complete("hi").text == "strong words"


async def test_pydantic_ai_talks(served: Served) -> None:
    package = pytest.importorskip("pydantic_ai")
    models = pytest.importorskip("pydantic_ai.models.openai")
    providers = pytest.importorskip("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(base_url=f"{served.url}/v1", api_key="x")
    for kind in (models.OpenAIChatModel, models.OpenAIResponsesModel):
        agent = package.Agent(kind("strong", provider=provider))
        assert (await agent.run("hi")).output == "strong words"
        async with agent.run_stream("hi") as stream:
            assert await stream.get_output() == "strong words"


def test_instructor_talks(served: Served, client: openai.OpenAI) -> None:
    package = pytest.importorskip("instructor")
    served.next_answer(CITY_TOLD)
    patched = package.from_openai(client, mode=package.Mode.JSON)
    city = patched.chat.completions.create(model="strong", messages=HI, response_model=City)
    assert city.model_dump() == OSLO.model_dump()  # instructor answers with a subclass of its own


def test_litellm_talks(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    package = pytest.importorskip("litellm")
    asked = {"messages": HI, "api_key": "x"}
    chat = package.completion(model="openai/auto:best", api_base=f"{served.url}/v1", **asked)
    assert chat.choices[0].message.content == "strong words"
    messages = package.completion(model="anthropic/auto:best", api_base=served.url, max_tokens=9, **asked)
    assert messages.choices[0].message.content == "strong words"
    stream = package.completion(model="anthropic/auto:best", api_base=served.url, max_tokens=9, stream=True, **asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "strong words"


def test_the_llm_command_talks(served: Served, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    program = shutil.which("llm", path=str(Path(os.sys.executable).parent)) or shutil.which("llm")
    if program is None:
        pytest.skip("the command llm is not installed")
    model = {"model_id": "gate", "model_name": "auto:best", "api_base": f"{served.url}/v1", "api_key_name": "gate"}
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([model]))
    (tmp_path / "keys.json").write_text(json.dumps({"gate": "x"}))
    run = subprocess.run(
        [program, "-m", "gate", "hi"],
        env={**os.environ, "LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=AT_MOST_S,
        check=False,
    )
    assert run.stdout.strip() == "strong words", run.stderr


NODE_CLIENTS = Path(__file__).parent / "node"
NODE = {
    "openai": """
const {default: OpenAI} = require('openai');
const client = new OpenAI({baseURL: process.argv[1] + '/v1', apiKey: 'x', maxRetries: 0});
(async () => {
  const messages = [{role: 'user', content: 'hi'}];
  const whole = await client.chat.completions.create({model: 'auto:best', messages});
  let words = '';
  for await (const chunk of await client.chat.completions.create({model: 'auto:best', messages, stream: true}))
    words += chunk.choices[0]?.delta?.content ?? '';
  const response = await client.responses.create({model: 'auto:best', input: 'hi'});
  let streamed = '';
  for await (const event of await client.responses.create({model: 'auto:best', input: 'hi', stream: true}))
    if (event.type === 'response.output_text.delta') streamed += event.delta;
  const refusal = await client.chat.completions.create({model: 'gpt-99', messages}).catch(error => error.code);
  console.log(JSON.stringify([whole.choices[0].message.content, words, response.output_text, streamed, refusal]));
})();
""",
    "@anthropic-ai/sdk": """
const {default: Anthropic} = require('@anthropic-ai/sdk');
const client = new Anthropic({baseURL: process.argv[1], apiKey: 'x', maxRetries: 0});
(async () => {
  const asked = {model: 'auto:best', max_tokens: 9, messages: [{role: 'user', content: 'hi'}]};
  const whole = await client.messages.create(asked);
  const streamed = await client.messages.stream(asked).finalMessage();
  const refusal = await client.messages.create({...asked, model: 'gpt-99'}).catch(error => error.error.error.type);
  console.log(JSON.stringify([whole.content[0].text, streamed.content[0].text, refusal]));
})();
""",
    "ai": """
const {generateText, streamText} = require('ai');
const {createAnthropic} = require('@ai-sdk/anthropic');
const {createOpenAI} = require('@ai-sdk/openai');
const to = {baseURL: process.argv[1] + '/v1', apiKey: 'x'};
(async () => {
  const said = [];
  const openai = createOpenAI(to);
  for (const model of [createAnthropic(to)('auto:best'), openai('auto:best'), openai.chat('auto:best')]) {
    const asked = {model, prompt: 'hi', maxOutputTokens: 9, maxRetries: 0};
    said.push((await generateText(asked)).text, await streamText(asked).text);
  }
  console.log(JSON.stringify(said));
})();
""",
}
SAID = {
    "openai": [*["strong words"] * 4, "unknown_model"],
    "@anthropic-ai/sdk": [*["strong words"] * 2, "not_found_error"],
    "ai": ["strong words"] * 6,
}


@pytest.mark.parametrize("package", list(NODE))
def test_the_npm_packages_talk(served: Served, package: str) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_CLIENTS / "node_modules" / package).is_dir():
        pytest.skip(f"node or its package {package} is not installed; `make test` installs it where there is npm")
    script = [node, "-e", NODE[package], served.url]
    run = subprocess.run(script, cwd=NODE_CLIENTS, capture_output=True, text=True, timeout=AT_MOST_S, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == SAID[package]


JAVA = """
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

public class Ask {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (String stream : new String[] {"false", "true"}) {
            String messages = "[{'role': 'user', 'content': 'hi'}]";
            String body = "{'model': 'auto:best', 'stream': " + stream + ", 'messages': " + messages + "}";
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + "/v1/chat/completions"))
                .POST(BodyPublishers.ofString(body.replace((char) 39, (char) 34))).build();
            HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
            System.out.println(response.statusCode() + " " + response.body().contains("strong"));
        }
    }
}
"""


def test_the_http_client_of_java_offers_http_2_and_is_answered(served: Served, tmp_path: Path) -> None:
    """Spring AI and LangChain4j stand on it."""
    if (java := shutil.which("java")) is None:
        pytest.skip("no java here")
    source = tmp_path / "Ask.java"
    source.write_text(JAVA)
    command = [java, str(source), served.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST_S, check=False)
    if "no compiler" in run.stderr or "jdk.compiler" in run.stderr:
        pytest.skip("java without its compiler")
    assert run.stdout.split("\n")[:2] == ["200 true", "200 true"], run.stderr


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_loop_over_tools_goes_on_without_its_thread(served: Served, stream: bool) -> None:
    """It asks Anthropic to hold the conversation, and sends the turns alone; here all of it is sent."""
    anthropic = pytest.importorskip("anthropic")
    if not hasattr(anthropic, "beta_tool"):
        pytest.skip("an anthropic without its loop over tools")

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather.

        Args:
            city: where
        """
        return f"rain in {city}"

    served.next_answer(CALLED, "tool_calls")
    served.next_answer({"content": "It rains."})
    with anthropic.Anthropic(base_url=served.url, api_key="x", max_retries=0) as client:
        asked = {"model": "maker/strong", "max_tokens": 90, "tools": [weather], "messages": HI, "system": "Be brief."}
        message = client.beta.messages.tool_runner(**asked, stream=stream).until_done()
    assert message.content[0].text == "It rains."
    last = served.strong.requests[-1]
    assert [turn["role"] for turn in last["messages"]] == ["system", "user", "assistant", "tool"]
    assert (last["messages"][-1]["content"], len(last["tools"])) == ("rain in Oslo", 1)
