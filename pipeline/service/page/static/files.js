// Files that were dropped or chosen: a folder walked through, what is too large or empty told beside its name and not sent.
import { word } from "./words.js";

const MEGABYTE = 1 << 20;

// The files of a drop, those in folders too, in the order of their names.
export async function filesOfDrop(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // All at once: a drop forgets its items when this function first waits.
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry === null) return;
  if (entry instanceof File) found.push(entry);
  else if (entry.isFile) found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
  else {
    const reader = entry.createReader();
    const within = [];
    // A folder is told in pieces of at most a hundred entries.
    const piece = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    for (let some; (some = await piece()).length; ) within.push(...some);
    for (const each of within.sort((one, other) => one.name.localeCompare(other.name))) await walk(each, found);
  }
}

// What is sent, and a sentence for each file that is not.
export function sorted(files, form) {
  // A request holds little beside its file.
  const most = Math.min(Number(form.dataset.fileMb), 0.95 * Number(form.dataset.requestMb));
  const fitting = [];
  const told = [];
  let hidden = 0;
  for (const file of files) {
    if (file.name.startsWith(".")) hidden += 1;
    else if (file.size === 0) told.push(word("empty", { name: file.name }));
    else if (file.size > most * MEGABYTE) {
      told.push(word("large", { name: file.name, size: Math.ceil(file.size / MEGABYTE), most: `${most} MiB` }));
    } else fitting.push(file);
  }
  if (hidden) told.push(word("skipped", { count: hidden }));
  return { fitting, told };
}

// Parts that one request holds: few files, and bytes well within its limit.
export function batches(files, form, most) {
  const room = 0.9 * Number(form.dataset.requestMb) * MEGABYTE;
  const count = Math.min(most, Number(form.dataset.files));
  const found = [];
  let bytes = 0;
  for (const file of files) {
    const last = found.at(-1);
    if (last && last.length < count && bytes + file.size <= room) last.push(file);
    else {
      found.push([file]);
      bytes = 0;
    }
    bytes += file.size;
  }
  return found;
}
