// An answer on the screen: its pictures get controls, the lungs are asked for, buttons do what they say.
import { send } from "./send.js";
import { Viewer } from "./viewer.js";
import { word } from "./words.js";

// of: {files, choices, again(givenAs), add(door), slice(number)}.
export function enhance(result, of) {
  for (const element of result.querySelectorAll(".scripted")) element.hidden = false;
  for (const button of result.querySelectorAll(".give-as")) button.addEventListener("click", () => of.again(button.dataset.givenAs));
  for (const button of result.querySelectorAll(".add-half")) button.addEventListener("click", () => of.add(button.dataset.door));
  for (const input of result.querySelectorAll("input.slice")) input.addEventListener("change", () => input.reportValidity() && of.slice(input.value));
  const article = result.querySelector("article.answer");
  if (!article) return;
  for (const section of article.querySelectorAll(".scan")) {
    if (section.querySelector("img.base")) watch(section, article, of);
  }
}

function watch(section, article, { files, choices }) {
  const file = files[Number(section.dataset.index)];
  const viewer = new Viewer(section.querySelector(".viewer"), section.dataset.window === "1");
  const asked = {};
  const layer = (name, ask) => {
    asked[name] ??= ask().then((source) => source && viewer.add(name, source));
    return asked[name];
  };
  if (file && section.dataset.canDraw && !viewer.has("lungs")) {
    viewer.offer("lungs", true, () => layer("lungs", () => lungs(file)));
  }
  if (file && section.dataset.explained && article.dataset.methods && !viewer.has("heat")) {
    const { door } = section.dataset;
    const slice = section.querySelector("input.slice")?.value;
    const { note } = Object.fromEntries(choices);
    viewer.offer("heat", false, () => layer("heat", () => heat(file, door, article.dataset, { note, slice })));
  }
}

// The overlay of /segment as a picture's address; "" where this scan has none.
async function lungs(file) {
  const fields = [["file", file], ["caption", "false"]];
  const response = await send("/segment", fields, { accept: "image/png" });
  return URL.createObjectURL(await response.blob());
}

// The heat map of /predict for the class that was named.
async function heat(file, door, { bundle, methods }, more) {
  const fields = [[door, file], ["bundle", bundle], ["heat_map", methods.split(" ")[0]], ["caption", "false"]];
  const response = await send("/predict", [...fields, ...Object.entries(more).filter(([, value]) => value)], { accept: "application/json" });
  const { heat_maps: maps } = await response.json();
  const found = maps.find((each) => each.modality === door);
  return found ? `data:image/png;base64,${found.png_base64}` : "";
}
