// The workbench of rules: marks under the query, completion, carets and tests at each pause, then history as it is read.
const form = document.getElementById("workbench");
const query = document.getElementById("when");
const marks = document.getElementById("when-marks");
const offers = document.getElementById("offers");
const result = document.getElementById("check-result");
const history = document.getElementById("history-result");
const progress = document.getElementById("history-progress");
const signedOut = document.getElementById("signed-out");
const known = [...document.querySelectorAll(".known code")].map((code) => [code.dataset.name, code.closest("dl").dataset.kind]);
const CHECK_AFTER = 120, TRY_AFTER = 700;
const TOKENS = /(?<text>={0,2}"[^"\n]*"|\/(?:\\.|[^/\\\n])*\/(?=[\s),]|$))|(?<operator>\b(?:AND|OR|NOT|NEAR|BEFORE|AFTER|WITHOUT|EXCEPT|ATLEAST)\b(?:\/\w*)?|\b(?:title|lead|body):)|(?<name>@[\w-]*|\b[a-z][a-z0-9_-]*\()/g;

let faults = [];

// What may be used can be put in where the cursor stands, by a click.

function put(text, from, to) {
  query.setRangeText(text, from, to, "end");
  query.dispatchEvent(new Event("input", { bubbles: true }));
}

for (const code of document.querySelectorAll(".known code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = code.textContent;
  button.addEventListener("click", () => {
    const { selectionStart: from, selectionEnd: to } = query;
    const space = from > 0 && !/[\s(]$/.test(query.value.slice(0, from)) ? " " : "";
    query.focus();
    put(space + code.dataset.name + (/[(:]$/.test(code.dataset.name) ? "" : " "), from, to);
  });
  code.replaceWith(button);
}

function mark() {
  const text = query.value, bounds = new Set([0, text.length]), kinds = [];
  for (const found of text.matchAll(TOKENS)) {
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    kinds.push([found.index, found.index + found[0].length, kind]);
  }
  for (const [start, end] of faults) kinds.push([start, end, "fault"]);
  for (const [start, end] of kinds) { bounds.add(start); bounds.add(Math.min(end, text.length)); }
  const at = [...bounds].filter((place) => place <= text.length).sort((a, b) => a - b);
  marks.replaceChildren();
  for (let number = 0; number + 1 < at.length; number++) {
    const piece = text.slice(at[number], at[number + 1]);
    const names = kinds.filter(([start, end]) => start <= at[number] && at[number + 1] <= end).map((kind) => kind[2]);
    if (names.length === 0) { marks.append(piece); continue; }
    const element = document.createElement("i");
    element.className = names.join(" ");
    element.textContent = piece;
    marks.append(element);
  }
  // A last line that is empty has a height only with something in it; so has a fault at the end.
  const last = document.createElement("i");
  if (faults.some(([start]) => start >= text.length)) last.className = "fault";
  last.textContent = " ";
  marks.append(last);
  marks.scrollTop = query.scrollTop;
}

// Questions: a newer one ends the one before.

const asked = {};

async function ask(address, name) {
  asked[name]?.abort();
  asked[name] = new AbortController();
  const { signal } = asked[name];
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)), signal });
  signedOut.hidden = answer.status !== 403;
  if (!answer.ok) throw new Error(answer.status);
  return answer;
}

const quietly = (work) => async () => {
  try { await work(); } catch (error) { if (error.name !== "AbortError") progress.hidden = true; }
};

const check = quietly(async () => {
  const found = await (await ask("/rules/check", "check")).json();
  faults = found.marks;
  result.innerHTML = found.html;
  mark();
  openFailing(found.failing);
  if (!found.ok) asked.history?.abort();
  document.getElementById("history-old").hidden = found.ok || !history.firstElementChild;
});

// A test that begins to fail is opened; a blank one is none, as the server has it.
function openFailing(numbers) {
  const written = [...form.querySelectorAll(".test")].filter((test) =>
    [...test.querySelectorAll("[name$=-title], [name$=-text]")].some((field) => field.value.trim()));
  written.forEach((test, number) => {
    const fails = numbers.includes(number);
    if (fails && !test.classList.contains("failing")) test.open = true;
    test.classList.toggle("failing", fails);
  });
}

const tryOut = quietly(async () => {
  const reader = (await ask("/rules/history", "history")).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.map((line) => JSON.parse(line)).forEach(show);
  }
});

function show(step) {
  progress.hidden = step.done;
  if (step.total) {
    progress.firstElementChild.max = step.total;
    progress.firstElementChild.value = step.read;
    progress.lastElementChild.textContent = `${step.read} / ${step.total}`;
  }
  if (step.html === undefined) return;
  const open = [...history.querySelectorAll("details")].map((one) => [one.className, one.open]);
  history.innerHTML = step.html;
  for (const [name, isOpen] of open) {
    const same = name && history.querySelector(`details.${name}`);
    if (same) same.open = isOpen;
  }
}

const timers = {};
function later(name, work, wait) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(work, wait);
}

form.addEventListener("input", () => {
  faults = [];
  mark();
  asked.history?.abort();
  keep();
  later("check", check, CHECK_AFTER);
  later("try", tryOut, TRY_AFTER);
});
query.addEventListener("scroll", () => { marks.scrollTop = query.scrollTop; });

// Completion: what is typed before the cursor is offered in full.

const typed = () => /(?:@[\w-]*|[\w/]{2,})$/.exec(query.value.slice(0, query.selectionStart))?.[0] ?? "";

function offer() {
  const begun = typed(), upper = begun.toUpperCase();
  const fitting = begun === "" ? [] : known.filter(([name]) => name !== begun
    && (name.startsWith(begun) || (begun.length > 2 && begun[0] !== "@" && name.startsWith(upper)))).slice(0, 8);
  offers.replaceChildren(...fitting.map(([name, kind], number) => {
    const item = document.createElement("li");
    item.id = `offer-${number}`;
    item.role = "option";
    item.dataset.name = name;
    const said = document.createElement("small");
    said.textContent = kind;
    item.append(`${name} `, said);
    item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(item); });
    return item;
  }));
  offers.hidden = fitting.length === 0;
  choose(-1);
}

let chosen = -1;
function choose(number) {
  chosen = number;
  [...offers.children].forEach((item, at) => item.setAttribute("aria-selected", at === number));
  if (number < 0) query.removeAttribute("aria-activedescendant");
  else query.setAttribute("aria-activedescendant", `offer-${number}`);
}

function take(item) {
  const end = query.selectionStart;
  put(item.dataset.name, end - typed().length, end);
  offers.hidden = true;
}

query.addEventListener("input", offer);
query.addEventListener("blur", () => { offers.hidden = true; });
query.addEventListener("keydown", (event) => {
  if (event.key === "F8" && faults.length) {
    query.setSelectionRange(...faults[0]);
    event.preventDefault();
  }
  if (offers.hidden) return;
  const count = offers.children.length;
  if (event.key === "ArrowDown") choose((chosen + 1) % count);
  else if (event.key === "ArrowUp" && chosen >= 0) choose((chosen + count - 1) % count);
  else if (event.key === "Enter" && chosen >= 0) take(offers.children[chosen]);
  else if (event.key === "Escape") offers.hidden = true;
  else return;
  event.preventDefault();
});

// After saving: until the rule is in force.

async function look() {
  const state = document.getElementById("state");
  if (state?.dataset.state !== "waiting") return;
  const answer = await fetch(state.dataset.address);
  if (answer.ok) state.outerHTML = await answer.text();
  later("state", look, 500);
}

// A draft is kept in this tab until it is saved, and nobody leaves it by mistake.

const current = () => {
  const fields = new FormData(form);
  ["digest", "file"].forEach((name) => fields.delete(name));
  return new URLSearchParams(fields).toString();
};
const whole = () => new URLSearchParams(new FormData(form)).toString();
const place = (name) => `draft ${name}`;
const here = place(form.elements.was.value), saved = current();
const isUnsaved = () => form.dataset.unsaved !== undefined || current() !== saved;
const kept = document.getElementById("kept");
let leaving = false;

function keep() {
  if (isUnsaved()) sessionStorage.setItem(here, JSON.stringify([current(), whole()]));
  else sessionStorage.removeItem(here);
}

// What was saved is no draft any more; the address says so once, as a reload would throw away what was typed since.
function written(name) {
  const draft = new URLSearchParams(JSON.parse(sessionStorage.getItem(name) ?? "[null, null]")[1] ?? "");
  return (draft.get("as") === "text" ? /^\s*id\s*=\s*["']([^"']*)/m.exec(draft.get("text"))?.[1] : draft.get("id"))?.trim();
}

if (new URLSearchParams(location.search).get("said") === "rule_saved") {
  sessionStorage.removeItem(here);
  if (written(place("")) === form.elements.was.value) sessionStorage.removeItem(place(""));
  window.history.replaceState(null, "", location.pathname);
}
if (form.dataset.unsaved !== undefined) keep();
const [compared, draft] = JSON.parse(sessionStorage.getItem(here) ?? "[null, null]");
if (compared !== null && compared !== saved) {
  kept.hidden = false;
  kept.addEventListener("submit", () => {
    for (const [name, value] of new URLSearchParams(draft)) {
      const field = document.createElement("textarea");
      [field.name, field.value, field.hidden] = [name, value, true];
      kept.append(field);
    }
    leaving = true;
  });
  kept.querySelector("[type=button]").addEventListener("click", () => { sessionStorage.removeItem(here); kept.hidden = true; });
}
for (const [element, event] of [[form, "submit"], [signedOut, "click"]]) element.addEventListener(event, () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });
addEventListener("beforeunload", (event) => { if (!leaving && isUnsaved()) event.preventDefault(); });

mark();
if (form.dataset.blank === undefined) check();
if (!history.firstElementChild && query.value.trim() && form.dataset.blank === undefined) tryOut();
look();
