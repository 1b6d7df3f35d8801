// What the script says: sentences in the page's language, from the page itself.
const table = document.getElementById("words").dataset;

// word("large", {name, size}): the sentence of that name, its {places} filled.
export function word(name, filled = {}) {
  const sentence = table[name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())] ?? name;
  return sentence.replace(/{(\w+)}/g, (place, key) => (key in filled ? String(filled[key]) : place));
}
