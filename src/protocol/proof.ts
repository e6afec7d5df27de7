import { z } from "zod"
import { canonicalJson, type Digest, digestOf, type NamedBlob } from "./digest.ts"
import { JobId } from "./job.ts"
import { Lease, Timestamp } from "./lease.ts"
import { Price } from "./price.ts"
import { RUN_LOG } from "./run-log.ts"
import { Checkpoint, commandDigest, Image, ShardSpec, specDigest } from "./shard-spec.ts"
import { Resource, resource, STATEMENT_TYPE } from "./statement.ts"

/** Version of our build type: what the parameters mean is written in docs/protocol.md. */
export const BUILD_TYPE = "https://zg-agent.dev/buildtypes/shard/v1"
export const SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
const BUILDER = "https://zg-agent.dev/builders/zg-agent"

/** How a shard is walled off; SLSA wants one builder id for each level. */
export const Isolation = z.enum(["runc", "gvisor", "rootless"])
export type Isolation = z.infer<typeof Isolation>

export const Sandbox = z.strictObject({
  engine: z.string(),
  runtime: z.string(),
  network: z.literal("none"),
  seccomp: z.string(),
  /** The policy's name, such as `strict`. */
  profile: z.string(),
  /** Whether outputs lay on file systems of their limits' size, or were measured while the shard ran. */
  disks: z.enum(["mounted", "watched"]),
  /** Digest of the engine's argv without paths and ids: equal policies have equal digests. */
  flagsDigest: z.string(),
})
export type Sandbox = z.infer<typeof Sandbox>

export const Gpu = z.strictObject({
  uuid: z.string().nullable(),
  pciAddress: z.string().nullable(),
  model: z.string(),
})
export type Gpu = z.infer<typeof Gpu>

/** What the shard used; a value that this machine does not report is null. */
export const Usage = z.strictObject({
  gpuSeconds: z.number().min(0),
  cpuSeconds: z.number().min(0).nullable(),
  energyJoules: z.number().min(0).nullable(),
  peakVramBytes: z.int().min(0).nullable(),
})
export type Usage = z.infer<typeof Usage>

/** What a lease grants, which both ends know before anything is run. */
export const Assignment = z.strictObject({
  job: JobId,
  shard: z.strictObject({ index: z.int().min(0), label: z.string() }),
  lease: Lease,
  spec: ShardSpec,
  /** What it goes on from, where its checkpoints travel and an earlier holder left one. */
  checkpoint: Checkpoint.optional(),
  /** What is paid for it; leases of before this was said have none. */
  price: Price.optional(),
})
export type Assignment = z.infer<typeof Assignment>

/** in-toto Statement v1 with SLSA Provenance v1: what was run, on what, from which inputs, to which outputs. */
export const ProofStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(Resource).min(1),
  predicateType: z.literal(SLSA_PROVENANCE),
  predicate: z.strictObject({
    buildDefinition: z.strictObject({
      buildType: z.literal(BUILD_TYPE),
      externalParameters: z.strictObject({
        job: JobId,
        shard: Assignment.shape.shard,
        image: Image,
        lease: Lease,
      }),
      internalParameters: z.strictObject({ sandbox: Sandbox }),
      resolvedDependencies: z.array(Resource),
    }),
    runDetails: z.strictObject({
      builder: z.strictObject({
        id: z.enum(Isolation.options.map(level => `${BUILDER}/${level}`)),
        version: z.record(z.string(), z.string()),
      }),
      metadata: z.strictObject({
        /** `<lease id>/<epoch>`. */
        invocationId: z.string(),
        startedOn: Timestamp,
        finishedOn: Timestamp,
        zg_gpus: z.array(Gpu),
        zg_usage: Usage,
        zg_exit: z.int(),
        /** SHA-256 of this agent's previous statement, null for its first. */
        zg_previous: z.string().nullable(),
      }),
      byproducts: z.array(Resource),
    }),
  }),
})
export type ProofStatement = z.infer<typeof ProofStatement>

/** All that an agent adds about one finished run. */
export interface RunRecord {
  outputs: NamedBlob[]
  log: Digest
  /** The root over the lines of its run log; none where it has none. */
  runLog?: Digest | undefined
  exit: number
  startedOn: string
  finishedOn: string
  isolation: Isolation
  versions: Record<string, string>
  sandbox: Sandbox
  gpus: Gpu[]
  usage: Usage
  previous: Digest | null
}

export function proofStatement(assignment: Assignment, run: RunRecord): ProofStatement {
  const { job, shard, lease, spec } = assignment
  return {
    _type: STATEMENT_TYPE,
    subject: subjects(run.outputs),
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { job, shard, image: spec.image, lease },
        internalParameters: { sandbox: run.sandbox },
        resolvedDependencies: dependencies(assignment),
      },
      runDetails: {
        builder: { id: `${BUILDER}/${run.isolation}`, version: run.versions },
        metadata: {
          invocationId: `${lease.id}/${lease.epoch}`,
          startedOn: run.startedOn,
          finishedOn: run.finishedOn,
          zg_gpus: run.gpus,
          zg_usage: run.usage,
          zg_exit: run.exit,
          zg_previous: run.previous,
        },
        byproducts: [resource("log", run.log), ...(run.runLog ? [resource(RUN_LOG, run.runLog)] : [])],
      },
    },
  }
}

/** Milliseconds that a proof says its container ran: the least of what its times and its card's seconds come to. */
export function ranMs({ predicate }: ProofStatement): number {
  const { startedOn, finishedOn, zg_gpus, zg_usage } = predicate.runDetails.metadata
  const between = Date.parse(finishedOn) - Date.parse(startedOn)
  if (zg_gpus.length === 0) return between
  return Math.min(between, Math.round((zg_usage.gpuSeconds * 1000) / zg_gpus.length))
}

/** The image, the command, the whole spec, every input and every file of the checkpoint that the lease gave, each by digest. */
export function dependencies({ spec, checkpoint = [] }: Pick<Assignment, "spec" | "checkpoint">): Resource[] {
  return [
    resource("image", spec.image.digest),
    resource("command", commandDigest(spec.command)),
    resource("spec", specDigest(spec)),
    ...spec.inputs.map(input => resource(`input/${input.name}`, input.digest)),
    ...checkpoint.map(file => resource(`checkpoint/${file.name}`, file.digest)),
  ]
}

/** The result manifest first, then each output. */
export function subjects(outputs: NamedBlob[]): Resource[] {
  return [
    resource("result", digestOf(resultManifest(outputs))),
    ...outputs.map(output => resource(`output/${output.name}`, output.digest)),
  ]
}

const EMPTY = { digest: digestOf("{}"), mediaType: "application/vnd.oci.empty.v1+json", size: 2 }

/** The outputs as an OCI artifact manifest (image-spec 1.1, "Guidelines for Artifact Usage"), in RFC 8785 JSON. */
export function resultManifest(outputs: NamedBlob[]): string {
  return canonicalJson({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: "application/vnd.zg-agent.result.v1",
    config: EMPTY,
    layers: outputs.map(({ name, digest, size }) => ({
      mediaType: "application/octet-stream",
      digest,
      size,
      annotations: { "org.opencontainers.image.title": name },
    })),
  })
}
