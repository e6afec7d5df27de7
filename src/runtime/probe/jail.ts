import { Digest } from "../../protocol/digest.ts"
import type { Isolation } from "../../protocol/proof.ts"
import type { EngineFacts } from "../container/engine.ts"
import { flagsDigest, type GpuPlacement, type Placement, sandboxArgs } from "../container/sandbox.ts"
import { JailSaid, type JailVerdict, judgeJail } from "./judge-jail.ts"
import { layLures } from "./lures.ts"
import { inPlace, type PlaceOptions, type Task } from "./place.ts"
import { isolationOf, runtimeOf } from "./probe.ts"
import { parseSaid, runToEnd } from "./run.ts"
import { type Address, targetsOf } from "./targets.ts"

export interface JailOptions extends PlaceOptions {
  /** Addresses that no shard may reach besides this machine's own, such as the marketplace's. */
  addresses?: readonly Address[]
  /** A spec's own when not given. */
  limits?: Task["limits"]
}

/** What a hostile container could do in the sandbox, and which sandbox it was. */
export interface JailReport extends JailVerdict {
  engine: Pick<EngineFacts, "name" | "version">
  runtime: string
  isolation: Isolation
  /** What the container was given: `cpu`, a card's UUID, or its render node. */
  device: string
  profile: string
  disks: "mounted" | "watched"
  /** Digest of the flags, as proofs name it. */
  policy: Digest
  /** The probe's image. */
  image: Digest
  /** RFC 3339. */
  at: string
}

/**
 * Runs the probe as a hostile shard: one container that tries everything quick. A second and a half, on gVisor some more.
 * @throws Fault `probe-missing`, `probe-failed`, `image-missing`, `container-not-created`, `disk-full`, `engine-*`; an open attempt is no
 * fault here but a report that did not pass.
 */
export function jail(options: JailOptions, signal: AbortSignal): Promise<JailReport> {
  return jailWith(options, args => args, signal)
}

/**
 * As `jail`, with other flags than the sandbox has: that is how the tests show that the jail test would notice.
 * @param change from the sandbox's arguments to others.
 */
export async function jailWith(
  options: JailOptions,
  change: (args: string[]) => string[],
  signal: AbortSignal,
): Promise<JailReport> {
  await using lures = await layLures()
  const attack = async (placement: Placement) => {
    const targets = targetsOf(placement, lures, options.addresses ?? [])
    const args = [...change(sandboxArgs(placement)), ...targets]
    const { exitCode, stdout } = await runToEnd(options.engine, args, placement.labels, signal)
    const said = parseSaid(JailSaid, exitCode, stdout)
    const isolation = isolationOf(options)
    const setting = { isolation, profile: placement.profile ?? "strict", disks: diskKind(options) }
    const expected = { placement, isolation }
    const verdict = judgeJail({ said, expected, setting, targets, arrivals: lures.arrivals() })
    return { ...verdict, ...placeOf(options, placement) }
  }
  // Awaited here: the lures are there for as long as it runs.
  return await inPlace(options, { argv: ["jail"], limits: options.limits ?? {} }, attack, signal)
}

function placeOf(options: JailOptions, placement: Placement): Omit<JailReport, keyof JailVerdict> {
  const { name, version, runtime } = options.engine.facts
  return {
    engine: { name, version },
    runtime: runtimeOf(options) ?? runtime,
    isolation: isolationOf(options),
    device: deviceOf(options.gpu),
    profile: placement.profile ?? "strict",
    disks: diskKind(options),
    policy: flagsDigest(placement),
    image: Digest.parse(placement.image),
    at: new Date().toISOString(),
  }
}

function deviceOf(gpu: GpuPlacement): string {
  if (gpu.device === "cpu") return "cpu"
  return gpu.device === "cuda" ? gpu.uuid : gpu.renderNode
}

function diskKind({ disks }: JailOptions): "mounted" | "watched" {
  return disks?.kind ?? "watched"
}
