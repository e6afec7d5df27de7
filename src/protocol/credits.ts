import { z } from "zod"
import { Fault } from "./fault.ts"

export { decimalText, formatCredits } from "./format-credits.ts"

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
