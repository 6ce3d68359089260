"""Train several models side by side, compare them in a card, explain the best one."""

from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Markdown, Table, VegaChart


class CompareFlow(FlowSpec):
    """
    Which wine is it? Each candidate is trained in a task of its own. A card compares them,
    and a switch looks into the best one in the way that suits its family.
    """

    folds = Parameter("folds", help="Folds of the cross-validation", default=3)

    @step
    def start(self):
        self.candidates = [
            {"family": "linear", "C": 0.001},
            {"family": "linear", "C": 1.0},
            {"family": "forest", "n_estimators": 20, "max_depth": 2},
        ]
        self.next(self.train, foreach="candidates")

    @step
    def train(self):
        from sklearn.datasets import load_wine
        from sklearn.model_selection import cross_val_score

        self.candidate = self.input
        wine = load_wine()
        self.features = wine.feature_names
        self.model = untrained(**self.candidate)
        self.score = cross_val_score(self.model, wine.data, wine.target, cv=self.folds).mean().item()
        self.model.fit(wine.data, wine.target)
        print(f"{named(self.candidate)}: {self.score:.3f}")
        self.next(self.compare)

    @card(type="blank")
    @step
    def compare(self, inputs):
        best = max(inputs, key=lambda task: task.score)
        self.best, self.family = named(best.candidate), best.candidate["family"]
        self.model, self.features = best.model, best.features
        self.scores = {named(task.candidate): round(task.score, 3) for task in inputs}

        current.card.append(Markdown(f"# The best of {len(self.scores)} models is {self.best}"))
        current.card.append(Table([list(row) for row in self.scores.items()], headers=["model", "accuracy"]))
        current.card.append(VegaChart(bars(self.scores, "accuracy", "model")))
        self.next(self.choose)

    @step
    def choose(self):
        self.next({"linear": self.coefficients, "forest": self.importances}, condition="family")

    @step
    def coefficients(self):
        self.weights = abs(self.model[-1].coef_).mean(axis=0).tolist()
        self.next(self.end)

    @step
    def importances(self):
        self.weights = self.model.feature_importances_.tolist()
        self.next(self.end)

    @step
    def end(self):
        weighed = sorted(zip(self.weights, self.features), reverse=True)
        self.matters = [feature for _, feature in weighed[:3]]
        print(f"{self.best} is the best. What matters to it:", ", ".join(self.matters))


def untrained(family, **settings):
    if family == "linear":
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(**settings))
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=0, **settings)


def named(candidate):
    settings = ", ".join(f"{name}={value}" for name, value in candidate.items() if name != "family")
    return f"{candidate['family']} ({settings})"


def bars(values, x, y):
    """A bar chart in Vega-Lite."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [{y: name, x: value} for name, value in values.items()]},
        "width": 500,
        "mark": "bar",
        "encoding": {
            "x": {"field": x, "type": "quantitative"},
            "y": {"field": y, "type": "nominal", "sort": "-x", "title": None},
        },
    }


if __name__ == "__main__":
    CompareFlow()
