import { createHash, createPublicKey, type KeyObject } from "node:crypto"
import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { type Document, isMap, isSeq, LineCounter, parseDocument } from "yaml"
import { z } from "zod"
import { importKey, PublicKey } from "../../../protocol/keys.ts"
import { PROFILES, type ProfileName } from "../../container/policy.ts"
import { BOUND_NAMES, BOUNDS } from "./bounds.ts"
import { isImagePattern } from "./image-pattern.ts"
import { DEFAULT_RULES, HEAT_LIMIT_C, type PinnedKey, type Rules } from "./rules.ts"
import { unreadable } from "./unreadable.ts"

const Pattern = z
  .string()
  .refine(
    isImagePattern,
    "must name images, such as market, ghcr.io/acme/* or **; it begins with a registry's host, market or a star",
  )

const limits = BOUND_NAMES.map(name => {
  const { most, unit } = BOUNDS[name]
  return [name, z.int().min(1).max(most, `must be at most ${most} ${unit}`).optional()] as const
})

const heatLimit = `must be from ${HEAT_LIMIT_C.least} to ${HEAT_LIMIT_C.most} °C`

const RulesFile = z.strictObject({
  profile: z.enum(Object.keys(PROFILES) as [ProfileName, ...ProfileName[]]).optional(),
  images: z
    .strictObject({
      allow: z.array(Pattern).max(256).optional(),
      maxMiB: z
        .int()
        .min(1)
        .max(1 << 24)
        .optional(),
      signedBy: z
        .array(z.strictObject({ images: Pattern, keys: z.array(z.string().min(1)).min(1).max(32) }))
        .max(64)
        .optional(),
    })
    .optional(),
  limits: z.strictObject(Object.fromEntries(limits)).optional(),
  bench: z
    .strictObject({
      maxTemperatureC: z
        .number()
        .min(HEAT_LIMIT_C.least, heatLimit)
        .max(HEAT_LIMIT_C.most, heatLimit)
        .optional(),
    })
    .optional(),
})
type RulesFile = z.infer<typeof RulesFile>

/** Parses the text of a rules file and reads the keys that it names, relative to it. @throws Fault `rules-unreadable`. */
export async function parseRules(text: string, path: string): Promise<Rules> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number) => lines.linePos(offset).line
  const [broken] = [...document.errors, ...document.warnings]
  if (broken) throw unreadable(path, at(broken.pos[0]), broken.message)
  const parsed = RulesFile.safeParse(valuesOf(document, path))
  if (parsed.success) return rulesOf(parsed.data, path, key => at(offsetOf(document.contents, key)))
  const [issue] = parsed.error.issues
  if (!issue) throw unreadable(path, 1, parsed.error.message)
  const key = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path
  throw unreadable(path, at(offsetOf(document.contents, key)), describe(issue, key))
}

async function rulesOf(
  { profile, images, limits, bench }: RulesFile,
  path: string,
  lineOf: (key: PropertyKey[]) => number,
): Promise<Rules> {
  const { images: ownImages, limits: ownLimits, ...rest } = DEFAULT_RULES
  const signedBy = (images?.signedBy ?? []).map(async ({ images, keys }, rule) => {
    const line = (at: number) => lineOf(["images", "signedBy", rule, "keys", at])
    return { images, keys: await Promise.all(keys.map((file, at) => readKey(file, path, line(at)))) }
  })
  return {
    ...rest,
    file: path,
    profile: profile ?? rest.profile,
    images: {
      allow: images?.allow ?? ownImages.allow,
      maxMiB: images?.maxMiB ?? ownImages.maxMiB,
      signedBy: await Promise.all(signedBy),
    },
    limits: { ...ownLimits, ...limits },
    bench: { maxTemperatureC: bench?.maxTemperatureC ?? rest.bench.maxTemperatureC },
  }
}

async function readKey(file: string, path: string, line: number): Promise<PinnedKey> {
  const where = resolve(dirname(path), file)
  try {
    const pem = await readFile(where, "utf8")
    if (!pem.includes("-----BEGIN PUBLIC KEY-----")) throw new Error("it holds no public key in PEM")
    const key = createPublicKey(pem)
    const der = key.export({ format: "der", type: "spki" })
    return { file, kind: kindOf(key, der), keyId: createHash("sha256").update(der).digest("hex"), key }
  } catch (cause) {
    throw unreadable(path, line, `the key ${where} cannot be used: ${(cause as Error).message}`, cause)
  }
}

/** @throws for a key of another kind, and for an Ed25519 key under which anyone could sign. */
function kindOf(key: KeyObject, der: Buffer): PinnedKey["kind"] {
  if (key.asymmetricKeyType === "ed25519") {
    importKey(PublicKey.parse(der.toString("base64")))
    return "ed25519"
  }
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "ecdsa-p256"
  throw new Error("it is neither an Ed25519 nor an ECDSA P-256 key")
}

/** An alias without its anchor, or one that grows without end, shows only here. */
function valuesOf(document: Document, path: string): unknown {
  // A file that lost its content must not become the widest rules there are.
  if (document.contents === null) throw unreadable(path, 1, "it says nothing")
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw unreadable(path, 1, (error as Error).message, error)
  }
}

function describe(issue: z.core.$ZodIssue, path: PropertyKey[]): string {
  const field = path.join(".") || "the file"
  return issue.code === "unrecognized_keys" ? `${field} is no rule` : `${field}: ${issue.message}`
}

/** Where in the text the deepest part of the path that exists stands. */
function offsetOf(contents: unknown, path: PropertyKey[]): number {
  let node = contents
  let offset = 0
  for (const part of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => String(key) === String(part)) : undefined
    const next = pair ? pair.key : isSeq(node) ? node.items[Number(part)] : undefined
    offset = (next as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset
    node = pair ? pair.value : next
  }
  return offset
}
