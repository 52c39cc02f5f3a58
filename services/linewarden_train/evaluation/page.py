"""One self-contained page: no script, nothing fetched, light and dark, fit to print."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from linewarden_train.evaluation import words
from linewarden_train.evaluation.gallery import Card
from linewarden_train.evaluation.results import Evaluation
from linewarden_train.evaluation.svg import draw


def page(evaluation: Evaluation, cards: Sequence[Card]) -> str:
    """Render; the same evaluation and pictures give the same page."""
    loader = PackageLoader("linewarden_train.evaluation", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    plan, findings = evaluation.plan, evaluation.findings
    named = list(dict.fromkeys([plan.score, plan.rival, "either"]))
    charts = [
        draw(title, findings.curves, named, most=most, budget=plan.budget)
        for title, most in (("Up to a quarter diverted", 0.25), ("All of it", 1.0))
    ]
    text: str = environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation, findings=findings, words=words, charts=charts, cards=cards, named=named
    )
    return text
