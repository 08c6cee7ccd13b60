"use strict";
// Of the live view alone: hears where the soak is, and takes over what was drawn anew. What is opened, zoomed, read
// with the cursor and scrolled to stays. Nothing here makes markup out of a text but the page that steep serves.
(() => {
  const SAID = 5;                                          // lines of what steep said that are shown
  const now = document.getElementById("live-now"), said = document.getElementById("live-said");
  const title = document.title;
  const cells = () => [...document.querySelectorAll("details.cell")];
  const nameOf = (cell) => cell ? cell.querySelector("h3").textContent : "";
  const keyOf = (details) => details.matches(".cell") ? nameOf(details)
    : `${nameOf(details.closest(".cell"))}\n${details.querySelector("summary").textContent}`;
  // Parts of the page by which it stays where it was scrolled to.
  const places = () => [...document.querySelectorAll("main details, main [data-timeline], main h2")]
    .filter((part) => part.getClientRects().length > 0);
  const placeOf = (part) => part.matches("details") ? keyOf(part)
    : `${nameOf(part.closest("details.cell"))}\n${part.localName}\n${part.localName === "h2" ? part.textContent : ""}`;
  let running = "", isHeld = false, waits = false, isOver = false;

  // What somebody who looks at the page has done with it.
  const kept = () => {
    const active = document.activeElement;
    const tracks = (cell) => [...cell.querySelectorAll(".track")];
    const windows = new Map(cells().map((cell) => [nameOf(cell), [...cell.querySelectorAll("[data-timeline]")]
      .map(({ timeline }) => timeline && timeline.figures && { from: timeline.from, to: timeline.to, now: timeline.now,
        isWhole: timeline.to - timeline.from >= (timeline.last - timeline.first) * (1 - 1e-9),
        isRead: timeline.text.className === "now" })[0]]));
    const open = new Map([...document.querySelectorAll("main details")].map((details) => [keyOf(details), details.open]));
    const seen = places().map((part) => [part, part.getBoundingClientRect().top]).filter(([, top]) => top < innerHeight / 3);
    const [above, top] = seen.reduce((best, one) => one[1] >= best[1] ? one : best, [undefined, -Infinity]);
    const place = { key: above && placeOf(above), top, y: scrollY };
    const home = active && active.closest("details.cell");
    const focus = active && active.closest("main") && { cell: nameOf(home),
      track: home ? tracks(home).indexOf(active) : -1,
      summary: active.localName === "summary" ? keyOf(active.parentElement) : undefined,
      href: active.getAttribute("href") };
    return { windows, open, place, focus };
  };

  const focused = ({ cell, track, summary, href }) => {
    const home = cells().find((one) => nameOf(one) === cell);
    if (track >= 0) return home && home.querySelectorAll(".track")[track];
    if (summary !== undefined) {
      const same = [...document.querySelectorAll("main details")].find((details) => keyOf(details) === summary);
      return same && same.querySelector("summary");
    }
    return href && [...document.querySelectorAll("main a")].find((link) => link.getAttribute("href") === href);
  };

  const put = async (next) => {
    const { windows, open, place, focus } = kept();
    document.querySelector("main").replaceWith(document.adoptNode(next.querySelector("main")));
    const run = next.querySelector("header");
    if (run) document.querySelector("header").replaceWith(document.adoptNode(run));
    document.querySelectorAll("main details").forEach((details) => {
      const was = open.get(keyOf(details));
      if (was !== undefined) details.open = was;
      else if (nameOf(details.closest(".cell")) === running && details.matches(".cell")) details.open = true;
    });
    document.dispatchEvent(new Event("drawn-anew"));
    for (const cell of cells()) {
      const was = windows.get(nameOf(cell)), section = cell.querySelector("[data-timeline]");
      const timeline = section && section.timeline;
      if (!was || !timeline || !timeline.figures) continue;
      timeline.now = was.now;
      if (!was.isWhole) await timeline.zoom(was.from, was.to);
      else if (was.isRead) await timeline.read(was.now);
    }
    const same = place.key && places().find((part) => placeOf(part) === place.key);
    const by = same ? same.getBoundingClientRect().top - place.top : place.y - scrollY;
    scrollBy({ top: by, behavior: "instant" });
    const target = focus && focused(focus);
    if (target) target.focus({ preventScroll: true });
    document.body.dataset.drawn = +(document.body.dataset.drawn || 0) + 1;
  };

  // One page at a time, and none while something is dragged or marked.
  const draw = async () => {
    if (isHeld || !getSelection().isCollapsed) { waits = true; return; }
    if (draw.isUnderWay) { waits = true; return; }
    draw.isUnderWay = true;
    waits = false;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (answer.ok) await put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* steep has ended, which the end of the events tells */ }
    draw.isUnderWay = false;
    if (waits) draw();
  };
  addEventListener("pointerdown", () => { isHeld = true; });
  for (const end of ["pointerup", "pointercancel", "blur"]) {
    addEventListener(end, () => { isHeld = false; if (waits) draw(); });
  }

  const say = (text) => { if (now.textContent !== text) now.textContent = text; };
  const events = new EventSource("/events");
  events.addEventListener("status", ({ data }) => {
    const { cell, label, place, memory } = JSON.parse(data);
    running = cell || "";
    say([label, place, memory].filter((part) => part).join(" · "));
    document.title = cell ? `${cell} · ${title}` : title;
  });
  events.addEventListener("said", ({ data }) => {
    const line = document.createElement("li");
    line.textContent = data;
    said.append(line);
    while (said.children.length > SAID) said.firstChild.remove();
  });
  events.addEventListener("open", () => said.replaceChildren());
  events.addEventListener("drawn", draw);
  events.addEventListener("end", async ({ data }) => {
    isOver = true;
    events.close();
    isHeld = false;
    getSelection().removeAllRanges();
    await draw();
    document.querySelector("#live strong").textContent = "This run has ended.";
    document.querySelector("#live p").lastChild.textContent = " All below is its report.";
    say(data);
    document.title = title;
  });
  events.addEventListener("error", () => {
    if (!isOver) say("steep does not answer: it was ended, or is busy. What was drawn last stays.");
  });
})();
