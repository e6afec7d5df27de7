/** A whole decimal number, as sysfs writes it; anything else is null. Null goes in where nothing could be read. */
export function integerOf(text: string | null | undefined): number | null {
  if (!text || !/^[+-]?\d{1,16}$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

/** An identifier such as `0x67df` or `67DF`. */
export function hexOf(text: string | null | undefined): number | null {
  const digits = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text ?? "")?.[1]
  return digits === undefined ? null : Number.parseInt(digits, 16)
}

/** The value where it lies between the two, ends included: a driver's "unknown" is often a number that cannot be. */
export function within(value: number | null, least: number, most: number): number | null {
  return value !== null && value >= least && value <= most ? value : null
}

/** Bytes as whole MiB; a memory of no bytes is one that was not reported. */
export function mibOf(bytes: number | null): number | null {
  return bytes === null || bytes < 0 ? null : Math.round(bytes / (1 << 20))
}
