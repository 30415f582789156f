"""A model's habits: a favourite position, a readiness to say yes, and the answers only it gives."""

from collections.abc import Sequence

from catalog.capability.answer_bias import position_bias, yes_bias
from catalog.capability.canary import Canary, CanaryVerdict, check_canaries, select_canaries
from catalog.capability.canary_file import CANARY_TOKENS
from catalog.errors import InvalidMeasurementError

from .asking import Asking, BudgetSpentError
from .bank import STATEMENTS, Question
from .quality import ANSWER_TOKENS
from .results import Fact, ProbeResult, Subject

__all__ = ["CANARY_PROMPTS", "probe_bias", "probe_canaries", "verify_canaries"]

_LEAST_MISMATCH = 0.05  # of a model with itself, however alike two askings on one day were
# Open beginnings: what follows is the model's own, short, and unlike from one model to the next.
CANARY_PROMPTS = tuple(
    f"Continue in at most eight words: {start}"
    for start in (
        "The old lighthouse keeper opened the letter and",
        "In the middle of the desert stood",
        "My grandmother's recipe for soup begins with",
        "The last train out of the city carried",
        "Nobody expected the small green box to",
        "A good name for a curious robot is",
        "The strangest thing about Tuesdays is",
        "Under the frozen lake they found",
        "Five words that describe the colour blue are",
        "The committee voted against the bridge because",
        "If mountains could speak they would",
        "The painter refused to sell the picture of",
        "A password nobody would guess is",
        "The child asked the astronomer why",
        "Before the invention of glass people",
        "The best excuse for being late is",
        "On the back of the map was written",
        "The clock stopped exactly when",
        "Three things to take to an island are",
        "The neighbour's parrot only ever said",
        "Rain in the harbour smells like",
        "The missing page of the diary described",
        "An unusual use for a paper clip is",
        "The mayor's shortest speech was",
        "When the music stopped everyone",
        "The secret ingredient turned out to be",
        "The first sentence of my novel is",
        "A riddle about a river goes",
        "The shopkeeper hid the key behind",
        "What the fox told the hen was",
    )
)


def probe_bias(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Every question in every rotation of its options; every statement beside its negation."""
    n_pairs = max(1, min(len(STATEMENTS), calls // 4))
    rotated = [q for q in subject.questions if len(q.options) == 4][: max(1, (calls - 2 * n_pairs) // 4)]

    def choose(text: str, options: Sequence[str]) -> int | None:
        question = Question(domain="", text=text, options=tuple(options), right=0)
        return question.chosen(asking.chat(question.prompt(), max_tokens=ANSWER_TOKENS).text)

    def says_yes(statement: str) -> bool | None:
        said = asking.chat(f"{statement} Is that true? Answer yes or no.", max_tokens=ANSWER_TOKENS).text.casefold()
        word = said.strip(" *\"'`.").partition(" ")[0].strip(".,!*")
        return {"yes": True, "no": False}.get(word)

    facts: list[Fact] = []
    notes: list[str] = []
    try:
        place = position_bias(choose, [(q.text, q.options) for q in rotated])
        method = f"{len(rotated)} questions in every rotation of four options; shares {place.share.round(3).tolist()}"
        n = place.n_answers
        facts += [
            Fact(name="position_bias", value=place.bias, unit="total variation", n=n, method=method),
            Fact(name="position_consistency", value=place.consistency, unit="share", n=len(rotated), method=method),
        ]
        yes = yes_bias(says_yes, STATEMENTS[:n_pairs])
        method = f"{n_pairs} statements beside their negations, {yes.n_pairs} pairs answered yes or no"
        facts += [
            Fact(name="yes_bias", value=yes.bias, unit="share of yes above a half", n=yes.n_pairs, method=method),
            Fact(name="yes_contradictions", value=yes.contradictions, unit="share", n=yes.n_pairs, method=method),
        ]
    except BudgetSpentError:
        return ProbeResult(
            procedure="bias", facts=tuple(facts), complete=False, note="the budget ended within the questions"
        )
    except InvalidMeasurementError as exc:
        notes.append(str(exc))
    return ProbeResult(procedure="bias", facts=tuple(facts), note="; ".join(notes))


def probe_canaries(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Answers by which the model is known again, and how often it differs from itself when asked twice."""
    prompts = CANARY_PROMPTS[: max(1, calls // 2)]
    try:
        first = [asking.chat(prompt, max_tokens=CANARY_TOKENS).text for prompt in prompts]
        # backwards: after other neighbours, so that a server's prompt cache does not answer for the model
        second = [asking.chat(prompt, max_tokens=CANARY_TOKENS, again=1).text for prompt in reversed(prompts)][::-1]
    except BudgetSpentError:
        return ProbeResult(
            procedure="canary", complete=False, note="the budget ended before every canary was asked twice"
        )
    pairs = list(zip(prompts, first, second, strict=True))
    canaries = tuple(Canary(prompt=p, answer=a) for p, a, b in pairs if a.strip() and a == b)
    note = "told from no other model: probe a sibling and give its canaries with --sibling"
    if subject.siblings:
        others = [[dict_of.get(p, "") for p in prompts] for dict_of in _by_prompt(subject, prompts)]
        stable = {canary.prompt for canary in canaries}
        told = select_canaries(prompts, first, others)
        canaries = tuple(canary for canary in told if canary.prompt in stable)
        note = f"told from {len(others)} other model(s)"
    if not canaries:
        return ProbeResult(procedure="canary", note="no answer tells this model from others")
    differ = sum(a != b for _, a, b in pairs) / len(prompts)
    n = len(prompts)
    method = f"{n} open beginnings, greedy, each asked twice"
    return ProbeResult(
        procedure="canary",
        canaries=canaries,
        self_mismatch=max(differ, _LEAST_MISMATCH),
        facts=(Fact(name="self_mismatch", value=differ, unit="share", n=n, method=method),),
        note=note,
    )


def _by_prompt(subject: Subject, prompts: Sequence[str]) -> list[dict[str, str]]:
    return [dict(zip(prompts, answers, strict=False)) for answers in subject.siblings.values()]


def verify_canaries(
    canaries: Sequence[Canary], asking: Asking, *, self_mismatch: float, max_tokens: int = CANARY_TOKENS
) -> CanaryVerdict:
    """Ask every canary again, and hold the answers against the recorded ones.

    Raises:
        InvalidMeasurementError: none was answered.
    """
    answers: list[str | None] = []
    for canary in canaries:
        try:
            answers.append(asking.chat(canary.prompt, max_tokens=max_tokens).text)
        except BudgetSpentError:
            answers.append(None)
    return check_canaries(canaries, answers, self_mismatch=self_mismatch)
