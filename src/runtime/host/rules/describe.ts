import { type Digest, digestOf } from "../../../protocol/digest.ts"
import { type Device, ShardSpec } from "../../../protocol/shard-spec.ts"
import { PROFILES, type ProfileName, type Wall, wallsOf } from "../../container/policy.ts"
import { flagsDigest, type GpuPlacement, type Placement, sandboxArgs } from "../../container/sandbox.ts"
import { BOUND_NAMES, BOUNDS, type BoundName } from "./bounds.ts"
import type { PinnedKey, Rules } from "./rules.ts"

/** All of the sandbox and of the owner's rules, as data: what `zg-agent sandbox show` prints. */
export interface PolicyDescription {
  profile: { name: ProfileName; summary: string; cost: string | null }
  /** The choices that the owner has. */
  profiles: { name: ProfileName; summary: string; cost: string | null }[]
  walls: DescribedWall[]
  /** Variables that neither the image nor the buyer can set otherwise; on a card `NVIDIA_VISIBLE_DEVICES` may name it. */
  environment: { name: string; value: string }[]
  /** What a proof of a shard with the default limits says as `sandbox.flagsDigest`, by device, under the engine's default runtime. */
  flagsDigests: Record<Device, Digest>
  rules: {
    /** Null where the owner wrote none and the defaults hold. */
    file: string | null
    images: {
      allow: string[]
      maxMiB: number
      signedBy: { images: string; keys: Omit<PinnedKey, "key">[] }[]
    }
    limits: { name: BoundName; most: number; unit: string }[]
    bench: Rules["bench"]
  }
}

/** Its flag is shown as it is for the default limits. */
export interface DescribedWall extends Wall {
  /** Whether the number in it is the shard's. */
  varies: boolean
}

/** The policy under a profile, which need not be the one of the rules. */
export function describePolicy(rules: Rules, profile: ProfileName, graceMs: number): PolicyDescription {
  const profiles = Object.entries(PROFILES).map(([name, { summary, cost }]) => ({
    name: name as ProfileName,
    summary,
    cost,
  }))
  const { summary, cost } = PROFILES[profile]
  const digest = (gpu: GpuPlacement) => flagsDigest(placement(profile, graceMs, gpu))
  return {
    profile: { name: profile, summary, cost },
    profiles,
    walls: describeWalls(profile, graceMs),
    environment: overriddenBy(profile, graceMs),
    flagsDigests: {
      cpu: digest({ device: "cpu" }),
      cuda: digest({ device: "cuda", uuid: "", through: "cdi" }),
      rocm: digest({ device: "rocm", renderNode: "", group: 0 }),
    },
    rules: describeRules(rules),
  }
}

function describeRules({ file, images, limits, bench }: Rules): PolicyDescription["rules"] {
  const signedBy = images.signedBy.map(rule => ({
    images: rule.images,
    keys: rule.keys.map(({ key, ...shown }) => shown),
  }))
  return {
    file,
    images: { ...images, signedBy },
    limits: BOUND_NAMES.map(name => ({ name, most: limits[name], unit: BOUNDS[name].unit })),
    bench,
  }
}

/** A wall that is another one for a shard with other limits varies with the shard. */
function describeWalls(profile: ProfileName, graceMs: number): DescribedWall[] {
  const { limits, resources } = DEFAULT_SHARD
  const [otherLimits, otherResources] = [plusOne(limits), plusOne(resources)]
  const others = wallsOf(profile, otherLimits, otherResources, graceMs).map(({ flag }) => flag)
  return wallsOf(profile, limits, resources, graceMs).map(wall => ({
    ...wall,
    varies: !others.includes(wall.flag),
  }))
}

function plusOne<T extends object>(numbers: T): T {
  const more = Object.entries(numbers).map(([name, value]) => [
    name,
    typeof value === "number" ? value + 1 : value,
  ])
  return Object.fromEntries(more)
}

const BUYERS = "the buyer's"

/** What still holds when a buyer sets every variable that the sandbox sets. */
function overriddenBy(profile: ProfileName, graceMs: number): { name: string; value: string }[] {
  const variables = (env: Record<string, string>) =>
    sandboxArgs(placement(profile, graceMs, { device: "cpu" }, env))
      .map(arg => /^--env=([^=]+)=(.*)$/s.exec(arg))
      .flatMap(found => (found ? [{ name: found[1] ?? "", value: found[2] ?? "" }] : []))
  const names = variables({}).map(({ name }) => [name, BUYERS] as const)
  return variables(Object.fromEntries(names)).filter(({ value }) => value !== BUYERS)
}

const DEFAULT_SHARD = ShardSpec.parse({
  image: { name: "any", digest: digestOf("any") },
  command: { argv: ["any"] },
  inputs: [],
  outputs: ["any"],
  resources: {},
  limits: {},
})

/** A shard with the default limits; what is its own (ids, paths, command) is in no flag that is shown. */
function placement(
  profile: ProfileName,
  graceMs: number,
  gpu: GpuPlacement,
  env: Record<string, string> = {},
): Placement {
  return {
    spec: { ...DEFAULT_SHARD, command: { argv: ["any"], env } },
    image: "any",
    labels: { lease: "any", epoch: 1, spec: DEFAULT_SHARD.image.digest, home: "any" },
    folders: { spec: "/any", inputs: [], out: "/any", checkpoint: "/any" },
    profile,
    gpu,
    graceMs,
  }
}
