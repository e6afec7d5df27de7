import { z } from "zod"

/** What a program tells about itself, as one line of JSON on stdout. */
export const Progress = z.object({
  step: z.int().min(0),
  steps: z.int().min(0),
  loss: z.number().nullable().default(null),
})
export type Progress = z.infer<typeof Progress>

/** Null for any other line: it is just log. */
export function parseProgress(line: string): Progress | null {
  if (!line.startsWith("{")) return null
  try {
    return Progress.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}
