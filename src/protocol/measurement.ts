import { z } from "zod"

/** A measurement's unit, SI without prefixes: who prints it scales it. */
export const Unit = z.enum(["FLOP/s", "B/s", "op/s", "tokens/s", "tokens/J", "s", "B"])
export type Unit = z.infer<typeof Unit>

/** One measured figure: the median of its repeats, and the quartiles between which half of them lie. */
export const Measurement = z.strictObject({
  /** Such as `matmul-fp16`; the same name means the same method. */
  name: z
    .string()
    .max(60)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be a name such as matmul-fp16"),
  unit: Unit,
  median: z.number().nonnegative(),
  lowerQuartile: z.number().nonnegative(),
  upperQuartile: z.number().nonnegative(),
  repeats: z.int().min(1),
  /** Whose clock: the card's own timestamps, or this machine's with everything that lies between. */
  clock: z.enum(["gpu", "host"]),
})
export type Measurement = z.infer<typeof Measurement>

/** A figure that was wanted and could not be had; the reason is for people. */
export const Unmeasured = z.strictObject({ name: Measurement.shape.name, reason: z.string().max(400) })
export type Unmeasured = z.infer<typeof Unmeasured>
