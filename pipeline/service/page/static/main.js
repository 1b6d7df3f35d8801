// The form: files chosen or dropped are answered at once; one run at a time, which can be cancelled.
import { filesOfDrop, sorted } from "./files.js";
import { answerMany } from "./many.js";
import { Refusal, send } from "./send.js";
import { enhance } from "./answer.js";
import { useTable } from "./table.js";
import { word } from "./words.js";

const form = document.getElementById("form");
const result = document.getElementById("result");
const problem = document.getElementById("problem");
const progress = document.getElementById("progress");
const told = document.getElementById("progress-told");
const cancel = document.getElementById("cancel");
const chosen = document.getElementById("chosen");
let files = [];
let running = null;

for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
for (const input of [...document.querySelectorAll('#drop input[type="file"]')]) input.classList.add("told-below");
for (const element of document.querySelectorAll(".plain")) element.hidden = true;

function tell(sentences) {
  problem.replaceChildren(...sentences.map((sentence) => Object.assign(document.createElement("p"), { textContent: sentence })));
  problem.hidden = !sentences.length;
}

function showChosen() {
  const few = files.length <= 4 ? files : [];
  chosen.replaceChildren(...few.map(item));
  const count = word("files", { count: files.length });
  if (files.length > few.length) chosen.append(Object.assign(document.createElement("li"), { textContent: count }));
}

function item(file) {
  const line = document.createElement("li");
  const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
  remove.setAttribute("aria-label", word("remove", { name: file.name }));
  remove.addEventListener("click", () => {
    files = files.filter((each) => each !== file);
    showChosen();
    document.getElementById("scans").focus();
  });
  line.append(file.name, " ", remove);
  return line;
}

// Take these files in the place of those before, and answer.
function take(given) {
  const { fitting, told: sentences } = sorted(given, form);
  tell(sentences);
  files = fitting;
  showChosen();
  if (files.length) run();
}

// One run of work(options), which can be cancelled: what is on the screen stays until something new is there.
async function start(work) {
  running?.abort();
  const control = new AbortController();
  running = control;
  const busy = (seconds) => (told.textContent = word("busy", { seconds }));
  const options = { signal: control.signal, busy };
  form.setAttribute("aria-busy", "true");
  cancel.hidden = progress.hidden = false;
  progress.removeAttribute("value");
  told.textContent = word("reading");
  try {
    await work(options);
    told.textContent = "";
  } catch (error) {
    if (running !== control) return;
    cancel.hidden = progress.hidden = true;
    if (error.name === "AbortError") told.textContent = word("cancelled");
    else {
      told.textContent = "";
      tell([error instanceof Refusal ? error.message : `${word("failed")} ${error.message}`]);
      if (!(error instanceof Refusal)) throw error;
    }
  } finally {
    if (running === control) {
      running = null;
      cancel.hidden = progress.hidden = true;
      form.removeAttribute("aria-busy");
    }
  }
}

function run() {
  const of = [...files];
  const choices = ["given_as", "bundle", "note", "slice"].map((name) => [name, form.elements[name]?.value ?? ""]);
  if (of.length > 2) start((options) => answerMany({ files: of, choices, form, result, progress, told, options, start, look }));
  else start((options) => answerFew(of, choices, options, result));
}

// An answer in the place of the one before.
async function answerFew(of, choices, options, place) {
  const response = await send("/page/answer", [...of.map((file) => ["scans", file]), ...choices], options);
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  place.replaceChildren(...parsed.body.childNodes);
  enhance(place, { files: of, choices, again, add, slice });
  if (place.querySelector("#rows")) useTable(place, { files: of, look });
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start", behavior: "auto" });
}

// The same files, given as something else.
function again(givenAs) {
  form.elements.given_as.value = givenAs;
  form.elements.bundle.value = "";
  run();
}

// The same files, another slice of the volume among them.
function slice(number) {
  form.elements.slice.value = number;
  run();
}

// Another half of the pair, chosen by hand.
function add() {
  const picker = Object.assign(document.createElement("input"), { type: "file" });
  picker.addEventListener("change", () => {
    form.elements.given_as.value = "auto";
    take([...files, ...picker.files]);
  });
  picker.click();
}

// One file of a table by itself, above the table, which stays.
function look(file) {
  files = [file];
  showChosen();
  const choices = ["given_as", "bundle", "slice"].map((name) => [name, form.elements[name].value]);
  start((options) => answerFew([file], choices, options, document.getElementById("looked")));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const example = event.submitter?.dataset.files ? event.submitter : null;
  if (example) tryExample(example);
  else if (files.length || form.elements.note?.value.trim()) run();
  else tell([word("nothing")]);
});

async function tryExample(button) {
  const { files: names, givenAs } = button.dataset;
  form.elements.given_as.value = givenAs;
  form.elements.bundle.value = "";
  form.elements.slice.value = "";
  if (form.elements.note) form.elements.note.value = "";
  try {
    take(await Promise.all(names.split(" ").map(exampleFile)));
  } catch {
    tell([word("lost")]);
  }
}

async function exampleFile(name) {
  const response = await fetch(`${form.dataset.examples}/${name}`);
  if (!response.ok) throw new Refusal(word("failed"));
  return new File([await response.blob()], name, { type: "image/png" });
}

for (const id of ["scans", "folder"]) {
  const input = document.getElementById(id);
  input.addEventListener("change", () => {
    const inOrder = (one, other) => one.webkitRelativePath.localeCompare(other.webkitRelativePath, undefined, { numeric: true });
    if (input.files.length) take([...input.files].sort(inOrder));
    // The same file may be chosen again.
    input.value = "";
  });
}
cancel.addEventListener("click", () => running?.abort());
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.getElementById("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.getElementById("drop").classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.getElementById("drop").classList.remove("over");
  take(await filesOfDrop(event.dataTransfer));
});
// An answer that came with the page, before there was a script.
if (result.firstElementChild) enhance(result, { files: [], choices: [], again, add, slice });
