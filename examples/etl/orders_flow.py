"""A nightly ETL with duckdb, and a report card."""

import random
import tempfile
from datetime import date
from pathlib import Path

from metaflow import FlowSpec, Parameter, card, current, retry, schedule, step
from metaflow.cards import Markdown, Table, VegaChart

PRODUCTS = {"apples": 2.5, "bread": 3.2, "cheese": 7.9, "dates": 4.4}
SHOPS = ["Berlin", "Lyon", "Porto"]


@schedule(cron="30 3 * * *", timezone="Europe/Berlin")
class OrdersFlow(FlowSpec):
    """
    The orders of a day, each night: extracted as CSV, cleaned and summed up by SQL, kept as Parquet,
    and shown in a card. The day is that of the schedule, so that missed nights can be filled in.
    """

    day = Parameter("day", help="As 2026-01-31; by default that of the schedule, or today", default="")

    @retry(times=3, minutes_between_retries=0)
    @step
    def start(self):
        """Extract."""
        scheduled = current.get("scheduled_time")
        self.date = self.day or str(scheduled.date() if scheduled else date.today())
        self.orders = orders_of(self.date)
        print(f"{len(self.orders.splitlines()) - 1} orders of {self.date}")
        self.next(self.transform)

    @step
    def transform(self):
        import duckdb

        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "orders.csv"), Path(folder, "orders.parquet")
            source.write_text(self.orders)
            database = duckdb.connect()
            database.execute("CREATE TABLE orders AS SELECT * FROM read_csv(?)", [str(source)])
            database.execute("CREATE VIEW clean AS SELECT DISTINCT * FROM orders WHERE pieces > 0")
            self.read, self.kept = database.execute(
                "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM clean)"
            ).fetchone()
            self.revenue = database.execute(
                "SELECT shop, product, round(sum(pieces * price), 2) AS revenue FROM clean "
                "GROUP BY shop, product ORDER BY shop, revenue DESC"
            ).fetchall()
            database.execute(f"COPY clean TO '{target}' (FORMAT parquet)")
            self.parquet = target.read_bytes()
        self.next(self.report)

    @card(type="blank")
    @step
    def report(self):
        self.total = round(sum(revenue for _, _, revenue in self.revenue), 2)
        current.card.append(Markdown(f"# {self.date}: {self.total} EUR"))
        current.card.append(Markdown(f"{self.read - self.kept} of {self.read} orders were double or empty."))
        current.card.append(VegaChart(stacked(self.revenue)))
        current.card.append(Table([list(row) for row in self.revenue], headers=["shop", "product", "EUR"]))
        self.next(self.end)

    @step
    def end(self):
        print(f"{self.date}: {self.total} EUR of {self.kept} orders")


def orders_of(day):
    """Made data, the same for each day: some orders come twice, some have no pieces."""
    chance = random.Random(day)
    lines = ["number,shop,product,pieces,price"]
    for number in range(1, chance.randint(150, 250)):
        product = chance.choice(list(PRODUCTS))
        pieces = chance.choice([0, 1, 1, 2, 3, 5])
        line = f"{number},{chance.choice(SHOPS)},{product},{pieces},{PRODUCTS[product]}"
        lines += [line] * chance.choice([1, 1, 1, 2])
    return "\n".join(lines) + "\n"


def stacked(revenue):
    """A stacked bar for each shop, in Vega-Lite."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [dict(zip(("shop", "product", "EUR"), row)) for row in revenue]},
        "width": 500,
        "mark": "bar",
        "encoding": {
            "x": {"field": "EUR", "type": "quantitative"},
            "y": {"field": "shop", "type": "nominal", "title": None},
            "color": {"field": "product", "type": "nominal"},
        },
    }


if __name__ == "__main__":
    OrdersFlow()
