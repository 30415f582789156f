"""Which parameters an operator may let requests tell a backend behind litellm, and which ones nobody should.

Litellm takes what it is told by its name: for a word to the provider, or for an order to itself. Orders say where to
connect, as whom, whom to ask instead, what to read, what it costs, or that nobody is to be asked. There are hundreds,
and every release has more, so whatever is called like one is refused.
"""

import re
from typing import Final

__all__ = ["check_parameter"]

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_OF_ORDERS, _OF_THEIRS, _OTHERS = (
    frozenset(names.split())
    for names in (
        # Words of which orders consist,
        """
        api base url uri endpoint host port proxy ssl http https path file header headers client session agent
        assistant function engine mcp servers key keys apikey token secret secrets credential credentials password
        username auth oauth identity signer fingerprint arn sts account tenant tenancy project organization
        organisation workspace subscription deployment bucket space region regional location zone residency provider
        providers route router routing fallback fallbacks callback callbacks hook logger logging log mock fake cost
        pricing tpm rpm itpm otpm timeout retry retries cooldown batch extra allowed drop bot targets completion
        caching cache tag tags redirects connection vector params flow thread
        """,
        # how they begin that are about one provider, or about litellm itself,
        """
        litellm model models prompt openai anthropic aws bedrock sagemaker s3 azure vertex gcs gcp gemini oci
        watsonx databricks predibase gigachat fireworks xai nvcf langfuse langsmith arize dd posthog humanloop
        newrelic signoz wandb weave
        """,
        # and others.
        """
        acompletion aembedding aimg_generation amoderation arerank aresponses atranscription is_async
        is_vertex_request call_type passthrough embedding_model async_call budget_duration complete_response
        assistant_continue_message user_continue_message custom_prompt_dict custom_llm_provider
        disable_add_transform_inline_image_block enable_json_schema_validation ensure_alternating_roles
        fastest_response final_prompt_value guardrails hf_model_name id keepalive_seconds kwargs
        include_server_side_tool_invocations max_agentic_loops max_budget max_parallel_requests
        merge_reasoning_content_in_choices order output_vector_size roles rust search_tool_name self silent_model
        stream_chunk_size stream_response supports_system_message text_completion ttl use_in_pass_through verbose
        weight
        """,
    )
)


def check_parameter(name: str) -> str:
    """The same name.

    Raises:
        ValueError: it is no name of a parameter, or is, or is called like, an order to litellm.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is no name of a parameter; use letters, digits and _")
    if name in _OTHERS or words[0] in _OF_THEIRS or not _OF_ORDERS.isdisjoint(words):
        raise ValueError(
            f"{name} may say where a request goes, as whom or at what price, which is no client's to say; leave it out,"
            " or configure it for the backend"
        )
    return name
