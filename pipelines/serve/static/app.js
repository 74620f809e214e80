// The page's own script: keys, the movable threshold, labelling, copying. It builds no markup from text: what comes from a run is
// set as textContent, and nothing is evaluated. Without it every page still works, but for labelling.
"use strict";

const run = document.body.dataset.run;
const say = (text) => { document.getElementById("said").textContent = text; };
const count = (value) => Math.round(value).toLocaleString("en-US");
const fields = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

// A page that is not ready yet is loaded again when it is.
if (document.querySelector("[data-waiting]")) {
  fetch(location.href, { headers: { "Curate-Waits": "1" } }).then((answer) => { if (answer.ok) location.reload(); else say("The server does not answer."); });
}

// On a narrow screen the names of the pages scroll: the current one is in sight.
document.querySelector(".bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Forms that show at once what was chosen.
for (const select of document.querySelectorAll("[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Copying: an address, or the text of another element.
for (const button of document.querySelectorAll("[data-copy], [data-copy-from]")) {
  button.addEventListener("click", async () => {
    const from = button.dataset.copyFrom;
    await navigator.clipboard.writeText(from ? document.getElementById(from).textContent : button.dataset.copy);
    say("Copied");
    button.textContent = "copied";
  });
}

// Rows and pages by keyboard.
const rows = [...document.querySelectorAll(".row")].filter((row) => row.querySelector("a"));
let current = -1;
function choose(next) {
  if (!rows.length) return;
  current = Math.max(0, Math.min(rows.length - 1, next));
  rows[current].querySelector("a").focus();
  rows[current].scrollIntoView({ block: "nearest" });
}
const help = document.getElementById("help");
document.querySelector("[data-help]").addEventListener("click", () => help.showModal());
const PLACES = { o: "overview", s: "signals", l: "lab", d: "documents", c: "duplicates", y: "synthetic", m: "label" };
let going = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || fields(event.target) || help.open) return;
  if (going && PLACES[event.key]) {
    location.assign(`/${PLACES[event.key]}?run=${encodeURIComponent(run)}`);
    return;
  }
  going = event.key === "g" && !labelling;
  if (event.key === "j") choose(current + 1);
  else if (event.key === "k") choose(current - 1);
  else if (event.key === "?") help.showModal();
  else if (event.key === "/") {
    event.preventDefault();
    const search = document.getElementById("search");
    if (search) search.focus(); else location.assign(`/documents?run=${encodeURIComponent(run)}`);
  } else if (event.key === "n" || event.key === "p") {
    const link = document.querySelector(event.key === "n" ? "a[rel=next]" : "a[rel=prev]");
    if (link) link.click();
  } else if (labelling) labelling(event);
});

// The movable threshold.
const mover = document.getElementById("mover");
if (mover) {
  const edges = mover.dataset.edges.split(" ").map(Number);
  const at = document.getElementById("at");
  const slide = document.getElementById("slide");
  const chart = document.querySelector("#chart svg");
  const body = document.querySelector("#effect tbody");
  const left = 38, right = 322; // as the histogram is drawn
  const line = chart ? chart.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "line")) : null;
  if (line) {
    for (const [name, value] of [["class", "moved"], ["y1", "14"], ["y2", "148"]]) line.setAttribute(name, value);
    chart.classList.add("movable");
  }
  const valueAt = (share) => {
    const place = share * (edges.length - 1), bin = Math.min(edges.length - 2, Math.floor(place));
    return edges[bin] + (edges[bin + 1] - edges[bin]) * (place - bin);
  };
  const shareAt = (value) => {
    if (value <= edges[0]) return 0;
    if (value >= edges[edges.length - 1]) return 1;
    const bin = edges.findIndex((edge, place) => value >= edge && value < edges[place + 1]);
    return (bin + (value - edges[bin]) / (edges[bin + 1] - edges[bin])) / (edges.length - 1);
  };
  const draw = () => {
    const share = shareAt(Number(at.value));
    slide.value = Math.round(1000 * share);
    if (line) for (const end of ["x1", "x2"]) line.setAttribute(end, (left + (right - left) * share).toFixed(1));
  };
  let asked = 0, resting = 0, latest = "";
  const ask = async (near) => {
    const mine = ++asked;
    latest = at.value;
    const began = performance.now();
    const answer = await fetch(`/api/threshold?run=${encodeURIComponent(run)}&signal=${encodeURIComponent(mover.dataset.signal)}&at=${encodeURIComponent(at.value)}${near ? "&near=1" : ""}`);
    const told = await answer.json();
    if (mine !== asked) return;
    if (told.error) { say(told.error); return; }
    show(told.effect);
    document.getElementById("took").textContent = `${Math.round(performance.now() - began)} ms`;
    mover.dataset.shown = latest;
    if (near) { list("below", told.below); list("above", told.above); }
  };
  const show = (effect) => {
    const splits = [effect.otherwise_kept, ...effect.sources.slice(0, 30)];
    [...body.rows].forEach((row, place) => {
      const split = splits[place];
      const told = [split.of.documents, split.now.documents, split.then.documents, split.now.tokens, split.then.tokens];
      told.forEach((value, cell) => { row.cells[cell + 1].textContent = count(value); });
    });
  };
  const list = (where, samples) => {
    const place = document.getElementById(where);
    place.replaceChildren(...samples.map((sample) => {
      const item = document.createElement("li"), link = document.createElement("a");
      const top = document.createElement("span"), value = document.createElement("span"), fate = document.createElement("span");
      const id = document.createElement("span"), excerpt = document.createElement("span");
      item.className = "row"; top.className = "top"; value.className = "value"; id.className = "id"; excerpt.className = "excerpt";
      fate.className = ["kept", "dropped", "duplicate", "unreadable"].includes(sample.fate) ? `fate ${sample.fate}` : "fate open";
      value.textContent = sample.value; fate.textContent = sample.fate; id.textContent = sample.id.slice(0, 60);
      excerpt.textContent = sample.excerpt; excerpt.dir = "auto";
      link.href = `/document?run=${encodeURIComponent(run)}&id=${encodeURIComponent(sample.id)}`;
      top.append(value, fate, id); link.append(top, excerpt); item.append(link);
      return item;
    }));
  };
  const moved = () => {
    draw();
    ask(false);
    clearTimeout(resting);
    resting = setTimeout(() => ask(true), 250);
  };
  at.addEventListener("input", () => { if (at.value !== "") moved(); });
  slide.addEventListener("input", () => { at.value = Number(valueAt(slide.value / 1000).toPrecision(4)); moved(); });
  document.querySelector("[data-reset]").addEventListener("click", (event) => { at.value = event.target.dataset.reset; moved(); });
  if (chart) {
    const drag = (event) => {
      const box = chart.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * 340 - left) / (right - left);
      at.value = Number(valueAt(Math.max(0, Math.min(1, share))).toPrecision(4));
      moved();
    };
    chart.addEventListener("pointerdown", (event) => { chart.setPointerCapture(event.pointerId); drag(event); });
    chart.addEventListener("pointermove", (event) => { if (event.buttons & 1) drag(event); });
  }
  draw();
}

// Labelling.
const label = document.getElementById("labelling");
const labelling = label && ((event) => {
  if (/^[0-5]$/.test(event.key)) give(Number(event.key));
  else if (event.key === "g") give(5);
  else if (event.key === "b") give(0);
  else if (event.key === "s") next(label.dataset.key);
  else if (event.key === "u") undo();
});
const next = (after) => location.assign(`/label?run=${encodeURIComponent(run)}${after ? `&after=${after}` : ""}`);
async function send(body) {
  const answer = await fetch(`/api/label?run=${encodeURIComponent(run)}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const told = await answer.json();
  if (told.error) say(told.error);
  return told;
}
let busy = false;
async function give(score) {
  if (busy || !label.dataset.key) return;
  busy = true;
  const told = await send({ key: label.dataset.key, score });
  if (told.agreement) next(label.dataset.after); else busy = false;
}
async function undo() {
  await send({ undo: true });
  next(label.dataset.after);
}
if (label) {
  for (const button of label.querySelectorAll("[data-score]")) button.addEventListener("click", () => give(Number(button.dataset.score)));
  label.querySelector("[data-skip]").addEventListener("click", () => next(label.dataset.key));
  label.querySelector("[data-undo]").addEventListener("click", undo);
}
