/**
 * AMD's unique id of a chip as 16 hexadecimal digits, with the leading zeros that sysfs writes and rocm-smi drops. Null where it
 * is masked: all zeros or ones, or no such number at all. Chips before Vega 10 have none.
 */
export function uniqueIdOf(text: string | null | undefined): string | null {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text?.trim() ?? "")?.[1]
  if (digits === undefined) return null
  const full = digits.toLowerCase().padStart(16, "0")
  return /^(?:0+|f+)$/.test(full) || /^(?:0{8}f{8})$/.test(full) ? null : full
}

/** The same number as KFD writes it, in decimal. */
export function uniqueIdOfDecimal(text: string | undefined): string | null {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return null
  return uniqueIdOf(BigInt(text).toString(16))
}
