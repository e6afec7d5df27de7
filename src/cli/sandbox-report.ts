import { styleText } from "node:util"
import type { PolicyDescription } from "../runtime/host/rules/describe.ts"

const MOST_COLUMNS = 120
const LEAST_COLUMNS = 30
/** A longer flag has its line to itself. */
const LEFT_COLUMNS = 40

/** One line: what stands on its left, and what is said of it. */
type Line = readonly [left: string, right: string]

/** The policy for whoever has to trust it: each flag with what it stops, then the owner's rules, then what proofs say. */
export function sandboxReport(policy: PolicyDescription, rulesPath: string): string {
  const { walls, environment, flagsDigests } = policy
  return [
    ...profileLines(policy),
    ...section(
      "Walls",
      "flags of the engine, and what each keeps a shard from; ~ marks those whose number is the shard's, shown for the default limits",
      walls.map(({ flag, stops, varies }) => [`${varies ? "~" : " "} ${flag}`, stops] as const),
    ),
    ...section(
      "Environment",
      "what neither the image nor the buyer can set otherwise",
      environment.map(({ name, value }) => [`  ${name}`, value === "" ? "(empty)" : value] as const),
    ),
    ...section("Never", "what no field of a shard's spec can ask for; one that tries is no spec", [
      [
        "  host paths, devices",
        "a shard gets its own inputs, outputs, checkpoint, and the one card of its slot",
      ],
      ["  host namespaces", "of the network, of process ids, of ipc and of cgroups"],
      ["  more rights", "--privileged, a capability, another user, the engine's socket"],
    ]),
    ...section("Beside the flags", "proofs name the first two as they were", [
      [
        "  out, checkpoint",
        "file systems of their limits' size where the agent is root, else measured all along",
      ],
      ["  inputs, spec", "read-only"],
      ["  outputs", "only files that the spec names leave, and no links"],
    ]),
    ...rulesLines(policy.rules, rulesPath),
    ...section(
      "Digest",
      "sandbox.flagsDigest in the proof of a shard with the default limits, under the engine's default runtime",
      Object.entries(flagsDigests).map(([device, digest]) => [`  ${device}`, digest] as const),
    ),
  ].join("\n")
}

function profileLines({ profile, profiles }: PolicyDescription): string[] {
  const others = profiles.filter(({ name }) => name !== profile.name)
  return [
    `${bold(`Profile ${profile.name}`)}  ${profile.summary}`,
    ...(profile.cost === null ? [] : prose(`It costs: ${profile.cost}`, 2).map(line => `  ${warn(line)}`)),
    ...others.flatMap(({ name, summary, cost }) => [
      dim(`  Or ${name}: ${summary}`),
      ...(cost === null ? [] : prose(`It costs: ${cost}`, 4).map(line => dim(`    ${line}`))),
    ]),
  ]
}

function rulesLines({ file, images, limits, bench }: PolicyDescription["rules"], path: string): string[] {
  const where = file ?? `none written, so that these hold; ${path} is where to write others`
  const signed = images.signedBy.map(({ images, keys }) => {
    const named = keys.map(({ file, kind, keyId }) => `${file} (${kind}, ${keyId.slice(0, 16)}…)`)
    return [`  ${images}`, `signed by ${named.join(" or ")}`] as const
  })
  return section("Owner's rules", where, [
    ["  images.allow", images.allow.map(explained).join(", ") || "none"],
    ["  images.maxMiB", `${images.maxMiB} MiB, unpacked`],
    ["  images.signedBy", signed.length === 0 ? "no signature is asked for" : "others need no signature"],
    ...signed,
    ...limits.map(({ name, most, unit }) => [`  limits.${name}`, `${most} ${unit} at most`] as const),
    [
      "  bench.maxTemperatureC",
      bench.maxTemperatureC === null
        ? "none but the cards' own; a limit would hold for `bench` alone"
        : `${bench.maxTemperatureC} °C at most, while \`bench\` measures and at no other time`,
    ],
  ])
}

/** The two patterns that do not explain themselves. */
function explained(pattern: string): string {
  if (pattern === "**") return "** (the marketplace's own registry and every public one)"
  return pattern === "market" ? "market (the marketplace's own registry)" : pattern
}

function section(title: string, about: string, lines: readonly Line[]): string[] {
  const width = Math.max(...lines.map(([left]) => left.length).filter(length => length <= LEFT_COLUMNS))
  const [first = "", ...more] = prose(about, title.length + 2)
  return [
    "",
    `${bold(title)}  ${dim(first)}`,
    ...more.map(line => `${" ".repeat(title.length + 2)}${dim(line)}`),
    ...lines.flatMap(([left, right]) => {
      const [said = "", ...rest] = prose(right, width + 2)
      const below = (line: string) => `${" ".repeat(width + 2)}${line}`
      if (left.length > width) return [left, ...[said, ...rest].map(below)]
      return [`${left.padEnd(width)}  ${said}`.trimEnd(), ...rest.map(below)]
    }),
  ]
}

/** Broken between words on a terminal, where a break of the terminal's own would lose the indent. */
function prose(text: string, indent: number): string[] {
  if (!process.stdout.isTTY) return [text]
  const room = Math.min(process.stdout.columns || MOST_COLUMNS, MOST_COLUMNS) - indent
  const width = Math.max(LEAST_COLUMNS, room)
  return text.match(new RegExp(`\\S.{0,${width - 1}}(?=\\s|$)|\\S+`, "g")) ?? [""]
}

const bold = (text: string) => styleText("bold", text, { stream: process.stdout })
const dim = (text: string) => styleText("dim", text, { stream: process.stdout })
const warn = (text: string) => styleText("yellow", text, { stream: process.stdout })
