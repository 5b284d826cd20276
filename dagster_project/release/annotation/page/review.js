"use strict";

const at = (id) => document.getElementById(id);
const kind = document.body.dataset.kind;
const several = document.body.dataset.several !== "";
const answers = JSON.parse(document.body.dataset.buttons);
const arrows = { ArrowLeft: "←", ArrowRight: "→" };

let task = null;
let busy = true;
let seen = 0;
let since = performance.now();

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

function texts(into, named) {
  into.replaceChildren();
  for (const { name, text } of named) {
    const box = document.createElement("div");
    box.append(element("h2", name), element("pre", text, { className: "shown", dir: "auto" }));
    into.append(box);
  }
}

function show(state) {
  at("problem").hidden = !state.problem;
  at("problem").textContent = state.problem || "";
  if (state.total === undefined) return;
  const another = task === null || state.task === null || state.task.task_id !== task.task_id;
  task = state.task;
  at("bar").max = state.total || 1;
  at("bar").value = state.done;
  at("progress").textContent = `${state.done} of ${state.total}`;
  at("undo").disabled = !state.can_undo;
  at("skip").disabled = task === null;
  at("task").hidden = at("answer").hidden = task === null;
  at("finished").hidden = task !== null;
  if (task === null || !another) return;
  at("row").textContent = task.row;
  texts(at("fields"), task.fields);
  texts(at("sides"), task.sides.map((text, n) => ({ name: n ? "Right" : "Left", text })));
  at("note").value = at("text").value = "";
  for (const button of pressed()) button.setAttribute("aria-pressed", "false");
  document.activeElement.blur();
  window.scrollTo(0, 0);
  seen = 0;
  since = performance.now();
}

async function send(act, body) {
  if (busy) return;
  busy = true;
  try {
    const options = act === "state" ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ task_id: task ? task.task_id : "", ...body }),
    };
    const response = await fetch(act, options);
    const type = response.headers.get("Content-Type") || "";
    show(type.startsWith("application/json")
      ? await response.json() : { problem: `Not saved: ${response.status} ${await response.text()}` });
  } catch (error) {
    show({ problem: "Not saved: seedbed does not answer. Start it again, and open its new address." });
  } finally {
    busy = false;
  }
}

function pressed() {
  return [...document.querySelectorAll("#buttons [aria-pressed=true]")];
}

function choose(value) {
  if (!several) return answer(value);
  const button = [...document.querySelectorAll("#buttons [aria-pressed]")]
    .find((each) => each.dataset.answer === value);
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
}

function save() {
  answer(pressed().map((each) => each.dataset.answer));
}

function answer(value) {
  if (task === null) return;
  const hidden = document.visibilityState === "hidden";
  const seconds = (seen + (hidden ? 0 : performance.now() - since)) / 1000;
  send("label", { answer: value, seconds, note: at("note").value.trim() });
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") seen += performance.now() - since;
  since = performance.now();
});

document.addEventListener("keydown", (event) => {
  if (event.target === at("text")) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) answer(at("text").value);
    return;
  }
  if (event.target === at("note")) {
    if (event.key === "Escape" || event.key === "Enter") at("note").blur();
    return;
  }
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const chosen = answers.find((each) => each.key === event.key);
  if (chosen) choose(chosen.value);
  else if (several && event.key === "Enter") save();
  else if (event.key === "s") send("skip");
  else if (event.key === "u") send("undo");
  else if (event.key === "n") at("note").focus();
  else return;
  event.preventDefault();
});

for (const each of answers) {
  const button = element("button", `${each.text} `, { type: "button" });
  button.dataset.answer = each.value;
  if (each.key) button.append(element("kbd", arrows[each.key] || each.key));
  if (several) button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => choose(each.value));
  at("buttons").append(button);
}
if (several) {
  const button = element("button", "Save ", { type: "button" });
  button.append(element("kbd", "Enter"));
  button.addEventListener("click", save);
  at("buttons").append(button);
}
if (kind === "text") {
  const button = element("button", "Save ", { type: "button" });
  button.append(element("kbd", "Ctrl+Enter"));
  button.addEventListener("click", () => answer(at("text").value));
  at("buttons").append(button);
  at("text").hidden = false;
}
at("skip").addEventListener("click", () => send("skip"));
at("undo").addEventListener("click", () => send("undo"));
busy = false;
send("state");
