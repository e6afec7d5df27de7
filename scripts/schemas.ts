// Writes docs/schema: the wire, the proofs and the job file for people and programs that do not use our code.
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"
import { z } from "zod"
import { MicroCredits } from "../src/protocol/credits.ts"
import { Blob, Digest, FileName, NamedBlob } from "../src/protocol/digest.ts"
import { FAULTS } from "../src/protocol/fault.ts"
import {
  BatchJob,
  JobId,
  JobSpec,
  JobStatus,
  Model,
  Royalty,
  ShardStatus,
  TrainJob,
} from "../src/protocol/job.ts"
import { CanonicalBase64, KeyId, PublicKey, Signature } from "../src/protocol/keys.ts"
import { Id, Lease, Timestamp } from "../src/protocol/lease.ts"
import {
  ClientFrame,
  type ClientType,
  Machine,
  MarketFrame,
  type MarketType,
  Slot,
  SUBPROTOCOL,
} from "../src/protocol/message.ts"
import { Charge, NanoCreditsPerSecond, Price } from "../src/protocol/price.ts"
import { Gpu, ProofStatement, Sandbox, Usage } from "../src/protocol/proof.ts"
import { ReceiptStatement } from "../src/protocol/receipt.ts"
import { Checkpoint, Command, Image, Limits, Resources, ShardSpec } from "../src/protocol/shard-spec.ts"
import { Bundle, Resource } from "../src/protocol/statement.ts"
import { JobFile } from "../src/runtime/job/job-file.ts"

const FOLDER = join(import.meta.dirname, "../docs/schema")
const ADDRESS = "https://zg-agent.dev/schema"

const NAMED = {
  ...{ Blob, Digest, FileName, NamedBlob, MicroCredits, JobId, KeyId, PublicKey, Signature, Id, Timestamp },
  ...{ Image, Resources, Limits, Checkpoint, Command, ShardSpec, Lease, Machine, Slot },
  ...{ NanoCreditsPerSecond, Price, Charge, Royalty },
  ...{ Model, TrainJob, BatchJob, JobSpec },
  ...{ ShardStatus, JobStatus, Resource, Bundle, Sandbox, Gpu, Usage, ProofStatement, ReceiptStatement },
  ...{ ClientFrame, MarketFrame },
}

/** What each message of a client is for, and the type that answers it when it is not refused. */
const CLIENT: Record<ClientType, { summary: string; answer?: MarketType | MarketType[] }> = {
  hello: { summary: "Opens the handshake with the client's key and nonce.", answer: "challenge" },
  auth: { summary: "The client's signature over the handshake.", answer: ["welcome", "resumed"] },
  register: { summary: "Enrols the identity, or renews its name and machine.", answer: "registered" },
  capacity: { summary: "The slots that this agent serves from now on." },
  report: { summary: "What the machine can do, measured and signed.", answer: "reported" },
  accept: { summary: "Takes an offer.", answer: "lease" },
  decline: { summary: "Turns an offer down, with the reason." },
  renew: { summary: "Asks for more time on a lease.", answer: "renewed" },
  progress: { summary: "How far a leased shard is." },
  checkpoint: { summary: "Tells of a shard's newest checkpoint, which has been uploaded.", answer: "kept" },
  proof: { summary: "Hands in the signed proof of a finished shard.", answer: "receipt" },
  abandon: { summary: "Gives a lease back, with the fault that ended the shard.", answer: "abandoned" },
  drain: { summary: "No more offers until capacity is announced again." },
  submit: { summary: "Hands in a job.", answer: "submitted" },
  watch: { summary: "Asks for a job's state now and at each change.", answer: "job" },
  jobs: { summary: "Asks for the identity's latest jobs.", answer: "jobList" },
  account: { summary: "Asks for the identity's credits.", answer: "account" },
  release: { summary: "Asks for the bond to be paid out.", answer: "account" },
  ack: { summary: "How far the client has received, when nothing else says so." },
}

const MARKET: Record<MarketType, string> = {
  challenge: "The marketplace's key, nonce and session id.",
  welcome: "The marketplace's signature over the handshake, and a token for its registry.",
  resumed:
    "The marketplace's signature over the handshake, and how far it received the session that goes on.",
  registered: "The identity is enrolled.",
  reported: "The capacity report is taken; matching goes by it.",
  offer: "A shard that fits a free slot.",
  withdrawn: "An offer is taken back.",
  lease: "The offer is now a lease.",
  renewed: "The lease's new deadline.",
  kept: "The checkpoint is kept for the shard's next holder.",
  receipt: "The signed answer to an accepted proof.",
  committed:
    "The proof is logged, and is paid once its audits are over; hand it in again, with what is to be shown.",
  abandoned: "The lease is given back, now or earlier.",
  cancel: "The lease is over: stop the shard.",
  submitted: "The job's id.",
  job: "A job's state: the answer to a watch, and every change after it.",
  jobList: "The identity's latest jobs.",
  account: "The identity's credits.",
  ack: "How far the marketplace has received, when nothing else says so.",
  refused: "The message could not be carried out, and why.",
}

type Schemas = Record<string, z.core.JSONSchema.JSONSchema>

/** `Client` and `hello` → `ClientHello`: both directions have an `account`. */
const nameOf = (side: "Client" | "Market", type: string) =>
  `${side}${type.charAt(0).toUpperCase()}${type.slice(1)}`

/** Every named schema and every frame, with references to one another under `prefix`. */
function definitions(target: "draft-2020-12" | "draft-07", prefix: string): Schemas {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id })
  for (const frame of ClientFrame.options)
    registry.add(frame, { id: nameOf("Client", frame.shape.type.value) })
  for (const frame of MarketFrame.options)
    registry.add(frame, { id: nameOf("Market", frame.shape.type.value) })
  const { schemas } = z.toJSONSchema(registry, { target, uri: id => `${prefix}${id}`, override: sharpen })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema, $id, ...schema }]) => [name, schema]),
  )
}

/** Says in JSON Schema what zod checks with a function. */
const sharpen: NonNullable<z.core.ToJSONSchemaParams["override"]> = ({ zodSchema, jsonSchema, path }) => {
  if (zodSchema === CanonicalBase64 || zodSchema === Signature) jsonSchema.contentEncoding = "base64"
  if (path.at(-1) === "code") jsonSchema.enum = Object.keys(FAULTS)
}

export function wireSchema(): z.core.JSONSchema.JSONSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `${ADDRESS}/zg.v1.schema.json`,
    title: `${SUBPROTOCOL}: frames, specs and signed statements`,
    description: "A frame is one ClientFrame or one MarketFrame; docs/protocol.md says what they mean.",
    anyOf: [{ $ref: "#/$defs/ClientFrame" }, { $ref: "#/$defs/MarketFrame" }],
    $defs: definitions("draft-2020-12", "#/$defs/"),
  }
}

/** Prices, as zod checks them in steps. */
const DECIMALS = {
  pricePerShard: { pattern: "^\\d{1,9}(\\.\\d{1,6})?$", examples: [0.25] },
  pricePerSecond: { pattern: "^\\d{1,3}(\\.\\d{1,9})?$", examples: [0.00012] },
}

/** For editors: what may be written, so a field with a default may be left out. Most of them know draft-07 best. */
export function jobFileSchema(): z.core.JSONSchema.JSONSchema {
  const schema = z.toJSONSchema(JobFile, {
    target: "draft-07",
    io: "input",
    override: ({ jsonSchema, path }) => {
      const written = DECIMALS[path.at(-1) as keyof typeof DECIMALS]
      if (written) Object.assign(jsonSchema, { minimum: 0, ...written })
    },
  })
  return Object.assign(schema, { $id: `${ADDRESS}/job-file.schema.json`, title: "zg-agent job file" })
}

/** AsyncAPI 3.0 from the marketplace's side: it receives what clients send. */
export function asyncApi(): object {
  const messages = {
    ...Object.fromEntries(
      Object.entries(CLIENT).map(([type, { summary }]) => message("Client", type, summary)),
    ),
    ...Object.fromEntries(Object.entries(MARKET).map(([type, summary]) => message("Market", type, summary))),
  }
  return {
    asyncapi: "3.0.0",
    info: {
      title: "zg-agent marketplace",
      version: SUBPROTOCOL,
      description: `One JSON object in each text frame of a WebSocket with the subprotocol ${SUBPROTOCOL}; see docs/protocol.md.`,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    servers: {
      local: {
        host: "127.0.0.1:7464",
        protocol: "ws",
        description: "What `zg-agent market start` listens on.",
      },
    },
    channels: { session: session(Object.keys(messages)) },
    operations: operations(),
    components: { messages, schemas: definitions("draft-07", "#/components/schemas/") },
  }
}

function message(side: "Client" | "Market", type: string, summary: string): [string, object] {
  const name = nameOf(side, type)
  const correlationId = { location: `$message.payload#/${side === "Client" ? "seq" : "re"}` }
  return [name, { name: type, summary, correlationId, payload: { $ref: `#/components/schemas/${name}` } }]
}

function session(names: string[]): object {
  return {
    address: "/",
    description:
      "One connection: a handshake, then messages both ways of the session that it begins or goes on with.",
    messages: Object.fromEntries(names.map(name => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: {
      ws: {
        method: "GET",
        headers: { type: "object", properties: { "Sec-WebSocket-Protocol": { const: SUBPROTOCOL } } },
      },
    },
  }
}

function operations(): object {
  const channel = { $ref: "#/channels/session" }
  const on = (name: string) => ({ $ref: `#/channels/session/messages/${name}` })
  const received = Object.entries(CLIENT).map(([type, { summary, answer }]) => {
    const answers = [answer ?? [], "refused" as const].flat()
    const reply = { channel, messages: answers.map(each => on(nameOf("Market", each))) }
    const messages = [on(nameOf("Client", type))]
    return [`receive-${type}`, { action: "receive", channel, summary, messages, reply }]
  })
  const sent = (["offer", "withdrawn", "cancel", "job", "ack", "refused"] as const).map(type => {
    const messages = [on(nameOf("Market", type))]
    return [`send-${type}`, { action: "send", channel, summary: MARKET[type], messages }]
  })
  return Object.fromEntries([...received, ...sent])
}

/** The files by name. */
export function schemaFiles(): Record<string, object> {
  return {
    "zg.v1.schema.json": wireSchema(),
    "zg.v1.asyncapi.json": asyncApi(),
    "job-file.schema.json": jobFileSchema(),
  }
}

if (import.meta.main) {
  await mkdir(FOLDER, { recursive: true })
  for (const [name, content] of Object.entries(schemaFiles()))
    await writeFile(join(FOLDER, name), JSON.stringify(content, null, 2))
  await execa("biome", ["format", "--write", FOLDER], { preferLocal: true })
}
