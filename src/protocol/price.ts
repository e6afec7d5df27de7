import { z } from "zod"
import { decimalText, MicroCredits } from "./credits.ts"
import { Fault } from "./fault.ts"

/** 1000 credits a second: so high that nobody asks it, so low that every cost is an exact integer. */
const MOST_NANO_CREDITS_PER_SECOND = 1_000_000_000_000
/** A nano-credit a second is a micro-credit in 1000 seconds. */
const NANO_MS_PER_MICRO = 1_000_000n
const DECIMALS = 9

/** What a slot costs for each second that a container runs in it: a whole number of nano-credits, so that cheap slots have exact prices too. */
export const NanoCreditsPerSecond = z
  .int()
  .min(0)
  .max(MOST_NANO_CREDITS_PER_SECOND)
  .brand("NanoCreditsPerSecond")
export type NanoCreditsPerSecond = z.infer<typeof NanoCreditsPerSecond>

/** Credits per second as people write them (`0.00012`), at most nine decimals; throws a `ZodError` on anything else. */
export const CreditsPerSecond = z
  .union([z.number(), z.string()])
  .transform(value => (typeof value === "number" ? plainDecimal(value) : value))
  .pipe(
    z
      .string()
      .regex(
        /^\d{1,3}(\.\d{1,9})?$/,
        "must be credits per second with at most nine decimals, such as 0.00012",
      ),
  )
  .transform(text => {
    const [whole = "0", fraction = ""] = text.split(".")
    return NanoCreditsPerSecond.parse(Number(whole) * 10 ** DECIMALS + Number(fraction.padEnd(DECIMALS, "0")))
  })

/** @throws Fault `bad-argument`. */
export function parseRate(text: string): NanoCreditsPerSecond {
  const parsed = CreditsPerSecond.safeParse(text)
  if (parsed.success) return parsed.data
  throw new Fault("bad-argument", `${JSON.stringify(text)} is no price of a second.`, {
    hint: "Write credits per second with at most nine decimals, such as 0.00012.",
  })
}

/** `120000` → `0.00012`. */
export function formatRate(rate: number): string {
  return decimalText(rate, DECIMALS)
}

/** What a shard pays: an amount for all of it, or a rate for each second that its container ran. Before the marketplace's fee. */
export const Price = z.discriminatedUnion("per", [
  z.strictObject({ per: z.literal("shard"), amount: MicroCredits }),
  z.strictObject({ per: z.literal("second"), rate: NanoCreditsPerSecond }),
])
export type Price = z.infer<typeof Price>

/** What a settled shard is charged: its price, and the milliseconds that count. */
export const Charge = z.discriminatedUnion("per", [
  Price.options[0],
  z.strictObject({ ...Price.options[1].shape, ms: z.int().min(0) }),
])
export type Charge = z.infer<typeof Charge>

/** Rounded up to a whole micro-credit. */
export function amountOf(charge: Charge): MicroCredits {
  if (charge.per === "shard") return charge.amount
  const exact = BigInt(charge.rate) * BigInt(charge.ms)
  return MicroCredits.parse(Number((exact + NANO_MS_PER_MICRO - 1n) / NANO_MS_PER_MICRO))
}

/** @param ms that the container ran, as far as they are paid. */
export function chargeOf(price: Price, ms: number): Charge {
  return price.per === "shard" ? price : { ...price, ms }
}

/** The most that a shard with this time limit costs. */
export function mostOf(price: Price, timeMs: number): MicroCredits {
  return amountOf(chargeOf(price, timeMs))
}

/** What a job offers, in the two ways that it may say so. */
export interface Priced {
  pricePerShard?: MicroCredits | undefined
  pricePerSecond?: NanoCreditsPerSecond | undefined
}

export const ONE_PRICE = "give either pricePerShard or pricePerSecond"

export function namesOnePrice({ pricePerShard, pricePerSecond }: Priced): boolean {
  return (pricePerShard === undefined) !== (pricePerSecond === undefined)
}

export function priceOf({ pricePerShard, pricePerSecond }: Priced): Price {
  if (pricePerShard !== undefined) return { per: "shard", amount: pricePerShard }
  if (pricePerSecond !== undefined) return { per: "second", rate: pricePerSecond }
  throw new Error("a job without a price")
}

/**
 * Whether a price is as high as a slot asks; a price for the shard has to be, if the shard runs as long as it may.
 * @param ask undefined takes any price.
 */
export function meets(price: Price, timeMs: number, ask: NanoCreditsPerSecond | undefined): boolean {
  if (ask === undefined) return true
  if (price.per === "second") return price.rate >= ask
  return price.amount >= mostOf({ per: "second", rate: ask }, timeMs)
}

/** What a slot gets of a job that pays this: its ask, where seconds are paid and it names one; else what the job pays. */
export function bidOf(price: Price, ask: NanoCreditsPerSecond | undefined): Price {
  return price.per === "second" && ask !== undefined ? { per: "second", rate: ask } : price
}

/** As a posting of the ledger tells it: whoever reads it can reckon the amount anew. */
export function chargeText(charge: Charge): Record<string, string> {
  return Object.fromEntries(Object.entries(charge).map(([field, value]) => [field, `${value}`]))
}

/** The charge in a posting's `about`; null where there is none, undefined where it is none that can be. */
export function chargeIn({ per, amount, rate, ms }: Record<string, string>): Charge | null | undefined {
  if (per === undefined) return null
  const said = per === "shard" ? { per, amount: Number(amount) } : { per, rate: Number(rate), ms: Number(ms) }
  return Charge.safeParse(said).data
}

/** `0.25 credits`, `0.00012 credits/s`. */
export function formatPrice(price: Price): string {
  return price.per === "shard"
    ? `${decimalText(price.amount, 6)} credits`
    : `${formatRate(price.rate)} credits/s`
}

/** JavaScript writes small numbers as `1.2e-7`. */
function plainDecimal(value: number): string {
  return /e-/.test(`${value}`) ? value.toFixed(DECIMALS + 6).replace(/0+$/, "") : `${value}`
}
