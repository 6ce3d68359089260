// Making elements. Data only ever becomes text, never markup.

/** An element with attributes, listeners (`onclick`), and children: elements or texts. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else set(made, name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Set an attribute, or remove it if the value is null or false. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

/** Set a text, if it has changed. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** An SVG element. */
export function svg(tag, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/**
 * Make the children of an element match a list of [key, value], keeping those that are there already.
 * `make(value)` gives a new element, `update(element, value)` brings one up to date.
 */
export function reconcile(parent, entries, make, update) {
  const old = parent.kept ?? new Map();
  const now = new Map();
  let place = parent.firstElementChild;
  for (const [key, value] of entries) {
    const row = old.get(key) ?? make(value);
    now.set(key, row);
    update(row, value);
    if (row === place) place = place.nextElementSibling;
    else parent.insertBefore(row, place);
  }
  for (const [key, row] of old) if (!now.has(key)) row.remove();
  parent.kept = now;
  return now;
}
