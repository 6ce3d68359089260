"""A hyper-parameter search that goes on until the model is good enough."""

import random

from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Markdown, Table


class SearchFlow(FlowSpec):
    """
    Handwritten digits: `search` is a loop, a switch that leads back to the step itself.
    Each round tries settings at random, and its card shows all rounds so far.
    """

    goal = Parameter("goal", help="The accuracy that is good enough", default=0.9)
    rounds = Parameter("rounds", help="How many rounds to try at most", default=10)

    @step
    def start(self):
        self.history = []
        self.next(self.search)

    @card(type="blank")
    @step
    def search(self):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import cross_val_score
        from sklearn.svm import SVC

        number = len(self.history) + 1
        chance = random.Random(number)
        settings = {"C": 10 ** chance.uniform(-1, 2), "gamma": 10 ** chance.uniform(-5, -1)}
        digits = load_digits()
        pictures, labels = digits.data[:500], digits.target[:500]
        accuracy = cross_val_score(SVC(**settings), pictures, labels, cv=3).mean().item()
        print(f"round {number}: {accuracy:.3f} with {settings}")
        self.history = [*self.history, {"round": number, "accuracy": accuracy, **settings}]
        self.best = max(self.history, key=lambda each: each["accuracy"])

        current.card.append(Markdown(f"# {self.best['accuracy']:.3f} after round {number}"))
        rows = [[f"{value:.4g}" for value in each.values()] for each in self.history]
        current.card.append(Table(rows, headers=list(self.best)))

        enough = self.best["accuracy"] >= self.goal or number >= self.rounds
        self.verdict = "enough" if enough else "again"
        self.next({"again": self.search, "enough": self.end}, condition="verdict")

    @step
    def end(self):
        print(f"The best of {len(self.history)} rounds: {self.best}")


if __name__ == "__main__":
    SearchFlow()
