const CREDIT_DECIMALS = 6

/** `250000` → `0.25`; negative balances keep their sign. */
export function formatCredits(micro: number): string {
  return decimalText(micro, CREDIT_DECIMALS)
}

/** A whole number of the smallest unit as people write it, with at least two decimals. */
export function decimalText(value: number, decimals: number): string {
  const digits = Math.abs(value)
    .toString()
    .padStart(decimals + 1, "0")
  const fraction = digits.slice(-decimals).replace(/0+$/, "").padEnd(2, "0")
  return `${value < 0 ? "-" : ""}${digits.slice(0, -decimals)}.${fraction}`
}
