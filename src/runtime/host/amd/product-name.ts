/** A product's name as a tool or the board's memory gives it; null where that is only a number or a way to say nothing. */
export function productName(text: unknown): string | null {
  if (typeof text !== "string") return null
  const name = text.replace(/[\p{Cc}\p{Cf}]+/gu, " ").trim()
  if (name === "" || name.length > 200 || !/[a-z]/i.test(name)) return null
  if (/^(?:0x[0-9a-f]+|\[?n\/?a\]?|none|null|unknown.*|not supported|[0-9a-f]{4})$/i.test(name)) return null
  // The vendor alone names no product.
  return /^(?:advanced micro devices.*|amd|ati|amd\/ati)$/i.test(name) ? null : name
}

/** A name that covers several products, such as `Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]`, is the chip's, not the card's. */
export function coversSeveral(name: string): boolean {
  return /\[.*\/.*\]|\d\s*\/\s*\d/.test(name.replaceAll("[AMD/ATI]", ""))
}
