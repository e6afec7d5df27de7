import { within } from "./number.ts"

/** `10de:2204`, as `lspci -nn` prints it; null where one of the numbers is not known. */
export function pciIdOf(vendor: number | null, device: number | null): string | null {
  const [ofVendor, ofDevice] = [hex(vendor, 4), hex(device, 4)]
  return ofVendor === null || ofDevice === null ? null : `${ofVendor}:${ofDevice}`
}

/** `c1`, as `lspci` prints it behind `rev`. */
export function pciRevisionOf(revision: number | null): string | null {
  return hex(revision, 2)
}

function hex(value: number | null, digits: number): string | null {
  return (
    within(value, 0, 16 ** digits - 1)
      ?.toString(16)
      .padStart(digits, "0") ?? null
  )
}
