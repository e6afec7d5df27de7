import { z } from "zod"
import { Adapter, Soundness } from "../../../protocol/capacity-report.ts"
import { Measurement, Unit, Unmeasured } from "../../../protocol/measurement.ts"
import { Plan } from "./plan.ts"

const Vendor = z.enum(["nvidia", "amd", "intel"])
const Named = z.strictObject({ vendor: Vendor, name: z.string().nullable() })

/** What the child is told first, as one line of JSON. */
export const Task = z.strictObject({
  wanted: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("software") }),
    z.strictObject({
      kind: z.literal("card"),
      card: Named,
      others: z.array(Named),
      /** Device files of the other cards that must not open; empty where they could not be put out of reach. */
      sealed: z.array(z.string()),
    }),
  ]),
  plan: Plan,
})
export type Task = z.infer<typeof Task>

/** What tells one paced child to take the figure that it is ready for. */
export const GO = "go"

export const Rate = z.strictObject({ at: z.number(), second: z.number(), perSecond: z.number() })

/** What the child says, one line of JSON each. Whatever it says shows that it lives. */
export const Said = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("adapter"), adapter: Adapter, features: z.array(z.string()) }),
  /** No adapter is certainly the wanted card. */
  z.strictObject({ type: z.literal("refused"), reason: z.string() }),
  z.strictObject({ type: z.literal("begun"), name: z.string() }),
  /** Waits for {@link GO}. */
  z.strictObject({ type: z.literal("ready"), name: z.string() }),
  z.strictObject({
    type: z.literal("progress"),
    name: z.string(),
    unit: Unit,
    done: z.number(),
    of: z.number(),
    latest: z.number().nullable(),
  }),
  z.strictObject({ type: z.literal("measured"), measurement: Measurement }),
  z.strictObject({ type: z.literal("unmeasured"), unmeasured: Unmeasured }),
  z.strictObject({ type: z.literal("tested"), soundness: Soundness }),
  z.strictObject({ type: z.literal("rate"), rate: Rate }),
  z.strictObject({ type: z.literal("wrong"), name: z.string(), what: z.string() }),
  /** The driver has given the card up. */
  z.strictObject({ type: z.literal("lost"), reason: z.string() }),
  z.strictObject({ type: z.literal("done") }),
])
export type Said = z.infer<typeof Said>

/** A line of the child's; null for what a driver prints in between. */
export function heard(line: string): Said | null {
  if (!line.startsWith("{")) return null
  try {
    return Said.parse(JSON.parse(line))
  } catch {
    return null
  }
}
