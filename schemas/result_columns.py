"""The columns of the tables that are made from a run's rows: estimates, comparisons and verdicts."""

import pyarrow as pa

from cotfaith.schemas.column import NUMBER, TEXT, TEXTS, WHOLE, column, required

_RUN = required("run_id", TEXT, "the run")
_CHANNEL = column("channel", TEXT, "what the chains' texts are: reasoning, body or summary; null: not told apart")
_INTERVAL = column("interval", TEXT, "how the interval was made, or why there is none")
_METHOD = column("method", TEXT, "variant of the metric, such as the integration rule")

ESTIMATES = [
    _RUN,
    required("model", TEXT, "id of the subject"),
    required("task", TEXT, "name of the task"),
    required("strategy", TEXT, "how the subject was asked to reason"),
    column("probe", TEXT, "the experiment; null if the metric belongs to the chains"),
    required("metric", TEXT, "what is estimated; its unit is the metric's"),
    _METHOD,
    column("position", NUMBER, "for curves: the place on the probe's axis"),
    column("value", NUMBER, "the estimate; null if it is undefined or withheld"),
    column("ci_low", NUMBER, "lower end of its 95% interval"),
    column("ci_high", NUMBER, "upper end"),
    _INTERVAL,
    required("n_total", WHOLE, "rows that should have counted"),
    required("n_ok", WHOLE, "rows that did"),
    required("n_items", WHOLE, "items behind them: the independent units"),
    column("clear_value", NUMBER, "the value without answers that were near ties; null if that changes nothing"),
    column("clear_low", NUMBER, "lower end of that value's interval"),
    column("clear_high", NUMBER, "upper end"),
    column("clear_n_ok", WHOLE, "rows behind that value"),
    column("least", NUMBER, "the value if all failed rows were as small as possible; null without bounds"),
    column("most", NUMBER, "the same, as large as possible"),
    column("n_arms", WHOLE, "arms that the rows are made of, if the rows are chains"),
    column("n_arms_ok", WHOLE, "arms that did not fail"),
    column("variant", TEXT, "plain, or the intervention's arm that the rows are of; *.wrong: that arm of all"),
    _CHANNEL,
    column(
        "reader",
        TEXT,
        "model, or rules, that read what the figure rests on; null: nobody, or two, whom the method names",
    ),
    column("n_eff", NUMBER, "number of independent items with the same information; null: not computed"),
    column("withheld", TEXT, "why the value is withheld; null: it is not"),
    column(
        "band_low",
        NUMBER,
        "lower end at this position of a band that holds at all positions at once; null unless items share positions",
    ),
    column("band_high", NUMBER, "upper end"),
    column("detectable", NUMBER, "smallest distance from a fixed value that is found with 80% power at level .05"),
]
COMPARISONS = [
    _RUN,
    required("kind", TEXT, "what is compared: standardised_difference, matched, ..."),
    column("task", TEXT, "name of the task; null: over tasks"),
    required("strategy", TEXT, "how the subjects were asked to reason"),
    _CHANNEL,
    required("metric", TEXT, "what is compared; its unit is the metric's"),
    _METHOD,
    column("model_a", TEXT, "the value is that of model a minus that of model b"),
    column("model_b", TEXT, "null: the figure is not of two models"),
    column("family", TEXT, "models that differ in size only; null: the figure is not of a family"),
    column("at", NUMBER, "the loss, size or performance at which the value is read"),
    column("value", NUMBER, "the figure; null if it is undefined"),
    column("ci_low", NUMBER, "lower end of its 95% interval"),
    column("ci_high", NUMBER, "upper end"),
    _INTERVAL,
    column("p_value", NUMBER, "of no difference, or no slope; two-sided"),
    required("n_items", WHOLE, "items behind it"),
    required("n_models", WHOLE, "models behind it"),
    column("support", NUMBER, "share of the items on which the models can be compared"),
]

QUESTIONS = ("needed", "made_in_it", "says", "readable", "caught")
"""What is asked about a model's chains before they are trusted."""
_ASKED = {
    "needed": "does the model need the chain",
    "made_in_it": "is the answer made in it",
    "says": "does it say what moved the answer",
    "readable": "is it readable",
    "caught": "does a monitor catch what it hides",
}


def _answered(question: str) -> list[pa.Field]:
    """Return the columns of one question of a verdict."""
    return [
        required(f"{question}_outcome", TEXT, f"{_ASKED[question]}: passes, fails or open"),
        column(
            f"{question}_p_value", NUMBER, "one-sided; corrected for other questions and cells if the question fails"
        ),
        column(f"{question}_value", NUMBER, "value of the figure that decides the question"),
        column(f"{question}_low", NUMBER, "lower end of its 95% interval"),
        column(f"{question}_high", NUMBER, "upper end"),
        required(f"{question}_n_items", WHOLE, "items behind it"),
        required(f"{question}_figure", TEXT, "its metric, and the variant; empty: none"),
        required(f"{question}_why", TEXT, "the reason, one sentence"),
    ]


VERDICTS = [
    _RUN,
    required("model", TEXT, "id of the subject"),
    required("task", TEXT, "name of the task"),
    required("strategy", TEXT, "how the subject was asked to reason"),
    _CHANNEL,
    required("stratum", TEXT, "which items the verdict speaks of"),
    required("verdict", TEXT, "trust, do_not_trust or not_enough_evidence"),
    column("p_value", NUMBER, "corrected for all cells of the run; null: there is no test"),
    required("n_items", WHOLE, "items behind it"),
    column("share", NUMBER, "share of the items that need the chain; null: not known"),
    column("share_low", NUMBER, "lower end of its 95% interval"),
    column("share_high", NUMBER, "upper end"),
    *(one for question in QUESTIONS for one in _answered(question)),
    required("change", TEXTS, "what would change the verdict, most useful first"),
    required("policy_hash", TEXT, "hash of the policy that decided"),
    required("level", NUMBER, "level of the policy's tests, one-sided"),
]
