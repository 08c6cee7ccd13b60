// A long run out of one recorded minute: `node long.mjs RUN TO CELLS SECONDS` repeats the lines of one cell, with noise,
// counts that go on, and a clock that goes on.
import fs from "node:fs";

const [, , from, to, cells, seconds] = process.argv;
let seed = 12345;
const random = () => { seed = (seed * 1664525 + 1013904223) % 4294967296; return seed / 4294967296; };
// A time as the driver writes it: the longest of its step in a histogram of two digits.
const told = (micros) => {
  const beyond = Math.max(0, Math.floor(Math.log2(Math.max(micros, 1))) - 7);
  return (Math.floor(micros / 2 ** beyond) + 1) * 2 ** beyond - 1;
};
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const run = JSON.parse(fs.readFileSync(`${from}/run.json`, "utf8"));
const soaked = run.plan.cells.map((cell) => cell.id).find((id) => fs.existsSync(`${from}/${id}/trace.jsonl`));
const lines = fs.readFileSync(`${from}/${soaked}/trace.jsonl`, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const of = (record) => lines.filter((line) => line.record === record);
const [header, start, phase, end] = ["header", "start", "phase", "end"].map((record) => of(record)[0]);
const [samples, traffic] = [of("sample").slice(1), of("traffic").filter((line) => line.latency && line.t_s > 0.5)];
const last = +seconds;

fs.mkdirSync(to, { recursive: true });
const cell = run.plan.cells.find(({ id }) => id === soaked);
run.plan.cells = [];
run.asked = [];
for (let number = 1; number <= +cells; number += 1) {
  const id = number === 1 ? "baseline" : `baseline-r${number}`;
  run.plan.cells.push({ ...cell, id, flags: [], replicate: number });
  fs.mkdirSync(`${to}/${id}`);
  const [warm] = header.phases;
  const phases = [{ ...warm, name: "warmup", role: "warmup", start_s: 0, end_s: 600 },
    { ...warm, name: "steady", role: "steady", start_s: 600, end_s: last }];
  const file = fs.openSync(`${to}/${id}/trace.jsonl`, "w");
  let text = [{ ...header, cell: id, flags: [], replicate: number, phases }, start, phase].map((line) => JSON.stringify(line) + "\n").join("");
  const done = Object.fromEntries(Object.keys(samples[0].requests).map((name) => [name, 0]));
  let [live, anonymous] = [2e7, 3e7];
  for (let second = 0; second <= last; second += 1) {
    const t_s = +(second + 0.002 * random()).toFixed(6);
    live = Math.max(1e7, live + 20000 * normal());
    anonymous = Math.max(anonymous, Math.ceil((live + 3e6) / 4096) * 4096);
    const sample = structuredClone(samples[second % samples.length]);
    Object.assign(sample, { t_s, requests: { ...done } });
    Object.assign(sample.memory, { anon_bytes: anonymous, peak_bytes: anonymous + sample.memory.file_bytes });
    if (sample.live) sample.live.live_bytes = Math.round(live + 40000 * normal());
    if (second % 10 > 0) delete sample.heap;
    sample.activity.cpu_s = +(0.03 * second + 0.01 * random()).toFixed(2);
    text += JSON.stringify(sample) + "\n";
    if (second > 0) {
      const line = structuredClone(traffic[second % traffic.length]);
      line.t_s = t_s + 0.001;
      for (const [name, counts] of Object.entries(line.requests)) {
        done[name] += Math.max(0, Math.round(50 + 7 * normal()));
        for (const key of Object.keys(counts)) counts[key] = 0;
        Object.assign(counts, { due: done[name], sent: done[name], ok: done[name] });
        const times = line.latency[name];
        if (times) {
          const slower = Math.exp(0.2 * normal());
          for (const key of ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"]) times[key] = told(Math.round(times[key] * slower));
        }
      }
      text += JSON.stringify(line) + "\n";
    }
    if (text.length > 4e6) { fs.writeSync(file, text); text = ""; }
  }
  fs.writeSync(file, text + JSON.stringify({ ...end, t_s: last + 0.5 }) + "\n");
  fs.closeSync(file);
}
fs.writeFileSync(`${to}/run.json`, JSON.stringify(run));
fs.copyFileSync(`${from}/scenario.toml`, `${to}/scenario.toml`);
