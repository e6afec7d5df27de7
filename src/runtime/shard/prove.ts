import type { Digest } from "../../protocol/digest.ts"
import { proofStatement, type RunRecord } from "../../protocol/proof.ts"
import { bundleDigest, signStatement } from "../../protocol/statement.ts"
import { flagsDigest } from "../container/sandbox.ts"
import { callFilter } from "../container/seccomp.ts"
import type { Ports } from "./ports.ts"
import { placementOf, profileOf } from "./run.ts"
import type { Proved, Ran } from "./state.ts"

type Needs = Pick<
  Ports,
  | "engine"
  | "registry"
  | "shardsRoot"
  | "store"
  | "home"
  | "graceMs"
  | "signer"
  | "archive"
  | "version"
  | "disks"
>

/** ran → proved: one signed statement, in the archive. A lease that has a proof already keeps it. */
export async function prove(shard: Ran, ports: Needs): Promise<Proved> {
  const { assignment, berth, outputs } = shard
  const { bundle } = await ports.archive.chain(assignment, previous =>
    signStatement(proofStatement(assignment, runRecord(shard, ports, previous)), ports.signer),
  )
  return { step: "proved", assignment, berth, outputs, proof: bundleDigest(bundle), bundle }
}

function runRecord(shard: Ran, ports: Needs, previous: Digest | null): RunRecord {
  const { name, version, runtime, isolation } = ports.engine.facts
  const { outputs, log, startedOn, finishedOn, usage, berth } = shard
  return {
    outputs,
    log,
    exit: 0,
    startedOn,
    finishedOn,
    isolation,
    versions: { "zg-agent": ports.version, [name]: version, node: process.versions.node },
    sandbox: {
      engine: name,
      runtime,
      network: "none",
      seccomp: callFilter(ports.engine.facts),
      profile: profileOf(shard),
      disks: ports.disks.kind,
      flagsDigest: flagsDigest(placementOf(shard, ports)),
    },
    gpus: berth.gpus,
    usage,
    previous,
  }
}
