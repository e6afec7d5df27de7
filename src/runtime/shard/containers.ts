import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import { callDocker, stderrFact } from "../container/docker.ts"
import type { Engine } from "../container/engine.ts"
import { labelsOf, type ShardLabels } from "../container/sandbox.ts"
import { type Ports, shardLabels } from "./ports.ts"
import type { OpenState } from "./state.ts"

const INSPECT_LIMIT_MS = 30_000
/** Between and after JSON texts, which hold neither as it is; Podman writes one over several lines, and takes only a template that begins so. */
const [FIELD_END, RECORD_END] = ["\u001f", "\u001e"]
const FIELDS = ["{{json .ID}}", "{{json .Created}}", "{{json .Config.Labels}}"]

/** A container of this home, by what it is labelled with. */
export interface Labelled {
  id: string
  /** Milliseconds since the epoch. */
  createdAtMs: number
  lease: string
  epoch: number
  spec: string
}

const Inspected = z.tuple([z.string(), z.iso.datetime({ offset: true }), z.record(z.string(), z.string())])

/** All containers with these labels. Throws Fault `engine-*`. */
export async function labelled(
  labels: Partial<ShardLabels>,
  engine: Engine,
  signal: AbortSignal,
): Promise<Labelled[]> {
  const ids = await engine.find(labels, signal)
  if (ids.length === 0) return []
  const format = `--format=${FIELDS.join(FIELD_END)}${RECORD_END}`
  const { stdout, stderr } = await callDocker(engine.facts.name, ["container", "inspect", format, ...ids], {
    signal,
    timeoutMs: INSPECT_LIMIT_MS,
  })
  const found = stdout.split(RECORD_END).filter(one => one.trim() !== "")
  // One that went meanwhile is no trouble; an engine that tells of none is.
  if (found.length < ids.length && (await engine.find(labels, signal)).length > found.length)
    throw silent(stderr)
  return found.map(one => read(Inspected.parse(one.split(FIELD_END).map(text => JSON.parse(text)))))
}

function read([id, created, labels]: z.infer<typeof Inspected>): Labelled {
  const labelOf = (name: keyof ShardLabels) => labels[labelsOf({ [name]: "" })[0]?.slice(0, -1) ?? ""] ?? ""
  const [lease, epoch, spec] = [labelOf("lease"), Number(labelOf("epoch")), labelOf("spec")]
  return { id, createdAtMs: Date.parse(created), lease, epoch, spec }
}

/**
 * The shard's own container, null where there is none. Those of earlier epochs of its lease are removed first, so that no two ever run.
 * @throws Fault `lease-stale` when a later epoch has a container here; `engine-*`.
 */
export async function ownContainer(
  shard: OpenState,
  { engine, home }: Pick<Ports, "engine" | "home">,
  signal: AbortSignal,
): Promise<string | null> {
  const { lease, epoch, spec } = shardLabels(shard, home)
  const all = await labelled({ lease, home }, engine, signal)
  if (all.some(other => other.epoch > epoch)) throw stale(shard)
  const own = all.find(one => one.epoch === epoch && one.spec === spec)
  for (const other of all) if (other !== own) await removeSurely(other.id, engine, signal)
  return own?.id ?? null
}

const REMOVALS = 3

/** Removes a container and makes sure: a removal that an engine in trouble passed over would leave two. Throws Fault `container-lost`. */
export async function removeSurely(id: string, engine: Engine, signal: AbortSignal): Promise<void> {
  for (let tries = 1; tries <= REMOVALS; tries++) {
    await engine.remove(id, signal)
    if ((await engine.state(id, signal)) === null) return
  }
  throw new Fault("container-lost", "The engine does not remove the container.", {
    hint: "See what `docker rm --force` with its id says.",
    facts: { container: id.slice(0, 12) },
  })
}

function stale({ assignment: { lease } }: OpenState): Fault {
  return new Fault("lease-stale", "This lease has come to this machine anew since.", {
    hint: "Nothing to do: the later epoch goes on.",
    facts: { lease: lease.id, epoch: lease.epoch },
  })
}

function silent(stderr: string): Fault {
  return new Fault("engine-refused", "The container engine does not tell of its containers.", {
    hint: "See what `docker ps --all` says and put it right, then try again.",
    facts: { stderr: stderrFact(stderr) },
  })
}
