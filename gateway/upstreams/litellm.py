"""Every provider that does not speak OpenAI's dialect, through litellm, which translates.

litellm takes seconds to import and some 6 ms of CPU per call: it is imported at the first call to such a backend, in
a thread, and never otherwise. Models of OpenAI's that are offered at `/responses` alone answer chats through it; what
is asked in that protocol already goes there as it is.
"""

import asyncio
import os
import re
from ast import literal_eval
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from typing import Any

import orjson

from catalog import Backend
from gateway.errors import (
    GatewayError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamUnreachableError,
    UpstreamUnsupportedError,
    UpstreamUnusableError,
)
from gateway.wire.answer_ids import chat_id

from .litellm_streams import Said
from .openai import retry_after_s
from .protocol import Upstream, UpstreamCall
from .refusals import own_words, secrets_of, unquoting

__all__ = ["LiteLLMMissingError", "LiteLLMUpstream", "missing_credentials"]

# A chat's fields become arguments of litellm's, many of which are orders to it: where to connect (`api_base`, and our
# key goes along), which file or variable to read as a secret, whom to ask instead. Only those are given to it that are
# about the answer, by the specification of OpenAI's chats and the sampling parameters of other providers, and those
# that a backend is configured for (`extra_parameters`).
_ABOUT_THE_ANSWER = frozenset(
    {
        *("messages", "model", "stream", "stream_options", "n", "user", "metadata", "store", "service_tier"),
        *("max_tokens", "max_completion_tokens", "stop", "seed", "logprobs", "top_logprobs", "logit_bias"),
        *("temperature", "top_p", "frequency_penalty", "presence_penalty", "response_format", "verbosity"),
        *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "web_search_options"),
        *("modalities", "audio", "prediction", "reasoning_effort", "thinking", "context_management"),
        *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "safety_settings"),
        *("top_k", "top_a", "min_p", "min_tokens", "repetition_penalty", "length_penalty", "ignore_eos"),
        *("include_reasoning", "enable_thinking", "thinking_budget", "chat_template_kwargs"),
    }
)
_UNSUPPORTED = re.compile(r"parameters: \[([^\]]*)\]")
_BYTES = re.compile(r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\"")
_LASTING = frozenset({400, 401, 403, 404, 422})  # said by litellm itself, not by a provider
_CONFIGURED = frozenset({401, 403, 404})  # about credentials and names of models, which no request brings
_ASKED = "pre_api_call"  # what litellm notes right before it asks
_MOST_CAUSES = 10
_GRACE_S = 5.0  # litellm has one limit, of each silence: all limits are minded here, and its own ends what nobody minds
_NO = 400  # from here on, a status refuses
_NO_PICTURE = frozenset({"ImageFetchError", "SSRFError"})  # what a prompt says a picture is at, litellm will not fetch
_OPENAI, _RESPONSES = "https://api.openai.com/v1", "/responses"


class LiteLLMMissingError(GatewayError):
    """A backend needs litellm, which is not installed."""

    def __init__(self) -> None:
        super().__init__("a backend of kind litellm needs the extra: pip install 'paretogate[litellm]'")


class LiteLLMUpstream:
    """Calls backends of kind `litellm`; the model goes by litellm's name, `provider/name`."""

    def __init__(
        self, *, api_keys: Mapping[str, str], direct: Upstream, usual_key: str = "", secrets: Iterable[str] = ()
    ) -> None:
        """Nothing is imported yet.

        Args:
            api_keys: maps a backend's id to its key; without one, litellm looks where the provider usually keeps it.
            direct: is asked what needs no translation.
            usual_key: by which it is, where a backend has no key of its own.
            secrets: what litellm may find where it looks, and nobody is to be told.
        """
        self._api_keys, self._direct, self._usual_key = dict(api_keys), direct, usual_key
        self._secrets = tuple(secrets)
        self._untranslated: dict[str, tuple[Backend, Backend]] = {}
        self._importing = asyncio.Lock()
        self._library: Any = None

    async def complete(self, call: UpstreamCall) -> bytes:
        """See `Upstream.complete`."""
        if call.path == _RESPONSES:
            return await self._direct.complete(self._as_it_is(call))
        answer = await self._call(call, stream=False, within_s=call.deadline_s)
        return _told(answer)

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        if call.path == _RESPONSES:
            async with aclosing(self._direct.stream(self._as_it_is(call))) as parts:
                async for data in parts:
                    yield data
            return
        loop = asyncio.get_running_loop()
        start = loop.time()
        deadline, phase = start + call.first_byte_s, "first byte"
        chunks = await self._call(call, stream=True, within_s=call.first_byte_s)
        said = Said(chunks)
        iterator = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(iterator)
            except StopAsyncIteration:
                break
            except TimeoutError as exc:
                raise call.timed_out(phase, after_s=loop.time() - start) from exc
            except Exception as exc:
                raise self._translated(exc, call, phase=phase, within_s=deadline - start) from exc
            if said.made_up_the_end(chunk):
                raise UpstreamProtocolError(
                    "ended the stream before the answer was finished", backend_id=call.backend.id
                )
            if getattr(chunk, "usage", None) is not None and not said.counted():
                chunk.usage = None
            yield b"data: " + _told(chunk) + b"\n\n"
            deadline, phase = min(loop.time() + call.next_byte_s, start + call.deadline_s), "next byte"
        yield b"data: [DONE]\n\n"

    async def close(self) -> None:
        """Nothing is held: litellm keeps its own clients for the life of the process."""

    def _as_it_is(self, call: UpstreamCall) -> UpstreamCall:
        """The call as OpenAI takes it; the same backend each time, since whoever asks looks up its address by it."""
        backend = call.backend
        known = self._untranslated.get(backend.id)
        if known is None or known[0] is not backend:
            headers = backend.headers
            if backend.id not in self._api_keys and "authorization" not in {name.lower() for name in headers}:
                headers = {**headers, "authorization": f"Bearer {self._usual_key}"} if self._usual_key else headers
            own = replace(backend, kind="openai", base_url=backend.base_url or _OPENAI, headers=headers)
            known = self._untranslated[backend.id] = (backend, own)
        return replace(call, backend=known[1])

    async def _call(self, call: UpstreamCall, *, stream: bool, within_s: float) -> Any:  # noqa: ANN401 - litellm ships no usable types
        library = await self._litellm()
        backend, phase = call.backend, "first byte" if stream else "answer"
        wanted = _about_the_answer(orjson.loads(call.body), backend)
        if _is_translated_to_responses(backend):
            wanted.setdefault("store", False)  # as a chat's answer is not stored unless that is asked for
        wanted.update(model=_model(backend), stream=stream, num_retries=0, max_retries=0)
        wanted["timeout"] = max(within_s, call.next_byte_s) + _GRACE_S
        if key := self._api_keys.get(backend.id):
            wanted["api_key"] = key
        if backend.base_url:
            wanted["api_base"] = backend.base_url
        if backend.headers or call.headers:
            wanted["extra_headers"] = {**call.headers, **backend.headers}
        noted: list[object] = []
        wanted["logger_fn"] = lambda facts: noted.append(facts.get("log_event_type"))
        try:
            async with asyncio.timeout(within_s):
                return await library.acompletion(**wanted)
        except TimeoutError as exc:
            raise call.timed_out(phase, after_s=within_s) from exc
        except Exception as exc:
            failure = self._translated(exc, call, phase=phase, within_s=within_s)
            raise (failure if _ASKED in noted else _before_asking(failure, exc)) from exc

    async def _litellm(self) -> Any:  # noqa: ANN401 - as above
        async with self._importing:
            if self._library is None:
                self._library = await asyncio.to_thread(_import_litellm)
        return self._library

    def _translated(self, exc: Exception, call: UpstreamCall, *, phase: str, within_s: float) -> UpstreamError:
        """Every provider's failure is one of OpenAI's exceptions here; their names are litellm's contract.

        So are failures of litellm itself: of credentials that it does not find, of parameters that it has no word for,
        of answers that it does not understand. A status then says nothing about the request. What they say may quote
        the request, so only the kind of the first cause is told.
        """
        names = {kind.__name__ for kind in type(exc).__mro__}
        backend_id, status, causes = call.backend.id, getattr(exc, "status_code", None), list(_causes(exc))
        if "Timeout" in names or "APITimeoutError" in names:
            return call.timed_out(phase, after_s=within_s)  # the time that it was given
        if headers := _heard(causes):
            return self._answered(exc, causes, headers, call.backend)
        cause = type(causes[-1]).__name__
        if any(isinstance(each, OSError) for each in causes):
            return UpstreamUnreachableError(f"cannot be reached ({cause})", backend_id=backend_id)
        if (parameters := _not_taken(exc, causes)) is not None:
            return UpstreamUnsupportedError(backend_id=backend_id, parameters=parameters)
        if status in _LASTING or isinstance(causes[-1], ImportError):
            return UpstreamUnusableError(backend_id=backend_id, cause=cause)
        return UpstreamProtocolError(f"failed inside litellm ({cause})", backend_id=backend_id)

    def _answered(
        self, exc: Exception, causes: list[BaseException], headers: Mapping[str, str], backend: Backend
    ) -> UpstreamError:
        """The provider said no, or something that is no answer: litellm gives that a status, too."""
        status, message = getattr(exc, "status_code", None), getattr(exc, "message", None)
        if not isinstance(status, int) or not _is_refusal(causes):
            cause = type(causes[-1]).__name__
            return UpstreamProtocolError(f"gave an answer that litellm cannot read ({cause})", backend_id=backend.id)
        return UpstreamStatusError(
            backend_id=backend.id,
            status=status,
            retry_after_s=retry_after_s(headers.get("retry-after")),
            detail=unquoting(
                _first_words(causes) or (_own_words(message) if isinstance(message, str) else None),
                secrets_of(backend, self._api_keys.get(backend.id), self._usual_key, *self._secrets),
            ),
        )


def _about_the_answer(body: Mapping[str, Any], backend: Backend) -> dict[str, Any]:
    """What of a request litellm may be told.

    Raises:
        UpstreamUnsupportedError: there is more, which it would not pass on but obey.
    """
    told = {name: value for name, value in body.items() if value is not None}
    if unknown := sorted(told.keys() - _ABOUT_THE_ANSWER - backend.extra_parameters):
        raise UpstreamUnsupportedError(backend_id=backend.id, parameters=[name[:80] for name in unknown[:10]])
    tools = told.get("tools")
    if isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") == "mcp" for tool in tools):
        raise UpstreamUnsupportedError(backend_id=backend.id, parameters=["tools of type mcp"])  # litellm's own servers
    metadata = told.pop("metadata", None)  # notes to litellm, which sends on no more of it than this
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    return {**told, "metadata": {"user_id": user_id}} if isinstance(user_id, str) else told


def _before_asking(failure: UpstreamError, exc: Exception) -> UpstreamError:
    """What litellm cannot put into the provider's words, or falls over meanwhile, is the request's fault.

    A backend that rested for it, one caller could take away from all others.
    """
    first = list(_causes(exc))[-1]
    is_configured = getattr(exc, "status_code", None) in _CONFIGURED or isinstance(first, ImportError)
    if is_configured or not isinstance(failure, UpstreamProtocolError | UpstreamUnusableError):
        return failure
    return UpstreamUnsupportedError(backend_id=failure.backend_id, cause=type(first).__name__)


def _told(answer: Any) -> bytes:  # noqa: ANN401 - as above
    """An answer or a chunk of one, as chat; of models that know Responses alone litellm leaves their names."""
    answer.id = chat_id(answer.id)
    return str(answer.model_dump_json(exclude_none=True, warnings=False)).encode()


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from, down to the first cause."""
    seen: BaseException | None = exc
    for _ in range(_MOST_CAUSES):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _not_taken(exc: Exception, causes: list[BaseException]) -> list[str] | None:
    """What of the request litellm has no word for, or will not fetch; None where that is not what was wrong."""
    if any(type(each).__name__ in _NO_PICTURE for each in causes):
        return ["image_url"]
    if "UnsupportedParamsError" not in {kind.__name__ for kind in type(exc).__mro__}:
        return None
    found = _UNSUPPORTED.search(str(exc))
    return [name.strip(" '") for name in found[1].split(",")] if found else ["a parameter"]


def _heard(causes: list[BaseException]) -> Mapping[str, str] | None:
    """The headers of the provider's answer; None where it was not asked: the `response` is then a stand-in."""
    for each in causes:
        response = getattr(each, "response", None)
        if headers := getattr(each, "litellm_response_headers", None) or getattr(response, "headers", None):
            found: Mapping[str, str] = headers
            return found
    return None


def _is_refusal(causes: list[BaseException]) -> bool:
    """Whether the provider's answer had a status that says no."""
    first = causes[-1]
    status = getattr(first, "status_code", None) or getattr(getattr(first, "response", None), "status_code", None)
    return (isinstance(status, int) and status >= _NO) or any(
        "HTTPStatusError" in (kind.__name__ for kind in type(each).__mro__) for each in causes
    )


def _first_words(causes: list[BaseException]) -> Mapping[str, object] | None:
    """The provider's error object as OpenAI's library read it (of Azure): litellm quotes nothing but the message."""
    bodies = (getattr(each, "body", None) for each in causes)
    return next((own_words({"error": body}) for body in bodies if isinstance(body, dict) and _has_words(body)), None)


def _has_words(error: Mapping[str, object]) -> bool:
    return isinstance(error.get("message"), str)


def _own_words(message: str) -> Mapping[str, object]:
    """The provider's error object, which litellm quotes behind words of its own; else all of them."""
    _, _, quoted = message.partition(" - ")
    if (as_bytes := _BYTES.fullmatch(quoted.strip())) is not None:  # what refuses a stream is quoted as Python has it
        quoted = str(literal_eval(as_bytes[0]), errors="replace")
    try:
        told = orjson.loads(quoted)
    except orjson.JSONDecodeError:
        said = {"message": quoted or message}
        return own_words(said) or said
    error = own_words(told)
    return error if error is not None and _has_words(error) else {"message": quoted}


def _model(backend: Backend) -> str:
    prefix = f"{backend.provider}/"
    return backend.model_name if backend.model_name.startswith(prefix) else prefix + backend.model_name


def _is_translated_to_responses(backend: Backend) -> bool:
    return "/responses/" in backend.model_name


def missing_credentials(backends: Iterable[Backend]) -> Mapping[str, tuple[str, ...]]:
    """Backend id -> the variables of the environment in which litellm would look for credentials, and finds none.

    Of backends of kind `litellm` that name no variable of their own. Imports litellm where there are any.
    """
    asked = [backend for backend in backends if backend.kind == "litellm" and backend.api_key_env is None]
    if not asked:
        return {}
    library = _import_litellm()
    found = {backend.id: library.validate_environment(_model(backend))["missing_keys"] for backend in asked}
    return {name: tuple(missing) for name, missing in found.items() if missing}


def _import_litellm() -> Any:  # noqa: ANN401 - as above
    for local in ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"):
        os.environ.setdefault(local, "True")  # read at import and later: nothing is downloaded
    try:
        library: Any = import_module("litellm")
    except ImportError as exc:
        raise LiteLLMMissingError from exc
    library.suppress_debug_info = True
    library.telemetry = False
    library.disable_hf_tokenizer_download = True  # it would fetch one per call, in the event loop, to estimate a price
    return library
