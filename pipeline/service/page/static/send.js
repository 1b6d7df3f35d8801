// A form sent to the service, and what comes back; nothing is sent anywhere else.
import { word } from "./words.js";

const TRIES = 6;

// A refusal of the service, or that it does not answer; `message` is for people.
export class Refusal extends Error {
  // kind: the last word of the problem's type; "" where there is no such document.
  constructor(message, kind = "") {
    super(message);
    this.kind = kind;
  }
}

// POST fields to a place. fields: [name, value] pairs. Gives the Response. Throws Refusal, and AbortError where it was cancelled.
// busy: called with the seconds until it is asked again, where all places are taken (503).
export async function send(place, fields, { signal, accept = "text/html", busy = () => {} } = {}) {
  for (let tried = 1; ; tried += 1) {
    const response = await post(place, fields, signal, accept);
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    const after = Number(response.headers.get("Retry-After") || 1);
    const kind = String(problem.type ?? "").split(":").at(-1);
    if (["busy", "memory"].includes(kind) && tried < TRIES) {
      busy(after);
      await pause(1000 * after, signal);
      continue;
    }
    throw new Refusal([problem.detail, problem.remedy].filter(Boolean).join(" ") || word("failed"), kind);
  }
}

async function post(place, fields, signal, accept) {
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  const key = document.getElementById("key")?.value;
  const headers = { Accept: accept, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  try {
    return await fetch(place, { method: "POST", body, headers, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(word("lost"));
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}
