"""Four years of weather: a task for each month, joined into a table and a picture."""

import csv
import os
from statistics import mean

from metaflow import FlowSpec, IncludeFile, Parameter, step


class WeatherFlow(FlowSpec):
    """Statistics of each month of daily weather observations."""

    observations = IncludeFile(
        "observations",
        help="Daily observations, as CSV",
        default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "seattle_weather.csv"),
    )
    wet_day = Parameter("wet_day", help="Precipitation (mm) from which a day counts as wet", default=1.0)

    @step
    def start(self):
        self.days = {}
        for row in csv.DictReader(self.observations.splitlines()):
            year, month, _ = row["date"].split("/")
            self.days.setdefault(f"{year}-{month}", []).append(row)
        self.months = sorted(self.days)
        print(f"{sum(map(len, self.days.values()))} days in {len(self.months)} months")
        self.next(self.month, foreach="months")

    @step
    def month(self):
        days = self.days[self.input]
        self.summary = {
            "month": self.input,
            "coldest": min(float(day["temp_min"]) for day in days),
            "mean": mean((float(day["temp_min"]) + float(day["temp_max"])) / 2 for day in days),
            "warmest": max(float(day["temp_max"]) for day in days),
            "rain": sum(float(day["precipitation"]) for day in days),
            "wet": sum(float(day["precipitation"]) >= self.wet_day for day in days),
        }
        print(self.summary)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.summaries = [task.summary for task in inputs]
        self.table = table(self.summaries)
        self.picture = picture(self.summaries)
        print(self.table)
        self.next(self.end)

    @step
    def end(self):
        wettest = max(self.summaries, key=lambda summary: summary["rain"])
        print(f"The wettest month was {wettest['month']}, with {wettest['rain']:.0f} mm of rain.")


def table(summaries):
    lines = [f"{'month':8}{'coldest':>9}{'mean':>7}{'warmest':>9}{'rain mm':>9}{'wet days':>10}"]
    for s in summaries:
        temperatures = f"{s['coldest']:9.1f}{s['mean']:7.1f}{s['warmest']:9.1f}"
        lines.append(f"{s['month']:8}{temperatures}{s['rain']:9.0f}{s['wet']:10d}")
    return "\n".join(lines)


def picture(summaries):
    """An SVG: bars for the rain, a band from the coldest to the warmest temperature of each month."""
    width, height, left = 16, 320, 40
    rain = max(s["rain"] for s in summaries)
    shapes = []
    for index, s in enumerate(summaries):
        x = left + index * width
        tall = round(140 * s["rain"] / rain)
        shapes.append(
            f'<rect x="{x + 2}" y="{height - tall}" width="{width - 4}" height="{tall}" fill="#4c78a8"/>'
        )
        ends = f'y1="{140 - 3 * s["warmest"]:.0f}" y2="{140 - 3 * s["coldest"]:.0f}"'
        shapes.append(f'<line x1="{x + 8}" x2="{x + 8}" {ends} stroke="#e45756" stroke-width="5"/>')
    whole = left + width * len(summaries)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{height + 20}" font-size="10">'
        f'<text x="2" y="12">°C</text><text x="2" y="{height}">mm</text>{"".join(shapes)}'
        f'<text x="{left}" y="{height + 14}">{summaries[0]["month"]} to {summaries[-1]["month"]}</text></svg>'
    )


if __name__ == "__main__":
    WeatherFlow()
