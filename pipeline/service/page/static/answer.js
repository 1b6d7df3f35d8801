// An answer on the screen: its pictures get controls, the lungs are asked for, buttons do what they say.
import { send } from "./send.js";
import { Viewer } from "./viewer.js";
import { word } from "./words.js";

let viewers = [];

// of: {files, choices, again(givenAs), add(door), slice(number)}.
export function enhance(result, of) {
  for (const element of result.querySelectorAll(".scripted")) element.hidden = false;
  for (const button of result.querySelectorAll(".give-as")) {
    button.addEventListener("click", () => of.again(button.dataset.givenAs));
  }
  for (const button of result.querySelectorAll(".add-half")) button.addEventListener("click", () => of.add(button.dataset.door));
  for (const input of result.querySelectorAll("input.slice")) {
    input.addEventListener("change", () => input.reportValidity() && of.slice(input.value));
  }
  for (const viewer of viewers) viewer.stop();
  viewers = [];
  const article = result.querySelector("article.answer");
  if (!article) return;
  for (const section of article.querySelectorAll(".scan")) {
    if (section.querySelector("img.base")) watch(section, article, of);
  }
}

function watch(section, article, { files, choices }) {
  const file = files[Number(section.dataset.index)];
  const viewer = new Viewer(section.querySelector(".viewer"), section.dataset.window);
  viewers.push(viewer);
  const layer = (name, ask) => async (signal) => {
    const source = await ask(signal);
    if (source) await viewer.add(name, source);
  };
  if (file && section.dataset.canDraw && !viewer.has("lungs")) {
    viewer.offer("lungs", true, layer("lungs", (signal) => lungs(file, signal)));
  }
  if (file && section.dataset.explained && article.dataset.methods && !viewer.has("heat")) {
    const { door } = section.dataset;
    const slice = section.querySelector("input.slice")?.value;
    const { note } = Object.fromEntries(choices);
    const asked = { ...article.dataset, note, slice };
    viewer.offer("heat", false, layer("heat", (signal) => heat(file, door, asked, signal)));
  }
}

// The overlay of /segment as a picture's address; "" where this scan has none.
async function lungs(file, signal) {
  const fields = [["file", file], ["caption", "false"]];
  const response = await send("/segment", fields, { accept: "image/png", signal });
  return URL.createObjectURL(await response.blob());
}

// The heat map of /predict for the class that was named.
async function heat(file, door, { bundle, methods, note, slice }, signal) {
  const fields = [[door, file], ["bundle", bundle], ["heat_map", methods.split(" ")[0]], ["caption", "false"]];
  const more = Object.entries({ note, slice }).filter(([, value]) => value);
  const response = await send("/predict", [...fields, ...more], { accept: "application/json", signal });
  const { heat_maps: maps } = await response.json();
  const found = maps.find((each) => each.modality === door);
  return found ? `data:image/png;base64,${found.png_base64}` : "";
}
