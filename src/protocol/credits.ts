import { z } from "zod"
import { Fault } from "./fault.ts"

/** Money: a whole number of micro-credits (1 credit = 1,000,000), so that sums are exact. */
export const MicroCredits = z.int().min(0).brand("MicroCredits")
export type MicroCredits = z.infer<typeof MicroCredits>

const PER_CREDIT = 1_000_000

/** Credits as people write them (`0.25`), at most six decimals; throws a `ZodError` on anything else. */
export const Credits = z
  .union([z.number(), z.string()])
  .transform(String)
  .pipe(z.string().regex(/^\d{1,9}(\.\d{1,6})?$/, "must be credits with at most six decimals, such as 0.25"))
  .transform(text => {
    const [whole = "0", fraction = ""] = text.split(".")
    return MicroCredits.parse(Number(whole) * PER_CREDIT + Number(fraction.padEnd(6, "0")))
  })

/** @throws Fault `bad-argument`. */
export function parseCredits(text: string): MicroCredits {
  const parsed = Credits.safeParse(text)
  if (parsed.success) return parsed.data
  throw new Fault("bad-argument", `${JSON.stringify(text)} is not an amount of credits.`, {
    hint: "Write credits with at most six decimals, such as 0.25.",
  })
}

/** `250000` → `0.25`; negative balances keep their sign. */
export function formatCredits(micro: number): string {
  return decimalText(micro, 6)
}

/** A whole number of the smallest unit as people write it, with at least two decimals. */
export function decimalText(value: number, decimals: number): string {
  const digits = Math.abs(value)
    .toString()
    .padStart(decimals + 1, "0")
  const fraction = digits.slice(-decimals).replace(/0+$/, "").padEnd(2, "0")
  return `${value < 0 ? "-" : ""}${digits.slice(0, -decimals)}.${fraction}`
}
