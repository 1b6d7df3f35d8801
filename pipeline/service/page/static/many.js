// Many files: sent a few at a time, answered into one table; what came stays when the rest is cancelled or lost.
import { batches } from "./files.js";
import { send } from "./send.js";
import { useTable } from "./table.js";
import { word } from "./words.js";

const AT_ONCE = 8;

// start: runs work(options) as the form does, for the rest that was cancelled or lost. look: shows one file by itself.
export async function answerMany({ files, choices, form, result, progress, told, options, start, look }) {
  const parts = batches(files, form, AT_ONCE);
  const fields = choices.filter(([name]) => name !== "note");
  let done = 0;
  let table = null;

  const ask = async (part, { signal, busy }) => {
    const sent = [...part.map((file) => ["scans", file]), ...fields, ["first", String(done)], ["frame", String(!table)]];
    const text = await (await send("/page/rows", sent, { signal, busy })).text();
    if (table) table.append(text);
    else {
      result.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
      for (const element of result.querySelectorAll(".scripted")) element.hidden = false;
      table = useTable(result, { files, look });
    }
    done += part.length;
  };
  const go = async (of) => {
    table?.left(0);
    try {
      progress.max = files.length;
      while (parts.length) {
        progress.value = done;
        told.textContent = word("sending", { done, all: files.length });
        try {
          await ask(parts[0], of);
          parts.shift();
        } catch (error) {
          // Too many for the time that an answer has: fewer at once.
          if (error.kind !== "deadline" || parts[0].length < 2) throw error;
          const half = Math.ceil(parts[0].length / 2);
          parts.splice(0, 1, parts[0].slice(0, half), parts[0].slice(half));
        }
      }
    } finally {
      if (parts.length) table?.left(files.length - done, () => start(go));
    }
  };
  await go(options);
}
