// Looks at pages of reports as somebody would who opens them: in Chromium without a window, with keys and a mouse, in
// light and dark, printed, and without script. `node check.mjs PAGE... [--pictures FOLDER]`; exits with 1 if any of
// them has an error, asks for anything, breaks a rule of axe-core, or does not do what its keys promise.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const PAGE_WAITS_MS = 60_000;
const NARROW = 420;

const given = process.argv.slice(2);
const at = given.indexOf("--pictures");
const pictures = at < 0 ? undefined : given.splice(at, 2)[1];
const pages = given.map((page) => path.resolve(page));
if (pages.length === 0) throw new Error("which pages? node check.mjs PAGE...");
const executablePath = process.env.CHROMIUM || BROWSERS.find((file) => fs.existsSync(file));
if (!executablePath) throw new Error("Chromium is not installed: apt-get install chromium, or name it in CHROMIUM");
if (pictures) fs.mkdirSync(pictures, { recursive: true });

const wrong = [];
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], timeout: PAGE_WAITS_MS });

// A tab in which `file` is open, and in which nothing may go wrong.
const open = async (file, { dark = false, scripts = true, width = 1280 } = {}) => {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(PAGE_WAITS_MS);
  const own = pathToFileURL(file).href;
  const fail = (what) => wrong.push(`${path.basename(file)}: ${what}`);
  tab.on("console", (message) => fail(`console: ${message.text()}`));
  tab.on("pageerror", (error) => fail(`error: ${error.message}`));
  tab.on("dialog", (dialog) => { fail(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  tab.on("request", (request) => { if (request.url() !== own) fail(`asked for ${request.url().slice(0, 200)}`); });
  await tab.setViewport({ width, height: 900 });
  await tab.setJavaScriptEnabled(scripts);
  // Without motion: a page that still scrolls is not where it was measured.
  await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" },
    { name: "prefers-reduced-motion", value: "reduce" }]);
  await tab.goto(own, { waitUntil: "load", timeout: PAGE_WAITS_MS });
  const check = (is, what) => { if (!is) fail(what); };
  return { tab, check, fail };
};
const picture = async (tab, file, what) => {
  if (pictures) await tab.screenshot({ path: path.join(pictures, `${path.basename(file, ".html")}-${what}.png`), fullPage: true });
};
const frame = (tab) => tab.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const until = (tab, is, what, check, ...rest) =>
  tab.waitForFunction(is, { timeout: 20_000 }, ...rest).catch(() => check(false, what));

// The first screen, and the rules of axe-core with all that is folded opened.
const look = async (file, { dark = false, width } = {}) => {
  const { tab, check } = await open(file, { dark, width });
  const { loaded } = await tab.evaluate(() => ({ loaded: performance.getEntriesByType("navigation")[0].loadEventEnd }));
  const parts = await tab.evaluate(() => [".sentence", "caption", ".trust", ".command"].map((part) =>
    document.querySelector(`#answer ${part}`)?.getBoundingClientRect().top ?? -1));
  const found = parts.filter((top) => top >= 0);
  check(found.length > 0 && found.every((top, place) => place === 0 || top > found[place - 1]),
    `the first screen is out of order: ${parts}`);
  const kind = `${dark ? "dark" : "light"}${width ? `-${width}` : ""}`;
  await picture(tab, file, kind);
  await tab.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  await frame(tab);
  await tab.evaluate(axe.source);
  const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of violations) {
    check(false, `axe-core, ${kind}: ${id}: ${help}: ${nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  }
  await tab.close();
  return loaded;
};

// Tab to a figure, read values with the arrows, zoom and come back; then the same with the mouse.
const use = async (file, width) => {
  const { tab, check } = await open(file, { width });
  if (!(await tab.$("details[open] .track"))) { await tab.close(); return undefined; }
  for (let presses = 0; presses < 200; presses += 1) {
    await tab.keyboard.press("Tab");
    if (await tab.evaluate(() => document.activeElement.classList.contains("track"))) break;
  }
  check(await tab.evaluate(() => document.activeElement.classList.contains("track")), "no figure is reached by Tab");
  const state = () => tab.evaluate(() => {
    const track = document.activeElement, plot = track.parentElement.querySelector(".plot");
    return { text: track.getAttribute("aria-valuetext"), window: plot.getAttribute("viewBox"),
      curve: plot.querySelector("[data-columns]")?.getAttribute("d") };
  });
  const before = await state();
  const top = () => tab.evaluate(() => document.activeElement.getBoundingClientRect().top + scrollY);
  const stood = await top();
  await tab.keyboard.press("End");
  await until(tab, (text) => document.activeElement.getAttribute("aria-valuetext") !== text, "End reads nothing", check, before.text);
  const end = await state();
  check(/after .*(live bytes|anonymous memory) /.test(end.text), `the cursor reads: ${end.text}`);
  check(Math.abs((await top()) - stood) < 1, `the figure moved by ${(await top()) - stood} pixels when it was read`);
  // What was inflated is what the table says of the last moment.
  const last = await tab.evaluate(() => {
    const table = document.activeElement.closest("[data-timeline]").querySelector("details.twin table");
    const [heads, cells] = ["thead th", "tbody tr:last-child > *"].map((part) => [...table.querySelectorAll(part)]);
    return heads.slice(1).map((head, place) => `${head.textContent} ${cells[place + 1].textContent}`);
  });
  check(last.length > 0 && last.every((value) => end.text.includes(value)), `${end.text} is not ${last.join(", ")}`);
  for (let presses = 0; presses < 3; presses += 1) await tab.keyboard.press("ArrowLeft");
  await until(tab, (text) => document.activeElement.getAttribute("aria-valuetext") !== text, "an arrow reads nothing", check, end.text);
  await tab.keyboard.press("+");
  await until(tab, (was) => document.activeElement.parentElement.querySelector(".plot").getAttribute("viewBox") !== was,
    "+ does not zoom", check, before.window);
  check((await state()).curve !== before.curve, "a zoom shows the thinned curve");
  const windows = await tab.evaluate(() => [...document.activeElement.closest("[data-timeline]").querySelectorAll(".plot")]
    .map((plot) => plot.getAttribute("viewBox").split(" ")[0]));
  check(new Set(windows).size === 1, `the figures of a cell show different times: ${windows}`);
  await picture(tab, file, "zoomed");
  await tab.keyboard.press("0");
  await until(tab, (was) => document.activeElement.parentElement.querySelector(".plot").getAttribute("viewBox") === was,
    "0 does not show the whole again", check, before.window);
  const track = await tab.$("details[open] .track");
  // A mouse is where the window is.
  await track.scrollIntoView();
  await frame(tab);
  const near = await track.boundingBox();
  await tab.mouse.move(near.x + near.width * 0.3, near.y + near.height / 2);
  await frame(tab);
  await frame(tab);
  const box = await track.boundingBox();
  await tab.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  check(await tab.evaluate(() => [...document.querySelectorAll(":hover")].some((part) => part.classList.contains("track"))),
    `the mouse is not over the figure at ${JSON.stringify(box)}`);
  await tab.mouse.down();
  await tab.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 4 });
  await tab.mouse.up();
  await until(tab, () => document.querySelector(".values-now").dataset.zoomed !== undefined
    && !document.querySelector(".values-now button").hidden, "a drag does not zoom", check);
  const zoomed = await tab.evaluate(() => +document.querySelector(".values-now").dataset.zoomed);
  const still = await tab.evaluate(async () => {
    const track = document.querySelector(".track"), began = performance.now();
    track.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true, cancelable: true }));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - began;
  });
  await tab.close();
  return { zoomed, still };
};

// A print opens what is folded, also without script.
const print = async (file) => {
  const { tab, check } = await open(file, { scripts: false });
  await tab.emulateMediaType("print");
  const folded = await tab.$$eval("details:not([open]) table", (tables) => tables.map((table) => table.getBoundingClientRect().height));
  check(folded.every((height) => height > 0), `${folded.filter((height) => height <= 0).length} folded tables are not printed`);
  await picture(tab, file, "print");
  await tab.close();
};

const bare = async (file) => {
  const { tab, check } = await open(file, { scripts: false });
  const seen = await tab.$eval(".sentence", (sentence) => sentence.getBoundingClientRect().height);
  check(seen > 0, "without script there is no sentence");
  await tab.close();
};

for (const file of pages) {
  const began = wrong.length;
  const loaded = await look(file);
  await look(file, { dark: true });
  // Where the window is narrow, tables scroll and texts take more lines, as they do with wider letters.
  await look(file, { width: NARROW });
  const zoom = await use(file);
  await use(file, NARROW);
  await print(file);
  await bare(file);
  const size = (fs.statSync(file).size / 1e6).toFixed(2);
  const times = zoom ? `, first zoom with inflating ${zoom.zoomed} ms, next ${zoom.still.toFixed(0)} ms` : "";
  console.log(`${path.basename(file)}: ${size} MB, loaded in ${loaded.toFixed(0)} ms${times}: ${wrong.length === began ? "ok" : "WRONG"}`);
}
await browser.close();
wrong.forEach((what) => console.error(what));
process.exit(wrong.length > 0 ? 1 : 0);
