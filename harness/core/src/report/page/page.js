"use strict";
// Of this page alone: a cursor that reads all values at one moment, and a zoom into every sample. Without it the page
// shows the same figures, thinned. Nothing here makes markup out of a text.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 2000, HEIGHT = 1000;                       // of the curves' own drawing, as it was written
  const LEFT = 76, RIGHT = 14, TOP = 22, BOTTOM = 22, WHOLE = 960; // of a figure
  const COLUMNS = 900;                                     // of a curve that is zoomed
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
  const LEAST = 2;                                         // seconds that can be looked at

  const make = (name, attributes, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const html = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // Numbers in words, as the page writes them.
  const round = (value, digits) => value >= 99.95 || digits === 0 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1)
    : value.toFixed(2);
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0, size = Math.abs(value);
    while (size >= 999.5 && unit + 1 < units.length) { size /= 1024; unit += 1; }
    const text = size === 0 ? "0" : round(size, unit === 0 && size % 1 === 0 ? 0 : 2);
    return `${value < 0 ? "−" : ""}${text} ${units[unit]}`;
  };
  const micros = (value) => value >= 999500 ? `${+(value / 1e6).toFixed(1)} s`
    : value >= 999.5 ? `${+(value / 1e3).toFixed(1)} ms` : `${+value.toFixed(0)} µs`;
  const plain = (value) => value % 1 === 0 ? value.toFixed(0) : `${+value.toFixed(2)}`;
  const time = (seconds) => {
    const whole = Math.round(seconds * 100) / 100;
    if (whole < 120) return `${whole}s`;
    const parts = [[86400, "d"], [3600, "h"], [60, "m"]];
    let rest = whole, text = "";
    for (const [size, unit] of parts) {
      const count = Math.floor(rest / size);
      if (count > 0) { text += `${count}${unit} `; rest -= count * size; }
    }
    return rest > 0.004 || text === "" ? `${text}${+rest.toFixed(2)}s` : text.trim();
  };
  const written = { bytes, count: plain, thousandths: (v) => plain(v / 1000), per_second: (v) => `${plain(v)}/s`,
    microseconds: micros };

  const LONGEST = { bytes: "999.9 MiB", count: "9999", thousandths: "99.99", per_second: "9999.99/s",
    microseconds: "999.9 ms" };

  // Ticks, by the same rules as the page was written by.
  const decimal = (step) => {
    const power = 10 ** Math.floor(Math.log10(step > 0 && isFinite(step) ? step : 1));
    return [1, 2, 5, 10].map((part) => part * power).find((part) => part >= step * (1 - 1e-9)) || 10 * power;
  };
  const stepped = (low, high, step) => {
    const ticks = [];
    const last = Math.floor(high / step + 1e-9);
    for (let n = Math.ceil(low / step - 1e-9); n <= last && ticks.length < 40; n += 1) ticks.push(n * step);
    return ticks;
  };
  const valueTicks = (axis, low, high) => {
    if (axis === "times") {
      const parts = high - low < 2 ? [1, 2, 5] : [1];
      const values = stepped(Math.floor(low), high, 1).flatMap((power) => parts.map((part) => part * 10 ** power));
      return values.map((value) => [Math.log10(value), micros(value)])
        .filter(([place]) => place >= low && place <= high);
    }
    const step = (high - low) / 6;
    if (axis === "numbers") {
      return stepped(low, high, decimal(step)).map((value) => [value, plain(+value.toPrecision(12))]);
    }
    const unit = 1024 ** Math.floor(Math.log2(Math.max(step, 1)) / 10);
    const count = decimal(Math.max(step / unit, 1));
    return stepped(low, high, count >= 1000 ? 1024 * unit : count * unit).map((value) => [value, bytes(value)]);
  };
  const timeTicks = (from, to) => {
    const wanted = (to - from) / 8;
    const fine = wanted < 1 ? decimal(wanted) : undefined;
    const step = fine || STEPS.find((step) => step >= wanted) || decimal(wanted / 86400) * 86400;
    return stepped(from, to, step).map((tick) => [tick, time(tick)]);
  };

  // From the text in the page to columns of numbers.
  const inflate = async (text) => {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  // The lowest bytes of all differences stand first, then the next.
  const reader = (data) => {
    let at = 0;
    return (rows, planes) => {
      const values = new Float64Array(rows);
      let before = 0;
      for (let row = 0; row < rows; row += 1) {
        let number = 0;
        for (let plane = planes - 1; plane >= 0; plane -= 1) number = number * 256 + data[at + plane * rows + row];
        before += number % 2 === 1 ? -(number + 1) / 2 : number / 2;
        values[row] = before;
      }
      at += planes * rows;
      return values;
    };
  };
  // The longest time in a step of a histogram of two digits.
  const top = (step) => {
    const beyond = Math.max(0, Math.floor(step / 128) - 1);
    return (step - 128 * beyond + 1) * 2 ** beyond - 1;
  };
  const columnsOf = (head, read) => {
    const at = read(head.rows, head.planes).map((hundredths) => hundredths / 100);
    const usual = head.rows ? at[head.rows - 1] / head.rows : 0;
    const raw = {}, columns = {};
    for (const { name, planes, in_steps: inSteps, multiple_of: multiple } of head.columns) {
      if (!planes) continue;
      raw[name] = read(head.rows, planes)
        .map((value) => value === 0 ? NaN : inSteps ? top(value - 1) : (value - 1) * multiple);
    }
    for (const { name, label, unit, kind, known, rest_of: of } of head.columns) {
      const all = of ? raw[of[0]].map((value, row) => value - raw[of[1]][row]) : raw[name];
      const rate = (value, row) => {
        const seconds = at[row] - (row ? at[row - 1] : 0);
        return seconds > 0.3 * usual ? Math.max(0, (value - (row ? all[row - 1] : 0)) / seconds) : NaN;
      };
      columns[name] = { label, unit, values: kind === "total" ? all.map(rate) : all, known };
    }
    return { at, columns };
  };

  const before = (at, seconds) => {
    let low = 0, high = at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at[middle] <= seconds) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const nearest = (at, seconds) => {
    const row = before(at, seconds);
    return row + 1 < at.length && (row < 0 || at[row + 1] - seconds < seconds - at[row]) ? row + 1 : Math.max(row, 0);
  };

  // A figure over time, whose window is moved.
  class Figure {
    constructor(figure, timeline) {
      this.timeline = timeline;
      this.svg = figure.querySelector(".canvas > svg");
      this.canvas = figure.querySelector(".canvas");
      this.plot = figure.querySelector(".plot");
      this.name = figure.querySelector(".name").textContent;
      const data = this.plot.dataset;
      [this.from, this.to, this.low, this.high] = [+data.from, +data.to, +data.low, +data.high];
      this.axis = data.axis;
      this.fits = data.fits === "true";
      this.table = figure.dataset.table;
      this.height = +this.plot.getAttribute("height");
      this.curves = [...this.plot.querySelectorAll("[data-columns]")];
      this.curves.forEach((curve) => { curve.before_ = curve.getAttribute("d"); });
      this.kept = [".axis.values", ".axis.time"].map((part) => [...this.svg.querySelector(part).childNodes]);
      this.track();
    }
    x(seconds) { return WIDTH * (seconds - this.from) / (this.to - this.from); }
    y(value) {
      const place = this.axis === "times" ? Math.log10(Math.max(value, 1)) : value;
      return HEIGHT * (this.high - place) / (this.high - this.low);
    }
    track() {
      const whole = TOP + this.height + BOTTOM;
      this.layer = html("div", "track");
      const share = (part, of) => `${100 * part / of}%`;
      Object.assign(this.layer.style, { left: share(LEFT, WHOLE), width: share(WHOLE - LEFT - RIGHT, WHOLE),
        top: share(TOP, whole), height: share(this.height, whole) });
      this.cursor = html("div", "cursor");
      this.chosen = html("div", "chosen");
      this.cursor.hidden = this.chosen.hidden = true;
      this.layer.append(this.cursor, this.chosen);
      this.canvas.append(this.layer);
      const layer = this.layer, timeline = this.timeline;
      layer.tabIndex = 0;
      const attributes = { role: "slider", "aria-label": `${this.name}: moment of the soak`, "aria-valuemin": 0,
        "aria-valuemax": Math.round(this.to), "aria-valuenow": 0, "aria-valuetext": "arrow keys read the values" };
      for (const [key, value] of Object.entries(attributes)) layer.setAttribute(key, value);
      const along = (event) => {
        const box = layer.getBoundingClientRect();
        return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      };
      const seconds = (part) => timeline.from + part * (timeline.to - timeline.from);
      let start;
      // A drag that leaves the figure goes on, and ends where the mouse is let go.
      layer.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        layer.setPointerCapture(event.pointerId);
        start = along(event);
      });
      layer.addEventListener("pointermove", (event) => {
        timeline.read(seconds(along(event)));
        if (start === undefined) return;
        const [left, right] = [start, along(event)].sort((one, other) => one - other);
        this.chosen.hidden = right - left < 0.01;
        Object.assign(this.chosen.style, { left: `${100 * left}%`, width: `${100 * (right - left)}%` });
      });
      layer.addEventListener("pointerup", (event) => {
        if (start === undefined) return;
        const [left, right] = [start, along(event)].sort((one, other) => one - other);
        start = undefined;
        this.chosen.hidden = true;
        if (right - left >= 0.01) timeline.zoom(seconds(left), seconds(right));
      });
      layer.addEventListener("lostpointercapture", () => { start = undefined; this.chosen.hidden = true; });
      layer.addEventListener("dblclick", () => timeline.zoom(timeline.first, timeline.last));
      layer.addEventListener("keydown", (event) => timeline.key(event));
      layer.addEventListener("focus", () => timeline.read(timeline.now));
    }
    // Shows a part of the time: of every sample where there are few, of each column of the screen its ends otherwise.
    show(data, from, to, isWhole) {
      let low = this.low, high = this.high;
      const table = data && data[this.table];
      if (isWhole || !table) {
        this.curves.forEach((curve) => curve.setAttribute("d", curve.before_));
      } else {
        const first = Math.max(0, before(table.at, from));
        const last = Math.min(table.at.length - 1, before(table.at, to) + 1);
        const ends = [Infinity, -Infinity];
        for (const curve of this.curves) {
          const names = curve.dataset.columns.split(" ");
          const columns = names.map((name) => table.columns[name]).filter((column) => column && column.known);
          const value = (row) => columns.reduce((sum, column) => sum + column.values[row], 0);
          curve.setAttribute("d", this.path(table.at, value, first, last, curve.dataset.area === "true", ends));
        }
        if (this.fits && ends[0] <= ends[1]) {
          const room = Math.max((ends[1] - ends[0]) * 0.08, 1);
          [low, high] = [ends[0] - room, ends[1] + room];
        }
      }
      const [top, bottom] = [high, low].map((end) => HEIGHT * (this.high - end) / (this.high - this.low));
      const window = isWhole ? [0, 0, WIDTH, HEIGHT] : [this.x(from), top, this.x(to) - this.x(from), bottom - top];
      this.plot.setAttribute("viewBox", window.join(" "));
      this.ticks(from, to, low, high, isWhole);
    }
    path(at, value, first, last, isArea, ends) {
      const points = [];
      const each = Math.max(1, Math.ceil((last - first + 1) / COLUMNS));
      let text = "", isBegun = false, start = 0;
      const add = (row, number) => {
        const x = this.x(at[row]).toFixed(3), y = this.y(number).toFixed(3);
        if (!isBegun) { start = x; text += isArea ? `M${x} ${HEIGHT}L${x} ${y}` : `M${x} ${y}`; isBegun = true; }
        else text += `L${x} ${y}`;
        points[0] = x;
      };
      const end = () => {
        if (isArea && isBegun) text += `L${points[0]} ${HEIGHT}L${start} ${HEIGHT}z`;
        isBegun = false;
      };
      for (let bin = first; bin <= last; bin += each) {
        let low = -1, high = -1;
        for (let row = bin; row < Math.min(bin + each, last + 1); row += 1) {
          const number = value(row);
          if (number !== number) continue;
          if (low < 0 || number < value(low)) low = row;
          if (high < 0 || number > value(high)) high = row;
        }
        if (low < 0) { end(); continue; }
        ends[0] = Math.min(ends[0], value(low));
        ends[1] = Math.max(ends[1], value(high));
        if (isArea) add(high, value(high));
        else for (const row of low < high ? [low, high] : low > high ? [high, low] : [low]) add(row, value(row));
      }
      end();
      return text;
    }
    ticks(from, to, low, high, isWhole) {
      const [values, times] = [".axis.values", ".axis.time"].map((part) => this.svg.querySelector(part));
      const width = WHOLE - LEFT - RIGHT, bottom = TOP + this.height;
      const x = (seconds) => LEFT + width * (seconds - from) / (to - from);
      if (isWhole) {
        values.replaceChildren(...this.kept[0]);
        times.replaceChildren(...this.kept[1]);
      } else {
        values.replaceChildren(...valueTicks(this.axis, low, high).flatMap(([value, text]) => {
          const y = TOP + this.height * (high - value) / (high - low);
          return [make("path", { d: `M${LEFT} ${y}h${width}` }), make("text", { x: LEFT - 6, y: y + 4 }, text)];
        }));
        times.replaceChildren(...timeTicks(from, to).flatMap(([seconds, text]) =>
          [make("path", { d: `M${x(seconds)} ${bottom}v4` }), make("text", { x: x(seconds), y: bottom + 17 }, text)]));
      }
      for (const sign of this.svg.querySelectorAll(".signs [data-t], .phases [data-t]")) {
        const at = +sign.dataset.t, isSign = sign.localName === "g";
        const isSeen = at >= from - (isWhole || isSign ? 0 : to - from) && at <= to;
        sign.setAttribute("visibility", isSeen ? "visible" : "hidden");
        if (isSign) sign.setAttribute("transform", `translate(${x(at)} ${TOP})`);
        else sign.setAttribute("x", Math.max(x(at), LEFT) + 3);
      }
    }
    point(seconds, text) {
      const part = (seconds - this.timeline.from) / (this.timeline.to - this.timeline.from);
      this.cursor.hidden = part < 0 || part > 1;
      this.cursor.style.left = `${100 * part}%`;
      this.layer.setAttribute("aria-valuenow", Math.round(seconds));
      this.layer.setAttribute("aria-valuetext", text);
    }
  }

  // The figures of a cell, which show the same time.
  class Timeline {
    constructor(section) {
      const id = section.dataset.timeline;
      const part = (name) => section.querySelector(`script[${name}="${id}"]`);
      this.head = JSON.parse(part("data-head").textContent);
      this.packed = part("data-series");
      const charts = [...section.querySelectorAll("figure.chart")];
      if (charts.length === 0) return;
      this.bar = html("div", "values-now");
      const keys = "Move over a figure, or focus it and use the arrow keys. Drag, or + and −, to zoom.";
      this.text = html("span", "keys", keys);
      this.whole = html("button", "", "whole soak");
      this.whole.type = "button";
      this.whole.hidden = true;
      this.whole.addEventListener("click", () => this.zoom(this.first, this.last));
      this.bar.append(this.text, this.whole);
      charts[0].before(this.bar);
      this.figures = charts.map((chart) => new Figure(chart, this));
      [this.first, this.last] = [this.figures[0].from, this.figures[0].to];
      [this.from, this.to, this.now] = [this.first, this.last, this.first];
      this.reserve();
      addEventListener("resize", () => this.reserve());
    }
    // As high as the longest values make it: no figure moves from under the mouse when they are first read.
    reserve() {
      const shown = [...this.text.childNodes], name = this.text.className, hidden = this.whole.hidden;
      const longest = [this.head.samples, this.head.traffic].flatMap(({ columns }) =>
        columns.filter(({ known }) => known).map(({ label, unit }) => [label, LONGEST[unit]]));
      this.bar.style.minHeight = "";
      this.whole.hidden = false;
      this.write([["after", time(this.last - 0.01)], ...longest]);
      this.bar.style.minHeight = `${this.bar.offsetHeight}px`;
      this.whole.hidden = hidden;
      this.text.className = name;
      this.text.replaceChildren(...shown);
    }
    write(parts) {
      this.text.className = "now";
      this.text.replaceChildren(...parts.map(([label, value]) => {
        const part = html("span", "", `${label} `);
        part.append(html("b", "", value));
        return part;
      }));
    }
    async data() {
      this.inflated ||= (async () => {
        const read = reader(await inflate(this.packed.textContent));
        return { samples: columnsOf(this.head.samples, read), traffic: columnsOf(this.head.traffic, read) };
      })();
      return this.inflated;
    }
    async read(seconds) {
      this.now = Math.min(this.to, Math.max(this.from, seconds));
      if (this.waits) return;
      this.waits = true;
      const data = await this.data();
      await new Promise(requestAnimationFrame);
      this.waits = false;
      const main = data.samples.at.length ? data.samples : data.traffic;
      if (main.at.length === 0) return;
      const moment = main.at[nearest(main.at, this.now)];
      const parts = [["after", time(moment)]];
      for (const table of [data.samples, data.traffic]) {
        const row = nearest(table.at, moment);
        for (const column of Object.values(table.columns)) {
          const value = column.values[row];
          if (value === value && column.known) parts.push([column.label, written[column.unit](value)]);
        }
      }
      this.write(parts);
      // What is longer than the longest that was thought of is given its room once.
      if (this.bar.offsetHeight > parseFloat(this.bar.style.minHeight)) {
        this.bar.style.minHeight = `${this.bar.offsetHeight}px`;
      }
      const text = parts.map((part) => part.join(" ")).join(", ");
      this.figures.forEach((figure) => figure.point(moment, text));
    }
    async zoom(from, to) {
      const least = Math.min(LEAST, this.last - this.first);
      const middle = (from + to) / 2, half = Math.max(to - from, least) / 2;
      this.from = Math.max(this.first, Math.min(middle - half, this.last - 2 * half));
      this.to = Math.min(this.last, this.from + 2 * half);
      const isWhole = this.to - this.from >= (this.last - this.first) * (1 - 1e-9);
      const began = performance.now();
      const data = await this.data();
      this.figures.forEach((figure) => figure.show(data, this.from, this.to, isWhole));
      this.whole.hidden = isWhole;
      this.bar.dataset.zoomed = (performance.now() - began).toFixed(1);
      await this.read(this.now);
    }
    // Keys are taken at once, so that the page does not scroll by them; the data may still be on its way.
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const span = this.to - this.from;
      const zoomed = (factor) => this.zoom(this.now - span * factor / 2, this.now + span * factor / 2);
      const step = (rows) => this.data().then(({ samples, traffic }) => {
        const at = samples.at.length ? samples.at : traffic.at;
        const row = Math.min(at.length - 1, Math.max(0, nearest(at, this.now) + rows));
        return this.goto(at[row]);
      });
      const keys = {
        ArrowRight: () => step(event.shiftKey ? 60 : 1), ArrowLeft: () => step(event.shiftKey ? -60 : -1),
        PageUp: () => this.goto(this.now + span / 10), PageDown: () => this.goto(this.now - span / 10),
        Home: () => this.goto(this.first), End: () => this.goto(this.last),
        "+": () => zoomed(0.5), "=": () => zoomed(0.5), "-": () => zoomed(2), "−": () => zoomed(2),
        0: () => this.zoom(this.first, this.last), Escape: () => this.zoom(this.first, this.last),
      };
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    }
    // A cursor that leaves what is shown takes the window with it.
    async goto(seconds) {
      const moment = Math.min(this.last, Math.max(this.first, seconds)), half = (this.to - this.from) / 2;
      this.now = moment;
      if (moment < this.from || moment > this.to) await this.zoom(moment - half, moment + half);
      else await this.read(moment);
    }
  }

  // A cell is set up when it is first seen.
  const seen = new WeakSet();
  const set = (cell) => {
    if (!cell.open || seen.has(cell)) return;
    seen.add(cell);
    cell.querySelectorAll("[data-timeline]").forEach((section) => { section.timeline = new Timeline(section); });
  };
  const setAll = () => document.querySelectorAll("details.cell").forEach((cell) => {
    cell.addEventListener("toggle", () => set(cell));
    set(cell);
  });
  setAll();
  document.addEventListener("drawn-anew", setAll);         // by the script of the live view
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.localName === "details") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();

  // A print shows what is folded.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((details) => { details.open = false; }); opened = []; });
})();
