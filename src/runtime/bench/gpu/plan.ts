import { z } from "zod"
import type { Budget } from "../host/figure.ts"

/** The figures of a card, in the order in which they are taken. */
export const FigureName = z.enum([
  "matmul-fp32",
  "matmul-fp16",
  "matmul-subgroup-f16",
  "memory-copy",
  "memory-triad",
  "host-to-device",
  "device-to-host",
])
export type FigureName = z.infer<typeof FigureName>

const Seconds = z.number().min(0).max(86_400)

/** As `Budget`, over the line to the child. */
const BudgetPlan = z.strictObject({
  warmUps: z.int().min(0),
  repeats: z.int().min(1),
  windowMs: z.number().positive(),
  limitMs: z.number().positive(),
}) satisfies z.ZodType<Budget>

/**
 * For tests: spoils one thing, to prove that somebody looks. `flip` turns a bit of a result over between the kernel and its check, `hang` never
 * returns, `crash` ends the process as a broken driver does.
 */
export const Injection = z.strictObject({
  what: z.enum(["flip", "hang", "crash"]),
  at: z.enum([...FigureName.options, "vram", "repeat", "repeat-first", "sustain"]),
})
export type Injection = z.infer<typeof Injection>

/** What is to be done with one card. */
export const Plan = z.strictObject({
  figures: z.array(FigureName),
  budget: BudgetPlan,
  /** Rows of the matrices at most; they are fewer where a product would take longer than a repeat. */
  mostRows: z.int().min(128).max(8192),
  /** Bytes of each array that is moved through the card's memory, at most. */
  arrayBytes: z.int().min(1 << 20),
  /** Bytes of each copy between this machine and the card. */
  copyBytes: z.int().min(1 << 20),
  vram: z.strictObject({ limitBytes: z.int().min(0).nullable(), seconds: Seconds }).nullable(),
  repeat: z.strictObject({ seconds: Seconds }).nullable(),
  sustainSeconds: Seconds.nullable(),
  /** Whether each figure waits for `go`, so that several cards take it at the same time. */
  isPaced: z.boolean(),
  injection: Injection.nullable(),
})
export type Plan = z.infer<typeof Plan>

const MIB = 2 ** 20

/** Half a minute and less for each card; no tests of soundness. */
export const QUICK: Plan = {
  figures: [...FigureName.options],
  budget: { warmUps: 2, repeats: 11, windowMs: 50, limitMs: 1500 },
  mostRows: 4096,
  arrayBytes: 512 * MIB,
  copyBytes: 64 * MIB,
  vram: null,
  repeat: null,
  sustainSeconds: null,
  isPaced: false,
  injection: null,
}

/** Some two minutes for each card. */
export const STANDARD: Plan = {
  ...QUICK,
  budget: { warmUps: 3, repeats: 25, windowMs: 50, limitMs: 4000 },
  vram: { limitBytes: null, seconds: 10 },
  repeat: { seconds: 10 },
  sustainSeconds: 30,
}

/** Some ten minutes for each card. */
export const FULL: Plan = {
  ...STANDARD,
  budget: { warmUps: 5, repeats: 51, windowMs: 50, limitMs: 8000 },
  vram: { limitBytes: null, seconds: 120 },
  repeat: { seconds: 120 },
  sustainSeconds: 240,
}

/** A processor that plays a card is shown to work, and not worn out. */
export function forSoftware(plan: Plan): Plan {
  const { budget, vram, repeat, sustainSeconds } = plan
  return {
    ...plan,
    budget: {
      warmUps: Math.min(1, budget.warmUps),
      repeats: Math.min(5, budget.repeats),
      windowMs: Math.min(20, budget.windowMs),
      limitMs: Math.min(1000, budget.limitMs),
    },
    mostRows: Math.min(256, plan.mostRows),
    arrayBytes: Math.min(8 * MIB, plan.arrayBytes),
    copyBytes: Math.min(4 * MIB, plan.copyBytes),
    vram: vram && { limitBytes: Math.min(8 * MIB, vram.limitBytes ?? 8 * MIB), seconds: 0 },
    repeat: repeat && { seconds: 0 },
    sustainSeconds: sustainSeconds && Math.min(3, sustainSeconds),
  }
}

/** With all cards at work at once: what a power supply, a riser and the way to the processor are hard put to it by. */
export function forTogether(plan: Plan): Plan {
  return {
    ...plan,
    figures: ["matmul-fp32", "memory-copy", "host-to-device", "device-to-host"],
    // Eight cards' matrices are made in the memory of a machine that has four GiB.
    mostRows: Math.min(2048, plan.mostRows),
    vram: null,
    repeat: null,
    sustainSeconds: null,
    isPaced: true,
  }
}

/** At the start of each figure: kernels are compiled, memory is filled and a size is found. */
const PREPARE_MS = 30_000
const START_MS = 60_000

/** The longest that a plan may take, in milliseconds; whoever takes longer hangs. */
export function longestMs({ figures, budget, vram, repeat, sustainSeconds }: Plan): number {
  const tests = [vram?.seconds, repeat?.seconds, sustainSeconds].filter(seconds => seconds != null)
  const testsMs = tests.reduce((sum, seconds) => sum + seconds * 1000 + 2 * PREPARE_MS, 0)
  return START_MS + figures.length * (PREPARE_MS + budget.limitMs) + testsMs
}
