from metaflow import FlowSpec, Parameter, card, current, schedule, step
from metaflow.cards import Markdown

HOSTILE = """<!doctype html><title>hostile</title><p id="said">no script ran</p><p id="fetched"></p><script>
const said = document.getElementById("said"), fetched = document.getElementById("fetched"), tried = [];
function attempt(name, act) { try { tried.push(name + " " + act()); } catch (error) { tried.push(name + " " + error.name); } }
attempt("cookie", () => document.cookie);
attempt("page", () => parent.document.title);
attempt("storage", () => localStorage.length);
if (top !== self) attempt("top", () => { top.location = "/page/overview"; return "gone"; });
said.textContent = tried.join(", ");
fetch("/page/overview").then(() => { fetched.textContent = "answered"; }, () => { fetched.textContent = "refused"; });
</script>"""


class Own:
    """What a pickle of it would run must not be run by those who look at it."""

    def __reduce__(self):
        return print, ("this ran",)


@schedule(daily=True)
class ResultsFlow(FlowSpec):
    """Artifacts of several kinds, a card of Metaflow's, and one that tries what no card may."""

    alpha = Parameter("alpha", default=0.5)

    @card(id="usual")
    @card(type="test_mock_card", options={"key": "html"}, id="hostile")
    @step
    def start(self):
        self.html = HOSTILE
        self.accuracy = 0.875
        self.text = "<b>as it is</b>"
        self.own = [Own()]
        current.card["usual"].append(Markdown("# a usual card"))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ResultsFlow()
