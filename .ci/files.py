"""Reports of a run for machines, read by packages that are not ours."""

import json
import sys
from pathlib import Path

import jsonschema
from junitparser import Error, Failure, JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

out = Path(sys.argv[1])


def read(name):
    return json.loads((out / name).read_text())


jsonschema.Draft202012Validator(read("schema")).validate(read("json"))

cells = {cell["cell"]: cell for cell in read("json")["cells"]}
suites = list(JUnitXml.fromfile(str(out / "junit")))
cases = {case.name: case for suite in suites for case in suite}
assert cells.keys() <= cases.keys(), cases.keys()
for name, cell in cells.items():
    fails = any(isinstance(result, (Failure, Error)) for result in cases[name].result)
    assert fails == (cell["verdict"] in ("leak", "step", "crashed", "invalid")), name

for issue in read("code-quality"):
    assert issue["location"]["lines"]["begin"] >= 1 and len(issue["fingerprint"]) == 64, issue

for name, metrics in read("bencher").items():
    for metric in metrics.values():
        ends = metric.get("lower_value", metric["value"]), metric.get("upper_value", metric["value"])
        assert ends[0] <= metric["value"] <= ends[1], name

families = list(text_string_to_metric_families((out / "openmetrics").read_text()))
assert all(sample.timestamp for family in families for sample in family.samples)
print(f"{len(cases)} cases, {len(families)} families of metrics")
