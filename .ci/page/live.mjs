// Looks at a live view as somebody would who leaves it open: `node live.mjs URL [--pictures FOLDER]`. It waits for
// drawings, zooms, opens what is folded, and scrolls; what was done stays when the page is drawn anew. Then it waits
// for the end of the run, and for the report. Exits with 1 where anything is otherwise.
import fs from "node:fs";
import path from "node:path";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const DRAWN_WITHIN_MS = 60_000, ENDS_WITHIN_MS = 600_000;

const given = process.argv.slice(2);
const at = given.indexOf("--pictures");
const pictures = at < 0 ? undefined : given.splice(at, 2)[1];
const [url] = given;
if (!url) throw new Error("which view? node live.mjs URL");
const executablePath = process.env.CHROMIUM || BROWSERS.find((file) => fs.existsSync(file));
if (!executablePath) throw new Error("Chromium is not installed: apt-get install chromium, or name it in CHROMIUM");

const wrong = [];
const check = (is, what) => { if (!is) wrong.push(what); };
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], timeout: DRAWN_WITHIN_MS });
const tab = await browser.newPage();
tab.setDefaultTimeout(DRAWN_WITHIN_MS);
let isOver = false;
tab.on("console", (message) => { if (!isOver) wrong.push(`console: ${message.text()} ${message.location()?.url ?? ""}`); });
tab.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
tab.on("request", (request) => check(request.url().startsWith(url), `asked for ${request.url().slice(0, 200)}`));
await tab.setViewport({ width: 1280, height: 900 });
const picture = async (what) => {
  if (pictures) await tab.screenshot({ path: path.join(pictures, `live-${what}.png`), fullPage: true });
};
const drawings = () => tab.evaluate(() => +(document.body.dataset.drawn || 0));
const drawn = async () => {
  const before = await drawings();
  await tab.waitForFunction((before) => +(document.body.dataset.drawn || 0) > before, {}, before);
};
const until = (is, what, ...rest) => tab.waitForFunction(is, {}, ...rest).catch(() => check(false, what));

await tab.goto(url, { waitUntil: "load" });
await until(() => document.querySelector("#live-now").textContent.includes("requests/s"), "no load is heard of");
await until(() => document.querySelector("details.cell[open] .track"), "the cell that is soaked is not drawn");
await picture("begun");
await tab.evaluate(axe.source);
const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
for (const { id, help, nodes } of violations) check(false, `axe-core: ${id}: ${help}: ${nodes[0].html.slice(0, 160)}`);

// What somebody does with it.
await tab.focus("details.cell[open] .track");
for (const key of ["End", "ArrowLeft", "+", "+"]) await tab.keyboard.press(key);
await until(() => !document.querySelector(".values-now button").hidden, "+ does not zoom");
const folded = await tab.evaluate(() => {
  const details = [...document.querySelectorAll("main details:not(.cell)")].find((one) => !one.open);
  details.open = true;
  return details.querySelector("summary").textContent;
});
await tab.evaluate(() => document.querySelector("[data-timeline]").scrollIntoView({ behavior: "instant" }));
const state = () => tab.evaluate((folded) => {
  const section = document.querySelector("[data-timeline]"), timeline = section.timeline;
  const open = [...document.querySelectorAll("main details")].find((one) => one.querySelector("summary").textContent === folded);
  return { from: timeline.from, to: timeline.to, now: timeline.now, last: timeline.last, open: open.open,
    top: Math.round(section.getBoundingClientRect().top), isFocused: document.activeElement.classList.contains("track") };
}, folded);
const before = await state();
await drawn();
await drawn();
const after = await state();
check(after.last > before.last, `nothing came to the curves: ${before.last} s, ${after.last} s`);
check(Math.abs(after.from - before.from) < 1e-6 && Math.abs(after.to - before.to) < 1e-6,
  `the zoom went from ${before.from}–${before.to} to ${after.from}–${after.to}`);
check(after.open, `"${folded}" was closed`);
check(after.isFocused, "the focus is gone");
check(Math.abs(after.top - before.top) <= 2, `the page scrolled from ${before.top} to ${after.top}`);
await picture("zoomed");

// One that is opened late has all of it.
const late = await browser.newPage();
await late.goto(url, { waitUntil: "load" });
const rows = await late.evaluate(() => JSON.parse(document.querySelector("[data-head]").textContent).samples.rows);
check(rows + 8 >= after.last, `a page that is opened late has ${rows} rows after ${after.last} s`);
await late.close();

isOver = true;
await tab.waitForFunction(() => document.querySelector("#live strong").textContent === "This run has ended.",
  { timeout: ENDS_WITHIN_MS }).catch(() => check(false, "no end is heard of"));
await until(() => document.querySelector(".sentence"), "there is no report at the end");
check(await tab.evaluate(() => !document.querySelector("main").textContent.includes("it is being soaked")),
  "after the end a cell is still being soaked");
await picture("ended");
await browser.close();
console.log(`live view: ${wrong.length === 0 ? "ok" : "WRONG"}`);
wrong.forEach((what) => console.error(what));
process.exit(wrong.length > 0 ? 1 : 0);
