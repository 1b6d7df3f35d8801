// A scan on a canvas: layers over it with their strength, zoom, a window for CT; by mouse, touch or keyboard.
import { word } from "./words.js";

const STEP = 24;
const MOST_ZOOM = 8;

export class Viewer {
  // levels: what the gray levels of a CT are, "hounsfield" or "gray"; "" where they need no window.
  constructor(figure, levels) {
    this.figure = figure;
    this.stack = figure.querySelector(".stack");
    this.pixels = {};
    this.strength = { lungs: 1, heat: 1 };
    this.on = {};
    this.loading = {};
    this.window = { centre: 128, width: 256 };
    this.view = { zoom: 1, x: 0, y: 0 };
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", word("picture"));
    this.controls = document.createElement("div");
    this.controls.className = "controls";
    this.stack.after(this.controls);
    if (levels) this.windowControls(word(`window_${levels}`));
    this.zoomControls();
    this.listen();
    this.ready = this.begin();
  }

  // What came with the page.
  async begin() {
    const images = { base: "img.base", lungs: "img.lungs", heat: "img.heat" };
    for (const [name, place] of Object.entries(images)) {
      const image = this.stack.querySelector(place);
      if (!image) continue;
      this.pixels[name] = await pixelsOf(image.src);
      if (name !== "base") this.toggle(name, true);
    }
    this.canvas.width = this.pixels.base.width;
    this.canvas.height = this.pixels.base.height;
    this.stack.replaceChildren(this.canvas);
    this.draw();
  }

  has(name) {
    return Boolean(this.stack.querySelector(`img.${name}`) || this.pixels[name]);
  }

  // A layer that is fetched when it is first shown; hidden meanwhile, it is no longer asked for. load(signal) gives a promise.
  offer(name, shown, load) {
    const box = this.toggle(name, shown);
    const fetched = async () => {
      if (!box.checked) this.loading[name]?.abort();
      if (!box.checked || this.pixels[name] || this.loading[name]) return;
      const control = new AbortController();
      this.loading[name] = control;
      box.parentElement.dataset.state = word("drawing");
      try {
        await load(control.signal);
        delete box.parentElement.dataset.state;
      } catch (error) {
        box.checked = this.on[name] = false;
        if (error.name === "AbortError") delete box.parentElement.dataset.state;
        else box.parentElement.dataset.state = error.message;
      } finally {
        delete this.loading[name];
        this.draw();
      }
    };
    box.addEventListener("change", fetched);
    if (shown) fetched();
  }

  // Nobody looks any more: what is being fetched is not waited for, by the service neither.
  stop() {
    for (const control of Object.values(this.loading)) control.abort();
  }

  async add(name, source) {
    await this.ready;
    this.pixels[name] = await pixelsOf(source, this.pixels.base);
    if (source.startsWith("blob:")) URL.revokeObjectURL(source);
    this.draw();
  }

  toggle(name, shown) {
    this.on[name] = shown;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: shown });
    const label = document.createElement("label");
    label.append(box, ` ${word(name)} `);
    box.addEventListener("change", () => {
      this.on[name] = box.checked;
      this.draw();
    });
    this.box = { ...this.box, [name]: box };
    const strength = this.range(`${word(name)}: ${word("opacity")}`, 0, 100, 100, (value) => (this.strength[name] = value / 100));
    const group = document.createElement("div");
    group.className = "layer";
    group.append(label, strength);
    this.strengthInputs = { ...this.strengthInputs, [name]: strength };
    if (name === "lungs") this.controls.prepend(group);
    else if (this.box.lungs) this.controls.firstElementChild.after(group);
    else this.controls.prepend(group);
    return box;
  }

  range(name, from, to, value, changed) {
    const input = Object.assign(document.createElement("input"), { type: "range", min: from, max: to, value });
    input.setAttribute("aria-label", name);
    input.addEventListener("input", () => {
      changed(Number(input.value));
      this.draw();
    });
    return input;
  }

  named(name, input) {
    const label = document.createElement("label");
    label.append(`${name} `, input);
    this.controls.append(label);
    return input;
  }

  windowControls(told) {
    const centre = this.range(word("centre"), 0, 255, 128, (value) => (this.window.centre = value));
    this.centreInput = this.named(word("centre"), centre);
    this.widthInput = this.named(word("width"), this.range(word("width"), 2, 512, 256, (value) => (this.window.width = value)));
    this.controls.append(Object.assign(document.createElement("small"), { textContent: told }));
  }

  zoomControls() {
    const zoom = this.range(word("zoom"), 100, 100 * MOST_ZOOM, 100, (value) => (this.view.zoom = value / 100));
    this.zoomInput = this.named(word("zoom"), zoom);
    const reset = Object.assign(document.createElement("button"), { type: "button", textContent: word("reset") });
    reset.addEventListener("click", () => this.reset());
    this.controls.append(reset);
  }

  reset() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.window = { centre: 128, width: 256 };
    this.zoomInput.value = 100;
    if (this.centreInput) [this.centreInput.value, this.widthInput.value] = [128, 256];
    this.draw();
  }

  zoom(by) {
    this.view.zoom = Math.min(MOST_ZOOM, Math.max(1, this.view.zoom * by));
    this.zoomInput.value = 100 * this.view.zoom;
    this.draw();
  }

  listen() {
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    this.canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const key = event.key.toLowerCase();
      const layer = { l: "lungs", h: "heat" }[key];
      if (moves[event.key]) this.move(...moves[event.key]);
      else if (key === "+" || key === "=") this.zoom(1.25);
      else if (key === "-") this.zoom(0.8);
      else if (key === "0") this.reset();
      else if (layer && this.box?.[layer]) this.box[layer].click();
      else return;
      event.preventDefault();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons && this.view.zoom > 1) this.move(event.movementX, event.movementY);
    });
    this.canvas.addEventListener("dblclick", () => this.zoom(2));
  }

  // By pixels of the screen.
  move(x, y) {
    const scale = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    this.view.x += x * scale;
    this.view.y += y * scale;
    this.draw();
  }

  draw() {
    for (const name of ["lungs", "heat"]) {
      const legend = this.figure.querySelector(`.legend-${name}`);
      if (legend) legend.hidden = !(this.on[name] && this.pixels[name]);
      if (this.strengthInputs?.[name]) this.strengthInputs[name].hidden = !(this.on[name] && this.pixels[name]);
    }
    if (!this.pixels.base) return;
    const { width, height } = this.pixels.base;
    const picture = new ImageData(this.mixed(), width, height);
    const whole = new OffscreenCanvas(width, height);
    whole.getContext("2d").putImageData(picture, 0, 0);
    const context = this.canvas.getContext("2d");
    const { zoom } = this.view;
    const [mostX, mostY] = [(width * (zoom - 1)) / 2, (height * (zoom - 1)) / 2];
    this.view.x = Math.min(mostX, Math.max(-mostX, this.view.x));
    this.view.y = Math.min(mostY, Math.max(-mostY, this.view.y));
    context.imageSmoothingEnabled = zoom < 3;
    context.setTransform(zoom, 0, 0, zoom, this.view.x - mostX, this.view.y - mostY);
    context.drawImage(whole, 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  // The scan through its window, and what each layer adds to the scan in its strength: one layer at full strength, through the
  // whole window, is that layer's picture, pixel for pixel.
  mixed() {
    const base = this.pixels.base.data;
    const out = new Uint8ClampedArray(base.length);
    const low = this.window.centre - this.window.width / 2;
    const scale = 256 / this.window.width;
    const shown = ["lungs", "heat"].filter((name) => this.on[name] && this.pixels[name]);
    const layers = shown.map((name) => [this.pixels[name].data, this.strength[name]]);
    const through = Uint8ClampedArray.from({ length: 256 }, (_, level) => (level - low) * scale);
    for (let place = 0; place < base.length; place += 1) {
      if ((place & 3) === 3) {
        out[place] = 255;
        continue;
      }
      let value = through[base[place]];
      for (const [data, strength] of layers) value += strength * (data[place] - base[place]);
      out[place] = value;
    }
    return out;
  }
}

// size: where a scan is shown smaller than it is, its layers come at its own size.
async function pixelsOf(source, size) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(size?.width ?? image.naturalWidth, size?.height ?? image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
