// The table of many: sorted, filtered, told as CSV, printed.
import { word } from "./words.js";

const NUMBERS = new Set(["share", "distance"]);
const COLUMNS = ["name", "state", "class", "share", "distance", "kind", "bundle", "message"];

export function useTable(result, { files, look }) {
  const body = result.querySelector("#rows tbody");
  const filter = result.querySelector("#filter");
  const counts = result.querySelector("#counts");
  const title = result.querySelector("h2");
  const rows = () => [...body.rows];

  const apply = () => {
    const [key, value] = filter.value.split(/:(.*)/s);
    let shown = 0;
    for (const row of rows()) {
      row.hidden = Boolean(filter.value) && row.dataset[key] !== value;
      shown += !row.hidden;
    }
    counts.textContent = word("shown", { shown, all: body.rows.length });
  };
  const taken = () => {
    const known = new Set([...filter.options].map((option) => option.value));
    for (const row of rows()) {
      const value = `class:${row.dataset.class}`;
      if (row.dataset.class && !known.has(value)) {
        known.add(value);
        filter.add(new Option(row.dataset.class, value));
      }
      if (!row.dataset.used) offerLook(row);
    }
    title.textContent = word("files", { count: files.length });
    apply();
  };
  const offerLook = (row) => {
    row.dataset.used = "1";
    const file = files[Number(row.dataset.index)];
    if (!file || !row.querySelector("img")) return;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "look", textContent: row.dataset.name });
    button.setAttribute("aria-label", word("look", { name: row.dataset.name }));
    button.addEventListener("click", () => look(file));
    row.querySelector("th.name").replaceChildren(button);
  };

  for (const head of result.querySelectorAll("#rows th[data-key]")) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
    button.setAttribute("aria-label", word("sort", { column: head.textContent.trim() }));
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(head));
  }
  const sort = (head) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const each of result.querySelectorAll("#rows th[aria-sort]")) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...rows().sort((one, other) => (falling ? -1 : 1) * compared(one, other, head.dataset.key)));
  };

  filter.addEventListener("change", apply);
  result.querySelector("#csv").addEventListener("click", () => save(rows().filter((row) => !row.hidden)));
  result.querySelector("#print").addEventListener("click", () => window.print());
  taken();
  return {
    append(text) {
      const parsed = new DOMParser().parseFromString(`<table><tbody>${text}</tbody></table>`, "text/html");
      body.append(...parsed.querySelectorAll("tr"));
      taken();
    },
    // What has not been sent, and a button that goes on.
    left(count, resume) {
      const line = result.querySelector("#left");
      line.replaceChildren();
      if (!count) return;
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: word("resume") });
      button.addEventListener("click", resume);
      line.append(`${count} ${word("not_sent")} `, button);
    },
  };
}

// Rows without a number stand last, whichever way it is sorted up.
function compared(one, other, key) {
  const [first, second] = [one.dataset[key] ?? "", other.dataset[key] ?? ""];
  if (NUMBERS.has(key)) return (first === "" ? Infinity : Number(first)) - (second === "" ? Infinity : Number(second)) || 0;
  return first.localeCompare(second, undefined, { numeric: true });
}

function save(rows) {
  const lines = [COLUMNS, ...rows.map((row) => COLUMNS.map((key) => row.dataset[key] ?? ""))];
  const text = lines.map((cells) => cells.map((cell, place) => quoted(cell, NUMBERS.has(COLUMNS[place]))).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "answers.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// A spreadsheet would compute what begins like a formula.
function quoted(cell, isNumber) {
  const safe = !isNumber && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
