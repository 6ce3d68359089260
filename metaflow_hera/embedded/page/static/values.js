// The form in which a flow's Parameters travel: see page/parameters.py, which reads it.

const TRAVELS_BADLY = /\{\{|\$|[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff\u{e0000}-\u{10ffff}]|^null$|^base64:/u;

/** A value as a flow's pods expect it. */
export function inFlowsForm(value) {
  if (!TRAVELS_BADLY.test(value)) return value;
  const bytes = Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte));
  return `base64:${btoa(bytes.join(""))}`;
}
