"""What the backend does rather than what it knows: seconds per token, and bits per operation."""

import math
from statistics import median

import numpy as np

from catalog.efficiency.flops import flops_per_token
from catalog.efficiency.information_capacity import OTHER_TEXT_BIAS_BITS, information_capacity
from catalog.structure.architectures import shape_for

from .asking import Asking, BudgetSpentError
from .endpoint import EndpointError, Reply
from .results import Fact, ProbeResult, Subject

__all__ = ["probe_capacity", "probe_latency"]

_OUTPUT_TOKENS = (1, 8, 24, 48)
_INPUT_WORDS = (10, 100, 300)
_TEXT_TOKENS = 1024


def probe_latency(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Time to the first token and per further token, from whole answers of several lengths asked one at a time.

    T(p, o) = R(p) + beta (o - 1), as idealized runtime has it (arXiv 2305.02440), fitted to this backend as it is.
    """
    del subject
    grid = [(words, most) for words in _INPUT_WORDS for most in _OUTPUT_TOKENS]
    seen: list[Reply] = []
    complete = True
    for at in range(max(4, calls)):
        words, most = grid[at % len(grid)]
        filler = " ".join(f"item {at} number {k}" for k in range(words // 4))  # never the same: no cached prefix
        try:
            seen.append(asking.chat(f"{filler}\nTell a long story about these items.", max_tokens=most))
        except BudgetSpentError:
            complete = False
            break
    timed = [reply for reply in seen if reply.output_tokens > 0 and reply.input_tokens > 0]
    if len({reply.output_tokens for reply in timed}) < 2:
        return ProbeResult(
            procedure="latency", complete=False, note="too few answers of different lengths with a usage"
        )
    rows = np.array([[1.0, r.input_tokens, r.output_tokens - 1.0] for r in timed])
    seconds = np.array([r.seconds for r in timed])
    (start, per_input, per_output), *_ = np.linalg.lstsq(rows, seconds, rcond=None)
    typical = median(r.input_tokens for r in timed)
    first = max(float(start + per_input * typical), 1e-4)
    method = (
        f"{len(timed)} calls one at a time, least squares of seconds on tokens; first token at {typical:g} tokens in"
    )
    facts = [Fact(name="ttft_s", value=first, unit="s", n=len(timed), method=method, field=True)]
    if per_output > 0:
        rate = 1.0 / float(per_output)
        facts.append(Fact(name="tokens_per_s", value=rate, unit="tokens/s", n=len(timed), method=method, field=True))
    return ProbeResult(procedure="latency", facts=tuple(facts), complete=complete)


def probe_capacity(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Information capacity from log-probabilities of texts, where the backend gives them and the shape is known."""
    bits: list[float] = []
    sizes: list[float] = []
    complete = True
    for text in subject.texts[: max(1, calls)]:
        try:
            score = asking.score_text(text, max_tokens=_TEXT_TOKENS)
        except BudgetSpentError:
            complete = False
            break
        except EndpointError as exc:
            return ProbeResult(procedure="capacity", note=f"not measured: {exc}")
        if score.log_probability:
            bits += [-p / math.log(2.0) for p in score.log_probability]
            sizes.append(8.0 * sum(score.text_bytes) / len(score.text_bytes))
    if not bits:
        return ProbeResult(procedure="capacity", complete=complete, note="no text was scored")
    nll, size, n = float(np.mean(bits)), float(np.mean(sizes)), len(bits)
    method = f"log-probabilities of {n} tokens of {len(sizes)} texts of this project"
    se = float(np.std(bits) / math.sqrt(n))
    facts = [
        Fact(name="nll_bits", value=nll, unit="bits/token", n=n, method=method, se=se),
        Fact(name="text_size_bits", value=size, unit="bits/token", n=n, method=method),
        Fact(name="bits_per_byte", value=8.0 * nll / size, unit="bits/byte", n=n, method=method, se=8.0 * se / size),
    ]
    key = subject.profile.id.partition("/")[2]
    known = shape_for(key)
    if known is None:
        note = f"information capacity needs the dimensions of {key}, which the catalog does not have"
        return ProbeResult(procedure="capacity", facts=tuple(facts), complete=complete, note=note)
    flops = flops_per_token(known[0])
    capacity = information_capacity(
        text_size_bits=size, nll_bits=nll, flops_per_token=flops, bias_bits=OTHER_TEXT_BIAS_BITS
    )
    facts.append(
        Fact(name="information_capacity", value=capacity, unit="1", n=n, se=se / math.log2(flops),
             method=f"{method}, {flops:.3g} operations a token, bias {OTHER_TEXT_BIAS_BITS:g} (unlisted texts)")
    )  # fmt: skip
    return ProbeResult(procedure="capacity", facts=tuple(facts), complete=complete)
