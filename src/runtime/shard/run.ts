import type { ProfileName } from "../container/policy.ts"
import { imageReference } from "../container/reference.ts"
import { type Placement, sandboxArgs } from "../container/sandbox.ts"
import { foldersOf, type Ports, shardLabels } from "./ports.ts"
import type { OpenState, Prepared, Running } from "./state.ts"

type Needs = Pick<Ports, "engine" | "registry" | "shardsRoot" | "store" | "home" | "graceMs">

/**
 * prepared → running: a container, found by its labels or made, and started. Twice is harmless: starting a running one changes nothing.
 * @throws Fault `container-not-created`, `engine-*`.
 */
export async function run(shard: Prepared, ports: Needs, signal: AbortSignal): Promise<Running> {
  const { engine, home } = ports
  const [found] = await engine.find(shardLabels(shard, home), signal)
  const containerId = found ?? (await engine.create(sandboxArgs(placementOf(shard, ports)), signal))
  const state = await engine.state(containerId, signal)
  if (state?.status === "created") await engine.start(containerId, signal)
  const { assignment, berth, cuts } = shard
  return { step: "running", assignment, berth, cuts, containerId }
}

/** The walls with which the shard began: its container may be older than the owner's newest choice. */
export function profileOf({ berth }: OpenState): ProfileName {
  return berth.profile ?? "strict"
}

/** How this shard is walled off on this machine. */
export function placementOf(shard: OpenState, ports: Needs): Placement {
  const { assignment, berth } = shard
  const runtime = ports.engine.facts.runtimeFlag
  return {
    spec: assignment.spec,
    image: imageReference(assignment.spec.image, new URL(ports.registry.url).host),
    labels: shardLabels(shard, ports.home),
    folders: foldersOf(shard, ports),
    profile: profileOf(shard),
    gpu: berth.placement,
    graceMs: ports.graceMs,
    ...(runtime === null ? {} : { runtime }),
  }
}
