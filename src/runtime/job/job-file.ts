import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { type Document, isMap, LineCounter, parseDocument } from "yaml"
import { z } from "zod"
import { AuditPolicy } from "../../protocol/audit.ts"
import { Credits } from "../../protocol/credits.ts"
import { FileName } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { areBounded, Model, Royalty } from "../../protocol/job.ts"
import { CreditsPerSecond, namesOnePrice, ONE_PRICE } from "../../protocol/price.ts"
import { Command, Limits, Resources } from "../../protocol/shard-spec.ts"

const Percent = z
  .number()
  .min(0.01)
  .max(50)
  .refine(share => Math.abs(share * 100 - Math.round(share * 100)) < 1e-9, "must have at most two decimals")
  .transform(share => Math.round(share * 100))

/** A share of the price in percent; hundredths count. */
const RoyaltyInFile = z
  .strictObject({ ...Royalty.omit({ shareBasisPoints: true }).shape, share: Percent })
  .transform(({ share, ...rest }) => ({ ...rest, shareBasisPoints: share }))

const shared = {
  name: z.string().min(1).max(80),
  /** A local tag (it is pushed to the marketplace), or a name with a digest that agents can pull. */
  image: z.string().min(1).max(512),
  resources: Resources.prefault({}),
  limits: Limits.prefault({}),
  /** Whether another host goes on from where the last one had come, or begins anew. */
  checkpoints: z
    .enum(["stay", "travel"])
    .default("stay")
    .transform(where => (where === "travel" ? where : undefined)),
  /** Credits for each settled shard; this or the next. */
  pricePerShard: Credits.optional(),
  /** The most credits for each second that a shard's container runs. */
  pricePerSecond: CreditsPerSecond.optional(),
  /** On top of each settled shard's price, to the owners of data. */
  royalties: z
    .array(RoyaltyInFile)
    .max(16)
    .refine(areBounded, "must come to at most 50 percent together")
    .optional(),
  /** How its shards are audited; not at all when not given. */
  audit: AuditPolicy.optional(),
}

const TrainFile = z
  .strictObject({
    kind: z.literal("train"),
    ...shared,
    /** A text file, relative to the job file. */
    text: z.string().min(1),
    sliceKiB: z.int().min(1).max(65_536).default(256),
    /** How much of the text's end is held out of training, to measure it by. */
    heldOutKiB: z
      .int()
      .min(1)
      .max(1 << 20)
      .default(64),
    model: Model.prefault({ layers: 5, width: 128, heads: 4, context: 128 }),
    seed: z.int().min(0).default(0),
    batch: z.int().min(1).max(4096).default(8),
    warmUp: z
      .strictObject({
        steps: z.int().min(1).default(300),
        learningRate: z.number().positive().default(0.003),
      })
      .prefault({}),
    rounds: z.int().min(1).max(10_000),
    workers: z.int().min(1).max(64).default(2),
    inner: z
      .strictObject({
        steps: z.int().min(1).max(100_000).default(20),
        learningRate: z.number().positive().default(0.0045),
        finalLearningRate: z.number().positive().default(0.0005),
      })
      .prefault({}),
    outer: z
      .strictObject({
        learningRate: z.number().positive().default(0.7),
        momentum: z.number().min(0).max(1).default(0.85),
      })
      .prefault({}),
    sample: z
      .strictObject({
        prompt: z.string().max(1024).default("In the beginning "),
        bytes: z.int().min(0).max(65_536).default(400),
      })
      .prefault({}),
  })
  .refine(namesOnePrice, ONE_PRICE)

const BatchFile = z
  .strictObject({
    kind: z.literal("batch"),
    ...shared,
    shards: z
      .array(
        z.strictObject({
          command: Command,
          /** Name inside `/shard/in` to a file, relative to the job file. */
          inputs: z.record(FileName, z.string().min(1)).default({}),
          outputs: z.array(FileName).min(1).max(256),
        }),
      )
      .min(1)
      .max(4096),
  })
  .refine(namesOnePrice, ONE_PRICE)

export const JobFile = z.discriminatedUnion("kind", [TrainFile, BatchFile])
export type JobFile = z.infer<typeof JobFile>
export type TrainFile = z.infer<typeof TrainFile>
export type BatchFile = z.infer<typeof BatchFile>

/** What is told of a file that is wrong in many ways. */
const ISSUES_TOLD = 8

/**
 * Reads a job file; file names in it become absolute.
 * @throws Fault `file-unreadable`, or `bad-job-file` naming line and field.
 */
export async function readJobFile(path: string): Promise<JobFile> {
  const job = parseJobFile(await readText(path), path)
  const absolute = (file: string) => resolve(dirname(path), file)
  if (job.kind === "train") return { ...job, text: absolute(job.text) }
  const shards = job.shards.map(shard => ({
    ...shard,
    inputs: Object.fromEntries(Object.entries(shard.inputs).map(([name, file]) => [name, absolute(file)])),
  }))
  return { ...job, shards }
}

/** Parses a job file's text; `path` is for messages. @throws Fault `bad-job-file` naming line and field. */
export function parseJobFile(text: string, path: string): JobFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [broken] = document.errors
  if (broken) throw bad(path, lines.linePos(broken.pos[0]).line, broken.message)
  const parsed = JobFile.safeParse(valuesOf(document, path))
  if (parsed.success) return parsed.data
  const told = parsed.error.issues.flatMap(issue =>
    placesOf(issue).map(key => ({
      line: lines.linePos(offsetOf(document.contents, key)).line,
      what: describe(issue, key, document.getIn(key) === undefined),
    })),
  )
  const [first, ...more] = told.slice(0, ISSUES_TOLD)
  const others = more.map(({ line, what }) => `\n${path}:${line}: ${what}`).join("")
  throw bad(path, first?.line ?? 1, `${first?.what ?? parsed.error.message}${others}`)
}

/** The fields that an issue is about. */
function placesOf(issue: z.core.$ZodIssue): PropertyKey[][] {
  if (issue.code !== "unrecognized_keys") return [issue.path]
  return issue.keys.map(key => [...issue.path, key])
}

/** An alias without its anchor, or one that grows without end, shows only here. */
function valuesOf(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw bad(path, 1, (error as Error).message)
  }
}

function describe(issue: z.core.$ZodIssue, path: PropertyKey[], isMissing: boolean): string {
  const field = path.join(".") || "the file"
  if (isMissing) return `${field} is missing`
  if (issue.code === "unrecognized_keys") return `${field} is not a field of this kind of job`
  return `${field}: ${issue.message}`
}

/** Where in the text the deepest part of the path that exists stands. */
function offsetOf(contents: unknown, path: PropertyKey[]): number {
  let node = contents
  let offset = 0
  for (const part of path) {
    if (!isMap(node)) break
    const pair = node.items.find(item => String(item.key) === String(part))
    if (!pair) break
    offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset
    node = pair.value
  }
  return offset
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (cause) {
    throw new Fault(
      "file-unreadable",
      `The job file ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
      {
        hint: "Give the path of a job file; examples/ has some to start from.",
        cause,
      },
    )
  }
}

function bad(path: string, line: number, what: string): Fault {
  return new Fault("bad-job-file", `${path}:${line}: ${what}`, {
    hint: "docs/buyer-guide.md lists every field with its default.",
    facts: { file: path, line },
  })
}
